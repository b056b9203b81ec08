import test from 'ava';
import fc from 'fast-check';

import type { FlowSort } from '../control/flow-dumps.js';
import { type FlowEndpoint, type FlowMatch, formatFlowMatch } from '../control/flow-match.js';
import { FLOW, FLOW_ACTION, FLOW_FLAG, FlowTable, newFlowKey, TCP_FLAG } from '../tables/flow.js';
import { addFlow, type FlowSpec } from '../testing/flows.js';
import { flowDump } from './flow-dump.js';
import { FlowFilter } from './flow-filter.js';
import { countFlows, findFlows, flowValue, sortFlows } from './flow-list.js';

const SIZE = { entries: 256, overflow: 1024 };

// Few values, so that expressions hit.
const port = fc.constantFrom(0, 22, 80, 65535);
const v4 = fc.constantFrom('10.0.0.1', '10.0.0.2', '255.0.0.1', '0.0.0.0');
const v6 = fc.constantFrom('fd00::1', 'fd00:0:1::1', '::', 'ff02::1');
const addresses = fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6));
const specs: fc.Arbitrary<FlowSpec> = fc
  .record({
    addresses,
    protocol: fc.constantFrom(6, 17, 1, 58, 132, 47),
    sourcePort: port,
    destinationPort: port,
    vrf: fc.constantFrom(0, 1, 8, 65535),
    flags: fc.constantFrom(0, 0, 0, FLOW_FLAG.evicted, FLOW_FLAG.evictCandidate),
    tcp: fc.constantFrom(0, 0, TCP_FLAG.syn, TCP_FLAG.dead),
    packets: fc.integer({ min: 0, max: 5 }),
    created: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ addresses: [source, destination], ...rest }) => ({ source, destination, ...rest }));
const endpoint = (address: fc.Arbitrary<string>) =>
  fc.record({ address: fc.option(address), port: fc.option(port, { freq: 1 }) });
const matches: fc.Arbitrary<FlowMatch> = fc.record({
  endpoints: fc.oneof(fc.array(endpoint(v4), { maxLength: 2 }), fc.array(endpoint(v6), { maxLength: 2 })),
  protocol: fc.option(fc.constantFrom(6, 17, 1, 58, 132), { freq: 1 }),
  vrf: fc.option(fc.constantFrom(0, 1, 8, 65535), { freq: 1 }),
});

/** A table with a flow for each spec whose key is new; returns the specs by index. */
function tableOf(all: readonly FlowSpec[], table = FlowTable.inMemory(SIZE)): Map<number, FlowSpec> {
  const seen = new Set<string>();
  const flows = new Map<number, FlowSpec>();
  for (const spec of all) {
    const { protocol, source, destination, sourcePort, destinationPort } = spec;
    const name = JSON.stringify([protocol, source, destination, sourcePort, destinationPort]);
    if (!seen.has(name)) flows.set(addFlow(table, spec), spec);
    seen.add(name);
  }
  return flows;
}

/** What the grammar's description says, on text. */
function slowly(match: FlowMatch, evicted: boolean, spec: FlowSpec): boolean {
  const is = (side: FlowEndpoint, address: string, wanted: number): boolean =>
    (side.address ?? address) === address && (side.port ?? wanted) === wanted;
  const source = (side: FlowEndpoint): boolean => is(side, spec.source, spec.sourcePort);
  const destination = (side: FlowEndpoint): boolean => is(side, spec.destination, spec.destinationPort);
  const [a, b] = match.endpoints as [FlowEndpoint?, FlowEndpoint?];
  const sides = [
    !a || !!b || source(a) || destination(a),
    !a || !b || (source(a) && destination(b)) || (source(b) && destination(a)),
  ];
  const gone = ((spec.flags ?? 0) & FLOW_FLAG.evicted) !== 0 || ((spec.tcp ?? 0) & TCP_FLAG.dead) !== 0;
  return (
    sides.every(Boolean) &&
    (match.protocol ?? spec.protocol) === spec.protocol &&
    (match.vrf ?? spec.vrf) === spec.vrf &&
    (evicted || !gone)
  );
}

test('a filter selects what the expression describes, and nothing else', (t) => {
  fc.assert(
    fc.property(fc.array(specs, { maxLength: 60 }), matches, fc.boolean(), (all, match, evicted) => {
      const table = FlowTable.inMemory(SIZE);
      const flows = tableOf(all, table);
      const filter = new FlowFilter(table, { match, evicted });
      const found = [...findFlows(table, filter)].filter((index) => index !== undefined);
      const wanted = [...flows].filter(([, spec]) => slowly(match, evicted, spec)).map(([index]) => index);
      t.deepEqual(found, wanted.sort((a, b) => a - b), formatFlowMatch(match)); // prettier-ignore
    }),
  );
});

test('flows are sorted as a sort of all of them would, and cut', (t) => {
  const sorts = fc.constantFrom<FlowSort>('bytes', 'packets', 'age', 'recent');
  fc.assert(
    fc.property(fc.array(specs, { maxLength: 60 }), sorts, fc.integer({ min: 1, max: 70 }), (all, sort, top) => {
      const table = FlowTable.inMemory(SIZE);
      const indices = [...tableOf(all, table).keys()].sort((a, b) => a - b);
      const valueOf = flowValue(table, sort);
      // A turn of the event loop after every seventh.
      const found = (function* () {
        for (const [i, index] of indices.entries()) {
          yield index;
          if (i % 7 === 6) yield undefined;
        }
      })();
      const sorted = [...sortFlows(found, valueOf, top)].filter((index) => index !== undefined);
      t.deepEqual(sorted, [...indices].sort((a, b) => valueOf(b) - valueOf(a) || a - b).slice(0, top));
    }),
  );
});

test('the oldest flow comes first by age, the last one with a packet by recent', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const ends = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, destinationPort: 22 };
  const old = addFlow(table, { ...ends, sourcePort: 1, created: 10, lastSeen: 90 });
  const fresh = addFlow(table, { ...ends, sourcePort: 2, created: 20, lastSeen: 80 });
  const order = (sort: FlowSort) =>
    [...sortFlows(findFlows(table, new FlowFilter(table, { match: null, evicted: false })), flowValue(table, sort), 9)]
      .filter((index) => index !== undefined); // prettier-ignore
  t.deepEqual(order('age'), [old, fresh]);
  t.deepEqual(order('recent'), [old, fresh]);
  const newest = addFlow(table, { ...ends, sourcePort: 3, created: 30, lastSeen: 95 });
  t.deepEqual(order('age'), [old, fresh, newest]);
  t.deepEqual(order('recent'), [newest, old, fresh]);
});

test('entries are counted by what is done with their packets', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const ends = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 17, destinationPort: 53 };
  const actions = [FLOW_ACTION.forward, FLOW_ACTION.drop, FLOW_ACTION.forward, FLOW_ACTION.nat];
  for (const [i, action] of actions.entries()) addFlow(table, { ...ends, sourcePort: i, action });
  t.deepEqual([...countFlows(table)].at(-1), { forward: 2, drop: 1, hold: 0, nat: 1 });
});

test('a full table of the usual size is looked through in turns, without stopping anybody; an empty one at once', (t) => {
  const table = FlowTable.inMemory({ entries: 524_288, overflow: 105_472 });
  const filter = new FlowFilter(table, { match: null, evicted: false });
  t.deepEqual([...findFlows(table, filter)], []);
  const key = newFlowKey();
  key[FLOW.protocol] = (4 << 8) | 17;
  for (let n = 0; n < 300_000; n++) {
    key[FLOW.ports] = n;
    table.insert(key);
  }
  const turns = [...findFlows(table, filter)];
  t.is(turns.filter((index) => index !== undefined).length, 300_000);
  t.true(turns.filter((index) => index === undefined).length >= 64);
});

test('the last entry of a bucket names those in the overflow behind it', (t) => {
  const table = FlowTable.inMemory({ entries: 4, overflow: 1024 });
  const ends = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 17, destinationPort: 53 };
  const indices = [1, 2, 3, 4, 5, 6].map((sourcePort) => addFlow(table, { ...ends, sourcePort }));
  t.deepEqual(indices, [0, 1, 2, 3, 4, 5]);
  const overflow = (index: number) => flowDump(table, index, 0).overflow;
  t.deepEqual([0, 1, 2, 4, 5].map(overflow), [undefined, undefined, undefined, undefined, undefined]);
  t.deepEqual(overflow(3), [5, 4]);
  table.remove(3);
  t.deepEqual(overflow(2), [5, 4]);
  table.remove(4);
  table.remove(5);
  t.is(overflow(2), undefined);
});
