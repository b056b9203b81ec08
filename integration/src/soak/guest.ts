/** Guests of the soak: a namespace that plays the virtual machine, and one of four ways to connect it. */
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../lab/namespace.js';
import type { Background } from '../lab/process.js';
import { attempt, run, until } from '../lab/process.js';
import { port, type Document } from '../lab/topology.js';
import type { World } from './world.js';

const HYPERVISOR = fileURLToPath(new URL('hypervisor.js', import.meta.url));

/** The daemon hears of most losses at once, and looks for the others every ten seconds. */
const RESTORED_MS = 25_000;
const DHCP_TRIES = 3;

export const GUEST_KINDS = ['veth', 'tap', 'hypervisor', 'device'] as const;
export type GuestKind = (typeof GUEST_KINDS)[number];

/** Part of the status of a VirtualMachineInterface. */
interface Status {
  readonly device: string;
  readonly mac: string;
  readonly addresses: readonly string[];
}

export class SoakGuest {
  #namespace: Namespace | undefined;
  #hypervisor: Background | undefined;
  #status: Status | undefined;
  /** What its sessions are held to: part of the spec. */
  restrictions: Document = {};

  constructor(
    readonly world: World,
    readonly name: string,
    readonly kind: GuestKind,
    readonly network: string,
  ) {}

  get isPlugged(): boolean {
    return this.#namespace !== undefined;
  }

  get namespace(): Namespace {
    if (!this.#namespace) throw new Error(`${this.name} has no namespace`);
    return this.#namespace;
  }

  get status(): Status {
    if (!this.#status) throw new Error(`${this.name} was not set up`);
    return this.#status;
  }

  get ipv4(): string {
    return this.status.addresses.find((address) => !address.includes(':')) ?? '';
  }

  get ipv6(): string {
    return this.status.addresses.find((address) => address.includes(':')) ?? '';
  }

  /** The virtual machine interface. */
  get document(): Document {
    const netns = { type: 'netns', netns: this.#netns };
    const attach = {
      veth: { ...netns, port: 'veth' },
      tap: { ...netns, port: 'tap' },
      hypervisor: { type: 'tap' },
      device: { type: 'device', device: this.#hostEnd },
    }[this.kind];
    return port(this.name, this.network, attach, this.restrictions);
  }

  /** Makes the namespace and, for a `device`, the veth into it: what is there before the daemon hears of the guest. */
  async plug(): Promise<void> {
    this.#namespace = await this.world.lab.namespace(this.name);
    if (this.kind === 'device') await this.#makeVeth();
  }

  /** When the interface is real: starts the hypervisor, and configures what the daemon does not. */
  async start(): Promise<void> {
    const objects = await this.world.client.objects('VirtualMachineInterface', this.name);
    this.#status = (objects as { status: Status }[])[0].status;
    const { device, mac } = this.#status;
    if (this.kind === 'hypervisor') {
      this.#hypervisor = this.#host.spawn([process.execPath, HYPERVISOR, device, this.#netns, mac]);
      await this.#hypervisor.waitFor(/running/);
    }
    if (this.kind === 'device') {
      await this.namespace.run(['ip', 'link', 'set', 'eth0', 'address', mac]);
      await this.namespace.run('ip link set eth0 up');
    }
    if (this.kind !== 'hypervisor' && this.kind !== 'device') return;
    await this.namespace.waitForLink();
    // A guest that is flooded may lose what it is told; floods are short.
    for (let tries = DHCP_TRIES; ; tries--) {
      try {
        await this.namespace.dhcp();
        return;
      } catch (error) {
        if (tries === 1) throw error;
      }
    }
  }

  /** Waits until the daemon has given back what was lost. It may not have noticed yet that anything was. */
  async restored(): Promise<void> {
    const { device } = this.status;
    const isBack = async (): Promise<boolean> => {
      if (this.kind === 'veth' || this.kind === 'tap') {
        const { stdout } = await this.namespace.attempt('ip -o -4 address show dev eth0');
        return (
          stdout.includes(this.ipv4) &&
          (await this.namespace.attempt('ip link show dev eth0')).stdout.includes('LOWER_UP')
        );
      }
      const { stdout } = await this.#host.attempt(['ip', 'link', 'show', 'dev', device]);
      return new RegExp(`vrouterd:[0-9a-f]+:${device}\\b`).test(stdout) && /<.*\bUP\b.*>/.test(stdout);
    };
    await until(`${this.name} (${this.kind}) is restored`, async () => (await isBack()) || undefined, RESTORED_MS, 100);
    await this.world.realised();
  }

  /** What it is, for a message. */
  get text(): string {
    const ended =
      this.#hypervisor?.running === false ? `, whose hypervisor ended: ${this.#hypervisor.output.trim()}` : '';
    return `${this.name} (${this.kind}, ${this.network}${ended})`;
  }

  /** Ends the hypervisor: the virtual machine is switched off, its TAP stays. */
  async stop(): Promise<void> {
    await this.#hypervisor?.stop();
    this.#hypervisor = undefined;
  }

  /** Takes the guest away, and with it its namespace. */
  async unplug(): Promise<void> {
    await this.stop();
    await this.#namespace?.delete();
    this.#namespace = undefined;
    // A veth goes with its peer's namespace, though not at once.
    if (this.kind === 'device') await attempt(['ip', '-n', this.#host.name, 'link', 'delete', this.#hostEnd]);
  }

  /** Deletes the device under the daemon: the host's end, or the one in the guest. */
  async loseDevice(inside: boolean): Promise<void> {
    const isInside = this.kind === 'tap' || (inside && this.kind !== 'hypervisor');
    const where = isInside
      ? [this.#netns, 'link', 'delete', 'eth0']
      : [this.#host.name, 'link', 'delete', this.status.device];
    await run(['ip', '-n', ...where]);
    await this.stop();
    if (this.kind === 'device') await this.#makeVeth();
  }

  async #makeVeth(): Promise<void> {
    const peer = ['peer', 'name', 'eth0', 'netns', this.#netns];
    await run(['ip', '-n', this.#host.name, 'link', 'add', this.#hostEnd, 'type', 'veth', ...peer]);
  }

  get #host(): Namespace {
    return this.world.daemon.namespace;
  }

  /** Name of the namespace, whether it exists or not. */
  get #netns(): string {
    return this.world.lab.nameOf(this.name);
  }

  get #hostEnd(): string {
    return `d-${this.name}`;
  }
}
