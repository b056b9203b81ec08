import test from 'ava';
import type { Values } from './measures.js';
import { median, outcomes, ratio, typical, type Sample } from './results.js';

const sample = (contender: string, round: number, values: Values): Sample => ({
  contender,
  round,
  values,
  disturbed: [],
});

test('the median of an even number of values lies between the middle ones', (t) => {
  t.is(median([9, 1, 5]), 5);
  t.is(median([9, 1, 5, 3]), 4);
  t.is(median([10, 9, 100]), 10);
});

test('a ratio compares within rounds, so that a machine which gets slower does not matter', (t) => {
  const samples = [
    sample('a', 1, { tcp: 10 }),
    sample('b', 1, { tcp: 5 }),
    sample('a', 2, { tcp: 2 }),
    sample('b', 2, { tcp: 1 }),
    sample('a', 3, { tcp: 30 }),
    sample('b', 3, { tcp: 10 }),
  ];
  t.is(ratio(samples, 'a', 'b', 'tcp'), 2);
  t.is(typical(samples, 'a', 'tcp'), 10);
});

test('what was not measured has no value and no ratio', (t) => {
  const samples = [sample('a', 1, { tcp: 10 }), sample('b', 1, {})];
  t.is(typical(samples, 'b', 'tcp'), undefined);
  t.is(ratio(samples, 'a', 'b', 'tcp'), undefined);
  t.is(ratio(samples, 'a', 'missing', 'tcp'), undefined);
});

test('five percent below a target counts as reached, six do not', (t) => {
  const reached = (tcp: number): boolean[] =>
    outcomes([sample('vrouterd-tap', 1, { tcp }), sample('loop-vnet', 1, { tcp: 100 })]).map(
      (outcome) => outcome.reached,
    );
  t.deepEqual(reached(90 * 0.951), [true]);
  t.deepEqual(reached(90 * 0.94), [false]);
});
