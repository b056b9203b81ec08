import test from 'ava';
import fc from 'fast-check';
import { contains, formatAddress, formatPrefix, parseAddress, parsePrefix } from '../control/prefix.js';
import { Acl, AclQuery } from './acl.js';
import { addressWords } from './address-words.js';
import { aclRule as rule, ANYBODY as ANY } from '../testing/acl-rules.js';
import type { AclPeer, AclRuleRecord, PortRange } from './records.js';

const acl = (rules: readonly AclRuleRecord[], otherwise: 'pass' | 'deny' = 'deny'): Acl =>
  new Acl({ id: 1, name: 'test', rules, otherwise });

interface End {
  readonly address: string;
  readonly port: number;
  readonly network: number;
  readonly groups: readonly number[];
}
interface Asked {
  readonly protocol: number;
  readonly source: End;
  readonly destination: End;
}
const end = (address: string, port = 0, network = 0, groups: readonly number[] = []): End => ({
  address,
  port,
  network,
  groups,
});

const reused = new AclQuery();
function ask(list: Acl, { protocol, source, destination }: Asked): number {
  reused.family = source.address.includes(':') ? 6 : 4;
  reused.protocol = protocol;
  reused.sourcePort = source.port;
  reused.destinationPort = destination.port;
  reused.source.set(addressWords(source.address));
  reused.destination.set(addressWords(destination.address));
  reused.sourceNetwork = source.network;
  reused.destinationNetwork = destination.network;
  reused.sourceGroups = source.groups;
  reused.destinationGroups = destination.groups;
  return list.match(reused);
}

/** The obvious evaluator: rule by rule, as the records describe them. */
function firstMatch(rules: readonly AclRuleRecord[], asked: Asked): number {
  return rules.findIndex(
    (r) =>
      (r.protocol === -1 || r.protocol === asked.protocol) &&
      matchesPorts(r, asked) &&
      matchesPeer(r.source, asked.source) &&
      matchesPeer(r.destination, asked.destination),
  );
}

function matchesPorts({ protocol, sourcePorts, destinationPorts }: AclRuleRecord, asked: Asked): boolean {
  if (sourcePorts.length === 0 && destinationPorts.length === 0) return true;
  const isIcmp = asked.protocol === 1 || asked.protocol === 58;
  if (isIcmp && protocol === -1) return false;
  if (!isIcmp && ![6, 17, 132].includes(asked.protocol)) return false;
  return isIn(sourcePorts, asked.source.port) && isIn(destinationPorts, asked.destination.port);
}

const isIn = (ranges: readonly PortRange[], port: number): boolean =>
  ranges.length === 0 || ranges.some(([first, last]) => first <= port && port <= last);

const matchesPeer = (peer: AclPeer, { address, network, groups }: End): boolean =>
  (peer.network === null || peer.network === network) &&
  (peer.group === null || groups.includes(peer.group)) &&
  (peer.prefix === null || contains(parsePrefix(peer.prefix), parseAddress(address)));

/** Few values in each field, so that rules meet each other and what they are asked. */
const ports = fc.oneof(fc.constantFrom(0, 1, 22, 80, 443, 65_534, 65_535), fc.nat(65_535));
const ranges = fc.oneof(
  { weight: 2, arbitrary: fc.constant<PortRange[]>([]) },
  fc.array(
    fc.tuple(ports, ports).map(([a, b]): PortRange => (a < b ? [a, b] : [b, a])),
    { minLength: 1, maxLength: 4 },
  ),
);
const octet = fc.constantFrom(0n, 1n, 2n, 127n, 128n, 254n, 255n);
const addresses = (family: 4 | 6): fc.Arbitrary<bigint> =>
  fc
    .array(octet, { minLength: family === 4 ? 4 : 16, maxLength: family === 4 ? 4 : 16 })
    .map((octets) => octets.reduce<bigint>((value, o) => (value << 8n) | o, 0n));
const families = fc.constantFrom(4 as const, 6 as const);
const prefixes = families.chain((family) => {
  const bits = family === 4 ? 32 : 128;
  const lengths = fc.oneof(fc.constantFrom(0, 1, bits - 1, bits), fc.nat(bits));
  return fc.tuple(addresses(family), lengths).map(([value, length]) => {
    const host = (1n << BigInt(bits - length)) - 1n;
    const first = (value | host) ^ host;
    return formatPrefix({ family, length, first, last: value | host });
  });
});
const nameOrNull = fc.option(fc.integer({ min: 1, max: 4 }), { freq: 2 });
const peers: fc.Arbitrary<AclPeer> = fc.record({
  network: nameOrNull,
  prefix: fc.option(prefixes, { freq: 2 }),
  group: nameOrNull,
});
const protocols = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(1, 6, 17, 47, 58, 132) }, fc.nat(255));
const rules: fc.Arbitrary<AclRuleRecord> = fc
  .record({
    protocol: fc.oneof(fc.constant(-1), protocols),
    source: fc.oneof(fc.constant(ANY), peers),
    destination: fc.oneof(fc.constant(ANY), peers),
    sourcePorts: ranges,
    destinationPorts: ranges,
    action: fc.constantFrom('pass', 'deny'),
  })
  .map(rule);
const questions: fc.Arbitrary<Asked> = families.chain((family) => {
  const one = fc
    .tuple(addresses(family), ports, fc.nat(4), fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }))
    .map(([value, port, network, groups]) => end(formatAddress(family, value), port, network, groups));
  return fc.record({ protocol: protocols, source: one, destination: one });
});

/** Asks at the edges of what the rules name: first and last address and the neighbours outside, ports likewise. */
function atEdges(list: readonly AclRuleRecord[], asked: Asked): Asked[] {
  const edges: Asked[] = [];
  for (const { source, sourcePorts, destination, destinationPorts } of list) {
    for (const [peer, side] of [
      [source, 'source'],
      [destination, 'destination'],
    ] as const) {
      if (peer.prefix === null) continue;
      const { family, first, last } = parsePrefix(peer.prefix);
      const limit = family === 4 ? 1n << 32n : 1n << 128n;
      const other = end(family === 4 ? '0.0.0.1' : '::1', 80, 1, [1]);
      for (const value of [first - 1n, first, last, last + 1n]) {
        const address = formatAddress(family, (value + limit) % limit);
        const one = { ...asked[side], address };
        edges.push(
          side === 'source'
            ? { ...asked, source: one, destination: other }
            : { ...asked, source: other, destination: one },
        );
      }
    }
    for (const [first, last] of [...sourcePorts, ...destinationPorts]) {
      for (const port of [first - 1, first, last, last + 1]) {
        if (port < 0 || port > 65_535) continue;
        edges.push({ ...asked, source: { ...asked.source, port }, destination: { ...asked.destination, port } });
      }
    }
  }
  return edges;
}

test('a compiled list decides as one read rule by rule', (t) => {
  fc.assert(
    fc.property(
      fc.array(rules, { maxLength: 70 }),
      fc.array(questions, { minLength: 1, maxLength: 10 }),
      (list, asked) => {
        const compiled = acl(list);
        for (const one of asked.flatMap((a, i) => (i === 0 ? [a, ...atEdges(list, a)] : [a]))) {
          const expected = firstMatch(list, one);
          if (ask(compiled, one) !== expected) t.deepEqual({ one, rule: ask(compiled, one) }, { one, rule: expected });
        }
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});

test('what no rule lets through is for `otherwise` to say', (t) => {
  const asked = { protocol: 6, source: end('10.0.0.1', 1024), destination: end('10.0.0.2', 80) };
  for (const otherwise of ['pass', 'deny'] as const) {
    const empty = acl([], otherwise);
    t.is(ask(empty, asked), -1);
    t.is(empty.passes(-1), otherwise === 'pass');
  }
  const list = acl([rule({ protocol: 17 }), rule({ action: 'deny', destinationPorts: [[80, 80]] })], 'pass');
  t.is(ask(list, asked), 1);
  t.false(list.passes(1));
  t.true(list.passes(0));
});

test('the first of two rules that match decides, wherever in a list of 100 they stand', (t) => {
  const none = rule({ protocol: 47 });
  for (const [first, second] of [
    [0, 1],
    [31, 32],
    [30, 31],
    [32, 95],
    [63, 64],
    [98, 99],
  ]) {
    const list = Array.from({ length: 100 }, (_, i) => (i === first || i === second ? rule({ protocol: 6 }) : none));
    t.is(ask(acl(list), { protocol: 6, source: end('10.0.0.1', 1), destination: end('10.0.0.2', 2) }), first);
  }
});

test('a rule with ports and any protocol is for TCP, UDP and SCTP alone', (t) => {
  const list = acl([rule({ destinationPorts: [[0, 65_535]] })]);
  for (const protocol of [6, 17, 132]) {
    t.is(ask(list, { protocol, source: end('10.0.0.1'), destination: end('10.0.0.2') }), 0);
  }
  for (const protocol of [0, 1, 2, 47, 50, 58, 255]) {
    t.is(ask(list, { protocol, source: end('10.0.0.1'), destination: end('10.0.0.2') }), -1);
  }
});

test('ICMP rules name a type and a code', (t) => {
  const list = acl([
    rule({ protocol: 1, sourcePorts: [[8, 8]] }),
    rule({ protocol: 1, sourcePorts: [[3, 3]], destinationPorts: [[4, 4]] }),
    rule({ protocol: 47, sourcePorts: [[0, 65_535]] }),
  ]);
  const icmp = (type: number, code: number): number =>
    ask(list, { protocol: 1, source: end('10.0.0.1', type), destination: end('10.0.0.2', code) });
  t.is(icmp(8, 0), 0);
  t.is(icmp(3, 4), 1);
  t.is(icmp(3, 1), -1);
  t.is(ask(list, { protocol: 47, source: end('10.0.0.1'), destination: end('10.0.0.2') }), -1, 'GRE has no ports');
  t.is(ask(list, { protocol: 58, source: end('fd00::1', 8), destination: end('fd00::2') }), -1, 'ICMPv6 is another');
});

test('a prefix of one family says nothing of the other, not even /0', (t) => {
  const all4: AclPeer = { ...ANY, prefix: '0.0.0.0/0' };
  const all6: AclPeer = { ...ANY, prefix: '::/0' };
  const list = acl([rule({ source: all4 }), rule({ destination: all6 })]);
  t.is(ask(list, { protocol: 6, source: end('255.255.255.255'), destination: end('0.0.0.0') }), 0);
  t.is(ask(list, { protocol: 6, source: end('::'), destination: end('ffff::ffff') }), 1);
});

test('an interface in several groups is what any of them lets through', (t) => {
  const group = (number: number): AclPeer => ({ ...ANY, group: number });
  const list = acl([rule({ source: group(8_000_001) }), rule({ source: group(8_000_002), destination: group(7) })]);
  const from = (groups: readonly number[], to: readonly number[]): number =>
    ask(list, { protocol: 6, source: end('10.0.0.1', 0, 0, groups), destination: end('10.0.0.2', 0, 0, to) });
  t.is(from([5, 8_000_001], []), 0);
  t.is(from([8_000_002], [7]), 1);
  t.is(from([8_000_002], [8]), -1);
  t.is(from([], [7]), -1);
});

test('a network and a prefix in one peer must both match', (t) => {
  const list = acl([rule({ source: { network: 5, prefix: '10.0.0.0/24', group: null } })]);
  const from = (address: string, network: number): number =>
    ask(list, { protocol: 6, source: end(address, 0, network), destination: end('10.9.9.9') });
  t.is(from('10.0.0.9', 5), 0);
  t.is(from('10.0.1.9', 5), -1);
  t.is(from('10.0.0.9', 6), -1);
  t.is(from('10.0.0.9', 0), -1);
});

test('a list keeps the record it was made of', (t) => {
  const record = { id: 7, name: 'blue', rules: [rule({})], otherwise: 'deny' } as const;
  t.is(new Acl(record).record, record);
});
