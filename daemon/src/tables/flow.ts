/**
 * The flow table: every session is a pair of entries, one for each direction, which name each other. It lies in a file that is
 * mapped by all threads: the datapath's worker alone writes entries, everybody reads. Sizes and indices are those operators know
 * (tf-vrouter dp-core/vr_flow.c, vr_htable.c).
 *
 *    0      header: what it is, and how much has happened, as doubles
 *    4096   entries, 128 bytes each: buckets of four first, then the overflow
 *    ...    first overflow entry of each bucket; the overflow entry after each overflow entry (indices, 0: none); how many entries of
 *           each block of 32 are in use (bytes)
 *
 * An entry keeps its index for life. Its generation counts how often the place was given away, so that index and generation name
 * an entry for ever. A place is free when its first word is 0; a file of zeros is an empty table, and takes memory for the pages that
 * were used once.
 */
const HEADER_BYTES = 4096;
const BUCKET = 4;
const ENTRY_WORDS = 32;
export const FLOW_BYTES = ENTRY_WORDS * 4;

/** What the table is called with where nothing else is configured. */
export const FLOW_ENTRIES = 524_288;

/** Doubles of the header. */
export const FLOW_HEADER = {
  magic: 0,
  version: 1,
  entries: 2,
  overflow: 3,
  /** What the hash begins with: chosen at random, so that nobody outside can fill one bucket. */
  seed: 4,
  /** Pairs made for a packet; entries made; entries removed; pairs decided anew. */
  created: 5,
  added: 6,
  deleted: 7,
  changed: 8,
  /** Entries in the overflow, and entries altogether. */
  overflowUsed: 9,
  active: 10,
  /** Refused: no room, the interface had its share, the packet could not begin a flow. */
  tableFull: 11,
  limited: 12,
  /** Milliseconds by the worker's clock (CLOCK_MONOTONIC) when it last ran a batch. */
  now: 13,
  /** Pairs removed; those because their TCP session was closed. */
  ended: 14,
  evicted: 15,
} as const;

/** In place of S(nh): packets must come from the host of the cluster that has their source for its tunnels. */
export const RPF_SENDER = -2;

/**
 * 32-bit words of an entry. The first eleven are its key, in the form a `FlowKey` has them.
 */
export const FLOW = {
  /** Family (4, 6) << 8 | IP protocol. */
  protocol: 0,
  /** Source port << 16 | destination port. */
  ports: 1,
  /** Flow-key nexthop, K(nh). */
  keyNh: 2,
  /** Addresses in network order; IPv4 has its own in the first word, the others are 0. */
  source: 3,
  destination: 7,
  /** Index of the other entry of the pair, -1: none. */
  reverse: 11,
  /** FLOW_FLAG bits | FLOW_ACTION << 16 | drop reason << 24. */
  state: 12,
  /** S(nh): packets must come from where this nexthop leads; -1: from anywhere; RPF_SENDER: from the host whose address they have. */
  rpfNh: 13,
  /** VRF | VRF the packets go on in << 16. */
  vrf: 14,
  /** State of the configuration (`Tables.epoch`) the entry was decided by. */
  epoch: 15,
  /** TCP_FLAG bits | generation << 16. */
  tcp: 24,
  /**
   * TCP: what the next acknowledgement is compared with; the last acknowledged sequence number. Of ICMP the first has type << 8 |
   * code of the first packet.
   */
  tcpSeq: 25,
  tcpAck: 26,
  /** Outer UDP source port | forced TTL << 16 | ECMP member << 24 (255: none). */
  outer: 27,
  /** Interface the first packet came in by, from a guest; outer source address, from the underlay (see FLOW_FLAG.fromFabric). */
  source1: 28,
  /** Indices of mirrors: the first | the second << 16; NO_MIRROR: none. FLOW_FLAG.mirror says whether there are any. */
  mirrors: 29,
  /** What decided: ACL << 16 | rule; -1: no rule. */
  rule: 30,
  /**
   * Interface this direction comes from, 0xffff: none of this host | FLOW_OWN bits << 16. That of the forward entry is the one
   * whose share the pair counts against.
   */
  owner: 31,
} as const;

/** Doubles of an entry. */
export const FLOW_DOUBLE = {
  packets: 8,
  bytes: 9,
  /** Milliseconds by the worker's clock: last packet, and when it was made. */
  lastSeen: 10,
  created: 11,
} as const;

/** Flags of an entry (tf-vrouter include/vr_flow.h). */
export const FLOW_FLAG = {
  active: 0x1,
  snat: 0x2,
  spat: 0x4,
  dnat: 0x8,
  dpat: 0x10,
  deleteMarked: 0x40,
  modified: 0x100,
  newFlow: 0x200,
  evictCandidate: 0x400,
  evicted: 0x800,
  reverseValid: 0x1000,
  mirror: 0x2000,
  vrfTranslate: 0x4000,
  linkLocal: 0x8000,
} as const;

/** Instead of the index of a mirror; and of both (`FLOW.mirrors`). */
export const NO_MIRROR = 0xffff;
export const NO_MIRRORS = -1;

/** The mirrors of an entry with one more: unless that is one of them, or it has two already (tf-vrouter VR_FLOW_MAX_MIRRORS). */
export function withMirror(mirrors: number, index: number): number {
  const first = mirrors & 0xffff;
  if (first === NO_MIRROR) return (NO_MIRROR << 16) | index;
  return first === index || mirrors >>> 16 !== NO_MIRROR ? mirrors : (index << 16) | first;
}

/** What is done with packets of a flow (tf-vrouter include/vr_flow.h). */
export const FLOW_ACTION = { drop: 0, hold: 1, forward: 2, nat: 3 } as const;

/** Bits of the owner word above the interface, ours alone. */
export const FLOW_OWN = {
  /** The direction of the packet that began the session. */
  forward: 0x1,
  /** Several sessions share the entry: ports or addresses are masked. */
  fat: 0x2,
  /** Nobody's session: removed at the next look, so that what it refused may be asked for again. */
  short: 0x4,
  /** The first packet came from the underlay: source1 is its outer source. */
  fromFabric: 0x8,
  /** Told to the log of sessions. */
  told: 0x10,
  /** Where it goes was told by the destination MAC, not by a route. */
  byMac: 0x20,
  /** An operator decided what is done with it: no change of the configuration decides it anew. */
  byHand: 0x40,
} as const;

/** What TCP has shown, as `flow` prints it; "reverse" is learnt from the other direction. */
export const TCP_FLAG = {
  syn: 0x1,
  synReverse: 0x2,
  established: 0x4,
  establishedReverse: 0x8,
  fin: 0x10,
  finReverse: 0x20,
  reset: 0x40,
  halfClose: 0x80,
  dead: 0x100,
} as const;

/** Why packets of a flow are dropped: the code in the entry, the text `flow` prints. */
// prettier-ignore
export const FLOW_DROP_TEXT = [
  'Unknown', 'IntfErr', 'Ipv4Dis', 'VrfErr', 'NoSrcRt', 'NoDstRt', 'Audit', 'VrfChange', 'NoRevFlow', 'RevFlowChng',
  'NatChng', 'FlowLim', 'LinkSrcNatErr', 'VrouterInstallFail', 'InvalidL2Flow', 'TSNFlow', 'NoMirrorentry',
  'SameFlowRflowKey', 'NoFipPortMap', 'NoSrcRtRpfNh', 'FatFlowNatConflict', 'Policy', 'OutPolicy', 'SG', 'OutSG',
  'RevSG', 'RevOutSG',
] as const;
export const FLOW_DROP = {
  unknown: 0,
  vrfErr: 3,
  noSrcRt: 4,
  noDstRt: 5,
  flowLimit: 11,
  invalidL2Flow: 14,
  sameFlowRflowKey: 17,
  noSrcRtRpfNh: 19,
  policy: 21,
  outPolicy: 22,
  sg: 23,
  outSg: 24,
} as const;

const MAGIC = 0x76_72_66_6c;
/** Changes with the layout and with the hash: where entries lie. */
const VERSION = 3;
/** Entries of a block are 2 to the power of this: those of one page of memory. */
const BLOCK_BITS = 5;
const KEY_WORDS = 11;

export interface FlowTableSize {
  /** Entries in buckets: a power of two, at least 4. */
  readonly entries: number;
  readonly overflow: number;
}

/** Overflow entries that go with a number of main entries: a fifth, rounded up to a multiple of 1024. */
export const overflowFor = (entries: number): number => Math.ceil(entries / 5 / 1024) * 1024;

/** Words of a key, in the order of FLOW. Words an IPv4 key does not use are 0. */
export type FlowKey = Int32Array;
export const newFlowKey = (): FlowKey => new Int32Array(KEY_WORDS);

export class FlowTable {
  /** The entries as words and as doubles: word `w` of entry `i` is `words[at(i) + w]`, double `d` is `doubles[doubleAt(i) + d]`. */
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  /** The header: doubles by FLOW_HEADER. */
  readonly header: Float64Array;
  /** All places; every index is below. */
  readonly size: number;
  readonly #entries: number;
  readonly #bucketMask: number;
  readonly #chain: Int32Array;
  readonly #next: Int32Array;
  /** Secrets of the hash, one for each word of an IPv4 key. */
  readonly #seed0: number;
  readonly #seed1: number;
  readonly #seed3: number;
  readonly #seed7: number;
  /** Entries in use of each block, never fewer than there are: who looks at all entries does not touch memory nobody used. */
  readonly #blocks: Uint8Array;
  /** Free overflow places, as a stack; made when the first is needed. */
  #free: Int32Array | null = null;
  #freeCount = 0;

  /** @param memory at least `bytesFor(size)` bytes; entries of an earlier run with the same sizes are kept. */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, { entries, overflow }: FlowTableSize) {
    if (entries < BUCKET || !Number.isInteger(Math.log2(entries)))
      throw new RangeError(`flow table of ${entries} entries: not a power of two`);
    this.size = entries + overflow;
    this.#entries = entries;
    this.#bucketMask = entries / BUCKET - 1;
    this.header = new Float64Array(memory, 0, HEADER_BYTES / 8);
    this.words = new Int32Array(memory, HEADER_BYTES, this.size * ENTRY_WORDS);
    this.doubles = new Float64Array(memory, HEADER_BYTES, (this.size * ENTRY_WORDS) / 2);
    const chainAt = HEADER_BYTES + this.size * FLOW_BYTES;
    this.#chain = new Int32Array(memory, chainAt, entries / BUCKET);
    this.#next = new Int32Array(memory, chainAt + entries, overflow);
    this.#blocks = new Uint8Array(memory, chainAt + entries + overflow * 4, blocksOf(this.size));
    if (!this.#isOurs(entries, overflow)) this.#clear(entries, overflow);
    const seed = this.header[FLOW_HEADER.seed];
    this.#seed0 = mix(seed, 0);
    this.#seed1 = mix(seed, 1);
    this.#seed3 = mix(seed, 3);
    this.#seed7 = mix(seed, 7);
  }

  static bytesFor({ entries, overflow }: FlowTableSize): number {
    const size = entries + overflow;
    return HEADER_BYTES + size * FLOW_BYTES + entries + overflow * 4 + blocksOf(size);
  }

  /** A table for a test or a trace: not shared with anybody. */
  static inMemory(size: FlowTableSize): FlowTable {
    return new FlowTable(new ArrayBuffer(FlowTable.bytesFor(size)), size);
  }

  /** First word, and first double, of an entry. */
  at(index: number): number {
    return index * ENTRY_WORDS;
  }
  doubleAt(index: number): number {
    return index * (ENTRY_WORDS / 2);
  }

  isUsed(index: number): boolean {
    return this.#blocks[index >>> BLOCK_BITS] !== 0 && this.words[index * ENTRY_WORDS] !== 0;
  }

  /**
   * The first place from `index` on that may be in use; `size`: there is none. Blocks without entries are passed over, so that
   * looking at all entries costs what there are.
   */
  nextUsed(index: number): number {
    while (index < this.size && this.#blocks[index >>> BLOCK_BITS] === 0)
      index = ((index >>> BLOCK_BITS) + 1) << BLOCK_BITS;
    return Math.min(index, this.size);
  }

  /** How often the place was given away, 0..255. */
  generation(index: number): number {
    return (this.words[index * ENTRY_WORDS + FLOW.tcp] >>> 16) & 0xff;
  }

  /** Index of the entry with this key, or -1. */
  find(key: FlowKey): number {
    const bucket = this.#bucket(key);
    const first = bucket * BUCKET;
    for (let i = first; i < first + BUCKET; i++) if (this.#holds(i, key)) return i;
    for (let i = this.#chain[bucket]; i !== 0; i = this.#next[i - this.#entries]) if (this.#holds(i, key)) return i;
    return -1;
  }

  /**
   * Takes a place for a key that is not in the table: the first free one of its bucket, else one of the overflow; -1 when there is
   * none. All words but the key and the generation are 0, the reverse, the RPF nexthop, the mirrors and the rule are none.
   */
  insert(key: FlowKey): number {
    const bucket = this.#bucket(key);
    const index = this.#choose(bucket);
    if (index < 0) {
      this.header[FLOW_HEADER.tableFull]++;
      return -1;
    }
    const { words } = this;
    const at = index * ENTRY_WORDS;
    this.#blocks[index >>> BLOCK_BITS]++;
    const generation = (words[at + FLOW.tcp] + 0x10000) & 0xff0000;
    words.fill(0, at + KEY_WORDS, at + ENTRY_WORDS);
    words[at + FLOW.tcp] = generation;
    words[at + FLOW.reverse] = -1;
    words[at + FLOW.rpfNh] = -1;
    words[at + FLOW.mirrors] = -1;
    words[at + FLOW.rule] = -1;
    for (let w = KEY_WORDS - 1; w >= 0; w--) words[at + w] = key[w];
    if (index >= this.#entries) this.#link(index, bucket);
    this.header[FLOW_HEADER.added]++;
    this.header[FLOW_HEADER.active]++;
    return index;
  }

  /** Whether a place is free for this key. */
  hasRoom(key: FlowKey): boolean {
    const first = this.#bucket(key) * BUCKET;
    for (let i = first; i < first + BUCKET; i++) if (this.words[i * ENTRY_WORDS] === 0) return true;
    return this.header[FLOW_HEADER.overflowUsed] < this.size - this.#entries;
  }

  /** Frees the place of an entry in use. The other entry of its pair is the caller's to remove. */
  remove(index: number): void {
    const at = index * ENTRY_WORDS;
    if (index >= this.#entries) this.#unlink(index, this.#bucketOf(index));
    this.words[at] = 0;
    this.#blocks[index >>> BLOCK_BITS]--;
    this.header[FLOW_HEADER.deleted]++;
    this.header[FLOW_HEADER.active]--;
  }

  /**
   * Makes the table whole again after its writer was killed in the midst of a change: entries without a partner that names them go,
   * chains and counts are made anew. For the one who writes, before its first change.
   */
  repair(): void {
    const { words, header } = this;
    this.#chain.fill(0);
    this.#next.fill(0);
    this.#free = null;
    header[FLOW_HEADER.active] = 0;
    header[FLOW_HEADER.overflowUsed] = 0;
    for (let index = this.nextUsed(0); index < this.size; index = this.nextUsed(index + 1))
      if (this.isUsed(index) && !this.#isPaired(index)) words[this.at(index)] = 0;
    const blocks = this.#blocks.slice();
    this.#blocks.fill(0);
    for (let index = this.size - 1; index >= 0; index--) {
      if (blocks[index >>> BLOCK_BITS] === 0 || words[this.at(index)] === 0) continue;
      this.#blocks[index >>> BLOCK_BITS]++;
      header[FLOW_HEADER.active]++;
      if (index >= this.#entries) this.#link(index, this.#bucketOf(index));
    }
    // What went here was deleted as well.
    header[FLOW_HEADER.deleted] = header[FLOW_HEADER.added] - header[FLOW_HEADER.active];
  }

  #isPaired(index: number): boolean {
    const reverse = this.words[this.at(index) + FLOW.reverse];
    return (
      reverse >= 0 &&
      reverse < this.size &&
      this.isUsed(reverse) &&
      this.words[this.at(reverse) + FLOW.reverse] === index
    );
  }

  #bucketOf(index: number): number {
    const at = this.at(index);
    return this.#bucket(this.words.subarray(at, at + KEY_WORDS));
  }

  /**
   * Indices of the overflow entries that hang on a bucket, when this is the last entry in use of those in it; none for all others.
   * For readers too: what the writer changes meanwhile may be in it or not.
   */
  overflowOf(index: number): number[] {
    if (index >= this.#entries) return [];
    const bucket = Math.floor(index / BUCKET);
    if (this.#chain[bucket] === 0) return [];
    for (let i = index + 1; i < (bucket + 1) * BUCKET; i++) if (this.isUsed(i)) return [];
    const found: number[] = [];
    const overflow = this.size - this.#entries;
    for (let i = this.#chain[bucket]; i !== 0 && found.length < overflow; i = this.#next[i - this.#entries])
      found.push(i);
    return found;
  }

  /** Copies the key of an entry. */
  keyOf(index: number, into: FlowKey): void {
    const at = index * ENTRY_WORDS;
    for (let w = 0; w < KEY_WORDS; w++) into[w] = this.words[at + w];
  }

  #isOurs(entries: number, overflow: number): boolean {
    const h = this.header;
    return (
      h[FLOW_HEADER.magic] === MAGIC &&
      h[FLOW_HEADER.version] === VERSION &&
      h[FLOW_HEADER.entries] === entries &&
      h[FLOW_HEADER.overflow] === overflow
    );
  }

  #clear(entries: number, overflow: number): void {
    const h = this.header;
    // A file of zeros is not touched: pages nobody read or wrote cost no memory. Another one may hold anything.
    if (h[FLOW_HEADER.magic] !== 0) {
      this.words.fill(0);
      this.#chain.fill(0);
      this.#next.fill(0);
      this.#blocks.fill(0);
    }
    h.fill(0);
    h[FLOW_HEADER.entries] = entries;
    h[FLOW_HEADER.overflow] = overflow;
    h[FLOW_HEADER.seed] = Math.floor(Math.random() * 0x7fffffff);
    h[FLOW_HEADER.version] = VERSION;
    h[FLOW_HEADER.magic] = MAGIC;
  }

  #holds(index: number, key: FlowKey): boolean {
    const { words } = this;
    const at = index * ENTRY_WORDS;
    if (words[at + 1] !== key[1] || words[at + 3] !== key[3] || words[at + 7] !== key[7]) return false;
    if (words[at] !== key[0] || words[at + 2] !== key[2]) return false;
    if (key[0] >>> 8 === 4) return true;
    return (
      words[at + 4] === key[4] &&
      words[at + 5] === key[5] &&
      words[at + 6] === key[6] &&
      words[at + 8] === key[8] &&
      words[at + 9] === key[9] &&
      words[at + 10] === key[10]
    );
  }

  /**
   * Bucket of a key: words are multiplied beside each other, not one after the other, as the processor does that in the time of
   * one; then mixed, as at the end of MurmurHash3's 32-bit form.
   */
  #bucket(key: FlowKey): number {
    const nexthop = Math.imul(key[0] ^ (key[2] << 12) ^ this.#seed0, 0xcc9e2d51);
    const ports = Math.imul(key[1] ^ this.#seed1, 0x9e3779b1);
    const source = Math.imul(key[3] ^ this.#seed3, 0x85ebca77);
    const destination = Math.imul(key[7] ^ this.#seed7, 0xc2b2ae3d);
    let h = nexthop ^ (nexthop >>> 15) ^ rotated(ports ^ (ports >>> 13), 7);
    h ^= rotated(source ^ (source >>> 16), 17) ^ (destination ^ (destination >>> 14));
    if (key[0] >>> 8 !== 4) {
      h = mix(mix(mix(h, key[4]), key[5]), key[6]);
      h = mix(mix(mix(h, key[8]), key[9]), key[10]);
    }
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) & this.#bucketMask;
  }

  #choose(bucket: number): number {
    const first = bucket * BUCKET;
    for (let i = first; i < first + BUCKET; i++) if (this.words[i * ENTRY_WORDS] === 0) return i;
    const free = (this.#free ??= this.#freeOverflow());
    return this.#freeCount > 0 ? free[--this.#freeCount] : -1;
  }

  /** The overflow places nobody has: the lowest is taken first. */
  #freeOverflow(): Int32Array {
    const free = new Int32Array(this.size - this.#entries);
    this.#freeCount = 0;
    for (let i = this.size - 1; i >= this.#entries; i--) if (!this.isUsed(i)) free[this.#freeCount++] = i;
    return free;
  }

  #link(index: number, bucket: number): void {
    this.#next[index - this.#entries] = this.#chain[bucket];
    this.#chain[bucket] = index;
    this.header[FLOW_HEADER.overflowUsed]++;
  }

  #unlink(index: number, bucket: number): void {
    const after = this.#next[index - this.#entries];
    if (this.#chain[bucket] === index) {
      this.#chain[bucket] = after;
    } else {
      let before = this.#chain[bucket];
      while (this.#next[before - this.#entries] !== index) before = this.#next[before - this.#entries];
      this.#next[before - this.#entries] = after;
    }
    this.header[FLOW_HEADER.overflowUsed]--;
    if (this.#free) this.#free[this.#freeCount++] = index;
  }
}

const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
const blocksOf = (size: number): number => Math.ceil(size / (1 << BLOCK_BITS));

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  h ^= k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
