import test from 'ava';
import { tracesIn } from './traces.js';

const MAIN =
  '[77:0x3abf5b0]       88 ms: Scavenge 7.2 (10.7) -> 5.2 (10.7) MB, 9.94 / 0.00 ms  (average mu = 1.000) allocation failure; \n';
const WORKER =
  '[77:0x7f1ae8000f30]     8736 ms: Scavenge 7.2 (10.7) -> 5.2 (10.7) MB, 9.94 / 0.00 ms  (average mu = 1.000) task; \n';
const MAJOR =
  '[77:0x7f1ae8000f30]     9736 ms: Mark-Compact (reduce) 30.3 (59.9) -> 20.5 (26.9) MB, 7.80 / 0.05 ms  (+ 16.1 ms in 62 steps) \n';
const DEOPT =
  '[bailout (kind: deopt-eager, reason: Insufficient type feedback for call): begin. deoptimizing 0x3a <JSFunction vifInput (sfi = 0x2b)>, 0x1 <Code TURBOFAN>, opt id 16, bytecode offset 12, deopt exit 3]\n';

test('collections of the main thread, which is the first to collect, are not the worker’s', (t) => {
  const output = MAIN + WORKER + MAIN + MAJOR + '{"level":30,"msg":"ready"}\n';
  t.is(tracesIn(output, 0, output.length).collections, 2);
});

test('only what was written between the two moments counts', (t) => {
  const output = MAIN + WORKER + DEOPT + WORKER;
  const from = MAIN.length + WORKER.length;
  t.deepEqual(tracesIn(output, from, output.length), {
    collections: 1,
    deoptimisations: ['vifInput: Insufficient type feedback for call (deopt-eager)'],
  });
  t.deepEqual(tracesIn(output, 0, MAIN.length), { collections: 0, deoptimisations: [] });
});
