import { HOST_FIELD, compareLogIds, freshId, idText, type LogId, NO_ID, nextId, parseId } from './host-log.js';
import { LEASE } from './host-life.js';
import type { HostLease, HostRoute } from './host-route.js';
import { type FieldChange, OwnRoutes } from './own-routes.js';
import { firstId, inOneStep } from './redis-replies.js';
import type { Link } from './redis-session.js';

/** Entries the log keeps at least. Who is further behind reads everything anew. */
const LOG_CAP = 1_000;
/** Fields that change with one entry. */
const FIELDS_AT_ONCE = 128;

export interface HostWriterOptions {
  readonly prefix: string;
  readonly lease: HostLease;
  readonly log: { readonly warn: (details: object, message: string) => void };
}

/**
 * Writes what this host says of itself: its lease, its routes and the log of their changes. What was written is compared with
 * what is stored whenever the store was away and with each renewal of the lease, so that what the store lost is written again.
 */
export class HostWriter {
  readonly #options: HostWriterOptions;
  readonly #own: OwnRoutes;
  readonly #keys: { readonly lease: string; readonly routes: string; readonly log: string; readonly hosts: string };
  #last: LogId = NO_ID;
  #link: Link | null = null;
  /** One thing after the other. */
  #busy: Promise<void> = Promise.resolve();
  /** Whether a flush is waiting for its turn. */
  #isQueued = false;
  #hasRival = false;
  /** Of the entry in the index of hosts that says our name. */
  #indexId = '';

  constructor(options: HostWriterOptions) {
    const { prefix, lease } = options;
    this.#options = options;
    this.#own = new OwnRoutes(HOST_FIELD, JSON.stringify(lease));
    const key = (what: string): string => `${prefix}host:${lease.name}:${what}`;
    this.#keys = { lease: key('lease'), routes: key('routes'), log: key('log'), hosts: `${prefix}hosts` };
  }

  /** Routes that are stored. */
  get stored(): number {
    return Math.max(0, this.#own.stored.size - 1);
  }

  /** Fields of the hash that are not as they should be. */
  get unwritten(): number {
    return this.#own.difference().length;
  }

  publish(routes: ReadonlyMap<string, HostRoute>): void {
    this.#own.want(routes);
    if (this.#link === null || this.#isQueued) return;
    this.#isQueued = true;
    void this.#inTurn((link) => this.#flush(link));
  }

  /** Begins a session: takes the lease, and writes what is missing. `names`: the index of hosts, names and ids of their entries. */
  async begin(link: Link, names: ReadonlyMap<string, string>): Promise<void> {
    await this.#busy;
    const wasGone = await this.#renew(link);
    const isOurs = await this.#repair(link);
    // Nothing in the log would tell those who had given us up.
    if (isOurs && wasGone) await this.#write(link, [[HOST_FIELD, JSON.stringify(this.#options.lease)]]);
    this.#indexId = names.get(this.#options.lease.name) ?? (await this.#enterIndex(link));
    this.#link = link;
    await this.#inTurn((current) => this.#flush(current));
  }

  end(): void {
    this.#link = null;
    this.#isQueued = false;
  }

  /** Renews the lease, and looks whether the store still has what was written. */
  async tick(): Promise<void> {
    await this.#inTurn(async (link) => {
      await this.#renew(link);
      const { routes, log, hosts } = this.#keys;
      const [length, range, entry] = await inOneStep(
        link.commands
          .multi()
          .hlen(routes)
          .xrevrange(log, '+', '-', 'COUNT', 1)
          .xrange(hosts, this.#indexId, this.#indexId),
      );
      if (firstId(entry) === undefined) this.#indexId = await this.#enterIndex(link);
      if (length === this.#own.stored.size && firstId(range) === idText(this.#last)) return;
      await this.#repair(link);
    });
  }

  /** Adds our name to the index of hosts; returns the id of the entry. */
  async #enterIndex({ commands }: Link): Promise<string> {
    return (await commands.xadd(this.#keys.hosts, '*', 'name', this.#options.lease.name)) ?? '';
  }

  /** Whether there was none. */
  async #renew({ commands }: Link): Promise<boolean> {
    const { lease, log } = this.#options;
    const before = await commands.set(this.#keys.lease, JSON.stringify(lease), 'PX', LEASE.lastsMs, 'GET');
    if (before === null) return true;
    const isRival = this.#link !== null && before !== JSON.stringify(lease);
    if (isRival && !this.#hasRival) {
      log.warn({ host: lease.name }, 'another daemon says that it is this host; give each a `host` of its own');
    }
    this.#hasRival = isRival;
    return false;
  }

  /** Compares with what is stored; writes everything when that is not what we wrote. Whether it was. */
  async #repair(link: Link): Promise<boolean> {
    const { commands } = link;
    const { routes, log } = this.#keys;
    const [hash, range] = await inOneStep(commands.multi().hgetall(routes).xrevrange(log, '+', '-', 'COUNT', 1));
    const end = firstId(range);
    const isOurs = this.#own.found(hash as Record<string, string>);
    if (isOurs && end === idText(this.#last)) return true;

    const stored = end === undefined ? NO_ID : parseId(end);
    const last = compareLogIds(stored, this.#last) > 0 ? stored : this.#last;
    const changes = this.#own.difference();
    const id = freshId(last, Date.now(), Math.random());
    // The entry makes all readers look at the hash, which is complete in the same step.
    await this.#store(link, id, changes, [[HOST_FIELD, JSON.stringify(this.#options.lease)]]);
    return false;
  }

  async #flush(link: Link): Promise<void> {
    this.#isQueued = false;
    const changes = this.#own.difference();
    for (let i = 0; i < changes.length; i += FIELDS_AT_ONCE) {
      await this.#write(link, changes.slice(i, i + FIELDS_AT_ONCE));
    }
  }

  async #write(link: Link, changes: readonly FieldChange[]): Promise<void> {
    await this.#store(link, nextId(this.#last, Date.now()), changes, changes);
  }

  /** Changes the hash and adds an entry to the log, in one step. */
  async #store(link: Link, id: LogId, changes: readonly FieldChange[], entry: readonly FieldChange[]): Promise<void> {
    const { routes, log } = this.#keys;
    const sets = changes.flatMap(([key, text]) => (text === null ? [] : [key, text]));
    const deletes = changes.flatMap(([key, text]) => (text === null ? [key] : []));
    const multi = link.commands.multi();
    if (sets.length > 0) multi.hset(routes, ...sets);
    if (deletes.length > 0) multi.hdel(routes, ...deletes);
    const fields = entry.flatMap(([key, text]) => [key, text ?? '']);
    multi.xadd(log, 'MAXLEN', '~', LOG_CAP, idText(id), ...fields);
    await inOneStep(multi);
    this.#own.written(changes);
    this.#last = id;
  }

  /** After what is under way. What fails ends the session; the next one finds out what was written. */
  #inTurn(step: (link: Link) => Promise<void>): Promise<void> {
    this.#busy = this.#busy.then(async () => {
      const link = this.#link;
      if (link === null) return;
      try {
        await step(link);
      } catch (error) {
        if (this.#link !== link) return;
        this.#options.log.warn({ err: error }, 'what this host realises could not be published; trying again');
        link.close();
      }
    });
    return this.#busy;
  }
}
