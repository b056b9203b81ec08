/** Slots of a node: one for each value of the byte it looks at. */
const SLOTS = 256;

/** The root of a trie that holds nothing, shared by all of them: nobody writes to it. */
const EMPTY_SLOTS = new Int32Array(SLOTS);
const EMPTY_LENGTHS = new Uint8Array(SLOTS);

/** One slot of the trie, as a dump shows it. */
export interface TrieSlot {
  /** First address of the slot: 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Bits of the address the slot stands for: 8, 16, 24 ... */
  readonly slotLength: number;
  /** Value of the route that fills the slot; 0: none. */
  readonly value: number;
  /** Length of that route ("parent prefix length"); 0 also where there is none. */
  readonly ppl: number;
}

/**
 * Longest-prefix match of one VRF and family: a trie that looks at one byte of the address a level, 4 levels for IPv4 and 16 for
 * IPv6. A slot holds the value of the longest route that covers it or, where longer routes begin, the number of the next node, so
 * a lookup reads one word a level and is done at the first value.
 *
 *     routes 10.0.0.0/8 -> 1, 10.1.0.0/16 -> 2, 10.1.2.0/23 -> 3
 *
 *     node 0                     node 1 (10.)              node 2 (10.1.)
 *     |  0 | -  |                |  0 | 1 (/8)  |          |  0 | 2 (/16) |
 *     | .. |    |                |  1 | node 2 -+--------->|  1 | 2 (/16) |
 *     | 10 | node 1 ------------>|  2 | 1 (/8)  |          |  2 | 3 (/23) |
 *     | .. |    |                | .. |         |          |  3 | 3 (/23) |
 *     |255 | -  |                |255 | 1 (/8)  |          |  4 | 2 (/16) |
 *
 * A node exists while a route needs it: one longer than the bits in front of the node. The routes themselves are kept beside the
 * trie, to know what comes back when one is deleted.
 */
export class InetRoutes {
  readonly #levels: number;
  /** By prefix and length. */
  readonly #routes = new Map<string, number>();
  /** Per node 256 slots: a value, or the complement (~) of a node. In a free node the first slot is the next free node. */
  #slots = EMPTY_SLOTS;
  /** Length of the route that fills each slot. */
  #lengths = EMPTY_LENGTHS;
  /** Routes that need each node. */
  #needs = new Uint32Array(1);
  /** Nodes ever used, and the first free one among them; 0: none. */
  #nodes = 1;
  #free = 0;

  /** @param levels bytes of an address. */
  constructor(levels: 4 | 16) {
    this.#levels = levels;
  }

  /** Value of the longest route that covers the address at `at`; 0: none. */
  lookup(b: Uint8Array, at: number): number {
    const slots = this.#slots;
    let p = at;
    let slot = slots[b[p]];
    while (slot < 0) slot = slots[(~slot << 8) | b[++p]];
    return slot;
  }

  /** Value of exactly this route; 0: there is none. */
  get(prefix: Uint8Array, length: number): number {
    return this.#routes.get(key(prefix, length)) ?? 0;
  }

  /** Adds a route or gives it another value. Host bits of `prefix` do not matter; `value` is 1..2^31-1. */
  set(prefix: Uint8Array, length: number, value: number): void {
    const name = key(prefix, length);
    if (this.#slots === EMPTY_SLOTS) this.#reserve(this.#levels);
    const node = this.#descend(prefix, length, this.#routes.has(name) ? 0 : 1);
    this.#routes.set(name, value);
    // What the route covers and no longer one does.
    this.#fill(node, prefix, length, { from: 0, to: length, value, length });
  }

  /** Removes a route; its slots go back to the next shorter one. False: there is no such route. */
  delete(prefix: Uint8Array, length: number): boolean {
    if (!this.#routes.delete(key(prefix, length))) return false;
    if (this.#routes.size === 0) {
      this.#clear();
      return true;
    }
    let shorter = length;
    let value = 0;
    while (shorter > 0 && value === 0) value = this.get(prefix, --shorter);
    const node = this.#descend(prefix, length, -1);
    this.#fill(node, prefix, length, { from: length, to: length, value, length: shorter });
    this.#prune(prefix, length);
    return true;
  }

  /** Every slot that holds no node, in address order. */
  *dump(): IterableIterator<TrieSlot> {
    yield* this.#dumpNode(0, 0, new Uint8Array(this.#levels));
  }

  *#dumpNode(node: number, level: number, path: Uint8Array): IterableIterator<TrieSlot> {
    for (let byte = 0; byte < SLOTS; byte++) {
      path[level] = byte;
      const slot = this.#slots[node * SLOTS + byte];
      if (slot < 0) yield* this.#dumpNode(~slot, level + 1, path);
      else {
        const ppl = this.#lengths[node * SLOTS + byte];
        yield { address: path.slice(), slotLength: (level + 1) * 8, value: slot, ppl };
      }
    }
    path[level] = 0;
  }

  /** The node whose slots a route of this length fills, made if need be; counts the route in or out of the nodes on the way. */
  #descend(prefix: Uint8Array, length: number, change: number): number {
    let node = 0;
    for (let level = 0; (level + 1) * 8 < length; level++) {
      const at = node * SLOTS + prefix[level];
      if (this.#slots[at] >= 0) this.#split(at);
      node = ~this.#slots[at];
      this.#needs[node] += change;
    }
    return node;
  }

  /** Puts a node under the slot, all of whose slots are what the slot was. */
  #split(at: number): void {
    const node = this.#take();
    this.#slots.fill(this.#slots[at], node * SLOTS, (node + 1) * SLOTS);
    this.#lengths.fill(this.#lengths[at], node * SLOTS, (node + 1) * SLOTS);
    this.#slots[at] = ~node;
  }

  /** Repaints the slots of the route and all below them. */
  #fill(node: number, prefix: Uint8Array, length: number, paint: Paint): void {
    const level = Math.max(Math.ceil(length / 8) - 1, 0);
    const span = 1 << ((level + 1) * 8 - length);
    const first = node * SLOTS + (prefix[level] & ~(span - 1));
    this.#paint(first, first + span, paint);
  }

  #paint(first: number, end: number, paint: Paint): void {
    for (let at = first; at < end; at++) {
      const slot = this.#slots[at];
      if (slot < 0) this.#paint(~slot * SLOTS, (~slot + 1) * SLOTS, paint);
      else if (this.#lengths[at] >= paint.from && this.#lengths[at] <= paint.to) {
        this.#slots[at] = paint.value;
        this.#lengths[at] = paint.length;
      }
    }
  }

  /** Frees the nodes on the way of a route that no route needs any more. */
  #prune(prefix: Uint8Array, length: number): void {
    let node = 0;
    for (let level = 0; (level + 1) * 8 < length; level++) {
      const at = node * SLOTS + prefix[level];
      node = ~this.#slots[at];
      if (this.#needs[node] > 0) continue;
      this.#collapse(at);
      return;
    }
  }

  /** Frees the node under the slot and those below it. No route ends in them, so every slot in them is the same. */
  #collapse(at: number): void {
    const node = ~this.#slots[at];
    const first = node * SLOTS;
    for (let i = first; i < first + SLOTS; i++) if (this.#slots[i] < 0) this.#collapse(i);
    this.#slots[at] = this.#slots[first];
    this.#lengths[at] = this.#lengths[first];
    this.#slots[first] = this.#free;
    this.#free = node;
  }

  /** A node nobody uses. */
  #take(): number {
    if (this.#free === 0) {
      if (this.#nodes === this.#needs.length) this.#reserve(this.#nodes * 2);
      return this.#nodes++;
    }
    const node = this.#free;
    this.#free = this.#slots[node * SLOTS];
    return node;
  }

  /** Makes room for this many nodes. */
  #reserve(nodes: number): void {
    const { slots, lengths, needs } = { slots: this.#slots, lengths: this.#lengths, needs: this.#needs };
    this.#slots = new Int32Array(nodes * SLOTS);
    this.#lengths = new Uint8Array(nodes * SLOTS);
    this.#needs = new Uint32Array(nodes);
    this.#slots.set(slots);
    this.#lengths.set(lengths);
    this.#needs.set(needs);
  }

  #clear(): void {
    this.#slots = EMPTY_SLOTS;
    this.#lengths = EMPTY_LENGTHS;
    this.#needs = new Uint32Array(1);
    this.#nodes = 1;
    this.#free = 0;
  }
}

/** Which slots to repaint, by the length of the route that fills them now, and how. */
interface Paint {
  readonly from: number;
  readonly to: number;
  readonly value: number;
  readonly length: number;
}

/** Name of a route: its significant bytes, host bits zero, and its length. */
function key(prefix: Uint8Array, length: number): string {
  const whole = length >>> 3;
  const bits = length & 7;
  let text = String.fromCharCode(length);
  for (let i = 0; i < whole; i++) text += String.fromCharCode(prefix[i]);
  return bits === 0 ? text : text + String.fromCharCode(prefix[whole] & (0xff00 >>> bits) & 0xff);
}
