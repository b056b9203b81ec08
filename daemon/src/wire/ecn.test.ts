import test from 'ava';
import * as ecn from './ecn.js';

test('what the outer header says about congestion is taken over as RFC 6040 has it', (t) => {
  // Figure 4: rows are the inner field (Not-ECT, ECT(1), ECT(0), CE), columns the outer one; -1: dropped.
  const expected = [
    [0, 0, 0, -1],
    [1, 1, 1, 3],
    [2, 1, 2, 3],
    [3, 3, 3, 3],
  ];
  const fields = [0, 1, 2, 3];
  t.deepEqual(
    fields.map((inner) => fields.map((outer) => ecn.unwrapped(inner, outer))),
    expected,
  );
  t.is(ecn.ecn(0xb9), 1);
});
