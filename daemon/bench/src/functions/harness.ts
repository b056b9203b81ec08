import { inlineDeeply } from '#vrouterd/datapath/optimiser.js';

/**
 * Times functions of the daemon. A bench file registers its benches with `bench` and ends with `await runBenches()`; the comparison
 * (main.ts) starts each file as a process of its own, so that what one of them does to the optimiser does not reach the others.
 *
 * A machine that does other things too only ever makes things slower, so the least of many short runs counts. How fast the machine
 * is at the moment is told by a loop that never changes, timed in turn with the benches.
 */

/** Result of one bench, as a line of JSON on standard output. */
export interface Timing {
  readonly name: string;
  /** Nanoseconds of one operation. */
  readonly ns: number;
  /** The same as a multiple of a step of the calibration loop: comparable with another machine's, or another day's. */
  readonly relative: number;
}

interface Bench {
  readonly name: string;
  /** Does `operations` operations; returns anything that depends on them, so that they cannot be left out. */
  readonly run: () => number;
  readonly operations: number;
  /** Puts back what `run` changes; its time does not count. */
  readonly restore: () => void;
}

/** How long one timed run takes about: short enough to fit between two disturbances; and how many there are of each bench. */
const RUN_MS = 0.2;
const RUNS = 500;
const CALIBRATION_STEPS = 20_000;
/** How long a function is run before it is timed, so that it is optimised. */
const WARM_UP_MS = 100;

const benches: Bench[] = [];
/** What the benches return goes here, where the optimiser cannot know that nobody looks. */
const sink = { sum: 0 };

/** Registers a bench: `run` does `operations` operations [1]. */
export function bench(
  name: string,
  run: () => number,
  { operations = 1, restore = () => undefined }: { operations?: number; restore?: () => void } = {},
): void {
  benches.push({ name, run, operations, restore });
}

/** Times everything that was registered and prints it. */
export function runBenches(): void {
  inlineDeeply();
  const repeats = benches.map((one) => repeatsFor(one));
  const whole = benches.map(() => Infinity);
  const restoring = benches.map(() => Infinity);
  let step = Infinity;
  for (let round = 0; round < RUNS; round++) {
    for (const [i, { run, restore }] of benches.entries()) {
      step = Math.min(step, calibrate());
      whole[i] = Math.min(whole[i], time(run, restore, repeats[i]));
      restoring[i] = Math.min(restoring[i], time(nothing, restore, repeats[i]));
    }
  }
  for (const [i, { name, operations }] of benches.entries()) {
    const ns = (whole[i] - restoring[i]) / repeats[i] / operations;
    const timing: Timing = { name, ns, relative: ns / step };
    process.stdout.write(`${JSON.stringify(timing)}\n`);
  }
}

/** Warms up; returns how many calls make a run long enough. */
function repeatsFor({ run, restore }: Bench): number {
  let repeats = 1;
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end;) time(run, restore, 1);
  while (time(run, restore, repeats) < RUN_MS * 1e6) repeats *= 2;
  return repeats;
}

const nothing = (): number => 0;

/** Nanoseconds of so many calls of both. */
function time(run: () => number, restore: () => void, repeats: number): number {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    restore();
    sink.sum += run();
  }
  return (performance.now() - start) * 1e6;
}

const noise = new Int32Array(4096);

/** Nanoseconds of one step of a loop of arithmetic and memory that stays as it is. */
function calibrate(): number {
  let x = 1;
  const start = performance.now();
  for (let i = 0; i < CALIBRATION_STEPS; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    noise[x & 4095] += x;
  }
  const end = performance.now();
  sink.sum += noise[0];
  return ((end - start) * 1e6) / CALIBRATION_STEPS;
}
