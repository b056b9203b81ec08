import test from 'ava';
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
