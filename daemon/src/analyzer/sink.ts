import type { Frame } from './frame.js';
import type { Statistics } from './statistics.js';

/** Where mirrored frames go: a file, a terminal, another tool. */
export interface Sink {
  /** Takes a frame; keeps nothing of it. */
  frame(frame: Frame): void;
  /** Frames stop coming for now: what is buffered is to be seen by whoever looks. */
  flush(): void;
  /** Brings counters up to date, about once a second and before close. The object is the same each time. */
  statistics(now: Statistics): void;
  /** No more frames; ends what it holds open. Called once. */
  close(): void;
}

/** Calls `use` with each of these, also when it throws; throws the first error then. */
export function forAll<T>(all: Iterable<T>, use: (one: T) => void): void {
  const errors: unknown[] = [];
  for (const one of all) {
    try {
      use(one);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** Takes bytes [at, at + length) of `bytes` at once and keeps nothing of them. Throws what the system says. */
export type Write = (bytes: Uint8Array, at: number, length: number) => void;
