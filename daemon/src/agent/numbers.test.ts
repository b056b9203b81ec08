import test from 'ava';
import fc from 'fast-check';
import { LastFirst, LowestFirst, type Numbers } from './numbers.js';

const take = (numbers: Numbers): number => {
  const id = numbers.next();
  numbers.take(id);
  return id;
};

test('the lowest free number comes first, whatever was taken and given back before', (t) => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20))), (steps) => {
      const numbers = new LowestFirst(3);
      const taken = new Set<number>();
      for (const step of steps) {
        const id = step === null ? -1 : [...taken][step];
        if (taken.has(id)) {
          numbers.giveBack(id);
          taken.delete(id);
          continue;
        }
        let lowest = 3;
        while (taken.has(lowest)) lowest++;
        if (take(numbers) !== lowest) return false;
        taken.add(lowest);
      }
      return true;
    }),
  );
  t.is(new LowestFirst(3).next(), 3);
});

test('a number given back is not given again before all others were', (t) => {
  const numbers = new LastFirst(16, 26);
  t.deepEqual([take(numbers), take(numbers), take(numbers)], [16, 17, 18]);
  numbers.giveBack(17);
  t.deepEqual(
    Array.from({ length: 7 }, () => take(numbers)),
    [19, 20, 21, 22, 23, 24, 25],
  );
  t.is(take(numbers), 17);
  t.is(numbers.next(), 26);
});

test('of numbers given back the one that has rested longest comes first, after a restart as well', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 100 }), (steps) => {
      let numbers = new LastFirst(16, 24);
      const inUse: number[] = [];
      const free = [16, 17, 18, 19, 20, 21, 22, 23];
      for (const step of steps) {
        const given = inUse.splice(step, 1).at(0);
        if (given !== undefined) {
          numbers.giveBack(given);
          free.push(given);
        } else {
          const expected = free.shift();
          if (numbers.next() !== (expected ?? 24)) return false;
          if (expected === undefined) continue;
          numbers.take(expected);
          inUse.push(expected);
        }
        const again = new LastFirst(16, 24);
        for (const id of inUse) again.take(id);
        const saved: unknown = JSON.parse(JSON.stringify(numbers.save() ?? null));
        if (saved !== null) again.load(saved);
        numbers = again;
      }
      return true;
    }),
  );
  t.is(new LastFirst(16, 24).save(), undefined);
});
