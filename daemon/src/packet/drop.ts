/**
 * Why a packet left the datapath unsent. The text is what `dropstats` prints; the order is the counter index: append only.
 * Names are those operators of tf-vrouter know (include/vr_pkt_droplog.h).
 */
export const DROP_TEXT = {
  discards: 'Discards',
  pull: 'Pull Fails',
  invalidIf: 'Invalid IF',
  invalidArp: 'Invalid ARP',
  trapNoIf: 'Trap No IF',
  nowhereToGo: 'Nowhere to go',
  flowQueueLimit: 'Flow Queue Limit Exceeded',
  flowNoMemory: 'Flow No Memory',
  flowInvalidProtocol: 'Flow Invalid Protocol',
  flowNatNoRflow: 'Flow NAT no rflow',
  flowActionDrop: 'Flow Action Drop',
  flowActionInvalid: 'Flow Action Invalid',
  flowUnusable: 'Flow Unusable',
  flowTableFull: 'Flow Table Full',
  ifTxDiscard: 'IF TX Discard',
  ifDrop: 'IF Drop',
  duplicated: 'Duplicated',
  push: 'Push Fails',
  ttlExceeded: 'TTL Exceeded',
  invalidNh: 'Invalid NH',
  invalidLabel: 'Invalid Label',
  invalidProtocol: 'Invalid Protocol',
  ifRxDiscard: 'IF RX Discard',
  invalidMcastSource: 'Invalid Mcast Source',
  headAlloc: 'Head Alloc Fails',
  pcow: 'PCOW fails',
  jumboMcast: 'Jumbo Mcast Pkt with DF Bit',
  mcastClone: 'Mcast Clone Fail',
  memory: 'Memory Failures',
  rewrite: 'Rewrite Fail',
  misc: 'Misc',
  invalidPacket: 'Invalid Packets',
  checksum: 'Checksum errors',
  noFmd: 'No Fmd',
  clonedOriginal: 'Cloned Original',
  invalidVnid: 'Invalid VNID',
  fragment: 'Fragment errors',
  invalidSource: 'Invalid Source',
  l2NoRoute: 'No L2 Route',
  fragmentQueue: 'Fragment Queueing Failures',
  vlanFwdTx: 'VLAN fwd intf failed TX',
  vlanFwdEnq: 'VLAN fwd intf failed enq',
  newFlow: 'New Flow Drops',
  flowEvict: 'Flow Unusable (Eviction)',
  trapOriginal: 'Original Packet Trapped',
  leafToLeaf: 'Etree Leaf to Leaf',
  bmacIsidMismatch: 'Bmac/ISID Mismatch',
  packetLoop: 'Packet Loop',
  noEncryptPath: 'No Encrypt Path Failures',
  invalidHbs: 'Invalid HBS received packet',
  noFragmentEntry: 'No Fragment Entries',
  icmpError: 'ICMP errors',
  clone: 'Clone Failures',
  invalidUnderlayEcmp: 'Invalid underlay ECMP',
  mirrorError: 'Mirror ICMP Errors',
} as const;

export type DropReason = keyof typeof DROP_TEXT;

/** All reasons in counter order. */
export const DROP_REASONS = Object.keys(DROP_TEXT) as readonly DropReason[];

/** Counter index of each reason. */
export const DROP = Object.fromEntries(DROP_REASONS.map((reason, index) => [reason, index])) as {
  readonly [R in DropReason]: number;
};
