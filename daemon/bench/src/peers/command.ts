import { parseArgs } from 'node:util';
import { Lab } from '../../../../integration/dist/lab/lab.js';

/** What both benchmarks share: their options, a lab that is cleaned up whatever happens, and how they end. */

/** Exit code of a run ended by a signal. */
const INTERRUPTED = 130;
let interrupted = false;

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export interface BenchOptions {
  readonly quick: boolean;
  /** undefined: as many as the plan says. */
  readonly rounds: number | undefined;
  readonly only: readonly string[] | undefined;
  readonly output: string | undefined;
}

/** Reads the options of the process. Throws what is wrong with them. */
export function benchOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true },
      output: { type: 'string' },
    },
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1))
    throw new Error(`--rounds ${values.rounds ?? ''} is not a number of rounds`);
  return { quick: values.quick, rounds, only: values.only, output: values.output };
}

/** Does `work` in a lab of its own, which is gone afterwards, also after Ctrl-C. */
export async function inLab<T>(work: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await Lab.open();
  const stop = (): void => {
    interrupted = true;
    say('interrupted, cleaning up');
    void lab.close().finally(() => process.exit(INTERRUPTED));
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await work(lab);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await lab.close();
  }
}

/** Runs a benchmark; its failure is one line and exit code 1. */
export async function runBench(main: () => Promise<void>): Promise<void> {
  await main().catch((error: unknown) => {
    // What fails because it is being cleaned away is no news.
    if (interrupted) return;
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
