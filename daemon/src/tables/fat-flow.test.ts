import test from 'ava';
import { formatAddress } from '../control/prefix.js';
import { addressWords } from './address-words.js';
import { FatFlows } from './fat-flow.js';
import { FLOW, newFlowKey, type FlowKey } from './flow.js';
import type { FatFlowPrefix, FatFlowRecord } from './records.js';

const TCP = 6;
const UDP = 17;
const NH = 122;

/** A packet, or what is left of its key. */
interface Session {
  readonly protocol: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** `10.0.0.1:64165 -> 8.8.8.8:22`, IPv6 addresses as well. */
function session(protocol: number, text: string): Session {
  const [, source, sourcePort, destination, destinationPort] = /^(.*):(\d+) -> (.*):(\d+)$/.exec(text) ?? [];
  return { protocol, source, sourcePort: Number(sourcePort), destination, destinationPort: Number(destinationPort) };
}

const reversed = (one: Session): Session => ({
  protocol: one.protocol,
  source: one.destination,
  sourcePort: one.destinationPort,
  destination: one.source,
  destinationPort: one.sourcePort,
});

const show = (one: Session): string => `${one.source}:${one.sourcePort} -> ${one.destination}:${one.destinationPort}`;

function keyOf(one: Session): FlowKey {
  const key = newFlowKey();
  key[FLOW.protocol] = ((one.source.includes(':') ? 6 : 4) << 8) | one.protocol;
  key[FLOW.ports] = (one.sourcePort << 16) | one.destinationPort;
  key[FLOW.keyNh] = NH;
  key.set(addressWords(one.source), FLOW.source);
  key.set(addressWords(one.destination), FLOW.destination);
  return key;
}

function sessionOf(key: FlowKey): Session {
  const family = key[FLOW.protocol] >>> 8 === 6 ? 6 : 4;
  const address = (at: number): string => {
    const words = [...key.subarray(at, at + (family === 6 ? 4 : 1))];
    return formatAddress(
      family,
      words.reduce((value, word) => (value << 32n) | BigInt(word >>> 0), 0n),
    );
  };
  return {
    protocol: key[FLOW.protocol] & 0xff,
    source: address(FLOW.source),
    sourcePort: key[FLOW.ports] >>> 16,
    destination: address(FLOW.destination),
    destinationPort: key[FLOW.ports] & 0xffff,
  };
}

const rule = (given: Partial<FatFlowRecord>): FatFlowRecord => ({
  protocol: TCP,
  port: 0,
  ignore: 'none',
  source: null,
  destination: null,
  ...given,
});
const to = (prefix: string, length: number, aggregate: number): FatFlowPrefix => ({ prefix, length, aggregate });

/** The key of a packet; undefined: no rule applies. */
function masked(flows: FatFlows, packet: Session, fromVm: boolean): Session | undefined {
  const key = keyOf(packet);
  const before = key.slice();
  if (flows.mask(key, fromVm)) return sessionOf(key);
  if (key.some((word, w) => word !== before[w])) throw new Error('a key no rule applies to was changed');
  return undefined;
}

/** What a session the guest began is listed as: the key of its packets, and of those that come back. */
function listed(
  rules: readonly FatFlowRecord[],
  protocol: number,
  text: string,
  exclude: readonly string[] = [],
): string[] {
  const flows = new FatFlows(rules, exclude);
  const packet = session(protocol, text);
  const there = masked(flows, packet, true);
  const back = masked(flows, reversed(packet), false);
  return [there, back].map((one) => (one === undefined ? 'normal' : show(one)));
}

const SSH = '10.10.0.1:64165 -> 8.8.8.8:22';
const TELNET = '10.10.0.1:52986 -> 8.8.8.8:23';

const TABLE: readonly (readonly [rule: Partial<FatFlowRecord>, ssh: string, telnet: string])[] = [
  [{}, '10.10.0.1:0 -> 8.8.8.8:0', '10.10.0.1:0 -> 8.8.8.8:0'],
  [{ port: 22 }, '10.10.0.1:0 -> 8.8.8.8:22', 'normal'],
  [{ ignore: 'source' }, '0.0.0.0:0 -> 8.8.8.8:0', '0.0.0.0:0 -> 8.8.8.8:0'],
  [{ port: 22, ignore: 'source' }, '0.0.0.0:0 -> 8.8.8.8:22', 'normal'],
  [{ ignore: 'destination' }, '10.10.0.1:0 -> 0.0.0.0:0', '10.10.0.1:0 -> 0.0.0.0:0'],
  [{ port: 22, ignore: 'destination' }, '10.10.0.1:0 -> 0.0.0.0:22', 'normal'],
];

for (const protocol of [TCP, UDP, 132]) {
  for (const [given, ssh, telnet] of TABLE) {
    const { port = 0, ignore = 'none' } = given;
    test(`rule ${protocol}:${port} that ignores ${ignore} folds sessions to ports 22 and 23 in both directions`, (t) => {
      const rules = [rule({ ...given, protocol })];
      const both = (there: string): string[] =>
        there === 'normal' ? [there, there] : [there, show(reversed(session(protocol, there)))];
      t.deepEqual(listed(rules, protocol, SSH), both(ssh));
      t.deepEqual(listed(rules, protocol, TELNET), both(telnet));
      t.deepEqual(listed(rules, 47, '10.10.0.1:0 -> 8.8.8.8:0'), ['normal', 'normal'], 'another protocol');
    });
  }
}

test('addresses inside a prefix are folded to its aggregate length', (t) => {
  const rules = [rule({ protocol: UDP, port: 53, ignore: 'destination', source: to('10.0.0.0', 8, 28) })];
  t.deepEqual(listed(rules, UDP, '10.0.0.15:4000 -> 8.8.8.8:53'), [
    '10.0.0.0:0 -> 0.0.0.0:53',
    '0.0.0.0:53 -> 10.0.0.0:0',
  ]);
  t.deepEqual(listed(rules, UDP, '11.0.0.15:4000 -> 8.8.8.8:53'), ['normal', 'normal']);
  const both = [rule({ source: to('10.0.0.0', 8, 28), destination: to('20.0.0.0', 8, 28) })];
  for (const [there, folded] of [
    ['10.0.0.16:1 -> 20.0.0.15:2', '10.0.0.16:0 -> 20.0.0.0:0'],
    ['10.0.0.31:1 -> 20.0.0.0:2', '10.0.0.16:0 -> 20.0.0.0:0'],
    ['10.0.0.31:1 -> 20.0.0.17:2', '10.0.0.16:0 -> 20.0.0.16:0'],
  ]) {
    t.deepEqual(listed(both, TCP, there), [folded, show(reversed(session(TCP, folded)))]);
  }
  t.deepEqual(listed(both, TCP, '10.0.0.16:1 -> 21.0.0.1:2'), ['normal', 'normal']);
});

test('the address of an IPv6 session is folded to ::', (t) => {
  const there = 'fd00:5::3:64165 -> fd00:8::8:22';
  t.deepEqual(listed([rule({ port: 22, ignore: 'source' })], TCP, there), [
    ':::0 -> fd00:8::8:22',
    'fd00:8::8:22 -> :::0',
  ]);
  t.deepEqual(listed([rule({ destination: to('fd00:8::', 32, 64) })], TCP, there), [
    'fd00:5::3:0 -> fd00:8:::0',
    'fd00:8:::0 -> fd00:5::3:0',
  ]);
});
