import test from 'ava';
import fc from 'fast-check';
import { LabelTable, MAX_LABELS, VniTable } from './labels.js';

const changes = fc.array(
  fc.record({
    number: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: MAX_LABELS - 1 })),
    nexthop: fc.option(fc.nat(1000)),
  }),
);

test('labels lead to nexthops as a plain map says', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(changes, (list) => {
        const table = new LabelTable();
        const model = new Map<number, number>();
        for (const { number, nexthop } of list) {
          if (nexthop === null) {
            table.delete(number);
            model.delete(number);
          } else {
            table.set(number, nexthop);
            model.set(number, nexthop);
          }
        }
        for (const { number } of list)
          if (table.get(number) !== (model.get(number) ?? -1)) throw new Error(`label ${number}`);
        const expected = [...model].sort(([a], [b]) => a - b).map(([label, nexthop]) => ({ label, nexthop }));
        if (JSON.stringify([...table.entries()]) !== JSON.stringify(expected)) throw new Error('entries');
      }),
      { numRuns: 50 },
    );
  });
});

test('a label nobody gave away leads nowhere, however large', (t) => {
  const table = new LabelTable();
  t.is(table.get(16), -1);
  t.is(table.get(MAX_LABELS - 1), -1);
});

test('network identifiers lead to nexthops, and are listed in their order', (t) => {
  const table = new VniTable();
  table.set(70_000, 20);
  table.set(5, 21);
  table.set(6, 22);
  table.delete(6);
  t.is(table.get(70_000), 20);
  t.is(table.get(6), -1);
  t.deepEqual(
    [...table.entries()],
    [
      { vni: 5, nexthop: 21 },
      { vni: 70_000, nexthop: 20 },
    ],
  );
});
