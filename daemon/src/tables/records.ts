/**
 * The records the agent sends to the datapath. They are plain data: structured clone carries them to the worker, and every
 * decision in them is a value, never a closure. MAC addresses are `aa:bb:cc:dd:ee:ff`, IP addresses are in canonical text.
 */

/** Kinds of virtual interface (tf-vrouter include/vr_interface.h). */
export const VIF_TYPE = { host: 0, agent: 1, physical: 2, virtual: 3 } as const;
type VifType = (typeof VIF_TYPE)[keyof typeof VIF_TYPE];

/** Interface flags; the bit values are those `vif` prints as letters (tf-vrouter include/vr_interface.h). */
export const VIF_FLAG = {
  policy: 0x1,
  l3: 0x40,
  l2: 0x80,
  dhcp: 0x100,
  unknownUnicastFlood: 0x10000,
  etreeRoot: 0x200000,
} as const;

/** Fixed interface indices. */
export const VIF_ID = { physical: 0, host: 1, agent: 2, firstVirtual: 3 } as const;

export interface VifRecord {
  /** Index, the N of `vif0/N`. */
  readonly id: number;
  readonly type: VifType;
  /** Name of the device in the host's namespace (`tapXXXXXXXX-XX`). */
  readonly name: string;
  /** MAC the datapath shows to the guest: 00:00:5e:00:01:00 for virtual interfaces. */
  readonly mac: string;
  readonly vrf: number;
  readonly mcastVrf: number;
  readonly flags: number;
  /** Flow-key nexthop: the interface's own L3 nexthop. */
  readonly nexthop: number;
  readonly ip: string;
  readonly ip6: string | null;
  /** Largest IP packet of the port, bytes. */
  readonly mtu: number;
}

export interface VrfRecord {
  readonly id: number;
  /** Name of the network this VRF belongs to. */
  readonly name: string;
}

/** Nexthop types, numbered as `nh` and the tf-vrouter sources do (include/vr_nexthop.h). */
export const NH_TYPE = {
  dead: 0,
  receive: 1,
  encap: 2,
  tunnel: 3,
  resolve: 4,
  discard: 5,
  composite: 6,
  vrfTranslate: 7,
  l2Receive: 8,
} as const;
export type NhType = (typeof NH_TYPE)[keyof typeof NH_TYPE];

/** Nexthop flags, bits as in tf-vrouter include/vr_nexthop.h. */
export const NH_FLAG = {
  valid: 0x1,
  policy: 0x2,
  multicast: 0x20,
  compositeEncap: 0x2000,
  etreeRoot: 0x200000,
} as const;

/** Nexthops every vrouter has. */
export const NH_ID = { discard: 0, drop: 1, l2Receive: 3, agent: 12, firstDynamic: 16 } as const;

export type Family = 'inet' | 'inet6' | 'bridge' | 'unspec';

export interface NexthopRecord {
  readonly id: number;
  readonly type: NhType;
  readonly family: Family;
  readonly flags: number;
  /** VRF the nexthop belongs to; -1: none. */
  readonly vrf: number;
  /** Interface an encap nexthop sends to; -1: none. */
  readonly oif: number;
  /** Ethernet header an encap nexthop writes: 14 bytes in hex without separators, empty when it has none. */
  readonly rewrite: string;
  /** Members of a composite, in order. */
  readonly members: readonly { readonly nexthop: number; readonly label: number }[];
}

/** Route flags: L label valid, P proxy ARP, T trap ARP, F flood ARP (the letters of `rt`). */
export const ROUTE_FLAG = { label: 0x1, proxy: 0x2, trap: 0x4, flood: 0x8 } as const;

export interface RouteRecord {
  readonly vrf: number;
  readonly family: 'inet' | 'inet6';
  /** Network address, host bits zero. */
  readonly prefix: string;
  readonly length: number;
  readonly nexthop: number;
  /** MPLS label or VNI to push; -1: none. */
  readonly label: number;
  readonly flags: number;
  /** MAC bound to the address, and its index in the bridge table. */
  readonly stitchedMac: string | null;
  readonly stitchedIndex: number;
}

/** Bridge entry flags: L label valid, Df flood DHCP. */
export const BRIDGE_FLAG = { label: 0x1, dhcpFlood: 0x2 } as const;

export interface BridgeRecord {
  readonly vrf: number;
  readonly mac: string;
  /** Slot in the bridge table, chosen by the agent's replica so that every replica shows the same index. */
  readonly index: number;
  readonly nexthop: number;
  readonly label: number;
  readonly flags: number;
}

/** One change of the datapath's tables. `set` adds or replaces; `delete` of something absent does nothing. */
export type TableChange =
  | { readonly table: 'vif'; readonly op: 'set'; readonly record: VifRecord }
  | { readonly table: 'vif'; readonly op: 'delete'; readonly id: number }
  | { readonly table: 'vrf'; readonly op: 'set'; readonly record: VrfRecord }
  | { readonly table: 'vrf'; readonly op: 'delete'; readonly id: number }
  | { readonly table: 'nexthop'; readonly op: 'set'; readonly record: NexthopRecord }
  | { readonly table: 'nexthop'; readonly op: 'delete'; readonly id: number }
  | { readonly table: 'route'; readonly op: 'set'; readonly record: RouteRecord }
  | {
      readonly table: 'route';
      readonly op: 'delete';
      readonly vrf: number;
      readonly family: 'inet' | 'inet6';
      readonly prefix: string;
      readonly length: number;
    }
  | { readonly table: 'bridge'; readonly op: 'set'; readonly record: BridgeRecord }
  | { readonly table: 'bridge'; readonly op: 'delete'; readonly vrf: number; readonly mac: string };
