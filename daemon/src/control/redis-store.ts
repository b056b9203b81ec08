import { once } from 'node:events';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { COMMIT_SCRIPT, commitArguments, storedObject, type CommitReply } from './commit-script.js';
import { ObjectCache, setOf } from './object-cache.js';
import { OperatorConnection } from './operator-connection.js';
import { redisText, type RedisSettings } from './redis-connection.js';
import { checkLayout } from './redis-layout.js';
import { compareIds, firstId, inOneStep } from './redis-replies.js';
import { type Link, RedisSessions } from './redis-session.js';
import { RefusedError } from './refused.js';
import { KINDS, type Kind, type ObjectRef } from './schema.js';
import type { CommitResult, ConfigChange, StateStore, StoredObject, Transaction } from './store.js';

/** One read of the log: most entries, and the longest wait for the first, after which the store is looked at anyway. */
const FOLLOW = { count: 1_000, blockMs: 5_000 } as const;
/** Longest wait for the copy after a commit, ms. */
const CATCH_UP_MS = 5_000;

export interface RedisStoreOptions {
  readonly redis: RedisSettings;
  /** Begins every key; hosts that share it are one cluster. */
  readonly prefix: string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * The shared state in Redis. One session follows another:
 *
 *     connect ──▶ load everything ──▶ follow the log ──▶ (lost, trimmed, other epoch) ──▶ connect ...
 *
 * Loading compares with the copy in memory, so those who watch hear only of differences, also of what was missed.
 */
export class RedisStore implements StateStore {
  readonly #options: RedisStoreOptions;
  readonly #cache = new ObjectCache();
  readonly #sessions: RedisSessions;
  readonly #operator: OperatorConnection;
  #epoch = '';
  #position = '0-0';
  /** Those who wait for the copy to move on. */
  #waiting: (() => void)[] = [];

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#operator = new OperatorConnection(options.redis);
    this.#sessions = new RedisSessions({
      redis: options.redis,
      log: options.log,
      body: (link, ready) => this.#session(link, ready),
      onEnd: () => {
        this.#wake();
      },
    });
  }

  get connected(): boolean {
    return this.#sessions.link !== undefined;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get position(): string {
    return this.#position;
  }

  list<K extends Kind>(kind: K): readonly StoredObject<K>[] {
    return this.#cache.list(kind);
  }

  get<K extends Kind>(kind: K, name: string): StoredObject<K> | undefined {
    return this.#cache.get(kind, name);
  }

  watch(onChange: (change: ConfigChange) => void): void {
    this.#cache.watch(onChange);
  }

  start(): Promise<void> {
    return this.#sessions.start();
  }

  stop(): Promise<void> {
    this.#operator.close();
    return this.#sessions.stop();
  }

  async reservations(book: string): Promise<ReadonlyMap<string, string>> {
    const { commands } = this.#need();
    try {
      return new Map(Object.entries(await commands.hgetall(this.#key(book))));
    } catch (cause) {
      throw this.#unavailable(cause);
    }
  }

  async commit(tx: Transaction): Promise<CommitResult> {
    const link = this.#need();
    const { keys, argument } = commitArguments(tx, this.#epoch, this.#options.prefix);
    let reply: CommitReply;
    try {
      const commands = await this.#operator.open(link.commands);
      reply = (await commands.eval(COMMIT_SCRIPT, keys.length, ...keys, argument)) as CommitReply;
    } catch (cause) {
      throw this.#unavailable(cause);
    }

    const [outcome, end, about] = reply;
    if (outcome === 'epoch' || outcome === 'revision') {
      // The copy is wrong in a way its log does not tell: start over.
      link.close();
      await this.#until(() => this.connected && this.#sessions.link !== link);
    } else {
      await this.#until(() => this.#sessions.link !== link || compareIds(this.#position, end) >= 0);
    }
    if (outcome === 'committed') return { committed: true };
    return { committed: false, conflict: outcome === 'epoch' ? 'moved' : outcome, about };
  }

  async #session(link: Link, ready: () => void): Promise<void> {
    while (!this.#sessions.stopped) {
      await this.#load(link.commands);
      if (!this.connected) {
        ready();
        this.#options.log.info({ store: this.#address, epoch: this.#epoch }, 'following the shared store');
      }
      await this.#follow(link);
    }
  }

  async #load(commands: Redis): Promise<void> {
    await checkLayout(commands, this.#options.prefix, this.#address);
    const [epoch, newest, ...hashes] = await inOneStep(
      KINDS.reduce(
        (multi, kind) => multi.hgetall(this.#key(`config:${kind}`)),
        commands.multi().get(this.#key('epoch')).xrevrange(this.#logKey, '+', '-', 'COUNT', 1),
      ),
    );
    const objects = hashes.flatMap((hash, i) => this.#objectsOf(KINDS[i], hash as Record<string, string>));
    this.#epoch = epoch as string;
    this.#cache.replaceAll(objects);
    this.#position = firstId(newest) ?? '0-0';
    this.#wake();
  }

  /** In the order of their names, as a hash has none: numbers given in turn then come out the same everywhere. */
  #objectsOf(kind: Kind, hash: Record<string, string>): StoredObject[] {
    const byName = Object.entries(hash).sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
    return byName.map(([name, text]) => this.#objectOf({ kind, name }, text));
  }

  #objectOf(ref: ObjectRef, text: string): StoredObject {
    try {
      return storedObject(ref, text);
    } catch (cause) {
      const where = `${this.#key(`config:${ref.kind}`)}, ${ref.name}`;
      throw new RefusedError(
        'layout',
        `the shared store at ${this.#address} cannot be read: ${where} is no object`,
        '',
        {
          cause,
        },
      );
    }
  }

  /** Returns when the log can no longer be followed and everything has to be loaded anew. */
  async #follow({ commands, reader }: Link): Promise<void> {
    for (;;) {
      const streams = await reader.xread(
        ...(['COUNT', FOLLOW.count, 'BLOCK', FOLLOW.blockMs, 'STREAMS', this.#logKey, this.#position] as const),
      );
      const entries = (streams?.[0]?.[1] ?? []).map(([id, fields]) => logEntry(id, fields));
      const refs = entries.filter((entry) => (KINDS as readonly string[]).includes(entry.kind));
      const [epoch, oldest, newest, ...values] = await inOneStep(
        refs.reduce(
          (multi, { kind, name }) => multi.hget(this.#key(`config:${kind}`), name),
          commands
            .multi()
            .get(this.#key('epoch'))
            .xrange(this.#logKey, '-', '+', 'COUNT', 1)
            .xrevrange(this.#logKey, '+', '-', 'COUNT', 1),
        ),
      );
      if (epoch !== this.#epoch || !this.#isWhole(firstId(oldest), firstId(newest))) return;

      for (const [i, { kind, name, op }] of refs.entries()) {
        const text = values[i] as string | null;
        if (op === 'delete') this.#cache.apply({ op, kind, name });
        else if (text !== null) this.#cache.apply(setOf(this.#objectOf({ kind, name }, text)));
      }
      this.#position = entries.at(-1)?.id ?? this.#position;
      this.#wake();
    }
  }

  /** Whether the log still holds the entry we stand at, so that none behind it was missed. */
  #isWhole(oldest: string | undefined, newest: string | undefined): boolean {
    if (oldest === undefined || newest === undefined) return this.#position === '0-0';
    return compareIds(oldest, this.#position) <= 0 && compareIds(newest, this.#position) >= 0;
  }

  /** Waits until the copy has moved so far that `condition` holds, but not for ever. */
  async #until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(CATCH_UP_MS);
    const late = once(deadline, 'abort');
    while (!condition() && !deadline.aborted) {
      await Promise.race([late, new Promise<void>((resolve) => this.#waiting.push(resolve))]);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get #address(): string {
    return redisText(this.#options.redis);
  }

  get #logKey(): string {
    return this.#key('config:log');
  }

  #key(name: string): string {
    return this.#options.prefix + name;
  }

  #need(): Link {
    const { link } = this.#sessions;
    if (link === undefined) throw this.#unavailable(undefined);
    return link;
  }

  #unavailable(cause: unknown): RefusedError {
    const message = isDenied(cause)
      ? `the shared store at ${this.#address} does not let this daemon change configuration; set redis.operator in its configuration file`
      : `the shared store at ${this.#address} is not reachable; configuration cannot change until it is back`;
    return new RefusedError('unavailable', message, undefined, { cause });
  }
}

/** Whether the server knows us, but refuses what was asked. */
const isDenied = (cause: unknown): boolean =>
  cause instanceof Error && /^(NOPERM|WRONGPASS|NOAUTH)\b|ACL failure/.test(cause.message);

interface LogEntry {
  readonly id: string;
  readonly kind: Kind;
  readonly name: string;
  readonly op: string;
}

/** Fields of a stream entry come as a flat list of names and values. */
function logEntry(id: string, fields: readonly string[]): LogEntry {
  const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  return { id, kind: field('kind') as Kind, name: field('name'), op: field('op') };
}
