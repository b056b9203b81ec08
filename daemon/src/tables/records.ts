import type { Encapsulation } from '../wire/encapsulation.js';

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
  /** What the guest sends, and what it is sent, is copied to an analyzer. */
  receiveMirror: 0x8,
  transmitMirror: 0x10,
  /** The port finishes checksums and cuts super-frames itself. */
  transmitOffload: 0x20,
  l3: 0x40,
  l2: 0x80,
  dhcp: 0x100,
  /** The underlay interface, beside which there is vhost0. */
  vhostPhysical: 0x200,
  unknownUnicastFlood: 0x10000,
  /** Shown while an interface has as many flows as it may have; in no record. */
  dropNewFlows: 0x40000,
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
  /** MACs the guest may send from, its own first. */
  readonly macs: readonly string[];
  /** Whether source MAC and address are enforced, and security groups apply. */
  readonly portSecurity: boolean;
  /** Most flow entries its traffic may create; 0: the default share of the table. */
  readonly maxFlows: number;
  /** ACLs of its security groups, for what the guest sends and for what it is sent; -1: everything passes. */
  readonly egressAcl: number;
  readonly ingressAcl: number;
  readonly fatFlows: readonly FatFlowRecord[];
  /** Prefixes (`a.b.c.d/len`) that fat flows never fold. Empty without fat-flow rules. */
  readonly fatFlowExclude: readonly string[];
  /** Whom its frames are copied to. */
  readonly mirrors: readonly VifMirrorRecord[];
}

/** Copies of an interface's frames for one analyzer. */
export interface VifMirrorRecord {
  /** Index of the mirror, see MirrorRecord. */
  readonly mirror: number;
  /** What the guest sends is copied; what it is sent is. */
  readonly receive: boolean;
  readonly transmit: boolean;
}

/** One fat-flow rule of an interface; "source" and "destination" as the guest behind it sees them. */
export interface FatFlowRecord {
  /** IP protocol number; ICMPv6 is kept as 1. */
  readonly protocol: number;
  /** 0: every port. */
  readonly port: number;
  readonly ignore: 'none' | 'source' | 'destination';
  /** Addresses inside are folded to `aggregate` bits; null: not by prefix. */
  readonly source: FatFlowPrefix | null;
  readonly destination: FatFlowPrefix | null;
}

export interface FatFlowPrefix {
  /** Network address, host bits zero. */
  readonly prefix: string;
  readonly length: number;
  /** Length addresses inside the prefix are folded to; at least `length`. */
  readonly aggregate: number;
}

export interface VrfRecord {
  readonly id: number;
  /** Name of the network this VRF belongs to. */
  readonly name: string;
  /** Number of that network: what `RouteRecord.network` and the peers of an ACL name. */
  readonly network: number;
  /** ACL of the network's policies; -1: everything passes. */
  readonly acl: number;
  /** Whether flows check that packets come from where the route to their source leads. */
  readonly rpf: boolean;
  /** Whether frames to a MAC nobody has go to everybody. */
  readonly floodUnknownUnicast: boolean;
}

/** An access list: the first rule that matches decides; none: `otherwise`. */
export interface AclRecord {
  readonly id: number;
  /** What it is made of, for the operator: the network's name, or those of the security groups. */
  readonly name: string;
  readonly rules: readonly AclRuleRecord[];
  readonly otherwise: 'pass' | 'deny';
  /** Id of another list that is asked about what this one lets pass; that one has none. Absent: none. */
  readonly next?: number;
}

export interface AclRuleRecord {
  /** Where it stands, for the operator: `NetworkPolicy/web rules[1]`. */
  readonly name: string;
  readonly action: 'pass' | 'deny';
  /** IP protocol number; -1: any. */
  readonly protocol: number;
  readonly source: AclPeer;
  readonly destination: AclPeer;
  /**
   * Ranges, both ends included; empty: any. With ports, only TCP, UDP and SCTP match. Of ICMP and ICMPv6 the type is compared
   * with `sourcePorts` and the code with `destinationPorts`, and only by rules that name their protocol.
   */
  readonly sourcePorts: readonly PortRange[];
  readonly destinationPorts: readonly PortRange[];
  /** Whether sessions it decides are told to the log of sessions even where others are sampled. */
  readonly log: boolean;
  /** Whom packets of the sessions it decides are copied to. */
  readonly mirrors: readonly RuleMirrorRecord[];
}

/** Copies of a session's packets for one analyzer: of those in the direction of the rule, of those the other way. */
export interface RuleMirrorRecord {
  /** Index of the mirror, see MirrorRecord. */
  readonly mirror: number;
  readonly forward: boolean;
  readonly reverse: boolean;
}

export type PortRange = readonly [first: number, last: number];

/** Who one end of a session is; every field that is not null must match. */
export interface AclPeer {
  /** Number of the network the address belongs to. */
  readonly network: number | null;
  /** `address/length`, host bits zero. A family other than the packet's does not match. */
  readonly prefix: string | null;
  /** Number of a security group the interface with the address is in. */
  readonly group: number | null;
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
  tunnelGre: 0x8,
  tunnelUdp: 0x10,
  multicast: 0x20,
  tunnelMplsUdp: 0x40,
  tunnelVxlan: 0x80,
  compositeEvpn: 0x1000,
  compositeEncap: 0x2000,
  routeLookup: 0x8000,
  copySip: 0x20000,
  etreeRoot: 0x200000,
  l3Vxlan: 0x2000000,
} as const;

/** Number of the underlay as a network, which no other one can have. */
export const FABRIC_NETWORK = 0x1000000;

/** Nexthops every vrouter has. */
export const NH_ID = { discard: 0, drop: 1, l2Receive: 3, host: 10, agent: 12, firstDynamic: 16 } as const;

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
  /**
   * Ethernet header an encap or tunnel nexthop writes: 14 bytes in hex without separators; empty when it has none, or the way to
   * the other end of the tunnel is not known.
   */
  readonly rewrite: string;
  /** Only of tunnels to other hosts. */
  readonly tunnel?: TunnelRecord;
  /** Only of tunnels in plain UDP, which mirrors have. */
  readonly udp?: UdpTunnelRecord;
  /** Members of a composite, in order. */
  readonly members: readonly { readonly nexthop: number; readonly label: number }[];
}

/** Where a tunnel leads. */
export interface TunnelRecord {
  readonly encapsulation: Encapsulation;
  /** Addresses of this host and of the other one on the underlay, of one family. */
  readonly source: string;
  readonly destination: string;
  /** Number of the other host, see PeerRecord. */
  readonly peer: number;
  /** Largest IP packet the way there takes, outer headers included, bytes. */
  readonly mtu: number;
  /** Routed packets in VXLAN: destination MAC of the Ethernet header made for them. */
  readonly innerMac: string | null;
}

/** Where copies go in UDP: to an address that is routed in the VRF of what is copied, or in that of the nexthop (not -1). */
export interface UdpTunnelRecord {
  /** Address of this host on the underlay, for copies that cannot have that of an interface; of the destination's family. */
  readonly source: string;
  readonly destination: string;
  /** Of copies of what is not IP; others have one of their flow. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/**
 * A mirror: whom frames are copied to, and how. With a header the copy is wrapped into metadata and UDP by a nexthop with `udp`. Without,
 * the frame goes as it is: out of the interface of an encap nexthop, or through a tunnel nexthop with `vni` as MPLS label or VXLAN
 * identifier. A mirror whose analyzer is not known has the discard nexthop.
 */
export interface MirrorRecord {
  /** 0 to 254. */
  readonly id: number;
  /** Name of the analyzer, for the operator. */
  readonly name: string;
  readonly nexthop: number;
  /** Whether copies have the Juniper header: metadata, UDP, IP. */
  readonly isDynamic: boolean;
  /** MPLS label or VXLAN identifier copies without header are sent with; -1: none. */
  readonly vni: number;
  /** Not 0: nothing is copied; frames leave through the underlay with this VLAN tag, and the NIC copies them. */
  readonly nicVlan: number;
  /** Most copies a second; 0: any number. */
  readonly rateLimit: number;
  /** One of so many packets is copied; 1: all. */
  readonly sample: number;
  /** Most bytes of a frame that are copied; 0: all. */
  readonly snapLength: number;
  /** Whether ICMP errors that quote a copy are kept from the interface they are for. */
  readonly suppressErrors: boolean;
}

/** Name of a network a route may name: what the metadata of copies has. */
export interface NetworkNameRecord {
  readonly number: number;
  /** Full name, `domain:project:name`. */
  readonly name: string;
}

/** A host tunnel packets are accepted from. */
export interface PeerRecord {
  readonly id: number;
  /** Its address on the underlay. */
  readonly address: string;
  /** Its name, for the operator. */
  readonly name: string;
  /** It is no host of the cluster: what only those say of the frames they send, it cannot. */
  readonly isForeign?: boolean;
}

/** What a packet that arrives with an MPLS label, or in a VXLAN with a VNI, is for. */
export interface LabelRecord {
  readonly label: number;
  readonly nexthop: number;
}
export interface VniRecord {
  readonly vni: number;
  readonly nexthop: number;
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
  /** Number of the network the address belongs to: another one than the VRF's where a policy leaks the route; 0: none. */
  readonly network: number;
  /** Numbers of the security groups of the interface with the address. */
  readonly groups: readonly number[];
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
  | { readonly table: 'acl'; readonly op: 'set'; readonly record: AclRecord }
  | { readonly table: 'acl'; readonly op: 'delete'; readonly id: number }
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
  | { readonly table: 'label'; readonly op: 'set'; readonly record: LabelRecord }
  | { readonly table: 'label'; readonly op: 'delete'; readonly label: number }
  | { readonly table: 'vni'; readonly op: 'set'; readonly record: VniRecord }
  | { readonly table: 'vni'; readonly op: 'delete'; readonly vni: number }
  | { readonly table: 'peer'; readonly op: 'set'; readonly record: PeerRecord }
  | { readonly table: 'peer'; readonly op: 'delete'; readonly id: number }
  | { readonly table: 'mirror'; readonly op: 'set'; readonly record: MirrorRecord }
  | { readonly table: 'mirror'; readonly op: 'delete'; readonly id: number }
  | { readonly table: 'network'; readonly op: 'set'; readonly record: NetworkNameRecord }
  | { readonly table: 'network'; readonly op: 'delete'; readonly number: number }
  | { readonly table: 'bridge'; readonly op: 'set'; readonly record: BridgeRecord }
  | { readonly table: 'bridge'; readonly op: 'delete'; readonly vrf: number; readonly mac: string };
