import type { Rank } from '../control/host-route.js';

/** An address whose interface is here and nobody else's. */
export const ACTIVE: Rank = { preference: 200, sequence: 0 };

/** What is there for copies alone, used where nothing else has the address. */
export const SPARE: Rank = { preference: -1, sequence: 0 };

/** What a network has by itself: nobody else's address is used instead. */
export const OWN: Rank = { preference: Infinity, sequence: 0 };

/** Below zero: `a` is used before `b`; 0: neither. */
export function compareRanks(a: Rank, b: Rank): number {
  if (a.preference !== b.preference) return a.preference > b.preference ? -1 : 1;
  return b.sequence - a.sequence;
}
