import test from 'ava';
import fc from 'fast-check';
import { FLOW, FLOW_DOUBLE, type FlowKey, FlowTable, newFlowKey } from '../tables/flow.js';
import { OverlayFlows } from './overlay-flows.js';

/** A small table is full soon. */
const SIZE = { entries: 16, overflow: 4 };
const EPOCH = 99;

function keyOf(n: number): FlowKey {
  const key = newFlowKey();
  key.set([(4 << 8) | 6, n, 20, 0x0a000000 + n, 0, 0, 0, 0x0b000000 + n]);
  return key;
}

/** Puts the pair of sessions `n` (below 1000) in; false: there is no room. */
function insertPair(table: FlowTable, n: number): boolean {
  const forward = table.insert(keyOf(n));
  const reverse = forward < 0 ? -1 : table.insert(keyOf(n + 1000));
  if (reverse < 0) {
    if (forward >= 0) table.remove(forward);
    return false;
  }
  table.words[table.at(forward) + FLOW.reverse] = reverse;
  table.words[table.at(reverse) + FLOW.reverse] = forward;
  table.doubles[table.doubleAt(forward) + FLOW_DOUBLE.packets] = n;
  return true;
}

function removePair(table: FlowTable, n: number): void {
  const index = table.find(keyOf(n));
  if (index < 0) return;
  const reverse = table.words[table.at(index) + FLOW.reverse];
  table.remove(index);
  table.remove(reverse);
}

const bytes = (table: FlowTable): Uint8Array => new Uint8Array(table.words.buffer).slice();

test('an entry is found as it is below, with its partner, and as new as the tables', (t) => {
  const real = FlowTable.inMemory(SIZE);
  insertPair(real, 5);
  const overlay = new OverlayFlows(real, EPOCH);
  const index = overlay.find(keyOf(5));
  const reverse = overlay.find(keyOf(1005));
  t.is(overlay.words[overlay.at(index) + FLOW.reverse], reverse);
  t.is(overlay.words[overlay.at(reverse) + FLOW.reverse], index);
  t.is(overlay.doubles[overlay.doubleAt(index) + FLOW_DOUBLE.packets], 5);
  t.is(overlay.words[overlay.at(index) + FLOW.epoch], EPOCH);
  t.is(overlay.realIndex(index), real.find(keyOf(5)));
  t.is(overlay.find(keyOf(6)), -1);
});

test('a full table has no room for a session of a trace either', (t) => {
  const real = FlowTable.inMemory({ entries: 4, overflow: 0 });
  insertPair(real, 1);
  insertPair(real, 2);
  t.is(new OverlayFlows(real, EPOCH).insert(keyOf(3)), -1);
});

test('an entry made here has no index below', (t) => {
  const overlay = new OverlayFlows(FlowTable.inMemory(SIZE), EPOCH);
  t.is(overlay.realIndex(overlay.insert(keyOf(1))), undefined);
});

test('an overlay says what a copy of the table would, and never changes the table', (t) => {
  const session = fc.nat({ max: 12 });
  const operation = fc.tuple(fc.constantFrom('find', 'insert', 'remove'), session);
  t.notThrows(() => {
    fc.assert(
      fc.property(
        fc.uniqueArray(session, { maxLength: 4 }),
        fc.array(operation, { maxLength: 20 }),
        (before, steps) => {
          const real = FlowTable.inMemory({ entries: 64, overflow: 64 });
          const model = new Map<number, number>();
          for (const n of before) if (insertPair(real, n)) model.set(n, n);
          const unchanged = bytes(real);
          const overlay = new OverlayFlows(real, EPOCH);
          for (const [what, n] of steps) {
            if (what === 'insert' && !model.has(n) && insertPair(overlay, n)) model.set(n, n);
            if (what === 'remove') {
              removePair(overlay, n);
              model.delete(n);
            }
            const index = overlay.find(keyOf(n));
            const packets = index < 0 ? undefined : overlay.doubles[overlay.doubleAt(index) + FLOW_DOUBLE.packets];
            if (packets !== model.get(n)) return false;
            if (overlay.find(keyOf(n + 1000)) >= 0 !== model.has(n)) return false;
          }
          return Buffer.compare(bytes(real), unchanged) === 0;
        },
      ),
    );
  });
});
