import { BlockCoverage } from './coverage.js';
import { mutate, simpler } from './mutate.js';
import type { Random } from './random.js';
import type { Target } from './target.js';

/** Inputs run between two looks at the coverage, which costs about as much as a hundred of them. */
const BATCH = 128;
/** Tries to make a failing input simpler. */
const SIMPLER_TRIES = 4000;

export interface Progress {
  readonly runs: number;
  readonly corpus: number;
  readonly blocks: number;
  readonly outcomes: number;
}

/** An input that made its target fail. */
export interface Finding {
  readonly input: Uint8Array;
  readonly error: Error;
}

export interface FuzzerOptions {
  readonly random: Random;
  /** Guides by V8's coverage of scripts with these URLs; without it, by observed outcomes only. */
  readonly covers?: (url: string) => boolean;
  /** Called for every input that led to something new. */
  readonly onKept?: (input: Uint8Array) => void;
  /** Called before every run. */
  readonly onRun?: (input: Uint8Array) => void;
}

/** Runs a target with ever new inputs: changed copies of those that led to something new before. */
export class Fuzzer {
  readonly #target: Target;
  readonly #options: FuzzerOptions;
  readonly #coverage: BlockCoverage | null;
  readonly #corpus: Uint8Array[] = [];
  readonly #outcomes = new Set<string>();
  #runs = 0;

  constructor(target: Target, options: FuzzerOptions) {
    this.#target = target;
    this.#options = options;
    this.#coverage = options.covers ? new BlockCoverage(options.covers) : null;
  }

  get progress(): Progress {
    return {
      runs: this.#runs,
      corpus: this.#corpus.length,
      blocks: this.#coverage?.size ?? 0,
      outcomes: this.#outcomes.size,
    };
  }

  /** Runs the given inputs, short ones first, while `goesOn` says so, and keeps those that lead to something new. */
  async begin(inputs: readonly Uint8Array[], goesOn: () => boolean = () => true): Promise<Finding | null> {
    const sorted = [...inputs].sort((a, b) => a.length - b.length);
    for (let i = 0; i < sorted.length && goesOn(); i += BATCH) {
      const finding = await this.#runBatch(sorted.slice(i, i + BATCH));
      if (finding) return finding;
    }
    if (this.#corpus.length === 0) this.#corpus.push(Uint8Array.of(0));
    return null;
  }

  /** Runs as many new inputs as there are between two looks at the coverage. */
  async round(): Promise<Finding | null> {
    const { random } = this.#options;
    const inputs: Uint8Array[] = [];
    for (let i = 0; i < BATCH; i++) {
      inputs.push(mutate(this.#pick(), random, this.#corpus, this.#target.longest));
    }
    return this.#runBatch(inputs);
  }

  /** The shortest and simplest input that fails in the same place, of those tried while `goesOn` says so. */
  async simplify(finding: Finding, goesOn: () => boolean = () => true): Promise<Finding> {
    let best = finding;
    let tries = 0;
    for (let better = true; better && tries < SIMPLER_TRIES;) {
      better = false;
      for (const input of simpler(best.input)) {
        if (++tries > SIMPLER_TRIES || !goesOn()) break;
        const error = await this.#run(input, () => undefined);
        if (error === null || placeOf(error) !== placeOf(best.error)) continue;
        best = { input, error };
        better = true;
        break;
      }
    }
    return best;
  }

  /** The later ones, found by going further, more often than the early ones. */
  #pick(): Uint8Array {
    const { random } = this.#options;
    const n = this.#corpus.length;
    return this.#corpus[random.below(2) === 0 ? random.below(n) : Math.max(random.below(n), random.below(n))];
  }

  async #runBatch(inputs: readonly Uint8Array[]): Promise<Finding | null> {
    const kept = new Set<Uint8Array>();
    for (const input of inputs) {
      const error = await this.#run(input, (outcome) => {
        if (this.#outcomes.has(outcome)) return;
        this.#outcomes.add(outcome);
        kept.add(input);
      });
      if (error) return { input, error };
    }
    await this.#attribute(inputs, kept);
    for (const input of kept) {
      this.#corpus.push(input);
      this.#options.onKept?.(input);
    }
    return null;
  }

  /** Finds out which inputs of the batch executed the blocks nobody had executed before, by running them again one by one. */
  async #attribute(inputs: readonly Uint8Array[], kept: Set<Uint8Array>): Promise<void> {
    const coverage = this.#coverage;
    const wanted = new Set(coverage?.fresh());
    if (!coverage || wanted.size === 0) return;
    for (const input of inputs) {
      await this.#run(input, () => undefined);
      const found = coverage.fresh().filter((block) => wanted.delete(block));
      if (found.length > 0) kept.add(input);
      coverage.know(found);
      if (wanted.size === 0) break;
    }
    // What is left happens once in a process: initialisation, a cache that fills.
    coverage.know(wanted);
  }

  /** What the target threw, or null. */
  async #run(input: Uint8Array, observe: (outcome: string) => void): Promise<Error | null> {
    this.#runs++;
    this.#options.onRun?.(input);
    try {
      // Most targets are synchronous, and waiting for nothing costs more than they do.
      const running = this.#target.run(input, observe);
      if (running) await running;
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** What kind of fault an error is and the function that found it, whatever the values in it. */
function placeOf(error: Error): string {
  const [, thrower = ''] = /\n\s+at ([^\n]*)/.exec(error.stack ?? '') ?? [];
  return `${error.name} ${error.message.replaceAll(/[0-9a-f]*[0-9][0-9a-f]*/g, '0')} ${thrower.replace(/:\d+:\d+\)?$/, '')}`;
}
