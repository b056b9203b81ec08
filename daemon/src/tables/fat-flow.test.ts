import test from 'ava';
import { masked, reversed, rule, session, show, TCP, to, UDP } from '../testing/fat-flows.js';
import { FatFlows } from './fat-flow.js';
import type { FatFlowRecord } from './records.js';

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

test('ICMP and ICMPv6 sessions of any identifier share an entry, under the one protocol 1', (t) => {
  for (const [protocol, source, destination, none] of [
    [1, '10.10.0.1', '8.8.8.8', '0.0.0.0'],
    [58, 'fd00:5::3', 'fd00:8::8', '::'],
  ] as const) {
    const echo = `${source}:4711 -> ${destination}:0`;
    for (const [ignore, there] of [
      ['none', `${source}:0 -> ${destination}:0`],
      ['source', `${none}:0 -> ${destination}:0`],
      ['destination', `${source}:0 -> ${none}:0`],
    ] as const) {
      t.deepEqual(listed([rule({ protocol: 1, ignore })], protocol, echo), [
        there,
        show(reversed(session(protocol, there))),
      ]);
    }
    t.deepEqual(listed([rule({})], protocol, echo), ['normal', 'normal']);
  }
});

test('other protocols are folded by their number', (t) => {
  const rules = [rule({ protocol: 47, ignore: 'destination' })];
  t.deepEqual(listed(rules, 47, '10.10.0.1:0 -> 8.8.8.8:0'), ['10.10.0.1:0 -> 0.0.0.0:0', '0.0.0.0:0 -> 10.10.0.1:0']);
  t.deepEqual(listed(rules, 50, '10.10.0.1:0 -> 8.8.8.8:0'), ['normal', 'normal']);
});

test("on a server the source is the server's own address", (t) => {
  for (const [ignore, request, reply] of [
    ['none', '8.8.8.8:0 -> 10.10.0.1:22', '10.10.0.1:22 -> 8.8.8.8:0'],
    ['source', '8.8.8.8:0 -> 0.0.0.0:22', '0.0.0.0:22 -> 8.8.8.8:0'],
    ['destination', '0.0.0.0:0 -> 10.10.0.1:22', '10.10.0.1:22 -> 0.0.0.0:0'],
  ] as const) {
    const flows = new FatFlows([rule({ port: 22, ignore })], []);
    const packet = session(TCP, '8.8.8.8:40000 -> 10.10.0.1:22');
    t.is(show(masked(flows, packet, false) ?? packet), request);
    t.is(show(masked(flows, reversed(packet), true) ?? packet), reply);
  }
});

test('of two ports with a rule the smaller one stays', (t) => {
  const rules = [rule({ port: 80, ignore: 'source' }), rule({ port: 22, ignore: 'destination' })];
  t.is(listed(rules, TCP, '10.10.0.1:80 -> 8.8.8.8:22')[0], '10.10.0.1:0 -> 0.0.0.0:22');
  t.is(listed(rules, TCP, '10.10.0.1:22 -> 8.8.8.8:80')[0], '10.10.0.1:22 -> 0.0.0.0:0');
  t.is(listed(rules, TCP, '10.10.0.1:80 -> 8.8.8.8:80')[0], '0.0.0.0:0 -> 8.8.8.8:80');
});

test('between two ends with the port of the rule the source port becomes 0, there and back', (t) => {
  const there = '10.10.0.1:123 -> 8.8.8.8:123';
  for (const [given, both] of [
    [{ port: 123 }, ['10.10.0.1:0 -> 8.8.8.8:123', '8.8.8.8:0 -> 10.10.0.1:123']],
    [{ port: 123, ignore: 'source' }, ['0.0.0.0:0 -> 8.8.8.8:123', '8.8.8.8:0 -> 0.0.0.0:123']],
    [{ port: 0 }, ['10.10.0.1:0 -> 8.8.8.8:0', '8.8.8.8:0 -> 10.10.0.1:0']],
    [{ port: 123, source: to('10.0.0.0', 8, 16) }, ['10.10.0.0:0 -> 8.8.8.8:123', '8.8.8.8:0 -> 10.10.0.0:123']],
  ] as const) {
    t.deepEqual(listed([rule({ ...given, protocol: UDP })], UDP, there), [...both]);
  }
});

test('a packet with port 0 has no rule of a port', (t) => {
  t.is(listed([rule({ port: 22 })], TCP, '10.10.0.1:0 -> 8.8.8.8:22')[0], '10.10.0.1:0 -> 8.8.8.8:22');
  t.is(listed([rule({ port: 22 })], TCP, '10.10.0.1:0 -> 8.8.8.8:23')[0], 'normal');
  t.is(listed([rule({})], TCP, '10.10.0.1:0 -> 8.8.8.8:23')[0], '10.10.0.1:0 -> 8.8.8.8:0');
});

test('gateway, service and link-local addresses are not folded', (t) => {
  const exclude = ['172.30.100.1/32', '172.30.100.2/32', '169.254.0.0/16', 'fd00:5::1/128', 'fe80::/10'];
  const rules = [rule({ protocol: 1 }), rule({ protocol: UDP })];
  for (const there of [
    '172.30.100.3:1 -> 172.30.100.1:0',
    '172.30.100.2:67 -> 172.30.100.3:68',
    '172.30.100.3:1 -> 169.254.169.254:80',
    'fd00:5::3:1 -> fd00:5::1:0',
    'febf::1:1 -> fd00:5::3:0',
  ]) {
    for (const protocol of [1, UDP]) t.deepEqual(listed(rules, protocol, there, exclude), ['normal', 'normal'], there);
  }
  t.deepEqual(listed(rules, UDP, '172.30.100.3:1 -> 172.30.100.4:2', exclude), [
    '172.30.100.3:0 -> 172.30.100.4:0',
    '172.30.100.4:0 -> 172.30.100.3:0',
  ]);
  t.not(listed(rules, UDP, 'fec0::1:1 -> fd00:5::3:0', exclude)[0], 'normal');
});

test('rules without a prefix come before source prefixes, those before destination prefixes, and these before both', (t) => {
  const source = to('10.0.0.0', 8, 9);
  const destination = to('20.0.0.0', 8, 9);
  const there = '10.1.2.3:4000 -> 20.1.2.3:22';
  const ordered: readonly (readonly [Partial<FatFlowRecord>, string])[] = [
    [{ port: 22 }, '10.1.2.3:0 -> 20.1.2.3:22'],
    [{ port: 4000 }, '10.1.2.3:4000 -> 20.1.2.3:0'],
    [{}, '10.1.2.3:0 -> 20.1.2.3:0'],
    [{ port: 22, source }, '10.0.0.0:0 -> 20.1.2.3:22'],
    [{ port: 4000, source }, '10.0.0.0:4000 -> 20.1.2.3:0'],
    [{ source }, '10.0.0.0:0 -> 20.1.2.3:0'],
    [{ port: 22, destination }, '10.1.2.3:0 -> 20.0.0.0:22'],
    [{ port: 4000, destination }, '10.1.2.3:4000 -> 20.0.0.0:0'],
    [{ destination }, '10.1.2.3:0 -> 20.0.0.0:0'],
    [{ port: 22, source, destination }, '10.0.0.0:0 -> 20.0.0.0:22'],
    [{ port: 4000, source, destination }, '10.0.0.0:4000 -> 20.0.0.0:0'],
    [{ source, destination }, '10.0.0.0:0 -> 20.0.0.0:0'],
  ];
  for (const [i, [, folded]] of ordered.entries()) {
    const rules = ordered.slice(i).map(([given]) => rule(given));
    t.deepEqual(listed(rules.reverse(), TCP, there), [folded, show(reversed(session(TCP, folded)))]);
  }
});

test('the longest prefix is the one, even when it has no rule for the port', (t) => {
  const rules = [
    rule({ port: 22, source: to('10.0.0.0', 8, 8) }),
    rule({ port: 80, source: to('10.1.0.0', 16, 16) }),
    rule({ protocol: UDP, source: to('10.1.2.0', 24, 24) }),
  ];
  t.is(listed(rules, TCP, '10.1.2.3:4000 -> 20.1.2.3:80')[0], '10.1.0.0:0 -> 20.1.2.3:80');
  t.is(listed(rules, TCP, '10.2.2.3:4000 -> 20.1.2.3:22')[0], '10.0.0.0:0 -> 20.1.2.3:22');
  t.is(listed(rules, TCP, '10.1.2.3:4000 -> 20.1.2.3:22')[0], 'normal');
});

test('of two rules for the same the one that ignores the source counts, then the destination', (t) => {
  const rules = (['none', 'destination', 'source'] as const).map((ignore) => rule({ port: 22, ignore }));
  t.is(listed(rules, TCP, SSH)[0], '0.0.0.0:0 -> 8.8.8.8:22');
  t.is(listed(rules.slice(0, 2), TCP, SSH)[0], '10.10.0.1:0 -> 0.0.0.0:22');
});
