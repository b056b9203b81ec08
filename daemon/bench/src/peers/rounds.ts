import { sleep } from '../../../../integration/dist/lab/process.js';
import type { Contender, Path } from './contender.js';
import { TOLERATED, isDisturbed, watched, type Disturbance } from './load-watch.js';
import type { Measure, Values } from './measures.js';
import type { Sample } from './results.js';
import { tracesIn, type Traces } from './traces.js';

/** How often a measurement is taken at most, until others leave the machine alone. */
export interface Patience {
  readonly attempts: number;
  /** Pause before it is taken again, ms; longer each time. */
  readonly pauseMs: number;
}

/** A contender that is set up. */
export interface Entrant {
  readonly contender: Contender;
  readonly path: Path;
}

/** Takes every measure of one contender. */
export async function takeSample(
  { contender, path }: Entrant,
  round: number,
  measures: readonly Measure[],
  patience: Patience,
): Promise<{ sample: Sample; traces?: Traces }> {
  let values: Values = {};
  const disturbed: string[] = [];
  const from = path.traces?.().length ?? 0;
  for (const measure of measures) {
    const { result, disturbance } = await quietest(() => measure.run(path), patience);
    values = { ...values, ...result };
    if (isDisturbed(disturbance)) disturbed.push(measure.name);
  }
  const sample = { contender: contender.id, round, values, disturbed };
  if (!path.traces) return { sample };
  const output = path.traces();
  return { sample, traces: tracesIn(output, from, output.length) };
}

/** Takes a measurement until nobody disturbs it; else returns the least disturbed. */
export async function quietest<T>(
  work: () => Promise<T>,
  { attempts, pauseMs }: Patience,
): Promise<{ result: T; disturbance: Disturbance }> {
  let best = await watched(work);
  for (let attempt = 1; attempt < attempts && isDisturbed(best.disturbance); attempt++) {
    await sleep(attempt * pauseMs);
    const next = await watched(work);
    if (total(next.disturbance) < total(best.disturbance)) best = next;
  }
  return best;
}

const total = ({ foreign, stolen }: Disturbance): number => foreign + stolen;

/** Waits, for so long at most, until the machine is quiet; returns what is still going on. */
export async function waitForQuiet(seconds: number): Promise<Disturbance> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const { disturbance } = await watched(() => sleep(1000));
    if (total(disturbance) <= TOLERATED || performance.now() > deadline) return disturbance;
  }
}
