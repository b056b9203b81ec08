import { removePair } from '#vrouterd/datapath/flow-pair.js';
import { FLOW_END } from '#vrouterd/datapath/flow-state.js';
import { RX, RX_BATCH } from '#vrouterd/io/device.js';
import { FLOW, type FlowKey, FlowTable, newFlowKey } from '#vrouterd/tables/flow.js';
import { ipOf, macOf, TestNetwork } from '#vrouterd/testing/network.js';
import { eth } from '#vrouterd/testing/packet-builder.js';
import { bench, runBenches } from './harness.js';

/** The flow stage: sessions there are, sessions that begin, sessions that are refused; and the table at several sizes. */

const SMALL = new Uint8Array(18);

/** A network whose device has just received a batch of first packets. */
function received(flowsPerInterface: number): TestNetwork {
  const network = new TestNetwork({ flowEntries: 65_536, flowsPerInterface });
  for (let i = 0; i < RX_BATCH; i++) {
    const to = eth({ src: macOf(3), dst: macOf(4) }).ipv4({ src: ipOf(3), dst: ipOf(4) });
    network.io.inject(
      3,
      to
        .udp(1000 + i, 2000)
        .payload(SMALL)
        .bytes(),
    );
  }
  network.io.step(0);
  return network;
}

function beginsAndEnds(): void {
  const { dp, flows } = received(65_536);
  if (dp.run(RX_BATCH) < RX_BATCH) throw new Error('not all frames came out');
  const keys: FlowKey[] = [];
  for (let index = 0; index < flows.size; index++) {
    if (!flows.isUsed(index) || dp.flow.forwardOf(index) !== index) continue;
    const key = newFlowKey();
    flows.keyOf(index, key);
    keys.push(key);
  }
  bench(
    'a session begins and ends',
    () => {
      for (const key of keys) removePair(dp, flows.find(key), FLOW_END.aged);
      return dp.run(RX_BATCH);
    },
    { operations: RX_BATCH },
  );
}

function refused(): void {
  const { dp } = received(2);
  if (dp.run(RX_BATCH) !== 1) throw new Error('more than one session began');
  bench('a session beyond the share is refused', () => dp.run(RX_BATCH), { operations: RX_BATCH });
}

function carried(): void {
  const { dp, io } = received(65_536);
  dp.run(RX_BATCH);
  if (io.rx[RX.port] !== 3) throw new Error('no frames were received');
  bench('a packet of 64 sessions', () => dp.run(RX_BATCH), { operations: RX_BATCH });
}

/** Lookups of a table with this many entries, in an order that no cache foresees. */
function lookUps(entries: number): void {
  const table = FlowTable.inMemory({ entries: 2_097_152, overflow: 420_864 });
  const key = newFlowKey();
  key[FLOW.protocol] = (4 << 8) | 17;
  key[FLOW.destination] = 0x0a000001;
  const choose = (i: number): void => {
    key[FLOW.source] = 0x0a000000 + (i >>> 10);
    key[FLOW.ports] = ((i & 0x3ff) << 16) | 53;
  };
  for (let i = 0; i < entries; i++) {
    choose(i);
    if (table.insert(key) < 0) throw new Error('the table is full');
  }
  const operations = 256;
  let next = 1;
  bench(
    `lookup in ${entries} entries`,
    () => {
      let found = 0;
      for (let i = 0; i < operations; i++) {
        next = (Math.imul(next, 0x19660d) + 0x3c6ef35f) >>> 0;
        choose(next % entries);
        found += table.find(key);
      }
      return found;
    },
    { operations },
  );
}

carried();
beginsAndEnds();
refused();
for (const entries of [1000, 100_000, 1_000_000]) lookUps(entries);

runBenches();
