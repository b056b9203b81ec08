import type { Logger } from 'pino';
import type { HostCountsDump, HostDump } from './host-dumps.js';
import { hostDumps, ownDump } from './host-report.js';
import { HostFollower, type KnownHost } from './host-follower.js';
import { LEASE } from './host-life.js';
import type { HostChange, HostDirectory, HostLease, HostRoute } from './host-route.js';
import { HostWriter } from './host-writer.js';
import { redisText, type RedisSettings } from './redis-connection.js';
import { checkLayout } from './redis-layout.js';
import { RefusedError } from './refused.js';
import { type Link, RedisSessions } from './redis-session.js';

/** How often leases and hosts without one are seen to, ms. */
const TICK_MS = 1_000;

/** Asks another host through the tunnel whether it lives. */
interface Probe {
  /** Sends one keepalive. Resolves to the time until its answer, ms; null: there was none in time. Never rejects. */
  ask(host: HostLease): Promise<number | null>;
}

export interface RedisHostsOptions {
  readonly redis: RedisSettings;
  /** Begins every key. */
  readonly prefix: string;
  /** What this host says of itself. */
  readonly lease: HostLease;
  readonly probe: Probe;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * The hosts of the cluster in Redis:
 *
 *     hosts               stream   names of all hosts; each adds itself
 *     host:<h>:lease      string   HostLease, for ten seconds; renewed every three
 *     host:<h>:routes     hash     key -> HostRoute as JSON; and `host` -> HostLease
 *     host:<h>:log        stream   the same fields with the values they got, '' when they were removed; see host-log.ts
 *
 * One session follows another, as in redis-store.ts. While the store is away what was known stays, and what changes here is
 * written when it is back.
 */
export class RedisHosts implements HostDirectory {
  readonly #options: RedisHostsOptions;
  readonly #sessions: RedisSessions;
  readonly #writer: HostWriter;
  readonly #follower: HostFollower;
  readonly #watchers: ((changes: readonly HostChange[]) => void)[] = [];
  /** Before that time a lease that is missing means nothing. */
  #trustFrom = 0;

  constructor(options: RedisHostsOptions) {
    const { redis, prefix, lease, log } = options;
    this.#options = options;
    this.#writer = new HostWriter({ prefix, lease, log });
    this.#follower = new HostFollower({
      prefix,
      own: lease.name,
      now: () => performance.now(),
      onChanges: (changes) => {
        for (const watcher of this.#watchers) watcher(changes);
      },
    });
    this.#sessions = new RedisSessions({
      redis,
      log,
      body: (link, ready) => this.#session(link, ready),
      onEnd: () => {
        this.#writer.end();
      },
    });
  }

  start(): Promise<void> {
    return this.#sessions.start();
  }

  stop(): Promise<void> {
    return this.#sessions.stop();
  }

  publish(routes: ReadonlyMap<string, HostRoute>): void {
    this.#writer.publish(routes);
  }

  watch(onChange: (changes: readonly HostChange[]) => void): void {
    this.#watchers.push(onChange);
    const changes: HostChange[] = [];
    for (const { copy } of this.#follower.hosts.values()) copy.describe(changes);
    if (changes.length > 0) onChange(changes);
  }

  /** All hosts of the cluster, or the one of that name, in the order of their names. Throws RefusedError when there is none. */
  async hosts(name?: string): Promise<readonly HostDump[]> {
    const { lease, prefix } = this.#options;
    const commands = this.#sessions.link?.commands;
    const others = [...this.#follower.hosts.values()].filter(({ copy }) => name === undefined || copy.name === name);
    const dumps = await hostDumps(others, commands, prefix);
    if (name === undefined || name === lease.name) dumps.push(await ownDump(lease, this.#writer, commands, prefix));
    if (dumps.length === 0 && name !== undefined) {
      throw new RefusedError('notFound', `host ${name} does not exist; vrouter get hosts lists all`);
    }
    return dumps.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  }

  get counts(): HostCountsDump {
    const { applied, rereads } = this.#follower;
    return { applied, rereads };
  }

  /** What of the other hosts is not as it should be, a line each. */
  troubles(): string[] {
    const lines: string[] = [];
    let withdrawn = 0;
    for (const { copy, life } of this.#follower.hosts.values()) {
      if (life.state === 'withdrawn') withdrawn += 1;
      if (life.state !== 'keepaliveAnswered') continue;
      lines.push(
        `host ${copy.name}: has no lease but answers through the tunnel; see why it does not reach the shared store`,
      );
    }
    if (withdrawn > 0) lines.push(`hosts withdrawn: ${withdrawn}, nothing is sent there; see vrouter get hosts`);
    return lines;
  }

  async #session(link: Link, ready: () => void): Promise<void> {
    const { redis, prefix, log } = this.#options;
    while (!this.#sessions.stopped) {
      await checkLayout(link.commands, prefix, redisText(redis));
      this.#trustFrom = performance.now() + LEASE.lastsMs;
      await this.#follower.begin(link.commands, this.#trustFrom);
      await this.#writer.begin(link, this.#follower.names);
      if (this.#sessions.link === undefined) {
        ready();
        log.info({ hosts: this.#follower.hosts.size }, 'following the other hosts');
      }
      const ends = [
        this.#every(LEASE.renewMs, () => this.#writer.tick()),
        this.#every(TICK_MS, () => this.#tick(link)),
      ];
      try {
        await this.#follower.follow(link, this.#trustFrom);
      } finally {
        for (const end of ends) end();
        this.#writer.end();
      }
    }
  }

  /** Sees to leases that have come to their end, and to hosts that have none. */
  async #tick(link: Link): Promise<void> {
    const now = performance.now();
    const hosts = [...this.#follower.hosts.values()];
    const due = hosts.filter(({ life }) => life.looksAt(now));
    await this.#follower.look(link.commands, due, this.#trustFrom);
    for (const host of hosts) if (host.life.asksAt(now)) void this.#ask(host);
  }

  async #ask(host: KnownHost): Promise<void> {
    const { lease } = host.copy;
    const roundTrip = lease === null ? null : await this.#options.probe.ask(lease);
    if (this.#sessions.link === undefined) return;
    host.life.answered(roundTrip, performance.now(), this.#trustFrom);
    this.#follower.tell([host]);
  }

  /** Repeats something until the returned function is called; never twice at once. What fails is the session's own matter. */
  #every(ms: number, step: () => Promise<void>): () => void {
    let isBusy = false;
    const timer = setInterval(() => {
      if (isBusy) return;
      isBusy = true;
      step()
        .catch(() => undefined)
        .finally(() => {
          isBusy = false;
        });
    }, ms);
    return () => {
      clearInterval(timer);
    };
  }
}
