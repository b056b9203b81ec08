/** What goes wrong in a session, for people. */
import { MALFORMED, MALFORMED_REASONS, type Statistics } from './statistics.js';

/** Something that happened at an input, so many times. */
interface Problem {
  /** Of the input. */
  readonly input: number;
  readonly name: string;
  readonly what: string;
  readonly count: number;
}

function problemsOf({ inputs }: Statistics): readonly Problem[] {
  return inputs.flatMap(({ name, malformed, kernelDrops }, input) =>
    [
      ...MALFORMED_REASONS.map((reason) => ({ what: `malformed: ${MALFORMED[reason]}`, count: malformed[reason] })),
      { what: 'dropped by the kernel', count: kernelDrops },
    ]
      .filter(({ count }) => count > 0)
      .map((problem) => ({ input, name, ...problem })),
  );
}

const lineOf = ({ name, what, count }: Problem): string => `${name}: ${count} ${what}`;

/** What of a statistics is wrong, a line each: reasons of what could not be decoded, and losses. */
export const problemLines = (now: Statistics): readonly string[] => problemsOf(now).map(lineOf);

/** Tells each problem when it happens first, when its count has a digit more, and at the end. */
export class ProblemTeller {
  readonly #print: (line: string) => void;
  /** The count that was told last, by input and what it is. */
  readonly #told = new Map<string, number>();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  tell(now: Statistics): void {
    this.#tell(now, (count, told) => told === 0 || String(count).length > String(told).length);
  }

  /** Tells whatever is more than was told. */
  end(now: Statistics): void {
    this.#tell(now, (count, told) => count > told);
  }

  #tell(now: Statistics, isNews: (count: number, told: number) => boolean): void {
    for (const problem of problemsOf(now)) {
      const key = `${problem.input} ${problem.what}`;
      if (!isNews(problem.count, this.#told.get(key) ?? 0)) continue;
      this.#told.set(key, problem.count);
      this.#print(lineOf(problem));
    }
  }
}
