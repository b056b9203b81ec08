import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChainableCommander, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { COMMIT_SCRIPT, commitArguments, storedObject, type CommitReply } from './commit-script.js';
import { ObjectCache, setOf } from './object-cache.js';
import { openRedis, redisText, type RedisSettings } from './redis-connection.js';
import { RefusedError } from './refused.js';
import { KINDS, type Kind, type ObjectRef } from './schema.js';
import type { CommitResult, ConfigChange, StateStore, StoredObject, Transaction } from './store.js';

/** Version of the key layout. */
const SCHEMA = '1';
/** Lease of a host: how long it lasts and how often it is renewed, ms. */
const LEASE_MS = { lasts: 10_000, renew: 3_000 } as const;
/** One read of the log: most entries, and the longest wait for the first, after which the store is looked at anyway. */
const FOLLOW = { count: 1_000, blockMs: 5_000 } as const;
/** Pause before the next attempt to connect, ms; doubles up to `most`. */
const RETRY_MS = { first: 50, most: 2_000 } as const;
/** Longest wait for the copy after a commit, ms. */
const CATCH_UP_MS = 5_000;

/** What a host says of itself while it lives. `incarnation` is another one each time its daemon starts. */
interface HostLease {
  readonly name: string;
  readonly tunnelAddress: string | null;
  readonly encapsulations: readonly string[];
  readonly version: string;
  readonly incarnation: string;
}

export interface RedisStoreOptions {
  readonly redis: RedisSettings;
  /** Begins every key; hosts that share it are one cluster. */
  readonly prefix: string;
  readonly lease: HostLease;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Both connections of one session: a blocking read occupies one of its own. */
interface Link {
  readonly commands: Redis;
  readonly reader: Redis;
  readonly close: () => void;
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
  readonly #stopping = new AbortController();
  #epoch = '';
  #position = '0-0';
  /** Undefined while the store is away. */
  #link: Link | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Those who wait for the copy to move on. */
  #waiting: (() => void)[] = [];
  /** Whether the log already says that the store is away. */
  #complained = false;
  /** Of `start`, until the first load. */
  #started: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(options: RedisStoreOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#link !== undefined;
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

  async start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.#started = { resolve, reject };
    });
    this.#running = this.#run();
    await started;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#link?.close();
    await this.#running;
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
      reply = (await link.commands.eval(COMMIT_SCRIPT, keys.length, ...keys, argument)) as CommitReply;
    } catch (cause) {
      throw this.#unavailable(cause);
    }

    const [outcome, end, about] = reply;
    if (outcome === 'epoch' || outcome === 'revision') {
      // The copy is wrong in a way its log does not tell: start over.
      link.close();
      await this.#until(() => this.#link !== undefined && this.#link !== link);
    } else {
      await this.#until(() => this.#link !== link || compareIds(this.#position, end) >= 0);
    }
    if (outcome === 'committed') return { committed: true };
    return { committed: false, conflict: outcome === 'epoch' ? 'moved' : outcome, about };
  }

  async #run(): Promise<void> {
    let pauseMs: number = RETRY_MS.first;
    while (!this.#stopped()) {
      try {
        await this.#session(() => {
          pauseMs = RETRY_MS.first;
          this.#complained = false;
        });
      } catch (error) {
        if (this.#started !== undefined && isFinal(error)) {
          this.#started.reject(this.#turnedDown(error));
          return;
        }
        if (!this.#complained && !this.#stopped()) {
          this.#options.log.warn({ err: error, store: this.#address }, 'the shared store is not reachable');
          this.#complained = true;
        }
      }
      await sleep(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, RETRY_MS.most);
    }
    this.#started?.resolve();
  }

  /** From the first connection to the loss of one of the two. Always throws, except when stopped. */
  async #session(onLoaded: () => void): Promise<void> {
    const commands = await openRedis(this.#options.redis);
    const reader = await openRedis(this.#options.redis).catch((error: unknown) => {
      commands.disconnect();
      throw error;
    });
    const close = (): void => {
      commands.disconnect();
      reader.disconnect();
    };
    commands.once('close', close);
    reader.once('close', close);
    let renewal: NodeJS.Timeout | undefined;
    try {
      while (!this.#stopped()) {
        await this.#load(commands);
        if (this.#link === undefined) {
          this.#link = { commands, reader, close };
          renewal = await this.#holdLease(commands);
          this.#options.log.info({ store: this.#address, epoch: this.#epoch }, 'following the shared store');
          onLoaded();
        }
        this.#started?.resolve();
        this.#started = undefined;
        await this.#follow(this.#link);
      }
    } finally {
      clearInterval(renewal);
      this.#link = undefined;
      close();
      this.#wake();
    }
  }

  async #load(commands: Redis): Promise<void> {
    await this.#checkSchema(commands);
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

  /** Leaves a store that is empty with our layout and an epoch of its own. */
  async #checkSchema(commands: Redis): Promise<void> {
    const found = await commands.get(this.#key('schema'));
    if (found === null) {
      await commands.set(this.#key('schema'), SCHEMA, 'NX');
      await commands.set(this.#key('epoch'), randomUUID(), 'NX');
    } else if (found !== SCHEMA) {
      throw new RefusedError(
        'layout',
        `the shared store at ${this.#address} has layout ${found}, this version knows layout ${SCHEMA}; ` +
          'use the version that wrote it, or another redisPrefix',
      );
    }
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

  async #holdLease(commands: Redis): Promise<NodeJS.Timeout> {
    const { lease, log } = this.#options;
    const renew = async (): Promise<void> => {
      await commands.set(this.#key(`host:${lease.name}:lease`), JSON.stringify(lease), 'PX', LEASE_MS.lasts);
    };
    await renew();
    return setInterval(() => {
      renew().catch((error: unknown) => {
        log.warn({ err: error }, 'the lease of this host could not be renewed');
      });
    }, LEASE_MS.renew);
  }

  /** Waits until the copy has moved so far that `condition` holds, but not for ever. */
  async #until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(CATCH_UP_MS);
    const late = once(deadline, 'abort');
    while (!condition() && !deadline.aborted) {
      await Promise.race([late, new Promise<void>((resolve) => this.#waiting.push(resolve))]);
    }
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
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
    if (this.#link === undefined) throw this.#unavailable(undefined);
    return this.#link;
  }

  #unavailable(cause: unknown): RefusedError {
    const message = `the shared store at ${this.#address} is not reachable; configuration cannot change until it is back`;
    return new RefusedError('unavailable', message, undefined, { cause });
  }

  #turnedDown(error: unknown): unknown {
    if (error instanceof RefusedError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    const message = `the shared store at ${this.#address} turned us down: ${reason}; check its username and password`;
    return new RefusedError('unavailable', message, undefined, { cause: error });
  }
}

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

/** Answers of all commands of a MULTI; throws the first error among them. */
async function inOneStep(multi: ChainableCommander): Promise<unknown[]> {
  const replies = (await multi.exec()) ?? [];
  return replies.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
}

/** Id of the first entry of a range of a stream. */
function firstId(range: unknown): string | undefined {
  return (range as [string, string[]][])[0]?.[0];
}

/** Order of two ids `milliseconds-sequence`: negative, 0 or positive. */
function compareIds(a: string, b: string): number {
  const [aMs, aSequence] = a.split('-').map(Number);
  const [bMs, bSequence] = b.split('-').map(Number);
  return aMs === bMs ? aSequence - bSequence : aMs - bMs;
}

/** Whether trying again will not help: a layout we do not know, or a server that does not let us in. */
function isFinal(error: unknown): boolean {
  if (error instanceof RefusedError) return error.code === 'layout';
  return error instanceof Error && /^(WRONGPASS|NOAUTH|NOPERM)\b/.test(error.message);
}
