/** What the daemon answers to `mirror`. */

/** Copies that were made: of what guests sent, and of what they were sent. */
export interface MirrorTraffic {
  readonly packets: number;
  readonly bytes: number;
}

export interface MirrorCounters {
  readonly ingress: MirrorTraffic;
  readonly egress: MirrorTraffic;
  /** Packets that were not copied: the analyzer is not known, or there is no route to it. */
  readonly discards: number;
  /** Left out for the rate limit. */
  readonly limited: number;
  /** Left out for the sample. */
  readonly sampledOut: number;
  /** Could not be copied, or not be sent: too long, no room, an interface that is gone. */
  readonly failed: number;
  /** Left out because they were copies for this analyzer themselves. */
  readonly looped: number;
  /** ICMP errors about copies that were kept from the interface whose frames are copied. */
  readonly suppressed: number;
}

/** `resolved`: copies go where they should. */
type MirrorStateName = 'resolved' | 'unresolved';

export interface MirrorDump {
  readonly index: number;
  readonly nexthop: number;
  /** Name of the analyzer. */
  readonly name: string;
  /** Whether copies have the Juniper header. */
  readonly isDynamic: boolean;
  /** Whether the NIC copies what leaves with the VLAN tag, and nothing is copied here. */
  readonly isNicAssisted: boolean;
  /** MPLS label or VXLAN identifier copies are sent with; 0: not used; null: they go without any. */
  readonly vni: number | null;
  /** VLAN tag of NIC-assisted mirroring; 0: none. */
  readonly vlan: number;
  readonly state: MirrorStateName;
  /** Why nothing is mirrored, and what to do; of a resolved one what is odd about it, null: nothing. */
  readonly reason: string | null;
  /** Names of the interfaces and rules that mirror to it: `VirtualMachineInterface/vnf1`, `NetworkPolicy/web rules[1]`. */
  readonly users: readonly string[];
  /** Most copies a second (0: any number), one of how many packets is copied, most bytes of one (0: all). */
  readonly rateLimit: number;
  readonly sample: number;
  readonly snapLength: number;
  readonly counters: MirrorCounters;
}
