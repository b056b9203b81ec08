import { rmSync, statfsSync, statSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { mapFile } from 'packet-io';
import { FLOW, FLOW_HEADER, FlowTable, type FlowKey, newFlowKey, overflowFor } from './flow.js';

const SIZE = { entries: 8, overflow: 4 };

function key(n: number): FlowKey {
  const k = newFlowKey();
  k.set([(4 << 8) | 6, (n << 16) | 22, 20, 0x0a000001, 0, 0, 0, 0x08080808]);
  return k;
}

function pair(flows: FlowTable, n: number): number {
  const index = flows.insert(key(n));
  flows.words[flows.at(index) + FLOW.reverse] = index;
  return index;
}

test('a table of the usual size has the entries and bytes operators know', (t) => {
  t.is(524_288 + overflowFor(524_288), 629_760);
});

test('what was inserted is found at its index until it is removed, as in a map', (t) => {
  const keys = fc.integer({ min: 0, max: 15 });
  const steps = fc.array(fc.record({ op: fc.constantFrom('insert', 'remove'), n: keys }), { maxLength: 60 });
  const sameAsMap = () =>
    fc.property(steps, (all) => {
      const flows = FlowTable.inMemory(SIZE);
      const model = new Map<number, number>();
      for (const { op, n } of all) {
        const known = model.get(n);
        if (op === 'insert' && known === undefined) {
          const index = flows.insert(key(n));
          if (index >= 0) model.set(n, index);
        } else if (op === 'remove' && known !== undefined) {
          flows.remove(known);
          model.delete(n);
        }
        for (let k = 0; k < 16; k++) if (flows.find(key(k)) !== (model.get(k) ?? -1)) return false;
      }
      return flows.header[FLOW_HEADER.active] === model.size && new Set(model.values()).size === model.size;
    });
  t.notThrows(() => {
    fc.assert(sameAsMap());
  });
});

test('a bucket that is full continues in the overflow, and a table without room says so', (t) => {
  const flows = FlowTable.inMemory({ entries: 4, overflow: 2 });
  t.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map((n) => flows.insert(key(n))),
    [0, 1, 2, 3, 4, 5, -1],
  );
  t.is(flows.header[FLOW_HEADER.overflowUsed], 2);
  t.is(flows.header[FLOW_HEADER.tableFull], 1);
  flows.remove(4);
  t.is(flows.find(key(6)), 5);
  t.is(flows.insert(key(7)), 4);
});

test('a place that is given away again has the next generation', (t) => {
  const flows = FlowTable.inMemory(SIZE);
  const index = flows.insert(key(1));
  t.is(flows.generation(index), 1);
  flows.remove(index);
  t.is(flows.insert(key(1)), index);
  t.is(flows.generation(index), 2);
});

test('a table that is mapped again is the same table', (t) => {
  const memory = new ArrayBuffer(FlowTable.bytesFor(SIZE));
  const index = new FlowTable(memory, SIZE).insert(key(3));
  t.is(new FlowTable(memory, SIZE).find(key(3)), index);
});

test('a table of another size is begun anew', (t) => {
  const memory = new ArrayBuffer(FlowTable.bytesFor(SIZE));
  new FlowTable(memory, SIZE).insert(key(3));
  t.is(new FlowTable(memory, { entries: 4, overflow: 4 }).find(key(3)), -1);
});

test('a writer killed in the midst of a change leaves a table that can be made whole', (t) => {
  const memory = new ArrayBuffer(FlowTable.bytesFor({ entries: 4, overflow: 4 }));
  const flows = new FlowTable(memory, { entries: 4, overflow: 4 });
  const kept = [1, 2, 3, 4, 5, 6].map((n) => pair(flows, n));
  const lonely = flows.insert(key(7));
  const again = new FlowTable(memory, { entries: 4, overflow: 4 });
  again.repair();
  t.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map((n) => again.find(key(n))),
    [...kept, -1],
  );
  t.is(again.header[FLOW_HEADER.active], 6);
  t.is(again.insert(key(8)), lonely);
});

test('going from one place that may be in use to the next meets all entries, also after a repair', (t) => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(300)), { maxLength: 120 });
  const meetsAll = fc.property(steps, fc.boolean(), (all, repaired) => {
    const flows = FlowTable.inMemory({ entries: 256, overflow: 64 });
    const used = new Map<number, number>();
    for (const [inserts, n] of all) {
      const known = used.get(n);
      if (inserts && known === undefined && flows.hasRoom(key(n))) used.set(n, pair(flows, n));
      if (inserts || known === undefined) continue;
      flows.remove(known);
      used.delete(n);
    }
    if (repaired) flows.repair();
    const met: number[] = [];
    for (let i = flows.nextUsed(0); i < flows.size; i = flows.nextUsed(i + 1)) if (flows.isUsed(i)) met.push(i);
    t.deepEqual(
      met,
      [...used.values()].sort((a, b) => a - b),
    );
    for (const index of met) flows.remove(index);
    t.is(flows.nextUsed(0), flows.size);
  });
  t.notThrows(() => {
    fc.assert(meetsAll);
  });
});

const TMPFS = 0x01021994;
const SHARED_MEMORY = '/dev/shm';
const hasTmpfs = (): boolean => statfsSync(SHARED_MEMORY).type === TMPFS;

(hasTmpfs() ? test : test.skip)('a look at all of a table costs the memory of the places in use', (t) => {
  const file = `${SHARED_MEMORY}/vrouterd-flow-test-${process.pid}`;
  t.teardown(() => {
    rmSync(file, { force: true });
  });
  const size = { entries: 65_536, overflow: 16_384 };
  const flows = new FlowTable(mapFile(file, FlowTable.bytesFor(size)), size);
  const kilobytes = (): number => statSync(file).blocks / 2;
  flows.repair();
  for (let i = flows.nextUsed(0); i < flows.size; i = flows.nextUsed(i + 1)) flows.isUsed(i);
  // The table is 10 MB; what hangs on its buckets is part of it.
  t.true(kilobytes() < 200, `${kilobytes()} kB`);
  pair(flows, 1);
  t.true(kilobytes() < 210, `${kilobytes()} kB`);
});

test('entries that a repair takes out were added and deleted: the counts agree with what is there', (t) => {
  const flows = FlowTable.inMemory(SIZE);
  pair(flows, 1);
  flows.insert(key(2));
  flows.repair();
  const { added, deleted, active } = FLOW_HEADER;
  t.deepEqual([flows.header[added], flows.header[deleted], flows.header[active]], [2, 1, 1]);
});
