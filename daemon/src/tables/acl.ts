import { ipv4Field, Ipv6Field, NameField, NumberField, type RulePrefix } from './acl-fields.js';
import { RowStore, RULES_MAX, type Span } from './acl-rows.js';
import { prefixWords } from './address-words.js';
import type { AclPeer, AclRecord, AclRuleRecord, PortRange } from './records.js';

const PROTOCOLS = 256;
const PORTS = 65_536;
/** IP protocols with ports, and those with a type and a code. */
const WITH_PORTS: readonly number[] = [6, 17, 132];
const WITH_TYPES: readonly number[] = [1, 58];
const NOBODY: readonly number[] = [];

/** What an access list is asked: the first packet of a session, and who its ends are. One is used again and again. */
export class AclQuery {
  family = 4;
  protocol = 0;
  /** Ports; the type and the code of ICMP and ICMPv6; 0 of all others. */
  sourcePort = 0;
  destinationPort = 0;
  /** Addresses in words, as a `FlowKey` has them. */
  readonly source = new Int32Array(4);
  readonly destination = new Int32Array(4);
  /** Numbers of the networks they belong to; 0: none. */
  sourceNetwork = 0;
  destinationNetwork = 0;
  /** Numbers of the security groups of their interfaces. */
  sourceGroups: readonly number[] = NOBODY;
  destinationGroups: readonly number[] = NOBODY;
}

/**
 * An access list. For every field of a query there is a row of bits, one a rule: whether the rule lets the field's value through.
 * The first bit that is set in all of these rows is the rule that decides, so that a list of 1,000 rules costs a few binary
 * searches and at most 32 times a dozen words.
 *
 *              rule 0   rule 1   rule 2   rule 3
 *   protocol 6    1        0        1        1
 *   port 80       1        1        1        1
 *   10.0.0.7      0        1        1        1
 *   all           0        0        1        1     -> rule 2
 *
 * The rows are made when the first query comes: a replica that is never asked does not pay for them.
 */
export class Acl {
  readonly record: AclRecord;
  /** List that is asked about what this one lets pass; -1: none. */
  readonly next: number;
  #compiled: CompiledAcl | null = null;

  /** Throws on more rules than a list can have (524,288). */
  constructor(record: AclRecord) {
    if (record.rules.length > RULES_MAX) throw new RangeError(`access list of ${record.rules.length} rules`);
    this.record = record;
    this.next = record.next ?? -1;
  }

  /** Index of the rule that decides; -1: none does. */
  match(query: AclQuery): number {
    this.#compiled ??= new CompiledAcl(this.record.rules);
    return this.#compiled.match(query);
  }

  /** Whether a session that `match` gave this index for passes. */
  passes(rule: number): boolean {
    const { rules, otherwise } = this.record;
    return (rule < 0 ? otherwise : rules[rule].action) === 'pass';
  }
}

/** One end of a session: the rows its address, network and groups lead to. */
class PeerFields {
  readonly ipv4: NumberField;
  readonly ipv6: Ipv6Field;
  readonly network: NameField;
  readonly group: NameField;

  constructor(store: RowStore, peers: readonly AclPeer[]) {
    const bound = Uint8Array.from(peers, ({ prefix }) => (prefix === null ? 0 : 1));
    const prefixes: RulePrefix[] = [];
    for (const [rule, { prefix }] of peers.entries())
      if (prefix !== null) prefixes.push({ rule, prefix: prefixWords(prefix) });
    this.ipv4 = ipv4Field(store, bound, prefixes);
    this.ipv6 = new Ipv6Field(store, bound, prefixes);
    this.network = new NameField(
      store,
      peers.map(({ network }) => network),
      true,
    );
    this.group = new NameField(
      store,
      peers.map(({ group }) => group),
      false,
    );
  }

  address(family: number, words: Int32Array): number {
    return family === 6 ? this.ipv6.row(words) : this.ipv4.row(words[0] >>> 0);
  }

  networkRow(network: number): number {
    const row = this.network.row(network);
    return row < 0 ? this.network.free : row;
  }
}

class CompiledAcl {
  readonly #words: number;
  readonly #bits: Int32Array;
  /** Row by protocol. */
  readonly #protocols = new Int32Array(PROTOCOLS);
  readonly #sourcePorts: NumberField;
  readonly #destinationPorts: NumberField;
  readonly #source: PeerFields;
  readonly #destination: PeerFields;

  constructor(rules: readonly AclRuleRecord[]) {
    const store = new RowStore(rules.length);
    this.#words = store.words;
    this.#setProtocols(store, rules);
    this.#sourcePorts = portField(
      store,
      rules.map(({ sourcePorts }) => sourcePorts),
    );
    this.#destinationPorts = portField(
      store,
      rules.map(({ destinationPorts }) => destinationPorts),
    );
    this.#source = new PeerFields(
      store,
      rules.map(({ source }) => source),
    );
    this.#destination = new PeerFields(
      store,
      rules.map(({ destination }) => destination),
    );
    this.#bits = store.trim();
  }

  match(q: AclQuery): number {
    const bits = this.#bits;
    const source = this.#source;
    const destination = this.#destination;
    const protocol = this.#protocols[q.protocol];
    const sourcePort = this.#sourcePorts.row(q.sourcePort);
    const destinationPort = this.#destinationPorts.row(q.destinationPort);
    const sourceAddress = source.address(q.family, q.source);
    const destinationAddress = destination.address(q.family, q.destination);
    const sourceNetwork = source.networkRow(q.sourceNetwork);
    const destinationNetwork = destination.networkRow(q.destinationNetwork);
    for (let w = 0; w < this.#words; w++) {
      let hit = bits[protocol + w] & bits[sourcePort + w] & bits[destinationPort + w] & bits[sourceAddress + w];
      hit &= bits[destinationAddress + w] & bits[sourceNetwork + w] & bits[destinationNetwork + w];
      if (hit !== 0 && source.group.isAsked) hit &= this.#groups(source.group, q.sourceGroups, w);
      if (hit !== 0 && destination.group.isAsked) hit &= this.#groups(destination.group, q.destinationGroups, w);
      if (hit !== 0) return (w << 5) + 31 - Math.clz32(hit & -hit);
    }
    return -1;
  }

  /** Rules of word `w` that ask for no group or for one of these. */
  #groups(field: NameField, groups: readonly number[], w: number): number {
    const bits = this.#bits;
    let word = bits[field.free + w];
    for (let i = 0; i < groups.length; i++) {
      const row = field.row(groups[i]);
      if (row >= 0) word |= bits[row + w];
    }
    return word;
  }

  /** The protocols that no rule names have one row; with ports, a rule lets through only what has them. */
  #setProtocols(store: RowStore, rules: readonly AclRuleRecord[]): void {
    const named = new Set(rules.map(({ protocol }) => protocol).filter((protocol) => protocol >= 0));
    for (const [rule, given] of rules.entries()) store.change(rule, given.protocol < 0 && !asksPorts(given));
    this.#protocols.fill(store.save());
    for (const protocol of new Set([...named, ...WITH_PORTS])) {
      for (const [rule, given] of rules.entries()) store.change(rule, letsProtocol(given, protocol));
      this.#protocols[protocol] = store.save();
    }
  }
}

const asksPorts = (rule: AclRuleRecord): boolean => rule.sourcePorts.length > 0 || rule.destinationPorts.length > 0;

function letsProtocol(rule: AclRuleRecord, protocol: number): boolean {
  if (rule.protocol >= 0 && rule.protocol !== protocol) return false;
  if (!asksPorts(rule)) return true;
  return WITH_PORTS.includes(protocol) || (rule.protocol >= 0 && WITH_TYPES.includes(protocol));
}

function portField(store: RowStore, ranges: readonly (readonly PortRange[])[]): NumberField {
  const bound = Uint8Array.from(ranges, (given) => (given.length > 0 ? 1 : 0));
  const spans: Span[] = [];
  for (const [rule, given] of ranges.entries()) for (const [first, last] of given) spans.push({ rule, first, last });
  return new NumberField(store, bound, spans, PORTS);
}
