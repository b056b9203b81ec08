import test, { type ExecutionContext } from 'ava';
import { rule, to } from '../testing/fat-flows.js';
import { entries } from '../testing/flow-entries.js';
import { ip6Of, ipOf, macOf, TestNetwork, type NetworkOptions } from '../testing/network.js';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';
import { FLOW_ACTION, FLOW_OWN } from '../tables/flow.js';
import type { FatFlowRecord } from '../tables/records.js';
import { flowUpkeep } from './flow-upkeep.js';

const SYN = 0x02;
const ACK = 0x10;
const FIN = 0x01;

/** A network in which some interfaces have rules. */
const network = (rules: Partial<Record<number, readonly FatFlowRecord[]>>, options: NetworkOptions = {}): TestNetwork =>
  new TestNetwork({
    ...options,
    port: (vif) => ({ ...options.port?.(vif), fatFlows: rules[vif] ?? [] }),
  });

const between = (from: number, to: number, { src = ipOf(from), dst = ipOf(to) } = {}): PacketBuilder =>
  eth({ src: macOf(from), dst: macOf(to) }).ipv4({ src, dst });
const tcp = (from: number, to: number, sport: number, dport: number, flags = ACK): Uint8Array =>
  between(from, to).tcp(sport, dport, { flags }).bytes();
const udp = (from: number, to: number, sport: number, dport: number): Uint8Array =>
  between(from, to).udp(sport, dport).bytes();

/** `5.5.5.3:0 -> 5.5.5.4:22` of all entries. */
const keys = (net: TestNetwork): string[] =>
  entries(net)
    .map(({ source, destination, ports }) => `${source}:${ports[0]} -> ${destination}:${ports[1]}`)
    .sort();
/** The same with K(nh) and packets: `5.5.5.3:0 -> 5.5.5.4:22 23 x2`. */
const rows = (net: TestNetwork): string[] =>
  entries(net)
    .map(
      ({ source, destination, ports, keyNh, packets }) =>
        `${source}:${ports[0]} -> ${destination}:${ports[1]} ${keyNh} x${packets}`,
    )
    .sort();

/** A packet there and one back, a millisecond after what was before; both must arrive. */
function talk(
  t: ExecutionContext,
  net: TestNetwork,
  there: readonly [from: number, frame: Uint8Array],
  back: readonly [from: number, frame: Uint8Array],
): void {
  t.is(net.receive(there[0], there[1], { afterMs: 1 }).at(0)?.port, back[0]);
  t.is(net.receive(back[0], back[1]).at(0)?.port, there[0]);
}
const talkTcp = (
  t: ExecutionContext,
  net: TestNetwork,
  [from, to]: readonly [number, number],
  sport: number,
  dport: number,
): void => {
  talk(t, net, [from, tcp(from, to, sport, dport)], [to, tcp(to, from, dport, sport)]);
};

/** Guest 3 has two ssh sessions and a telnet session to guest 4: what the table then holds, by the rule. */
const CASES: readonly (readonly [title: string, rule: FatFlowRecord, keys: readonly string[]])[] = [
  ['all ports', rule({}), ['5.5.5.3:0 -> 5.5.5.4:0', '5.5.5.4:0 -> 5.5.5.3:0']],
  ['all ports, source', rule({ ignore: 'source' }), ['0.0.0.0:0 -> 5.5.5.4:0', '5.5.5.4:0 -> 0.0.0.0:0']],
  ['all ports, destination', rule({ ignore: 'destination' }), ['5.5.5.3:0 -> 0.0.0.0:0', '0.0.0.0:0 -> 5.5.5.3:0']],
  [
    'port 22',
    rule({ port: 22 }),
    ['5.5.5.3:0 -> 5.5.5.4:22', '5.5.5.4:22 -> 5.5.5.3:0', '5.5.5.3:3000 -> 5.5.5.4:23', '5.5.5.4:23 -> 5.5.5.3:3000'],
  ],
  [
    'port 22, source',
    rule({ port: 22, ignore: 'source' }),
    ['0.0.0.0:0 -> 5.5.5.4:22', '5.5.5.4:22 -> 0.0.0.0:0', '5.5.5.3:3000 -> 5.5.5.4:23', '5.5.5.4:23 -> 5.5.5.3:3000'],
  ],
  [
    'port 22, destination',
    rule({ port: 22, ignore: 'destination' }),
    ['5.5.5.3:0 -> 0.0.0.0:22', '0.0.0.0:22 -> 5.5.5.3:0', '5.5.5.3:3000 -> 5.5.5.4:23', '5.5.5.4:23 -> 5.5.5.3:3000'],
  ],
];

/** The same rule seen from the other end of the session. */
const mirrored = (one: FatFlowRecord): FatFlowRecord => ({
  ...one,
  ignore: one.ignore === 'source' ? 'destination' : one.ignore === 'destination' ? 'source' : 'none',
});

for (const [title, one, expected] of CASES) {
  for (const [where, rules] of [
    ['the client alone', { 3: [one] }],
    ['the server alone', { 4: [mirrored(one)] }],
    ['both ends', { 3: [one], 4: [mirrored(one)] }],
  ] as const) {
    test(`a rule of ${title} at ${where} folds sessions in both directions`, (t) => {
      const net = network(rules);
      for (const sport of [1000, 2000]) {
        talk(t, net, [3, tcp(3, 4, sport, 22, SYN)], [4, tcp(4, 3, 22, sport, SYN | ACK)]);
        for (const flags of [ACK, FIN | ACK, ACK])
          talk(t, net, [3, tcp(3, 4, sport, 22, flags)], [4, tcp(4, 3, 22, sport, flags)]);
      }
      talkTcp(t, net, [3, 4], 3000, 23);
      flowUpkeep(net.dp);

      t.deepEqual(keys(net), [...expected].sort());
      const length = tcp(3, 4, 1, 2).length;
      for (const { ports, keyNh, packets, bytes, tcp: letters, own } of entries(net)) {
        const isFat = ports.includes(0);
        const sum = isFat ? (expected.length === 2 ? 9 : 8) : 1;
        const isThere = ports[1] === 22 || ports[1] === 23 || (ports[1] === 0 && keyNh === 23);
        t.deepEqual(
          { packets, bytes, letters, keyNh, fat: own & FLOW_OWN.fat },
          { packets: sum, bytes: sum * length, letters: 0, keyNh: isThere ? 23 : 24, fat: isFat ? FLOW_OWN.fat : 0 },
        );
      }
      t.is(net.imbalance(), 0);
    });
  }
}

test('two addresses of a client share a pair when its rule ignores the source', (t) => {
  const port = (vif: number): object => (vif === 3 ? { addresses: ['5.5.5.30', '5.5.5.31'] } : {});
  const net = network({ 3: [rule({ port: 22, ignore: 'source' })] }, { port });
  for (const address of ['5.5.5.30', '5.5.5.31']) {
    const there = between(3, 4, { src: address }).tcp(1000, 22).bytes();
    talk(t, net, [3, there], [4, between(4, 3, { dst: address }).tcp(22, 1000).bytes()]);
  }
  t.deepEqual(rows(net), ['0.0.0.0:0 -> 5.5.5.4:22 23 x2', '5.5.5.4:22 -> 0.0.0.0:0 24 x2']);
});

test('an address the client does not have is refused though its source is ignored', (t) => {
  const net = network({ 3: [rule({ port: 22, ignore: 'source' })] }, { guests: 3 });
  const spoofed = (src: string): Uint8Array => between(3, 4, { src }).tcp(1000, 22).bytes();
  talkTcp(t, net, [3, 4], 1000, 22);
  t.deepEqual(net.receive(3, spoofed('5.5.5.5')), []);
  t.deepEqual(net.receive(3, spoofed('5.5.5.77')), []);
  t.is(net.drops('invalidSource'), 2);
  talkTcp(t, net, [3, 4], 1001, 22);
  t.is(entries(net).length, 2);
});

test('a session that is refused for its source does not stand in the way of those it would be folded with', (t) => {
  const net = network({ 3: [rule({ port: 22, ignore: 'source' })] }, { guests: 3 });
  const spoofed = (src: string): Uint8Array => between(3, 4, { src }).tcp(1000, 22).bytes();
  t.deepEqual(net.receive(3, spoofed('5.5.5.77')), []);
  t.is(net.drops('flowActionDrop'), 1);
  t.deepEqual(net.receive(3, spoofed('5.5.5.5')), []);
  t.is(net.drops('invalidSource'), 1);
  for (let i = 0; i < 2; i++) talkTcp(t, net, [3, 4], 1000, 22);
  t.true(rows(net).includes('0.0.0.0:0 -> 5.5.5.4:22 23 x2'), rows(net).join());
  t.true(rows(net).includes('5.5.5.4:22 -> 0.0.0.0:0 24 x2'), rows(net).join());
  t.is(net.imbalance(), 0);
});

test('servers share the entry of a client whose rule ignores the destination, and have one each for their answers', (t) => {
  const net = network({ 3: [rule({ ignore: 'destination' })] }, { guests: 3 });
  for (let round = 0; round < 3; round++) for (const server of [4, 5]) talkTcp(t, net, [3, server], 1000, 22);
  t.deepEqual(rows(net), [
    '0.0.0.0:0 -> 5.5.5.3:0 24 x3',
    '0.0.0.0:0 -> 5.5.5.3:0 25 x3',
    '5.5.5.3:0 -> 0.0.0.0:0 23 x6',
  ]);
});

test('a server whose rule ignores the destination has one entry for its answers to all clients', (t) => {
  const net = network({ 5: [rule({ port: 22, ignore: 'destination' })] }, { guests: 3 });
  for (let round = 0; round < 3; round++) for (const client of [3, 4]) talkTcp(t, net, [client, 5], 1000, 22);
  t.deepEqual(rows(net), [
    '0.0.0.0:0 -> 5.5.5.5:22 23 x3',
    '0.0.0.0:0 -> 5.5.5.5:22 24 x3',
    '5.5.5.5:22 -> 0.0.0.0:0 25 x6',
  ]);
  t.is(net.imbalance(), 0);
});

test('ends whose rules say different things still talk through what the first packet made', (t) => {
  const net = network({ 3: [rule({ ignore: 'source' })], 4: [rule({ port: 22 })] });
  for (const sport of [1000, 2000]) talkTcp(t, net, [3, 4], sport, 22);
  talkTcp(t, net, [3, 4], 3000, 23);
  t.deepEqual(rows(net), ['0.0.0.0:0 -> 5.5.5.4:0 23 x3', '5.5.5.4:0 -> 0.0.0.0:0 24 x3']);
});

test('time servers that talk port to port are folded, with clients on other ports beside them', (t) => {
  const rules = { 3: [rule({ protocol: 17, port: 123 })] };
  const ask = (net: TestNetwork, sport: number): void => {
    talk(t, net, [3, udp(3, 4, sport, 123)], [4, udp(4, 3, 123, sport)]);
  };
  const equal = network(rules);
  ask(equal, 123);
  ask(equal, 123);
  t.deepEqual(rows(equal), ['5.5.5.3:0 -> 5.5.5.4:123 23 x2', '5.5.5.4:0 -> 5.5.5.3:123 24 x2']);
  for (const order of [
    [123, 5000, 123, 5000],
    [5000, 123, 5000, 123],
  ]) {
    const mixed = network(rules);
    for (const sport of order) ask(mixed, sport);
    t.deepEqual(rows(mixed), [
      '5.5.5.3:0 -> 5.5.5.4:123 23 x4',
      '5.5.5.4:0 -> 5.5.5.3:123 24 x2',
      '5.5.5.4:123 -> 5.5.5.3:0 24 x2',
    ]);
  }
});

test('echoes of all identifiers are one session', (t) => {
  const net = network({ 3: [rule({ protocol: 1 })] });
  for (const ident of [7, 8]) {
    const there = between(3, 4).ping({ ident, seq: 1 }).bytes();
    talk(t, net, [3, there], [4, between(4, 3).ping({ type: 0, ident, seq: 1 }).bytes()]);
    const v6 = (from: number, dst: number, type: number): Uint8Array =>
      eth({ src: macOf(from), dst: macOf(dst) })
        .ipv6({ src: ip6Of(from), dst: ip6Of(dst) })
        .ping6({ type, ident, seq: 1 })
        .bytes();
    talk(t, net, [3, v6(3, 4, 128)], [4, v6(4, 3, 129)]);
  }
  t.deepEqual(rows(net), [
    '5.5.5.3:0 -> 5.5.5.4:0 23 x2',
    '5.5.5.4:0 -> 5.5.5.3:0 24 x2',
    'fd00:5::3:0 -> fd00:5::4:0 23 x2',
    'fd00:5::4:0 -> fd00:5::3:0 24 x2',
  ]);
});

test('IPv6 sessions are folded to ::', (t) => {
  const net = network({ 3: [rule({ port: 22, ignore: 'source' })] });
  const segment = (from: number, dst: number, sport: number, dport: number): Uint8Array =>
    eth({ src: macOf(from), dst: macOf(dst) })
      .ipv6({ src: ip6Of(from), dst: ip6Of(dst) })
      .tcp(sport, dport)
      .bytes();
  for (const sport of [1000, 2000]) talk(t, net, [3, segment(3, 4, sport, 22)], [4, segment(4, 3, 22, sport)]);
  t.deepEqual(keys(net), [':::0 -> fd00:5::4:22', 'fd00:5::4:22 -> :::0']);
});

test('addresses of a prefix share a pair', (t) => {
  const net = network({ 3: [rule({ destination: to('5.5.5.0', 24, 31) })] }, { guests: 4 });
  for (const server of [4, 5, 6]) talkTcp(t, net, [3, server], 1000, 80);
  t.deepEqual(rows(net), [
    '5.5.5.3:0 -> 5.5.5.4:0 23 x2',
    '5.5.5.3:0 -> 5.5.5.6:0 23 x1',
    '5.5.5.4:0 -> 5.5.5.3:0 24 x1',
    '5.5.5.4:0 -> 5.5.5.3:0 25 x1',
    '5.5.5.6:0 -> 5.5.5.3:0 26 x1',
  ]);
});

test('a ping of the gateway is not folded', (t) => {
  const port = (vif: number): object => (vif === 3 ? { fatFlowExclude: ['5.5.5.1/32'] } : {});
  const net = new TestNetwork({
    port: (vif) => ({ ...port(vif), fatFlows: vif === 3 ? [rule({ protocol: 1 })] : [] }),
  });
  const ping = eth({ src: macOf(3), dst: '00:00:5e:00:01:00' })
    .ipv4({ src: ipOf(3), dst: '5.5.5.1' })
    .ping({ ident: 7, seq: 1 });
  net.receive(3, ping.bytes());
  t.is(net.punted().length, 1);
  t.deepEqual(keys(net), ['5.5.5.1:7 -> 5.5.5.3:0', '5.5.5.3:7 -> 5.5.5.1:0']);
});

test('sessions are folded as soon as there is a rule, and are alone again as soon as it is gone', (t) => {
  const net = network({});
  const normal = ['5.5.5.3:1000 -> 5.5.5.4:22', '5.5.5.4:22 -> 5.5.5.3:1000'];
  const withRule = (vif: number, one: FatFlowRecord) => ({
    port: (id: number) => ({ fatFlows: id === vif ? [one] : [] }),
  });
  const without = { port: () => ({ fatFlows: [] }) };
  for (const vif of [3, 4]) {
    for (const [change, expected] of [
      [without, normal],
      [withRule(vif, rule({ port: 22 })), ['5.5.5.3:0 -> 5.5.5.4:22', '5.5.5.4:22 -> 5.5.5.3:0']],
      [withRule(vif, rule({})), ['5.5.5.3:0 -> 5.5.5.4:0', '5.5.5.4:0 -> 5.5.5.3:0']],
      [withRule(vif, rule({ port: 80 })), normal],
      [without, normal],
    ] as const) {
      net.configure(change);
      talkTcp(t, net, [3, 4], 1000, 22);
      while (flowUpkeep(net.dp));
      t.deepEqual(keys(net), [...expected].sort());
    }
  }
  t.is(net.imbalance(), 0);
});

test('folded sessions nobody uses are gone after their rule changed', (t) => {
  const net = network({ 3: [rule({})] });
  talkTcp(t, net, [3, 4], 1000, 22);
  net.configure({ port: () => ({ fatFlows: [] }) });
  while (flowUpkeep(net.dp));
  t.deepEqual(keys(net), []);
  talkTcp(t, net, [3, 4], 1000, 22);
  net.configure({ port: () => ({ fatFlows: [rule({})] }) });
  while (flowUpkeep(net.dp));
  t.deepEqual(keys(net), [], 'and so are those a new rule would fold');
});

test('a rule about others leaves the sessions it does not concern', (t) => {
  const net = network({});
  talkTcp(t, net, [3, 4], 1000, 22);
  net.configure({ port: () => ({ fatFlows: [rule({ port: 80 })] }) });
  while (flowUpkeep(net.dp));
  talkTcp(t, net, [3, 4], 1000, 22);
  t.deepEqual(rows(net), ['5.5.5.3:1000 -> 5.5.5.4:22 23 x2', '5.5.5.4:22 -> 5.5.5.3:1000 24 x2']);
});

test('an ICMP error passes with the folded session it is about', (t) => {
  const net = network({ 3: [rule({ protocol: 17, ignore: 'destination' })] });
  const query = between(3, 4).udp(1000, 53);
  net.receive(3, query.bytes());
  const error = between(4, 3)
    .icmp({ type: 3, code: 3 })
    .payload(query.bytes().subarray(14, 14 + 28))
    .bytes();
  t.is(net.receive(4, error).at(0)?.port, 3);
  t.deepEqual(rows(net), ['0.0.0.0:0 -> 5.5.5.3:0 24 x1', '5.5.5.3:0 -> 0.0.0.0:0 23 x1']);
});

test('what policy decides for the first session goes for all that are folded with it', (t) => {
  const acl = {
    id: 5,
    name: 'web',
    rules: [],
    otherwise: 'deny',
  } as const;
  const net = network({ 3: [rule({})] }, { acls: [acl], acl: 5 });
  t.deepEqual(net.receive(3, tcp(3, 4, 1000, 22)), []);
  t.deepEqual(
    entries(net).map(({ action }) => action),
    [FLOW_ACTION.drop, FLOW_ACTION.drop],
  );
  net.configure({ acls: [], acl: -1 });
  talkTcp(t, net, [3, 4], 1000, 22);
  t.deepEqual(
    entries(net).map(({ action }) => action),
    [FLOW_ACTION.forward, FLOW_ACTION.forward],
  );
});

/** Lets nothing in, but what is asked for by the guest itself. */
const CLOSED = { id: 6, name: 'closed', rules: [], otherwise: 'deny' } as const;

test('a guest that lets nobody in has the answers of all servers it asks through one entry', (t) => {
  const net = network(
    { 3: [rule({ ignore: 'destination' })] },
    { guests: 3, acls: [CLOSED], port: (vif) => (vif === 3 ? { ingressAcl: 6 } : {}) },
  );
  for (let round = 0; round < 2; round++) for (const server of [4, 5]) talkTcp(t, net, [3, server], 1000, 22);
  t.deepEqual(rows(net), [
    '0.0.0.0:0 -> 5.5.5.3:0 24 x2',
    '0.0.0.0:0 -> 5.5.5.3:0 25 x2',
    '5.5.5.3:0 -> 0.0.0.0:0 23 x4',
  ]);
});

test('a client that a server refuses does not stand in the way of the others', (t) => {
  const from3 = { network: null, group: null, prefix: '5.5.5.3/32' };
  const anybody = { network: null, group: null, prefix: null };
  const not3 = {
    id: 6,
    name: 'not 3',
    rules: [
      {
        name: 'rules[0]',
        action: 'deny',
        protocol: -1,
        source: from3,
        destination: anybody,
        sourcePorts: [],
        destinationPorts: [],
        log: false,
        mirrors: [],
      },
    ],
    otherwise: 'pass',
  } as const;
  const net = network(
    { 5: [rule({ port: 22, ignore: 'destination' })] },
    { guests: 3, acls: [not3], port: (vif) => (vif === 5 ? { ingressAcl: 6 } : {}) },
  );
  for (let round = 0; round < 2; round++) {
    t.deepEqual(net.receive(3, tcp(3, 5, 1000, 22)), []);
    talkTcp(t, net, [4, 5], 1000, 22);
  }
  t.true(rows(net).includes('0.0.0.0:0 -> 5.5.5.5:22 24 x2'), rows(net).join());
  t.true(rows(net).includes('5.5.5.5:22 -> 0.0.0.0:0 25 x2'), rows(net).join());
  t.is(net.drops('flowActionDrop'), 2);
  t.is(net.imbalance(), 0);
});
