import type { Attach } from '../control/virtual-machine-interface.js';
import type { Words } from './ip-batch.js';
import type { Kernel, Link } from './kernel.js';
import type { PortMarks } from './port-mark.js';

/** How a guest is to be connected. */
export interface PortSpec {
  readonly vifId: number;
  /** Name of the port, and of its device in the daemon's namespace if it has one there. */
  readonly device: string;
  readonly attach: Attach;
  /** MAC address of the guest. */
  readonly mac: string;
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[];
  readonly gateways: readonly string[];
}

/** As much of a port as it takes to remove it. */
export type RemovablePort = Pick<PortSpec, 'device' | 'attach'>;

/** What the datapath takes frames from: a TAP's descriptor, the caller's to close, or a device to open a packet socket on. */
export type OpenPort =
  | { readonly kind: 'tap'; readonly fd: number; readonly vnetHeader: boolean }
  | { readonly kind: 'packet'; readonly ifindex: number; readonly vnetHeader: boolean };

/** What it takes to have a port, in the order in which it is done for all ports at once. An empty list or `null` is nothing to do. */
export interface PortPlan {
  readonly spec: PortSpec;
  /** Deletes leftovers of ours that stand in the way. */
  readonly sweep: Commands;
  /** Opens descriptors. */
  open(): void;
  /** Makes the device. */
  readonly make: readonly Words[];
  /** Device of the daemon's namespace that is kept from its stack from here on, before it goes up. */
  readonly isolate: string | null;
  /** System calls on a device that is there and not up. */
  settle(): void;
  readonly raise: readonly Words[];
  /** File of the guest's namespace. */
  readonly netns: string | null;
  /** Commands inside it. */
  readonly configure: readonly Words[];
  /** Everything succeeded; `host` are the links as they are now. */
  finish(host: ReadonlyMap<string, Link>): OpenPort;
  /** Something failed: lets go of descriptors, and returns what takes back what this plan has made. */
  abandon(): Commands;
}

/** Commands in the daemon's namespace and, behind them, in the guest's. */
export interface Commands {
  readonly host: readonly Words[];
  readonly guest: readonly Words[];
}

export const nothing = (): void => undefined;
export const NO_COMMANDS: Commands = { host: [], guest: [] };

/** What every plan is made from. */
export interface PlanParts {
  readonly seen: Seen;
  readonly kernel: Kernel;
  readonly marks: PortMarks;
}

/** The interfaces there are, read once a namespace. */
export class Seen {
  readonly #kernel: Kernel;
  readonly #namespaces = new Map<string, ReadonlyMap<string, Link>>();
  readonly host: ReadonlyMap<string, Link>;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.host = byName(kernel.links());
  }

  /** Interfaces of the namespace users call `netns`. Throws when there is no such namespace. */
  inside(netns: string): ReadonlyMap<string, Link> {
    const file = netnsFile(netns);
    const known = this.#namespaces.get(file);
    if (known) return known;
    let links: ReadonlyMap<string, Link>;
    try {
      links = byName(this.#kernel.links(file));
    } catch (cause) {
      throw noNamespace(netns, cause as NodeJS.ErrnoException);
    }
    this.#namespaces.set(file, links);
    return links;
  }
}

/** Where `ip netns` keeps the files of namespaces. */
export const NAMESPACES = '/run/netns';

/** The file of a namespace given by name, as `ip netns` knows it, or by path. */
export function netnsFile(netns: string): string {
  return netns.startsWith('/') ? netns : `${NAMESPACES}/${netns}`;
}

function noNamespace(netns: string, cause: NodeJS.ErrnoException): Error {
  const isPath = netns.startsWith('/');
  // `ip netns add` creates the file a moment before it becomes a namespace.
  if (cause.code === 'ENOENT' || cause.code === 'EINVAL') {
    const advice = isPath ? 'name the file of a network namespace' : `create it with: ip netns add ${netns}`;
    return new Error(`namespace ${netns} does not exist; ${advice}`, { cause });
  }
  return new Error(`namespace ${netns} cannot be entered: ${cause.message}`, { cause });
}

export function byName(links: readonly Link[]): Map<string, Link> {
  return new Map(links.map((link) => [link.name, link]));
}

export const deleteLink = (name: string): Words => ['link', 'delete', 'dev', name];
export const setAlias = (name: string, alias: string): Words => ['link', 'set', 'dev', name, 'alias', alias];
export const setUp = (link: Link | undefined, name: string): readonly Words[] =>
  link?.up ? [] : [['link', 'set', 'dev', name, 'up']];
export const setMtu = (link: Link | undefined, name: string, mtu: number): readonly Words[] =>
  link?.mtu === mtu ? [] : [['link', 'set', 'dev', name, 'mtu', mtu]];

/** The packet port on a device of the daemon's namespace. Throws when it has gone meanwhile. */
export function packetPort(host: ReadonlyMap<string, Link>, device: string, vnetHeader: boolean): OpenPort {
  const link = host.get(device);
  if (!link) throw new Error(`${device} has disappeared`);
  return { kind: 'packet', ifindex: link.ifindex, vnetHeader };
}
