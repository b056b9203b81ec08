import type { Encapsulation } from '../wire/encapsulation.js';

/** What a host says of itself while it lives. `incarnation` is another one each time its daemon starts. */
export interface HostLease {
  readonly name: string;
  /** Where its tunnels end. */
  readonly tunnelAddress: string;
  /** What it can wrap packets in, in order of preference. */
  readonly encapsulations: readonly Encapsulation[];
  readonly version: string;
  readonly incarnation: string;
}

/** What all kinds of routes have. */
interface Reachability {
  /** Full name of the network it is in. */
  readonly network: string;
  /** What a packet for it carries: the MPLS label, and with VXLAN the network identifier. */
  readonly label: number;
  readonly vni: number;
}

/** Who is used of several that have the same address: the highest preference, then the highest sequence. */
export interface Rank {
  readonly preference: number;
  readonly sequence: number;
}

/** An address; `mac`: who answers for it, null: the network it is in does not bridge. */
export interface InetHostRoute extends Reachability, Rank {
  readonly kind: 'inet';
  /** `address/length` in canonical text, host bits zero. */
  readonly prefix: string;
  readonly mac: string | null;
  /** Route targets it is exported with, `target:AS:NUMBER`. */
  readonly targets: readonly string[];
  /** Full names of the security groups of the interface with the address. */
  readonly groups: readonly string[];
}

/** A guest's Ethernet address. */
export interface MacHostRoute extends Reachability, Rank {
  readonly kind: 'mac';
  readonly mac: string;
}

/** The host has interfaces in the network: it wants what is sent to all. */
export interface FloodHostRoute extends Reachability {
  readonly kind: 'flood';
}

/** Something a host realises and others send to. */
export type HostRoute = InetHostRoute | MacHostRoute | FloodHostRoute;

/** Name of a route among those of its host: the field of the hash it is stored in. */
export function hostRouteKey(route: HostRoute): string {
  switch (route.kind) {
    case 'inet':
      return `inet ${route.network} ${route.prefix}`;
    case 'mac':
      return `mac ${route.network} ${route.mac}`;
    case 'flood':
      return `flood ${route.network}`;
  }
}

/** What changed among the other hosts. A host that is gone takes its routes along. */
export type HostChange =
  | { readonly op: 'host'; readonly host: HostLease }
  | { readonly op: 'gone'; readonly host: string }
  | { readonly op: 'set'; readonly host: string; readonly route: HostRoute }
  | { readonly op: 'delete'; readonly host: string; readonly key: string };

/** The other hosts of the cluster, and what they are told of this one. */
export interface HostDirectory {
  /** Everything this host realises, from now on; sent when the store is reachable. */
  publish(routes: ReadonlyMap<string, HostRoute>): void;
  /** Calls back with what is known, then with every batch of changes; those of one host in order, its `host` first. */
  watch(onChange: (changes: readonly HostChange[]) => void): void;
}
