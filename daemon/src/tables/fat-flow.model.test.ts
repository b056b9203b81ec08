import test from 'ava';
import fc from 'fast-check';
import * as z from 'zod';
import { fatFlowRecord } from '../agent/fat-flow.js';
import { fatFlows } from '../control/fat-flow.js';
import { contains, formatAddress, formatPrefix, parseAddress, parsePrefix } from '../control/prefix.js';
import { masked, reversed, type Session, TCP, UDP } from '../testing/fat-flows.js';
import { FatFlows } from './fat-flow.js';
import type { FatFlowPrefix, FatFlowRecord } from './records.js';

/** The slow model: the tables of the rules read one after the other, with addresses as numbers of any size. */
function model(
  rules: readonly FatFlowRecord[],
  exclude: readonly string[],
  packet: Session,
  fromVm: boolean,
): Session | undefined {
  const [own, other] = fromVm ? [packet.source, packet.destination] : [packet.destination, packet.source];
  const covers = (text: string, address: string): boolean => contains(parsePrefix(text), parseAddress(address));
  const inside = (prefix: FatFlowPrefix, address: string): boolean =>
    covers(`${prefix.prefix}/${prefix.length}`, address);
  if (exclude.some((prefix) => covers(prefix, own) || covers(prefix, other))) return undefined;

  const hasPorts = [6, 17, 132].includes(packet.protocol);
  const ports = [packet.sourcePort, packet.destinationPort]
    .sort((a, b) => a - b)
    .filter((port) => hasPorts && port > 0);
  const mine = rules.filter(({ protocol }) => protocol === (packet.protocol === 58 ? 1 : packet.protocol));
  const byPort = (of: readonly FatFlowRecord[]): FatFlowRecord | undefined =>
    [...ports, 0].flatMap((port) => of.filter((r) => r.port === port)).at(0);
  const longest = (end: 'source' | 'destination', of: readonly FatFlowRecord[], address: string): FatFlowRecord[] => {
    const around = of.filter((r) => r[end] !== null && inside(r[end], address));
    const length = Math.max(...around.map((r) => r[end]?.length ?? 0));
    return around.filter((r) => r[end]?.length === length);
  };
  const bySource = longest('source', mine, own);
  const byDestination = longest(
    'destination',
    mine.filter((r) => r.source === null),
    other,
  );
  const chosen =
    byPort(mine.filter((r) => r.source === null && r.destination === null)) ??
    byPort(bySource.filter((r) => r.destination === null)) ??
    byPort(byDestination) ??
    byPort(longest('destination', bySource, other));
  if (chosen === undefined) return undefined;

  const fold = (address: string, prefix: FatFlowPrefix | null, ignored: boolean): string => {
    const { family, value } = parseAddress(address);
    const bits = family === 4 ? 32 : 128;
    const host = 1n << BigInt(bits - (ignored ? 0 : (prefix?.aggregate ?? bits)));
    return formatAddress(family, value - (value % host));
  };
  const ownFolded = fold(own, chosen.source, chosen.ignore === 'source');
  const otherFolded = fold(other, chosen.destination, chosen.ignore === 'destination');
  const staysAtDestination = chosen.port === packet.destinationPort;
  return {
    protocol: packet.protocol,
    source: fromVm ? ownFolded : otherFolded,
    sourcePort: chosen.port === 0 || staysAtDestination ? 0 : packet.sourcePort,
    destination: fromVm ? otherFolded : ownFolded,
    destinationPort: chosen.port === 0 || !staysAtDestination ? 0 : packet.destinationPort,
  };
}

const families = fc.constantFrom(4 as const, 6 as const);
const octets = fc.constantFrom(10n, 11n, 128n, 255n);
/** Few addresses, so that prefixes cover them and each other. */
const addresses = (family: 4 | 6): fc.Arbitrary<bigint> =>
  fc
    .array(octets, { minLength: family === 4 ? 4 : 16, maxLength: family === 4 ? 4 : 16 })
    .map((bytes) => bytes.reduce<bigint>((value, byte) => (value << 8n) | byte, 0n));
const prefixesOf = (family: 4 | 6): fc.Arbitrary<{ prefix: string; aggregate: number }> => {
  const bits = family === 4 ? 32 : 128;
  const lengths = fc.oneof(fc.constantFrom(8, 16, 24, bits), fc.integer({ min: 8, max: bits }));
  return fc.tuple(addresses(family), lengths, lengths).map(([value, a, b]) => {
    const host = (1n << BigInt(bits - Math.min(a, b))) - 1n;
    const first = value - (value & host);
    const prefix = formatPrefix({ family, length: Math.min(a, b), first, last: first | host });
    return { prefix, aggregate: Math.max(a, b) };
  });
};
const portsOf = fc.constantFrom(0, 1, 22, 53, 123, 65_535);
const given = families.chain((family) =>
  fc
    .record({
      protocol: fc.constantFrom('tcp', 'tcp', 'udp', 'sctp', 'icmp', 47),
      port: portsOf,
      ignoreAddress: fc.constantFrom('none', 'none', 'source', 'destination'),
      source: fc.option(prefixesOf(family), { freq: 2 }),
      destination: fc.option(prefixesOf(family), { freq: 2 }),
    })
    .map(({ source, destination, ...rest }) => ({
      ...rest,
      ...(source === null ? {} : { sourcePrefix: source.prefix, sourceAggregateLength: source.aggregate }),
      ...(destination === null
        ? {}
        : { destinationPrefix: destination.prefix, destinationAggregateLength: destination.aggregate }),
    })),
);
const document = z.strictObject({ fatFlows });
/** Rule sets that may be configured. */
const ruleSets = fc
  .array(given, { minLength: 1, maxLength: 8 })
  .map((rules) => document.safeParse({ fatFlows: rules }))
  .filter(({ success }) => success)
  .map(({ data }) => (data?.fatFlows ?? []).map(fatFlowRecord));
const excludes = fc.array(families.chain(prefixesOf), { maxLength: 2 }).map((some) => some.map(({ prefix }) => prefix));
const packets: fc.Arbitrary<Session> = families.chain((family) =>
  fc
    .record({
      protocol: fc.constantFrom(TCP, TCP, TCP, UDP, 132, 1, 58, 47, 50),
      source: addresses(family),
      destination: addresses(family),
      sourcePort: fc.oneof(portsOf, fc.nat(65_535)),
      destinationPort: fc.oneof(portsOf, fc.nat(65_535)),
    })
    .map((one) => ({
      ...one,
      source: formatAddress(family, one.source),
      destination: formatAddress(family, one.destination),
    })),
);

test('keys are masked as the model of the rules says', (t) => {
  let folded = 0;
  fc.assert(
    fc.property(ruleSets, excludes, fc.array(packets, { minLength: 1, maxLength: 20 }), (rules, exclude, some) => {
      const flows = new FatFlows(rules, exclude);
      for (const packet of some) {
        for (const fromVm of [true, false]) {
          const expected = model(rules, exclude, packet, fromVm);
          t.deepEqual(masked(flows, packet, fromVm), expected);
          if (expected !== undefined) folded++;
        }
      }
    }),
    { numRuns: 300 },
  );
  t.true(folded > 100, `${folded} packets met a rule`);
});

test('both directions of a session have keys that mirror each other, but for the ports when both ends have the same', (t) => {
  fc.assert(
    fc.property(ruleSets, excludes, packets, (rules, exclude, packet) => {
      const flows = new FatFlows(rules, exclude);
      const there = masked(flows, packet, true);
      const back = masked(flows, reversed(packet), false);
      if (there === undefined || back === undefined) {
        t.is(there, back);
        return;
      }
      const mirrored = reversed(there);
      if (packet.sourcePort !== packet.destinationPort) t.deepEqual(back, mirrored);
      else t.deepEqual(back, { ...mirrored, sourcePort: there.sourcePort, destinationPort: there.destinationPort });
    }),
    { numRuns: 1000 },
  );
});
