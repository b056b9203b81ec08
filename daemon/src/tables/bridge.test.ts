import test from 'ava';
import fc from 'fast-check';
import { hex } from '../testing/hex.js';
import { BRIDGE_SLOTS, type BridgeEntry, BridgeTable } from './bridge.js';

const MAC = hex('02 1d 96 2a 60 e8');
const entry = (change: Partial<BridgeEntry> = {}): BridgeEntry => ({
  ...{ vrf: 1, mac: MAC, nexthop: 27, label: 57, flags: 3, index: -1 },
  ...change,
});

test('an entry is found by MAC and VRF, wherever the MAC lies', (t) => {
  const table = new BridgeTable();
  const index = table.set(entry());
  t.is(table.find(1, hex('ff ff 02 1d 96 2a 60 e8 ff'), 2), index);
  t.is(table.nexthop(index), 27);
  t.is(table.find(2, MAC, 0), -1);
  t.is(table.find(1, hex('02 1d 96 2a 60 e9'), 0), -1);
  t.deepEqual([...table.entries()], [entry({ index })]);
});

test('the usual table has the slots operators know, and the first entry of a bucket a multiple of four', (t) => {
  const table = new BridgeTable();
  t.is(table.size, 315_392);
  t.is(table.size, BRIDGE_SLOTS);
  t.is(table.set(entry()) % 4, 0);
  t.is(table.set(entry({ vrf: 65_535 })) % 4, 0);
});

test('the address of nobody in VRF 0 is a key like any other', (t) => {
  const table = new BridgeTable(4, 0);
  const nobody = new Uint8Array(6);
  t.is(table.find(0, nobody, 0), -1);
  const index = table.set(entry({ vrf: 0, mac: nobody }));
  t.is(table.find(0, nobody, 0), index);
});

test('an entry that changes keeps its slot', (t) => {
  const table = new BridgeTable(8, 8);
  const index = table.set(entry());
  t.is(table.set(entry({ nexthop: 28, label: -1, flags: 0 })), index);
  t.deepEqual([...table.entries()], [entry({ nexthop: 28, label: -1, flags: 0, index })]);
});

test('a full bucket goes on in the overflow, and a full overflow refuses', (t) => {
  const table = new BridgeTable(4, 2);
  const macs = Array.from({ length: 7 }, (_, i) => hex(`02 00 00 00 00 0${i}`));
  t.deepEqual(
    macs.map((mac) => table.set(entry({ mac }))),
    [0, 1, 2, 3, 4, 5, -1],
  );
  t.true(table.delete(1, macs[4]));
  t.is(table.set(entry({ mac: macs[6] })), 4);
  t.deepEqual(
    macs.map((mac) => table.find(1, mac, 0)),
    [0, 1, 2, 3, -1, 5, 4],
  );
});

test('an index that is none of the key is refused', (t) => {
  const table = new BridgeTable(8, 4);
  const own = table.set(entry());
  table.delete(1, MAC);
  t.is(table.set(entry({ index: own ^ 4 })), -1);
  t.is(table.set(entry({ index: 12 })), -1);
  t.deepEqual([...table.entries()], []);
});

test('an entry placed on a slot in use replaces what was there', (t) => {
  const table = new BridgeTable(4, 4);
  const other = hex('02 00 00 00 00 01');
  table.set(entry({ index: 5 }));
  table.set(entry({ mac: other, index: 5 }));
  t.is(table.find(1, MAC, 0), -1);
  t.is(table.find(1, other, 0), 5);
  table.set(entry({ mac: other, index: 2 }));
  t.deepEqual([...table.entries()], [entry({ mac: other, index: 2 })]);
});

test('a table is a power of two', (t) => {
  t.throws(() => new BridgeTable(12, 4), { instanceOf: RangeError });
  t.throws(() => new BridgeTable(2, 4), { instanceOf: RangeError });
});

/** A few MACs and VRFs, so that buckets fill. */
const keys = fc.record({ vrf: fc.nat(2), mac: fc.nat(9).map((n) => Uint8Array.of(2, 0, 0, 0, 0, n)) });
const steps = fc.array(
  fc.record({
    key: keys,
    remove: fc.boolean(),
    nexthop: fc.nat(100),
    label: fc.integer({ min: -1, max: 100 }),
    flags: fc.nat(3),
  }),
  { maxLength: 80 },
);
const nameOf = ({ vrf, mac }: { vrf: number; mac: Uint8Array }): string => `${vrf} ${mac.join(':')}`;

for (const [entries, overflow] of [
  [4, 4],
  [8, 16],
  [64, 0],
]) {
  test(`${entries} slots and ${overflow} of overflow do what a map does, and so does a replica`, (t) => {
    fc.assert(
      fc.property(steps, (changes) => {
        const table = new BridgeTable(entries, overflow);
        const replica = new BridgeTable(entries, overflow);
        const map = new Map<string, BridgeEntry>();
        for (const { key, remove, ...rest } of changes) {
          const name = nameOf(key);
          if (remove) {
            t.is(table.delete(key.vrf, key.mac), map.has(name));
            t.is(replica.delete(key.vrf, key.mac), map.delete(name));
            continue;
          }
          const before = map.get(name)?.index;
          const index = table.set({ ...key, ...rest, index: -1 });
          if (index < 0) {
            t.is(before, undefined, 'only a new entry finds no room');
            continue;
          }
          t.is(index, before ?? index);
          t.is(replica.set({ ...key, ...rest, index }), index);
          map.set(name, { ...key, ...rest, index });
        }
        const expected = [...map.values()].sort((a, b) => a.index - b.index);
        t.is(new Set(expected.map(({ index }) => index)).size, expected.length);
        for (const some of [table, replica]) {
          t.deepEqual([...some.entries()], expected);
          t.deepEqual(
            [...some.entries(1)],
            expected.filter(({ vrf }) => vrf === 1),
          );
          for (const { key } of changes) t.is(some.find(key.vrf, key.mac, 0), map.get(nameOf(key))?.index ?? -1);
        }
      }),
    );
  });
}

test('addresses given one after the other spread over the buckets', (t) => {
  const table = new BridgeTable(4096, 1024);
  const macs = Array.from({ length: 3000 }, (_, i) => Uint8Array.of(2, 0, 0, 0, i >> 8, i));
  const indices = macs.map((mac, i) => table.set(entry({ vrf: i & 3, mac })));
  t.true(indices.every((index) => index >= 0));
  t.is(new Set(indices).size, macs.length);
  t.true(macs.every((mac, i) => table.find(i & 3, mac, 0) === indices[i]));
  t.true(indices.filter((index) => index >= 4096).length < 300, 'the hash spreads');
});
