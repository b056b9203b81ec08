import { FlowAgeing } from '#vrouterd/agent/flow-ageing.js';
import { flowUpkeep } from '#vrouterd/datapath/flow-upkeep.js';
import { FLOW, FLOW_DOUBLE, FLOW_ENTRIES, FLOW_OWN, newFlowKey, overflowFor } from '#vrouterd/tables/flow.js';
import { TestNetwork } from '#vrouterd/testing/network.js';
import { bench, runBenches } from './harness.js';

/** A table of the usual size, every place of which is in use: what the main thread's look at an entry costs, and the worker's part. */
const { dp } = new TestNetwork({ flowEntries: FLOW_ENTRIES, flowOverflow: overflowFor(FLOW_ENTRIES) });
const { table } = dp.flow;
const NOW = 1_000_000;
/** Pairs the worker removes in one round. */
const ROUND = 256;
const key = newFlowKey();
key[FLOW.protocol] = (4 << 8) | 17;

/** Makes the pair of this number, idle for `idleMs`; returns its forward entry, -1: the table is full. */
function makePair(n: number, idleMs: number): number {
  const indices = [0, 1].map((direction) => {
    key[FLOW.ports] = 2 * n + direction;
    return table.insert(key);
  });
  if (indices[1] < 0) return -1;
  for (const [direction, index] of indices.entries()) {
    const at = table.at(index);
    table.words[at + FLOW.reverse] = indices[1 - direction];
    table.words[at + FLOW.epoch] = dp.tables.epochs.now;
    table.words[at + FLOW.owner] = 3 | ((direction === 0 ? FLOW_OWN.forward : 0) << 16);
    table.doubles[table.doubleAt(index) + FLOW_DOUBLE.lastSeen] = NOW - idleMs;
  }
  return indices[0];
}

for (let n = ROUND; makePair(n, 0) >= 0; n++);

const worker = { idle: true, age: () => undefined };
for (const [name, rules] of [
  ['no rules', []],
  [
    'rules by port',
    [
      { protocol: 'udp', port: 53, seconds: 60 },
      { protocol: 'any', port: 22, seconds: 600 },
    ],
  ],
] as const) {
  const ageing = new FlowAgeing(table, worker, rules);
  bench(
    `ageing looks at an active entry, ${name}`,
    () => {
      ageing.tick(NOW + 1);
      return ageing.asked;
    },
    { operations: ageing.looks },
  );
}

dp.now = NOW;
flowUpkeep(dp);
const places = makeRoom();
bench(`${ROUND} pairs are made, and removed by the worker in one round`, () => {
  for (let n = 0; n < ROUND; n++) {
    const index = makePair(n, 5000);
    places.set([index, table.generation(index), 1000], 3 * n);
  }
  dp.flow.ageing.push(places);
  while (flowUpkeep(dp));
  if (table.isUsed(places[0])) throw new Error('an idle pair stayed');
  return table.header[0];
});

/** Frees places for the pairs of a round; returns the list the worker gets, still to be filled. */
function makeRoom(): Int32Array {
  for (let index = table.size - 1, left = 8 * ROUND; left > 0; index--) {
    if (!table.isUsed(index)) continue;
    const reverse = table.words[table.at(index) + FLOW.reverse];
    table.remove(index);
    table.remove(reverse);
    left -= 2;
  }
  return new Int32Array(3 * ROUND);
}

runBenches();
