import test from 'ava';
import fc from 'fast-check';
import { compareLogIds, follows, freshId, idText, nextId, NO_ID, parseId } from './host-log.js';

const id = fc.record({ ms: fc.nat(2 ** 43), sequence: fc.integer({ min: 1, max: 2 ** 47 }) });

test('an id is read as it was written', (t) => {
  t.deepEqual(parseId('1700000000123-57'), { ms: 1700000000123, sequence: 57 });
  t.is(idText({ ms: 1700000000123, sequence: 57 }), '1700000000123-57');
});

test('the next id is behind the last and follows it, also when the clock goes back', (t) => {
  fc.assert(
    fc.property(id, fc.nat(2 ** 43), (last, now) => {
      const next = nextId(last, now);
      t.true(compareLogIds(next, last) > 0);
      t.true(follows(next, last));
      t.true(follows(parseId(idText(next)), last));
      t.false(follows(nextId(next, now), last));
    }),
  );
});

test('a fresh id is behind the last and follows none that was', (t) => {
  fc.assert(
    fc.property(
      id,
      fc.nat(2 ** 43),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (last, now, random) => {
        const fresh = freshId(last, now, random);
        t.true(compareLogIds(fresh, last) > 0);
        t.true(Number.isSafeInteger(fresh.sequence));
        t.is(follows(fresh, last), fresh.sequence === last.sequence + 1);
      },
    ),
  );
  t.false(follows(freshId(NO_ID, 5, 0.5), NO_ID));
});
