import { addressWords, isInside, prefixWords, wordMask, type PrefixWords } from './address-words.js';
import { FLOW, type FlowKey } from './flow.js';
import type { FatFlowPrefix, FatFlowRecord } from './records.js';

const PROTOCOLS = 256;
const ICMP = 1;
const ICMPV6 = 58;
/** TCP, UDP and SCTP: of all others every packet is looked up by its protocol alone. */
const WITH_PORTS: readonly number[] = [6, 17, 132];
const WORDS = 4;
/** An address keeps all its bits, of either family. */
const WHOLE = 128;
/** Spreads ports over a hash table (2^32 over the golden ratio). */
const HASH = 0x9e3779b1;

/**
 * The fat-flow rules of one interface: which parts of a flow's key are made 0, so that many sessions share one entry.
 *
 * "Source" and "destination" of a rule are those of the guest behind the interface: of a packet it sends, source and destination;
 * of one it is sent, the other way round. So a rule folds both directions of a session to keys that mirror each other. What applies
 * is the first that is found of
 *
 * 1. a rule of the smaller port, a rule of the larger port, the rule of all ports, none of which has a prefix;
 * 2. the same three of the longest source prefix;
 * 3. the same three of the longest destination prefix;
 * 4. the same three of rules with both: the source prefix of step 2, and of its rules the longest destination prefix.
 *
 * A rule of a port leaves that port where it is and makes the other 0. When both ends have the port, the source port of the packet
 * becomes 0, whichever way it goes: the keys of the two directions then have the same ports, not swapped ones.
 */
export class FatFlows {
  /** By protocol; ICMPv6 is 1. */
  readonly #classes: (ProtocolRules | null)[] = Array.from({ length: PROTOCOLS }, () => null);
  /** Prefixes of IPv4 that are left alone, a mask and what is behind it each; and those of IPv6. */
  readonly #excluded4: Int32Array;
  readonly #excluded6: readonly PrefixWords[];

  /**
   * @param rules of two that ask for the same the one that ignores the source counts, then the one that ignores the destination
   * @param exclude prefixes, `address/length`; a session with an end inside stays as it is
   */
  constructor(rules: readonly FatFlowRecord[], exclude: readonly string[]) {
    const excluded = exclude.map(prefixWords);
    const ipv4 = excluded.filter(({ family }) => family === 4);
    this.#excluded4 = Int32Array.from(ipv4.flatMap(({ first, length }) => [wordMask(length, 0), first[0]]));
    this.#excluded6 = excluded.filter(({ family }) => family === 6);
    for (const ignore of ['source', 'destination', 'none'])
      for (const rule of rules) if (rule.ignore === ignore) this.#add(rule);
  }

  /**
   * Makes 0 in a key what the rules say. The key's next hop does not matter.
   *
   * @param fromVm whether the packet comes from the guest; else it goes to it
   * @returns whether a rule applies
   */
  mask(key: FlowKey, fromVm: boolean): boolean {
    const family = key[FLOW.protocol] >>> 8;
    const protocol = key[FLOW.protocol] & 0xff;
    const rules = this.#classes[protocol === ICMPV6 ? ICMP : protocol];
    if (rules === null || this.#isExcluded(family, key)) return false;

    const sourceAt = fromVm ? FLOW.source : FLOW.destination;
    const destinationAt = fromVm ? FLOW.destination : FLOW.source;
    const first = rules.hasPorts ? key[FLOW.ports] >>> 16 : 0;
    const second = rules.hasPorts ? key[FLOW.ports] & 0xffff : 0;
    const low = first < second ? first : second;
    const high = first < second ? second : first;
    let fold = rules.plain.find(low, high);
    if (fold === null && rules.hasPrefixes) fold = rules.byPrefix(family, key, sourceAt, destinationAt, low, high);
    if (fold === null) return false;

    if (fold.port === 0) key[FLOW.ports] = 0;
    else key[FLOW.ports] &= fold.port === second ? 0xffff : 0xffff0000;
    if (fold.sourceLength < WHOLE) keep(key, sourceAt, fold.sourceLength);
    if (fold.destinationLength < WHOLE) keep(key, destinationAt, fold.destinationLength);
    return true;
  }

  #isExcluded(family: number, key: FlowKey): boolean {
    if (family === 4) {
      const excluded = this.#excluded4;
      const source = key[FLOW.source];
      const destination = key[FLOW.destination];
      for (let i = 0; i < excluded.length; i += 2)
        if ((source & excluded[i]) === excluded[i + 1] || (destination & excluded[i]) === excluded[i + 1]) return true;
      return false;
    }
    const excluded = this.#excluded6;
    for (let i = 0; i < excluded.length; i++)
      if (isInside(excluded[i], key, FLOW.source) || isInside(excluded[i], key, FLOW.destination)) return true;
    return false;
  }

  #add(rule: FatFlowRecord): void {
    const protocol = rule.protocol === ICMPV6 ? ICMP : rule.protocol;
    const rules = (this.#classes[protocol] ??= new ProtocolRules(WITH_PORTS.includes(protocol)));
    rules.add(rule);
  }
}

/** What a rule leaves of a key. */
interface Fold {
  /** The port that stays, 0: none. */
  readonly port: number;
  /** Bits of the guest's own address and of the other that stay. */
  readonly sourceLength: number;
  readonly destinationLength: number;
}

/** Rules that differ in their port only: a hash table by port, 0 where nothing is, at most half full. */
class PortRules {
  #ports = new Uint16Array(4);
  #folds: (Fold | null)[] = [null, null, null, null];
  #used = 0;
  /** Of all ports. */
  #any: Fold | null = null;

  find(low: number, high: number): Fold | null {
    return this.#of(low) ?? this.#of(high) ?? this.#any;
  }

  /** The first of two for the same port counts. */
  add(fold: Fold): void {
    if (fold.port === 0) this.#any ??= fold;
    else if (this.#of(fold.port) === null) this.#put(fold);
  }

  /** The rule of a port; port 0 has none. */
  #of(port: number): Fold | null {
    return this.#folds[this.#slot(port)];
  }

  /** Where a port is, or the free place where it would be. */
  #slot(port: number): number {
    const ports = this.#ports;
    const mask = ports.length - 1;
    let slot = Math.imul(port, HASH) >>> 16;
    while (ports[(slot &= mask)] !== port && ports[slot] !== 0) slot++;
    return slot;
  }

  #put(fold: Fold): void {
    if (++this.#used * 2 > this.#ports.length) this.#grow();
    const slot = this.#slot(fold.port);
    this.#ports[slot] = fold.port;
    this.#folds[slot] = fold;
  }

  #grow(): void {
    const folds = this.#folds;
    this.#ports = new Uint16Array(folds.length * 2);
    this.#folds = Array.from({ length: folds.length * 2 }, () => null);
    for (const fold of folds) {
      if (fold === null) continue;
      const slot = this.#slot(fold.port);
      this.#ports[slot] = fold.port;
      this.#folds[slot] = fold;
    }
  }
}

/** What rules with a prefix say, by that prefix; the longest that covers an address is the one. */
class ByPrefix<T> {
  /** Longest first. */
  readonly #entries: { readonly prefix: PrefixWords; readonly value: T }[] = [];

  find(family: number, key: FlowKey, at: number): T | null {
    const entries = this.#entries;
    for (let i = 0; i < entries.length; i++) {
      const { prefix, value } = entries[i];
      if (prefix.family === family && isInside(prefix, key, at)) return value;
    }
    return null;
  }

  /** What is kept for exactly this prefix, made if need be. */
  at({ prefix, length }: FatFlowPrefix, make: () => T): T {
    const wanted = prefixWords(`${prefix}/${length}`);
    const known = this.#entries.find(
      (entry) =>
        entry.prefix.family === wanted.family &&
        entry.prefix.length === length &&
        isInside(entry.prefix, addressWords(prefix), 0),
    );
    if (known) return known.value;
    const value = make();
    this.#entries.push({ prefix: wanted, value });
    this.#entries.sort((a, b) => b.prefix.length - a.prefix.length);
    return value;
  }
}

/** Rules with one source prefix: without a destination prefix, and with one. */
class SourceRules {
  readonly alone = new PortRules();
  readonly both = new ByPrefix<PortRules>();
}

/** The rules of one protocol. */
class ProtocolRules {
  readonly hasPorts: boolean;
  hasPrefixes = false;
  readonly plain = new PortRules();
  readonly #bySource = new ByPrefix<SourceRules>();
  readonly #byDestination = new ByPrefix<PortRules>();

  constructor(hasPorts: boolean) {
    this.hasPorts = hasPorts;
  }

  byPrefix(
    family: number,
    key: FlowKey,
    sourceAt: number,
    destinationAt: number,
    low: number,
    high: number,
  ): Fold | null {
    const source = this.#bySource.find(family, key, sourceAt);
    let fold = source === null ? null : source.alone.find(low, high);
    if (fold !== null) return fold;
    const destination = this.#byDestination.find(family, key, destinationAt);
    fold = destination === null ? null : destination.find(low, high);
    if (fold !== null || source === null) return fold;
    const both = source.both.find(family, key, destinationAt);
    return both === null ? null : both.find(low, high);
  }

  add(rule: FatFlowRecord): void {
    const source = rule.ignore === 'source' ? null : rule.source;
    const destination = rule.ignore === 'destination' ? null : rule.destination;
    const fold: Fold = {
      port: this.hasPorts ? rule.port : 0,
      sourceLength: rule.ignore === 'source' ? 0 : (source?.aggregate ?? WHOLE),
      destinationLength: rule.ignore === 'destination' ? 0 : (destination?.aggregate ?? WHOLE),
    };
    this.#rulesOf(source, destination).add(fold);
  }

  #rulesOf(source: FatFlowPrefix | null, destination: FatFlowPrefix | null): PortRules {
    if (source === null && destination === null) return this.plain;
    this.hasPrefixes = true;
    if (source === null) return this.#byDestination.at(destination as FatFlowPrefix, () => new PortRules());
    const rules = this.#bySource.at(source, () => new SourceRules());
    return destination === null ? rules.alone : rules.both.at(destination, () => new PortRules());
  }
}

/** Keeps the first bits of the address at `at`. */
function keep(key: FlowKey, at: number, length: number): void {
  for (let w = 0; w < WORDS; w++) key[at + w] &= wordMask(length, w);
}
