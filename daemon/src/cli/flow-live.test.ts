import test from 'ava';

import type { FlowCountsDump, FlowDump, FlowTableDump } from '../control/flow-dumps.js';
import { flowTable, tcpFlow } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import type { Daemon, FlowListing } from './client.js';
import { flow } from './flow.js';
import { flowRates, formatRateLine, formatStatistics, formatWatch, type FlowSample } from './flow-live.js';

const sample = (at: number, table: Partial<FlowTableDump>, counts: Partial<FlowCountsDump> = {}): FlowSample => ({
  at,
  table: flowTable(table),
  counts: { drop: 0, hold: 0, forward: 0, nat: 0, ...counts },
});

/** A screen whose keys are given, half a second each. */
function screen(keys: (string | undefined)[]) {
  const shown: string[] = [];
  let now = Date.parse('2026-03-04T05:06:07.500');
  return {
    shown,
    rows: () => 10,
    show: (text: string) => void shown.push(text),
    key: () => Promise.resolve(keys.shift()),
    now: () => new Date((now += 500)),
  };
}

test('a line of -r tells what came and went', (t) => {
  const at = Date.parse('2026-03-04T05:06:07.089');
  const before = sample(at - 500, { created: 10, added: 20, deleted: 4 });
  const after = sample(at, { created: 15, added: 30, deleted: 5, active: 25 });
  t.is(
    formatRateLine(before, after),
    '2026-03-04 05:06:07.089:  Entries =       25 Rate =     32 (Fwd =        5 Rev =       10 Del =        1) ' +
      'Hold =        0 Free Burst Tokens =        0 Total Hold Entries        0\n',
  );
  t.is(formatRateLine(after, after), '');
});

test('-r prints lines until q is pressed, and none while nothing moves', async (t) => {
  const tables = [flowTable(), flowTable(), flowTable({ created: 8, added: 16, active: 4 }), flowTable({ created: 8, added: 16 })]; // prettier-ignore
  const daemon: Partial<Daemon> = {
    flowTable: () => Promise.resolve(tables.shift() ?? flowTable()),
    flowCounts: () => Promise.resolve({ drop: 0, hold: 0, forward: 4, nat: 0 }),
  };
  const lines: string[] = [];
  const print = (text: string): Promise<void> => Promise.resolve(void lines.push(text));
  const on = screen([undefined, undefined, undefined, 'q']);
  t.is(await flow.run(['-r'], surroundings(daemon, { print, screen: on })), '');
  t.deepEqual(lines.map((line) => line !== ''), [false, false, true, false]); // prettier-ignore
  t.deepEqual(on.shown, []);
});

test('the screen of -s is printed to the column', (t) => {
  const first = sample(1000, { added: 0, deleted: 0 }, { forward: 2 });
  const before = sample(2500, { added: 8, deleted: 0 }, { forward: 6, drop: 2 });
  const after = sample(3000, { added: 12, deleted: 2 }, { forward: 7, drop: 3, nat: 1, hold: 1 });
  const lines = formatStatistics(first, before, after).split('\n');
  t.regex(lines[0], /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}$/);
  t.deepEqual(lines.slice(1), [
    'Flow Statistics',
    '---------------',
    '    Total  Entries  --- Total =      12, new =       4 ',
    '    Active Entries  --- Total =      11, new =       3 ',
    '    Hold   Entries  --- Total =       1, new =       1 ',
    '    Fwd flow Entries  - Total =       7',
    '    drop flow Entries - Total =       3',
    '    NAT flow Entries  - Total =       1',
    '',
    '    Rate of change of Active Entries',
    '    --------------------------------',
    '        current rate      =        6',
    '        Avg setup rate    =        6',
    '        Avg teardown rate =        1',
    '    Rate of change of Flow Entries',
    '    ------------------------------',
    '        current rate      =        8',
    '',
  ]);
});

test('-s shows a screen each half second until q is pressed', async (t) => {
  const daemon: Partial<Daemon> = {
    flowTable: () => Promise.resolve(flowTable()),
    flowCounts: () => Promise.resolve({ drop: 0, hold: 0, forward: 4, nat: 0 }),
  };
  const on = screen([undefined, 'x', 'q']);
  await flow.run(['-s'], surroundings(daemon, { screen: on }));
  t.is(on.shown.length, 2);
});

test('rates are of the flow itself: one that has just come had all it has, one not seen before has none', (t) => {
  const before = [tcpFlow({ packets: 10, bytes: 1000 })];
  const after = [
    tcpFlow({ packets: 30, bytes: 5000 }),
    tcpFlow({ generation: 2, packets: 6, bytes: 600, ageMs: 900 }),
    tcpFlow({ index: 5, packets: 100, bytes: 9000 }),
  ];
  t.deepEqual(
    flowRates(before, after, 2000).map(({ packetsPerSecond, bytesPerSecond }) => [packetsPerSecond, bytesPerSecond]),
    [
      [10, 2000],
      [3, 300],
      [null, null],
    ],
  );
});

test('--watch shows what moves most, as much of it as fits', (t) => {
  const flows = [1, 2, 3].map((index) => tcpFlow({ index, bytes: 0, packets: 0, ageMs: 61_900 }));
  const later = flows.map((one, i) => tcpFlow({ ...one, bytes: [10, 30, 20][i], packets: 1 }));
  const options = { conditions: 'VRF 8', sorted: false, top: Infinity };
  const text = formatWatch(flowRates(flows, later, 1000), flowTable(), options, 6);
  t.deepEqual(text.split('\n'), [
    '2 entries in the table, matching (VRF 8); q quits',
    '',
    'INDEX  PROTO  SOURCE      DESTINATION      VRF  ACTION  PACKETS/S  BYTES/S  PACKETS  BYTES  AGE  NAMES',
    '2      TCP    8.8.8.8:22  10.10.0.1:64165  8    F       1          30       1        30     61s',
    '3      TCP    8.8.8.8:22  10.10.0.1:64165  8    F       1          20       1        20     61s',
    '',
  ]);
  const sorted = formatWatch(flowRates(flows, later, 1000), flowTable(), { ...options, sorted: true, top: 1 }, 24);
  t.regex(sorted, /\n1 {6}TCP .*\n$/);
});

test('--watch asks for the flows that move, or as it is told, and ends with q', async (t) => {
  const asked: FlowListing[] = [];
  let bytes = 0;
  const daemon: Partial<Daemon> = {
    flowTable: () => Promise.resolve(flowTable()),
    flows: async function* (listing) {
      asked.push(listing);
      yield await Promise.resolve<FlowDump>(tcpFlow({ bytes: (bytes += 250), ageMs: 10_000 }));
    },
  };
  const on = screen([undefined, undefined, 'q']);
  t.is(await flow.run(['--watch', '--match', 'vrf 8', '--names'], surroundings(daemon, { screen: on })), '');
  t.is(on.shown.length, 3);
  t.regex(on.shown[0], / - +- +12 +250 +10s\n/);
  t.regex(on.shown[1], / 0 +500 +12 +500 +10s\n/);
  t.deepEqual(asked[0], { match: 'vrf 8', evicted: undefined, names: true, sort: 'recent', top: 2000 });
  await flow.run(['--watch', '--sort', 'age', '--top', '3'], surroundings(daemon, { screen: screen(['q']) }));
  t.like(asked.at(-1), { sort: 'age', top: 3 });
});
