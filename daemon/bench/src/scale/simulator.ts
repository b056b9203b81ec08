import { HostWriter } from '../../../dist/control/host-writer.js';
import type { HostRoute } from '../../../dist/control/host-route.js';
import { LEASE } from '../../../dist/control/host-life.js';
import { openRedis, type RedisSettings } from '../../../dist/control/redis-connection.js';
import { endpoint, leaseOf, microseconds, PREFIX, type ScalePlan } from './plan.js';

/** Pause between two bursts of changes, ms. */
const BURST_MS = 5;
/** Hosts that begin at once. */
const AT_ONCE = 50;

type Connection = Awaited<ReturnType<typeof openRedis>>;

interface Simulated {
  readonly writer: HostWriter;
  readonly routes: Map<string, HostRoute>;
  /** Its endpoints are those from here on. */
  readonly first: number;
}

/** All the hosts of a cluster but one, written by what every daemon writes with; they share a connection. */
export class Simulator {
  readonly #plan: ScalePlan;
  readonly #hosts: Simulated[] = [];
  readonly #commands: Connection;
  #renewal: NodeJS.Timeout | undefined;
  #next = 0;

  private constructor(plan: ScalePlan, commands: Connection) {
    this.#plan = plan;
    this.#commands = commands;
  }

  /** Resolves when all hosts have published all their endpoints. */
  static async start(redis: RedisSettings, plan: ScalePlan): Promise<Simulator> {
    const simulator = new Simulator(plan, await openRedis(redis));
    await simulator.#begin();
    return simulator;
  }

  stop(): void {
    clearInterval(this.#renewal);
    for (const { writer } of this.#hosts) writer.end();
    this.#commands.disconnect();
  }

  /** Makes changes at the plan's rate for so long; resolves to how many it made. */
  async change(seconds: number): Promise<number> {
    const began = performance.now();
    let made = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const elapsed = performance.now() - began;
        const due = Math.floor((Math.min(elapsed, seconds * 1000) * this.#plan.changesPerSecond) / 1000);
        for (; made < due; made += 1) this.#changeOne();
        if (elapsed < seconds * 1000) return;
        clearInterval(timer);
        resolve();
      }, BURST_MS);
    });
    return made;
  }

  async #begin(): Promise<void> {
    const { hosts } = this.#plan;
    const each = this.#perHost;
    for (let i = 0; i < hosts; i += 1) {
      const writer = new HostWriter({ prefix: PREFIX, lease: leaseOf(i), log: { warn: complain } });
      const routes = new Map<string, HostRoute>();
      for (let n = i * each; n < (i + 1) * each; n += 1)
        for (const [key, route] of endpoint(n, 0)) routes.set(key, route);
      writer.publish(routes);
      this.#hosts.push({ writer, routes, first: i * each });
    }
    const link = {
      commands: this.#commands,
      reader: this.#commands,
      close: () => {
        throw new Error('the store does not take what simulated hosts write');
      },
    };
    for (let i = 0; i < hosts; i += AT_ONCE) {
      await Promise.all(this.#hosts.slice(i, i + AT_ONCE).map(({ writer }) => writer.begin(link, new Map())));
    }
    // One host after the other renews its lease.
    let turn = 0;
    this.#renewal = setInterval(() => {
      void this.#hosts[turn % hosts].writer.tick();
      turn += 1;
    }, LEASE.renewMs / hosts);
  }

  /** An endpoint of one host moves up: its routes are published with another sequence. */
  #changeOne(): void {
    const { writer, routes, first } = this.#hosts[this.#next % this.#hosts.length];
    const n = first + (Math.floor(this.#next / this.#hosts.length) % this.#perHost);
    this.#next += 1;
    for (const [key, route] of endpoint(n, microseconds())) routes.set(key, route);
    writer.publish(routes);
  }

  get #perHost(): number {
    return this.#plan.endpoints / this.#plan.hosts;
  }
}

function complain(details: object, message: string): void {
  const { err } = details as { readonly err?: Error & { readonly previousErrors?: readonly Error[] } };
  process.stderr.write(`${message}: ${String(err)} ${String(err?.previousErrors?.[0])}\n`);
}
