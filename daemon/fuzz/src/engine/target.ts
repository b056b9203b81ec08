/** Something to be fuzzed. */
export interface Target {
  readonly name: string;
  /** What is run and what must hold, in one line. */
  readonly about: string;
  /** Longest input worth trying, bytes. */
  readonly longest: number;
  /** Inputs to begin with, besides those kept from earlier runs. */
  seeds(): Uint8Array[];
  /**
   * Runs one input, always with the same result. Throws when something that must hold does not. Inputs that lead to outcomes not
   * seen before are kept and built upon: `observe` is told what happened, as text from a bounded set.
   */
  run(input: Uint8Array, observe: (outcome: string) => void): void | Promise<void>;
}

/** What must hold did not. */
class Violation extends Error {
  override readonly name = 'Violation';
}

/** Throws a Violation unless `holds`. The text is only made then. */
export function must(holds: boolean, text: () => string): asserts holds {
  if (!holds) throw new Violation(text());
}
