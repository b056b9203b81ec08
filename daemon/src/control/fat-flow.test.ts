import test from 'ava';
import * as z from 'zod';
import { effectiveFatFlows, fatFlowConflict, fatFlows, type FatFlowRule } from './fat-flow.js';

const document = z.strictObject({ fatFlows });
/** The rules as they are kept. */
const read = (rules: unknown): readonly FatFlowRule[] => document.parse({ fatFlows: rules }).fatFlows;
/** `path: message` of everything wrong. */
function problems(rules: unknown): string[] {
  const { error } = document.safeParse({ fatFlows: rules });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('a rule is complete and canonical once it is read', (t) => {
  t.deepEqual(read([{ protocol: 'tcp', port: 22 }]), [{ protocol: 'tcp', port: 22, ignoreAddress: 'none' }]);
  t.deepEqual(read([{ protocol: 17, port: 53 }]), [{ protocol: 'udp', port: 53, ignoreAddress: 'none' }]);
  t.deepEqual(read([{ protocol: '47' }]), [{ protocol: 47, port: 0, ignoreAddress: 'none' }]);
  t.deepEqual(read([{ protocol: 'sctp', sourcePrefix: 'FD00:5::/32', sourceAggregateLength: 64 }]), [
    { protocol: 'sctp', port: 0, ignoreAddress: 'none', sourcePrefix: 'fd00:5::/32', sourceAggregateLength: 64 },
  ]);
});

test('ICMP and ICMPv6 are one protocol, and have no port', (t) => {
  for (const protocol of ['icmp', 'icmp6', 1, 58]) {
    t.deepEqual(read([{ protocol, port: 8, ignoreAddress: 'source' }]), [
      { protocol: 'icmp', port: 0, ignoreAddress: 'source' },
    ]);
  }
  t.is(problems([{ protocol: 1 }, { protocol: 58 }]).length, 1);
});

test('ignoring an address cancels its prefix', (t) => {
  const both = {
    protocol: 'tcp',
    sourcePrefix: '10.0.0.0/8',
    sourceAggregateLength: 28,
    destinationPrefix: '20.0.0.0/8',
    destinationAggregateLength: 24,
  };
  t.deepEqual(read([{ ...both, ignoreAddress: 'source' }]), [
    {
      protocol: 'tcp',
      port: 0,
      ignoreAddress: 'source',
      destinationPrefix: '20.0.0.0/8',
      destinationAggregateLength: 24,
    },
  ]);
  t.deepEqual(read([{ ...both, ignoreAddress: 'destination' }]), [
    { protocol: 'tcp', port: 0, ignoreAddress: 'destination', sourcePrefix: '10.0.0.0/8', sourceAggregateLength: 28 },
  ]);
});

test('what is wrong with a rule is said with its path', (t) => {
  const source = (sourcePrefix: string, sourceAggregateLength?: number): unknown => [
    { protocol: 'tcp', sourcePrefix, sourceAggregateLength },
  ];
  t.deepEqual(problems(source('0.0.0.0/4', 28)), [
    'fatFlows.0.sourcePrefix: "0.0.0.0/4" is too large; use a length of 8 or more',
  ]);
  t.deepEqual(problems(source('10.0.0.0/16', 12)), [
    'fatFlows.0.sourceAggregateLength: 12 does not fit 10.0.0.0/16; use 16 to 32',
  ]);
  t.deepEqual(problems(source('10.0.0.0/16', 33)), [
    'fatFlows.0.sourceAggregateLength: 33 does not fit 10.0.0.0/16; use 16 to 32',
  ]);
  t.deepEqual(problems(source('10.0.0.0/16')), [
    'fatFlows.0.sourceAggregateLength: is missing; use the length addresses in 10.0.0.0/16 are folded to, e.g. 16',
  ]);
  t.deepEqual(problems([{ protocol: 'tcp', destinationAggregateLength: 24 }]), [
    'fatFlows.0.destinationAggregateLength: goes with a destinationPrefix; name one',
  ]);
  t.deepEqual(
    problems([
      {
        protocol: 'tcp',
        sourcePrefix: '10.0.0.0/8',
        sourceAggregateLength: 8,
        destinationPrefix: 'fd00::/16',
        destinationAggregateLength: 64,
      },
    ]),
    ['fatFlows.0.destinationPrefix: "fd00::/16" is not IPv4, as the sourcePrefix 10.0.0.0/8 is'],
  );
  for (const protocol of ['any', 0, 256, 'tpc']) {
    t.regex(problems([{ protocol }])[0], /^fatFlows\.0\.protocol: .* is not a protocol; use tcp, udp, sctp, icmp or/);
  }
  t.is(problems([{ protocol: 'tcp', port: 65_536 }]).length, 1);
  t.is(problems([{ protocol: 'tcp', port: 22, ignoreAddress: 'both' }]).length, 1);
  t.is(problems([{ protocol: 'tcp', ports: 22 }]).length, 1);
});

test('two rules about the same packets are refused, whatever they say', (t) => {
  t.deepEqual(
    problems([
      { protocol: 'tcp', port: 22 },
      { protocol: 'udp', port: 22 },
      { protocol: 6, port: 22, ignoreAddress: 'source' },
    ]),
    ['fatFlows.2: is about tcp port 22, as fatFlows[0] is; keep one of them'],
  );
  t.deepEqual(problems([{ protocol: 'tcp' }, { protocol: 'tcp' }]), [
    'fatFlows.1: is about tcp, all ports, as fatFlows[0] is; keep one of them',
  ]);
  const folded = { protocol: 'tcp', destinationPrefix: '10.0.0.0/8' };
  t.deepEqual(
    problems([
      { ...folded, destinationAggregateLength: 24 },
      { ...folded, destinationAggregateLength: 28 },
    ]),
    ['fatFlows.1: is about tcp, all ports to 10.0.0.0/8, as fatFlows[0] is; keep one of them'],
  );
});

test('rules that differ in port or prefix go together', (t) => {
  const source = (prefix: string, length: number): unknown => ({
    protocol: 'tcp',
    sourcePrefix: prefix,
    sourceAggregateLength: length,
  });
  t.deepEqual(
    problems([
      { protocol: 'tcp' },
      { protocol: 'tcp', port: 22 },
      { protocol: 'icmp' },
      { protocol: 47 },
      source('10.0.0.0/8', 24),
      source('10.1.0.0/16', 24),
    ]),
    [],
  );
});

test('an interface has the rules of its network and its own, and they may not contradict each other', (t) => {
  const network = read([{ protocol: 'tcp', port: 22, ignoreAddress: 'source' }, { protocol: 'icmp' }]);
  t.deepEqual(effectiveFatFlows(network, []), network);
  const more = read([{ protocol: 'icmp6' }, { protocol: 'tcp' }]);
  t.is(fatFlowConflict(network, more), undefined);
  t.deepEqual(effectiveFatFlows(network, more), [...network, more[1]]);
  const other = read([{ protocol: 'tcp' }, { protocol: 'tcp', port: 22, ignoreAddress: 'destination' }]);
  t.deepEqual(fatFlowConflict(network, other), { ofNetwork: 0, ofInterface: 1, about: 'tcp port 22' });
});
