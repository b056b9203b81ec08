/** The guests that stay: their pings and streams run as long as the soak does. */
import { network, type Document } from '../lab/topology.js';
import { fileURLToPath } from 'node:url';
import type { Action } from './churn.js';
import { SoakGuest } from './guest.js';
import { startPing, startStream, type Traffic } from './traffic.js';
import type { World } from './world.js';

/** Bytes a second of each stream. */
const STREAM_RATE = 2_000_000;
const FIRST_PORT = 6_000;
const SESSIONS = fileURLToPath(new URL('sessions.js', import.meta.url));
/** Port of the short sessions, and how many there are at once. */
const SESSION_PORT = 5_000;
const SESSION_COUNT = 300;
const BURST_SECONDS = 2;
const ROUTED = network('steady-l3', { forwardingMode: 'l3', subnets: [{ prefix: '10.52.0.0/24' }] });

export class Steady {
  readonly guests: readonly SoakGuest[];
  readonly traffic: Traffic[] = [];
  readonly #world: World;
  #floods = false;
  #extraSubnet = false;
  #policies = false;

  constructor(world: World) {
    this.#world = world;
    const guest = (name: string, kind: SoakGuest['kind'], network = 'steady'): SoakGuest =>
      new SoakGuest(world, name, kind, network);
    this.guests = [
      guest('s-veth', 'veth'),
      guest('s-tap', 'tap'),
      guest('s-machine', 'hypervisor'),
      guest('s-device', 'device'),
      guest('s-routed1', 'veth', 'steady-l3'),
      guest('s-routed2', 'tap', 'steady-l3'),
    ];
  }

  async start(): Promise<void> {
    for (const guest of this.guests) await guest.plug();
    const documents = [this.#network(), ROUTED, ...this.guests.map(({ document }) => document)];
    await this.#world.client.apply(documents, { dryRun: false, prune: false });
    await this.#world.realised();
    for (const guest of this.guests) await guest.start();

    const [veth, tap, machine, device, routed1, routed2] = this.guests;
    const pairs = [
      [veth, tap],
      [machine, device],
      [veth, machine],
      [device, tap],
      [routed1, routed2],
    ] as const;
    for (const [from, to] of pairs) this.#ping(from, to, to.ipv4);
    this.#ping(tap, veth, veth.ipv6);
    for (const [from, to] of pairs) await this.#stream(from, to, to.ipv4);
    await this.#stream(tap, veth, veth.ipv6);
  }

  /** What the guests that stay do, or have done to them, without losing anything. */
  actions(): Action[] {
    const [veth, tap, machine, device] = this.guests;
    return [
      ['steady network changes', () => this.#changeNetwork()],
      ['iperf3 TCP', () => this.#burst(veth, tap, [])],
      ['iperf3 TCP', () => this.#burst(device, machine, ['-R'])],
      ['short sessions', () => this.#sessions(tap, veth)],
      ['short sessions', () => this.#sessions(machine, device)],
      ['iperf3 UDP', () => this.#burst(machine, veth, ['-u', '-b', '100M'])],
    ];
  }

  check(): void {
    for (const traffic of this.traffic) traffic.check();
  }

  pause(paused: boolean): void {
    for (const traffic of this.traffic) traffic.pause(paused);
  }

  #ping(from: SoakGuest, to: SoakGuest, address: string): void {
    const name = `ping ${from.name} ${to.name} ${address}`;
    this.traffic.push(startPing(from.namespace, address, name, this.#world));
  }

  async #stream(from: SoakGuest, to: SoakGuest, address: string): Promise<void> {
    const port = FIRST_PORT + this.traffic.length;
    const name = `TCP ${from.name} ${to.name} ${address}`;
    const ends = [from.namespace, to.namespace] as const;
    this.traffic.push(await startStream(ends, [address, port, STREAM_RATE], name, this.#world));
  }

  /** What changes here concerns none of the guests. */
  async #changeNetwork(): Promise<void> {
    const which = this.#world.random.below(3);
    if (which === 0) this.#floods = !this.#floods;
    else if (which === 1) this.#policies = !this.#policies;
    else this.#extraSubnet = !this.#extraSubnet;
    await this.#world.client.apply([this.#network()], { dryRun: false, prune: false });
    await this.#world.realised();
  }

  async #burst(from: SoakGuest, to: SoakGuest, options: readonly string[]): Promise<void> {
    const server = to.namespace.spawn('iperf3 -s -1 --forceflush');
    await server.waitFor(/listening/);
    const seconds = ['-t', String(BURST_SECONDS)];
    await from.namespace.run(['iperf3', '-c', to.ipv4, ...seconds, ...options], { timeoutMs: 30_000 });
    await server.stop();
  }

  /** Many connections that are over at once. */
  async #sessions(from: SoakGuest, to: SoakGuest): Promise<void> {
    const server = to.namespace.spawn([process.execPath, SESSIONS, 'serve', String(SESSION_PORT)]);
    await server.waitFor(/listening/);
    const [address, port, count] = [to.ipv4, SESSION_PORT, SESSION_COUNT].map(String);
    await from.namespace.run([process.execPath, SESSIONS, 'connect', address, port, count], { timeoutMs: 60_000 });
    await server.stop();
  }

  #network(): Document {
    const subnets = [{ prefix: '10.50.0.0/24' }, { prefix: 'fd50::/64' }];
    if (this.#extraSubnet) subnets.push({ prefix: '10.51.0.0/24' });
    const policies = this.#policies ? ['soak-a', 'soak-b'] : [];
    return network('steady', { subnets, floodUnknownUnicast: this.#floods, policies });
  }
}
