/**
 * Longest-prefix match as a multibit trie, eight bits a level: 4 levels for IPv4, 16 for IPv6. A prefix lies in the node of the
 * level where it ends, spread over all slots it covers; a longer one grows a node below one of them.
 *
 *    10.0.0.0/8, 10.1.0.0/23:   root[10] = /8 ──▶ node[1] = none ──▶ node[0], node[1] = /23
 *
 * A lookup walks down and remembers the last route it met.
 */
const SLOTS = 256;
/** Nodes a table begins with; it doubles when they are used up. */
const FIRST_NODES = 4;
const ROOT = 0;

export interface TrieSlot {
  /** Address of the slot, 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Prefix length of the slot: 8, 16, 24, 32 ... */
  readonly slotLength: number;
  /** Value of the route that fills it; 0: none. */
  readonly value: number;
  /** Length of that route (the parent prefix length of `rt`). */
  readonly ppl: number;
}

export class InetRoutes {
  readonly #levels: 4 | 16;
  /** For each slot of each node: the node below it (0: none), the value of the longest route of its level, that route's length. */
  #children = new Int32Array(0);
  #values = new Int32Array(0);
  #lengths = new Uint8Array(0);
  /** How many routes end in a node and how many nodes hang below it: at 0 it can go. */
  readonly #users: number[] = [];
  readonly #free: number[] = [];
  /** Every route by its prefix: says what a deleted one uncovers. */
  readonly #routes = new Map<string, number>();

  constructor(levels: 4 | 16) {
    this.#levels = levels;
  }

  /** Number of routes. */
  get size(): number {
    return this.#routes.size;
  }

  /** Value of exactly this prefix; 0 when it is not there. */
  get(prefix: Uint8Array, length: number): number {
    return this.#routes.get(key(prefix, length)) ?? 0;
  }

  /** Value of the longest prefix that covers the address at `at`; 0: none does. */
  lookup(b: Uint8Array, at: number): number {
    if (this.#routes.size === 0) return 0;
    let best = 0;
    let node = ROOT;
    for (let level = 0; level < this.#levels; level++) {
      const slot = node * SLOTS + b[at + level];
      const value = this.#values[slot];
      if (value !== 0) best = value;
      node = this.#children[slot];
      if (node === 0) break;
    }
    return best;
  }

  /** Adds or replaces a prefix. @param value greater than 0. @param prefix 4 or 16 bytes, bits behind `length` are not looked at. */
  set(prefix: Uint8Array, length: number, value: number): void {
    const name = key(prefix, length);
    const known = this.#routes.has(name);
    const node = this.#grow(prefix, levelOf(length));
    if (!known) this.#users[node]++;
    this.#routes.set(name, value);
    const { first, end } = range(prefix, length);
    for (let slot = node * SLOTS + first; slot < node * SLOTS + end; slot++) {
      if (this.#values[slot] !== 0 && this.#lengths[slot] > length) continue;
      this.#values[slot] = value;
      this.#lengths[slot] = length;
    }
  }

  /** Takes a prefix out; shorter ones show again. False: it was not there. */
  delete(prefix: Uint8Array, length: number): boolean {
    if (!this.#routes.delete(key(prefix, length))) return false;
    const path = this.#path(prefix, levelOf(length));
    const node = path[path.length - 1];
    const { first, end } = range(prefix, length);
    const cover = this.#coverOnLevel(prefix, length);
    for (let slot = node * SLOTS + first; slot < node * SLOTS + end; slot++) {
      if (this.#values[slot] === 0 || this.#lengths[slot] !== length) continue;
      this.#values[slot] = cover.value;
      this.#lengths[slot] = cover.length;
    }
    this.#users[node]--;
    this.#prune(prefix, path);
    return true;
  }

  /** Every slot that has no node below it, in address order; nothing when there are no routes. */
  *dump(): IterableIterator<TrieSlot> {
    if (this.#routes.size > 0) yield* this.#dumpNode(ROOT, 0, new Uint8Array(this.#levels), 0, 0);
  }

  *#dumpNode(node: number, level: number, address: Uint8Array, value: number, ppl: number): IterableIterator<TrieSlot> {
    for (let i = 0; i < SLOTS; i++) {
      const slot = node * SLOTS + i;
      address[level] = i;
      const own = this.#values[slot] !== 0;
      const slotValue = own ? this.#values[slot] : value;
      const slotPpl = own ? this.#lengths[slot] : ppl;
      const child = this.#children[slot];
      if (child !== 0) yield* this.#dumpNode(child, level + 1, address, slotValue, slotPpl);
      else yield { address: address.slice(), slotLength: (level + 1) * 8, value: slotValue, ppl: slotPpl };
    }
    address[level] = 0;
  }

  /** The node of `level` on the way to `prefix`, made with all nodes above it where they are missing. */
  #grow(prefix: Uint8Array, level: number): number {
    if (this.#users.length === 0) this.#newNode();
    let node = ROOT;
    for (let i = 0; i < level; i++) {
      const slot = node * SLOTS + prefix[i];
      if (this.#children[slot] === 0) {
        const child = this.#newNode();
        this.#children[slot] = child;
        this.#users[node]++;
      }
      node = this.#children[slot];
    }
    return node;
  }

  /** The nodes from the root to that of `level` on the way to `prefix`, which are there. */
  #path(prefix: Uint8Array, level: number): number[] {
    const path = [ROOT];
    for (let i = 0; i < level; i++) path.push(this.#children[path[i] * SLOTS + prefix[i]]);
    return path;
  }

  /** Frees nodes at the end of `path` that nobody uses any more. */
  #prune(prefix: Uint8Array, path: readonly number[]): void {
    for (let level = path.length - 1; level > 0 && this.#users[path[level]] === 0; level--) {
      this.#children[path[level - 1] * SLOTS + prefix[level - 1]] = 0;
      this.#users[path[level - 1]]--;
      this.#free.push(path[level]);
    }
  }

  #newNode(): number {
    const node = this.#free.pop() ?? this.#users.length;
    this.#users[node] = 0;
    if ((node + 1) * SLOTS > this.#children.length) this.#enlarge();
    this.#children.fill(0, node * SLOTS, (node + 1) * SLOTS);
    this.#values.fill(0, node * SLOTS, (node + 1) * SLOTS);
    return node;
  }

  #enlarge(): void {
    const slots = Math.max(FIRST_NODES * SLOTS, this.#children.length * 2);
    const [children, values, lengths] = [new Int32Array(slots), new Int32Array(slots), new Uint8Array(slots)];
    children.set(this.#children);
    values.set(this.#values);
    lengths.set(this.#lengths);
    [this.#children, this.#values, this.#lengths] = [children, values, lengths];
  }

  /** The longest route shorter than `length` that ends on the same level and covers `prefix`; value 0: none. */
  #coverOnLevel(prefix: Uint8Array, length: number): { value: number; length: number } {
    const level = levelOf(length);
    const shortest = level === 0 ? 0 : level * 8 + 1;
    for (let shorter = length - 1; shorter >= shortest; shorter--) {
      const value = this.get(prefix, shorter);
      if (value !== 0) return { value, length: shorter };
    }
    return { value: 0, length: 0 };
  }
}

/** Level of the node in which a prefix of this length ends; the default route ends in the root. */
function levelOf(length: number): number {
  return Math.max(0, Math.ceil(length / 8) - 1);
}

/** Slots [first, end) that a prefix covers in its node. */
function range(prefix: Uint8Array, length: number): { first: number; end: number } {
  const level = levelOf(length);
  const count = 1 << ((level + 1) * 8 - length);
  const first = prefix[level] & ~(count - 1);
  return { first, end: first + count };
}

/** A prefix as text: its length and the bytes it has a say in, bits behind it zero. */
function key(prefix: Uint8Array, length: number): string {
  const bytes = prefix.slice(0, Math.ceil(length / 8));
  if (length % 8 !== 0) bytes[bytes.length - 1] &= 0xff << (8 - (length % 8));
  return `${length}:${bytes.join('.')}`;
}
