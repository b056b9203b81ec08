import test from 'ava';
import fc from 'fast-check';
import { VIF } from '../tables/counters.js';
import type { FatFlowRecord } from '../tables/records.js';
import { entries } from '../testing/flow-entries.js';
import { ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { flowUpkeep } from './flow-upkeep.js';

const fat = (changes: Partial<FatFlowRecord> = {}): FatFlowRecord => ({
  protocol: 6,
  port: 0,
  ignore: 'none',
  source: null,
  destination: null,
  ...changes,
});

const ACK = 0x10;

const segment = (from: number, to: number, sport: number, dport: number, flags = ACK): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to) })
    .tcp(sport, dport, { flags })
    .bytes();

/** One side of all entries: addresses and ports, as `flow` shows them. */
const keys = (net: TestNetwork): string[] =>
  entries(net)
    .map(({ source, ports, destination }) => `${source}:${ports[0]} ${destination}:${ports[1]}`)
    .sort();

const network = (vif: number, ...rules: readonly FatFlowRecord[]): TestNetwork =>
  new TestNetwork({ guests: 3, port: (id) => (id === vif ? { fatFlows: rules } : {}) });

test('a rule that is changed takes effect for sessions under way, in both directions of the change', (t) => {
  const rules = (list: readonly FatFlowRecord[]) => ({
    port: (id: number) => (id === 3 ? { fatFlows: list } : {}),
  });
  const net = new TestNetwork(rules([]));
  net.receive(3, segment(3, 4, 1000, 22));
  net.configure(rules([fat()]));
  while (flowUpkeep(net.dp));
  t.is(net.receive(3, segment(3, 4, 1000, 22)).length, 1);
  t.deepEqual(keys(net), ['5.5.5.3:0 5.5.5.4:0', '5.5.5.4:0 5.5.5.3:0']);
  net.configure(rules([fat({ ignore: 'source' })]));
  while (flowUpkeep(net.dp));
  t.deepEqual(entries(net), []);
  net.receive(4, segment(4, 3, 22, 1000));
  t.deepEqual(keys(net), ['0.0.0.0:0 5.5.5.4:0', '5.5.5.4:0 0.0.0.0:0']);
  net.configure(rules([]));
  while (flowUpkeep(net.dp));
  t.is(net.receive(4, segment(4, 3, 22, 1000)).length, 1);
  t.deepEqual(keys(net), ['5.5.5.3:1000 5.5.5.4:22', '5.5.5.4:22 5.5.5.3:1000']);
});

test('a pair that many share stays when a guest comes or goes that is none of it', (t) => {
  const net = network(3, fat());
  net.receive(3, segment(3, 4, 1000, 22));
  const before = entries(net);
  net.configure({ guests: 4 });
  while (flowUpkeep(net.dp));
  t.deepEqual(entries(net), before);
  net.configure({ guests: 1 });
  while (flowUpkeep(net.dp));
  t.deepEqual(entries(net), []);
});

test('several guests talk to one that folds them all: each has an entry of its own, the answers share one', (t) => {
  const net = network(4, fat({ ignore: 'destination' }));
  const round = (): void => {
    for (const guest of [3, 5]) {
      t.is(net.receive(guest, segment(guest, 4, 1000, 22)).length, 1);
      t.is(net.receive(4, segment(4, guest, 22, 1000)).length, 1);
    }
  };
  round();
  const first = entries(net);
  for (let i = 0; i < 3; i++) round();
  t.deepEqual(
    entries(net).map(({ index, keyNh, reverse }) => [index, keyNh, reverse]),
    first.map(({ index, keyNh, reverse }) => [index, keyNh, reverse]),
  );
  t.deepEqual(
    entries(net)
      .map(({ keyNh, packets }) => [keyNh, packets])
      .sort(),
    [
      [23, 4],
      [24, 8],
      [25, 4],
    ],
  );
  t.is(net.counters.words[net.counters.vifAt(5) + VIF.flows], 1);
  net.configure({ guests: 2 });
  while (flowUpkeep(net.dp));
  t.is(entries(net).length, 2);
});

test('all fragments of folded datagrams belong to their entry, which makes no other', (t) => {
  const net = network(3, fat({ protocol: 17, port: 53, ignore: 'destination' }));
  const fragment = (sport: number, n: number): Uint8Array => {
    const head = [sport >> 8, sport & 0xff, 0, 53, 0, 32, 0, 0];
    return eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4), id: sport, protocol: 17, fragmentOffset: n * 16, mf: n === 0 })
      .payload(n === 0 ? [...head, ...new Uint8Array(8)] : new Uint8Array(16))
      .bytes();
  };
  for (const sport of [1000, 2000]) for (const n of [0, 1]) t.is(net.receive(3, fragment(sport, n)).at(0)?.port, 4);
  t.deepEqual(keys(net), ['0.0.0.0:53 5.5.5.3:0', '5.5.5.3:0 0.0.0.0:53']);
  t.deepEqual(
    entries(net)
      .map(({ packets }) => packets)
      .sort(),
    [0, 4],
  );
  t.is(net.imbalance(), 0);
});

test('rules of an interface in packet mode are for nothing, those of whom it talks to are for both directions', (t) => {
  const rules = (vif: number) => ({
    packetMode: [3],
    port: (id: number) => (id === vif ? { fatFlows: [fat({ port: 22, ignore: 'destination' })] } : {}),
  });
  for (const [vif, expected] of [
    [3, ['5.5.5.3:1000 5.5.5.4:22', '5.5.5.3:2000 5.5.5.4:22', '5.5.5.4:22 5.5.5.3:1000', '5.5.5.4:22 5.5.5.3:2000']],
    [4, ['0.0.0.0:0 5.5.5.4:22', '5.5.5.4:22 0.0.0.0:0']],
  ] as const) {
    const net = new TestNetwork(rules(vif));
    for (const sport of [1000, 2000]) {
      t.is(net.receive(3, segment(3, 4, sport, 22)).at(0)?.port, 4);
      t.is(net.receive(4, segment(4, 3, 22, sport)).at(0)?.port, 3);
    }
    t.deepEqual(keys(net), [...expected]);
    t.true(entries(net).every(({ keyNh }) => keyNh === 24));
  }
});

/** A client that uses the port of the rule itself, and asks two servers: their answers were once taken for sessions of their own. */
const BOTH_PORTS: [[FatFlowRecord[], FatFlowRecord[], FatFlowRecord[]], Asked[]] = [
  [[fat({ port: 22, ignore: 'destination' })], [], []],
  [
    { server: 4, isTcp: true, sport: 22, dport: 80 },
    { server: 4, isTcp: true, sport: 22, dport: 22 },
    { server: 5, isTcp: true, sport: 22, dport: 22 },
    { server: 4, isTcp: true, sport: 1000, dport: 22 },
  ],
];
interface Asked {
  readonly server: number;
  readonly isTcp: boolean;
  readonly sport: number;
  readonly dport: number;
}

test('no set of rules keeps a guest that lets nobody in from those it asks', (t) => {
  const rule: fc.Arbitrary<FatFlowRecord> = fc.record({
    protocol: fc.constantFrom(6, 17),
    port: fc.constantFrom(0, 22, 80),
    ignore: fc.constantFrom('none', 'source', 'destination'),
    source: fc.option(fc.constantFrom({ prefix: '5.5.5.0', length: 24, aggregate: 31 }), { freq: 3 }),
    destination: fc.option(fc.constantFrom({ prefix: '5.5.5.4', length: 31, aggregate: 31 }), { freq: 3 }),
  });
  const rules = fc.array(rule, { maxLength: 3 });
  const session: fc.Arbitrary<Asked> = fc.record({
    server: fc.constantFrom(4, 5, 6),
    isTcp: fc.boolean(),
    sport: fc.constantFrom(22, 80, 1000, 2000),
    dport: fc.constantFrom(22, 80, 443),
  });
  fc.assert(
    fc.property(
      fc.tuple(rules, rules, rules),
      fc.array(session, { maxLength: 12 }),
      ([client, one, other], sessions) => {
        const of: Partial<Record<number, readonly FatFlowRecord[]>> = { 3: client, 4: one, 5: other };
        const net = new TestNetwork({
          guests: 4,
          acls: [{ id: 6, name: 'closed', rules: [], otherwise: 'deny' }],
          port: (vif) => ({ fatFlows: of[vif] ?? [], ingressAcl: vif === 3 ? 6 : -1 }),
        });
        for (const { server, isTcp, sport, dport } of sessions) {
          const frame = (from: number, to: number, ports: readonly [number, number]): Uint8Array => {
            const l3 = eth({ src: macOf(from), dst: macOf(to) }).ipv4({ src: ipOf(from), dst: ipOf(to) });
            return (isTcp ? l3.tcp(...ports) : l3.udp(...ports)).bytes();
          };
          if (net.receive(3, frame(3, server, [sport, dport])).at(0)?.port !== server) throw new Error('not asked');
          if (net.receive(server, frame(server, 3, [dport, sport])).at(0)?.port !== 3)
            throw new Error(`not answered: ${keys(net).join()}`);
        }
        t.is(net.imbalance(), 0);
      },
    ),
    { numRuns: 300, examples: [BOTH_PORTS] },
  );
});
