import test from 'ava';
import fc from 'fast-check';
import { NETWORK_IDS, type Reservation } from '../control/store.js';
import { isResting, withRest } from './resting-numbers.js';

const RESTING = 4_096;

/** Carries out what the store would. */
function book(entries: Map<string, string>, bookings: ReturnType<typeof withRest>): void {
  for (const { entry, owner } of bookings.release) if (entries.get(entry) === owner) entries.delete(entry);
  for (const { entry, owner } of bookings.reserve) {
    if (entries.has(entry)) throw new Error(`${entry} is ${entries.get(entry) ?? ''}'s`);
    entries.set(entry, owner);
  }
}

const of = (entry: number): Reservation => ({ book: NETWORK_IDS, entry: String(entry), owner: `d:p:n${entry}` });

test('numbers given up rest until so many others were, whatever is asked for meanwhile', (t) => {
  const steps = fc.array(fc.record({ give: fc.integer({ max: 2_000, min: 0 }), ask: fc.nat() }), { maxLength: 8 });
  fc.assert(
    fc.property(steps, (all) => {
      const entries = new Map<string, string>();
      let resting: string[] = [];
      let fresh = 1;
      for (const [now, { give, ask }] of all.entries()) {
        const given = Array.from({ length: give }, () => of(fresh++));
        book(entries, withRest({ release: [], reserve: given }, entries, now));
        const woken = resting.at(ask % (resting.length + 1));
        const reserve = woken === undefined ? [] : [of(Number(woken))];
        book(entries, withRest({ release: given, reserve }, entries, now));
        resting = resting.filter((entry) => entry !== woken);
        resting = [...resting, ...given.map(({ entry }) => entry)].slice(-RESTING);
        if (woken !== undefined) {
          t.is(entries.get(woken), `d:p:n${woken}`);
          entries.delete(woken);
        }
        t.true([...entries.values()].every(isResting));
        t.deepEqual(new Set(entries.keys()), new Set(resting));
      }
    }),
    { numRuns: 30 },
  );
});

test('a number that changes hands at once does not rest, and other books are left alone', (t) => {
  const release = [of(7), { book: 'ipam:d:p:n:10.0.0.0/24', entry: '10.0.0.3', owner: 'd:p:vm' }];
  const reserve = [{ ...of(7), owner: 'd:p:other' }];
  t.deepEqual(withRest({ release, reserve }, new Map([['7', 'd:p:n7']]), 1), { release, reserve });
});
