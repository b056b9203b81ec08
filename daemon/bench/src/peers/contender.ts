import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Guest } from './guest.js';

/** A way from one guest to the other, set up and ready. */
export interface Path {
  readonly a: Guest;
  readonly b: Guest;
  /** Process that forwards, with all its threads; absent where the kernel does, on the account of the sender. */
  readonly forwarder?: number;
  /** What the forwarder has written so far: traces of its garbage collections and deoptimisations. */
  readonly traces?: () => string;
}

/** One of those compared. */
export interface Contender {
  readonly id: string;
  readonly title: string;
  /** Why it cannot take part on this machine; undefined when it can. */
  missing?(): Promise<string | undefined>;
  build(lab: Lab): Promise<Path>;
}
