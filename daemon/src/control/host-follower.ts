import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { HostCopy } from './host-copy.js';
import { HostLife } from './host-life.js';
import type { HostChange } from './host-route.js';
import { Shared } from './host-route-text.js';
import { firstId, inOneStep } from './redis-replies.js';
import type { Link } from './redis-session.js';

/** One read of the logs: most entries of each, and the longest wait for the first, after which the store is looked at anyway. */
const FOLLOW = { count: 100, blockMs: 5_000 } as const;
/** A read of many logs costs the server time whatever is in them: pause after each, milliseconds for each log, and the most. */
const PAUSE_MS = { perLog: 0.025, most: 25 } as const;
/** Hosts read in one step of the server. */
const HOSTS_AT_ONCE = 16;
/** Looks in one pipeline. */
const LOOKS_AT_ONCE = 500;

/** Another host: what it published, whether it lives. */
export interface KnownHost {
  readonly copy: HostCopy;
  readonly life: HostLife;
}

export interface HostFollowerOptions {
  readonly prefix: string;
  /** This host, which is not followed. */
  readonly own: string;
  /** Milliseconds, by a clock that never goes back. */
  readonly now: () => number;
  readonly onChanges: (changes: readonly HostChange[]) => void;
}

/** Reads what all other hosts publish: the index of hosts, their logs, and their hashes where a log does not say it all. */
export class HostFollower {
  readonly #options: HostFollowerOptions;
  readonly #hosts = new Map<string, KnownHost>();
  readonly #byLog = new Map<string, KnownHost>();
  readonly #names = new Map<string, string>();
  readonly #shared = new Shared();
  #indexEnd = '0-0';
  /** Entries of the index that were read. */
  #indexLength = 0;
  #epoch = '';
  /** Entries that were applied, and hashes that were read. */
  #applied = 0;
  #rereads = 0;

  constructor(options: HostFollowerOptions) {
    this.#options = options;
  }

  get hosts(): ReadonlyMap<string, KnownHost> {
    return this.#hosts;
  }

  /** The index, this host in it if it is there: names, and ids of their entries. */
  get names(): ReadonlyMap<string, string> {
    return this.#names;
  }

  get applied(): number {
    return this.#applied;
  }

  get rereads(): number {
    return this.#rereads;
  }

  /** Reads who there is and compares what is stored with what is known. */
  async begin(commands: Redis, trustFrom: number): Promise<void> {
    const { prefix } = this.#options;
    const [epoch, index] = await inOneStep(commands.multi().get(`${prefix}epoch`).xrange(`${prefix}hosts`, '-', '+'));
    const isOther = this.#epoch !== '' && epoch !== this.#epoch;
    this.#epoch = epoch as string;
    this.#names.clear();
    this.#indexEnd = '0-0';
    this.#indexLength = 0;
    const fresh = this.#readIndex(index as [string, string[]][]);
    this.#forget();
    const known = [...this.#hosts.values()].filter((host) => !fresh.includes(host));

    await inPieces(known, LOOKS_AT_ONCE, async (hosts) => {
      const ends = await inOneStep(
        hosts.reduce(
          (multi, { copy }) => multi.xrevrange(this.#key(copy.name, 'log'), '+', '-', 'COUNT', 1),
          commands.multi(),
        ),
      );
      for (const [i, { copy }] of hosts.entries()) copy.resume(firstId(ends[i]));
    });
    const unread = isOther ? known.filter(({ copy }) => !copy.held) : [];
    await this.#reread(commands, [...fresh, ...unread]);
    await this.look(commands, [...this.#hosts.values()], trustFrom);
  }

  /** Follows the logs. Returns when the store is another one, or somebody has taken hosts out of the index. */
  async follow({ commands, reader }: Link, trustFrom: number): Promise<void> {
    const { prefix, now } = this.#options;
    let checkedAt = now();
    for (;;) {
      const logs = [...this.#byLog.keys()];
      const positions = Array.from(this.#byLog.values(), ({ copy }) => copy.positionText);
      const streams = await reader.xread(
        ...(['COUNT', FOLLOW.count, 'BLOCK', FOLLOW.blockMs, 'STREAMS'] as const),
        `${prefix}hosts`,
        ...logs,
        this.#indexEnd,
        ...positions,
      );
      if (streams === null || now() - checkedAt > FOLLOW.blockMs) {
        const [epoch, length] = await inOneStep(commands.multi().get(`${prefix}epoch`).xlen(`${prefix}hosts`));
        if (epoch !== this.#epoch || (length as number) < this.#indexLength) return;
        checkedAt = now();
      }
      if (streams === null) continue;
      await this.#take(commands, streams, trustFrom);
      await sleep(Math.min(PAUSE_MS.most, PAUSE_MS.perLog * logs.length));
    }
  }

  /** Looks at the leases of these hosts, and tells what comes of it. */
  async look(commands: Redis, hosts: readonly KnownHost[], trustFrom: number): Promise<void> {
    await inPieces(hosts, LOOKS_AT_ONCE, async (some) => {
      const pipeline = some.reduce((all, { copy }) => all.pttl(this.#key(copy.name, 'lease')), commands.pipeline());
      const left = await inOneStep(pipeline);
      const now = this.#options.now();
      for (const [i, { life }] of some.entries()) life.lease(left[i] as number, now, trustFrom);
      await inPieces(some, HOSTS_AT_ONCE, async (few) => {
        this.tell(few);
        // Those who watch have much to do with each, and others want their turn.
        await setImmediate();
      });
    });
  }

  /** Tells of hosts that have come to life or are gone. */
  tell(hosts: Iterable<KnownHost>): void {
    const changes: HostChange[] = [];
    for (const { copy, life } of hosts) {
      if (life.isUsable(copy.told)) copy.tell(changes);
      else if (life.state === 'leaseExpired') copy.announce(changes);
      else copy.withdraw(changes);
    }
    this.#changed(changes);
  }

  async #take(commands: Redis, streams: readonly [string, [string, string[]][]][], trustFrom: number): Promise<void> {
    const changes: HostChange[] = [];
    const broken: KnownHost[] = [];
    const stirred: KnownHost[] = [];
    for (const [key, entries] of streams) {
      const host = this.#byLog.get(key);
      if (host === undefined) {
        const fresh = this.#readIndex(entries);
        broken.push(...fresh);
        stirred.push(...fresh);
        continue;
      }
      if (host.life.state !== 'alive' || !host.copy.told) stirred.push(host);
      for (const [id, fields] of entries) {
        if (host.copy.apply(id, fields, changes)) {
          this.#applied += 1;
          continue;
        }
        broken.push(host);
        break;
      }
    }
    this.#changed(changes);
    await this.#reread(commands, broken);
    if (stirred.length > 0) await this.look(commands, stirred, trustFrom);
  }

  /** Hosts of the index that were not known. */
  #readIndex(entries: readonly [string, string[]][]): KnownHost[] {
    const fresh: KnownHost[] = [];
    for (const [id, fields] of entries) {
      const name = fields[fields.indexOf('name') + 1];
      this.#indexEnd = id;
      this.#indexLength += 1;
      this.#names.set(name, id);
      if (name === this.#options.own || this.#hosts.has(name)) continue;
      const host = { copy: new HostCopy(name, this.#shared), life: new HostLife() };
      this.#hosts.set(name, host);
      this.#byLog.set(this.#key(name, 'log'), host);
      fresh.push(host);
    }
    return fresh;
  }

  /** Hosts that were taken out of the index, when they are gone. Who lives puts itself in again. */
  #forget(): void {
    for (const [name, { life }] of this.#hosts) {
      if (this.#names.has(name) || life.state !== 'withdrawn') continue;
      this.#hosts.delete(name);
      this.#byLog.delete(this.#key(name, 'log'));
    }
  }

  async #reread(commands: Redis, hosts: readonly KnownHost[]): Promise<void> {
    await inPieces(hosts, HOSTS_AT_ONCE, async (some) => {
      const replies = await inOneStep(
        some.reduce(
          (multi, { copy }) =>
            multi.xrevrange(this.#key(copy.name, 'log'), '+', '-', 'COUNT', 1).hgetall(this.#key(copy.name, 'routes')),
          commands.multi(),
        ),
      );
      const changes: HostChange[] = [];
      for (const [i, { copy }] of some.entries()) {
        copy.replace(firstId(replies[2 * i]), replies[2 * i + 1] as Record<string, string>, changes);
      }
      this.#rereads += some.length;
      this.#changed(changes);
    });
  }

  #changed(changes: readonly HostChange[]): void {
    if (changes.length > 0) this.#options.onChanges(changes);
  }

  #key(host: string, what: 'lease' | 'routes' | 'log'): string {
    return `${this.#options.prefix}host:${host}:${what}`;
  }
}

/** Does something with so many at a time, one time after the other. */
async function inPieces<T>(
  items: readonly T[],
  size: number,
  step: (piece: readonly T[]) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < items.length; i += size) await step(items.slice(i, i + size));
}
