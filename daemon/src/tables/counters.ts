import { DROP_REASONS } from '../packet/drop.js';
import { MAX_MIRRORS } from './mirror.js';

/**
 * Every counter of the datapath, in one file mapped by the worker that counts and by the threads that read. All values are
 * Float64 (exact to 2^53), each written by one thread only, so no reader ever stops the worker.
 *
 *    +--------+-------------------------+-------------------------+-------------------+----------------------+- -
 *    | header | drops of all interfaces | one block per interface | one block per VRF | one block per mirror | one word per bridge slot
 *    +--------+-------------------------+-------------------------+-------------------+----------------------+- -
 */
const MAGIC = 0x76726f75; // "vrou"
const VERSION = 2;

/** Room for drop reasons, more than there are, so that a new reason does not move anything. */
const DROP_WORDS = 64;

/** Words of the header. */
export const HEADER = {
  magic: 0,
  version: 1,
  /** Rounds of the worker: a count that stands still is a worker that hangs. */
  heartbeat: 2,
  /** Sequence number of the last table change applied. */
  applied: 3,
  /** Packets the datapath made itself (ARP and ND answers). */
  generated: 4,
  /** Additional packets made by flooding and trapping. */
  copied: 5,
  /** Packets answered, therefore gone without being sent or dropped. */
  consumed: 6,
  /** What interfaces that are gone had received and sent. */
  retiredReceived: 7,
  retiredSent: 8,
  words: 64,
} as const;

/** Words of an interface's block. `packets` counts a super-frame as its segments, `bytes` as on the wire, Ethernet included. */
export const VIF = {
  rxPackets: 0,
  rxBytes: 1,
  rxErrors: 2,
  txPackets: 3,
  txBytes: 4,
  txErrors: 5,
  rxSuperFrames: 6,
  txSuperFrames: 7,
  /** Frames the kernel dropped before the datapath could read them. */
  kernelDrops: 8,
  /** Flow entries its traffic made that are still there. */
  flows: 9,
  drops: 10,
  words: 10 + DROP_WORDS,
} as const;

/** Counters of one VRF in the order and wording of `vrfstats`. */
export const VRF_STAT_TEXT = {
  discards: 'Discards',
  resolves: 'Resolves',
  receives: 'Receives',
  l2Receives: 'L2 Receives',
  vrfTranslates: 'Vrf Translates',
  unknownUnicastFloods: 'Unknown Unicast Floods',
  ecmpComposites: 'Ecmp Composites',
  l2McastComposites: 'L2 Mcast Composites',
  fabricComposites: 'Fabric Composites',
  encapComposites: 'Encap Composites',
  evpnComposites: 'Evpn Composites',
  udpTunnels: 'Udp Tunnels',
  udpMplsTunnels: 'Udp Mpls Tunnels',
  greMplsTunnels: 'Gre Mpls Tunnels',
  vxlanTunnels: 'Vxlan Tunnels',
  pbbTunnels: 'Pbb Tunnels',
  l2Encaps: 'L2 Encaps',
  encaps: 'Encaps',
  gros: 'GROs',
  diags: 'Diags',
  arpVirtualProxys: 'Arp Virtual Proxys',
  arpVirtualStitchs: 'Arp Virtual Stitchs',
  arpVirtualFloods: 'Arp Virtual Floods',
  arpPhysicalStitchs: 'Arp Physical Stitchs',
  arpTorProxys: 'Arp Tor Proxys',
  arpPhysicalFloods: 'Arp Physical Floods',
} as const;
export type VrfStat = keyof typeof VRF_STAT_TEXT;
export const VRF_STATS = Object.keys(VRF_STAT_TEXT) as readonly VrfStat[];
/** Word of each counter in a VRF's block, in the order of the texts above. A literal: the fast path reads it for every packet. */
export const VRF_STAT = {
  discards: 0,
  resolves: 1,
  receives: 2,
  l2Receives: 3,
  vrfTranslates: 4,
  unknownUnicastFloods: 5,
  ecmpComposites: 6,
  l2McastComposites: 7,
  fabricComposites: 8,
  encapComposites: 9,
  evpnComposites: 10,
  udpTunnels: 11,
  udpMplsTunnels: 12,
  greMplsTunnels: 13,
  vxlanTunnels: 14,
  pbbTunnels: 15,
  l2Encaps: 16,
  encaps: 17,
  gros: 18,
  diags: 19,
  arpVirtualProxys: 20,
  arpVirtualStitchs: 21,
  arpVirtualFloods: 22,
  arpPhysicalStitchs: 23,
  arpTorProxys: 24,
  arpPhysicalFloods: 25,
} as const satisfies Record<VrfStat, number>;
const VRF_WORDS = 32;

/**
 * Words of a mirror's block. Packets and bytes are those of frames copied, Ethernet included, as far as they were copied: of what a
 * guest sent (ingress), of what it was sent (egress).
 */
export const MIRROR = {
  ingressPackets: 0,
  ingressBytes: 1,
  egressPackets: 2,
  egressBytes: 3,
  /** Frames not copied: the analyzer is not known, or has no route. */
  discards: 4,
  /** Not copied: over the limit of copies a second; not in the sample. */
  limited: 5,
  sampledOut: 6,
  /** Copies that could not be made or sent on: too long, no room, an interface that is gone. */
  failed: 7,
  /** Not copied: copies for this analyzer themselves. */
  looped: 8,
  /** ICMP errors about copies that were kept from the interface they were for. */
  suppressed: 9,
  words: 16,
} as const;

/** Numbers of interfaces and VRFs are below these. */
export const MAX_VIFS = 4352;
export const MAX_VRFS = 4096;

export class Counters {
  readonly words: Float64Array;
  readonly #bridgeSlots: number;

  /** @param memory at least `bytesFor(bridgeSlots)` bytes; counts of an earlier run of the same layout are kept. */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, bridgeSlots: number) {
    this.words = new Float64Array(memory);
    this.#bridgeSlots = bridgeSlots;
    if (this.words[HEADER.magic] === MAGIC && this.words[HEADER.version] === VERSION) return;
    this.words.fill(0);
    this.words[HEADER.magic] = MAGIC;
    this.words[HEADER.version] = VERSION;
  }

  static bytesFor(bridgeSlots: number): number {
    return 8 * (BRIDGE_AT + bridgeSlots);
  }

  /** Counters for a test or a tool: not shared with anybody. */
  static inMemory(bridgeSlots: number): Counters {
    return new Counters(new ArrayBuffer(Counters.bytesFor(bridgeSlots)), bridgeSlots);
  }

  /** First word of an interface's block. */
  vifAt(vif: number): number {
    return HEADER.words + DROP_WORDS + vif * VIF.words;
  }

  /** First word of a VRF's block. */
  vrfAt(vrf: number): number {
    return vrfAt(vrf);
  }

  /** First word of a mirror's block. */
  mirrorAt(mirror: number): number {
    return mirrorAt(mirror);
  }

  /** Word of a bridge slot. */
  bridgeAt(slot: number): number {
    return BRIDGE_AT + slot;
  }

  /** Counts `packets` dropped for the reason with this index, in total and for the interface (vif < 0: none). */
  drop(vif: number, reason: number, packets: number): void {
    this.words[HEADER.words + reason] += packets;
    if (vif >= 0) this.words[this.vifAt(vif) + VIF.drops + reason] += packets;
  }

  totalDrops(reason: number): number {
    return this.words[HEADER.words + reason];
  }

  vifDrops(vif: number, reason: number): number {
    return this.words[this.vifAt(vif) + VIF.drops + reason];
  }

  /** Sum of all drops of one interface. */
  vifDropSum(vif: number): number {
    let drops = 0;
    for (let reason = 0; reason < DROP_REASONS.length; reason++) drops += this.vifDrops(vif, reason);
    return drops;
  }

  /** Forgets an interface that is gone; what it carried stays in the books. */
  retireVif(vif: number): void {
    const at = this.vifAt(vif);
    this.words[HEADER.retiredReceived] += this.words[at + VIF.rxPackets];
    this.words[HEADER.retiredSent] += this.words[at + VIF.txPackets];
    this.words.fill(0, at, at + VIF.words);
  }

  retireVrf(vrf: number): void {
    this.words.fill(0, vrfAt(vrf), vrfAt(vrf) + VRF_WORDS);
  }

  retireMirror(mirror: number): void {
    this.words.fill(0, mirrorAt(mirror), mirrorAt(mirror) + MIRROR.words);
  }

  clearBridge(slot: number): void {
    if (slot >= 0 && slot < this.#bridgeSlots) this.words[this.bridgeAt(slot)] = 0;
  }

  /** received + generated + copied = sent + dropped + consumed, in packets. */
  books(): Record<'received' | 'generated' | 'copied' | 'sent' | 'dropped' | 'consumed', number> {
    const w = this.words;
    let received = w[HEADER.retiredReceived];
    let sent = w[HEADER.retiredSent];
    for (let vif = 0; vif < MAX_VIFS; vif++) {
      received += w[this.vifAt(vif) + VIF.rxPackets];
      sent += w[this.vifAt(vif) + VIF.txPackets];
    }
    let dropped = 0;
    for (let reason = 0; reason < DROP_REASONS.length; reason++) dropped += this.totalDrops(reason);
    const { generated, copied, consumed } = HEADER;
    return { received, generated: w[generated], copied: w[copied], sent, dropped, consumed: w[consumed] };
  }
}

function vrfAt(vrf: number): number {
  return HEADER.words + DROP_WORDS + MAX_VIFS * VIF.words + vrf * VRF_WORDS;
}

const mirrorAt = (mirror: number): number => vrfAt(MAX_VRFS) + mirror * MIRROR.words;
const BRIDGE_AT = mirrorAt(MAX_MIRRORS);
