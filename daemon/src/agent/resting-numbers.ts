import { NETWORK_IDS, type Reservation } from '../control/store.js';

/*
 * A network's number is its VNI, and hosts that have not heard that it is gone go on sending with it: those cut off from the store, say.
 * So the book keeps a number that was given up, under the time instead of a name, and no other network is given it of itself. Whoever asks
 * for it gets it. Of those given up last so many rest.
 */
const RESTING = 4_096;

/** Begins the owner of such a number; no name of an object begins so, as those have colons. */
const SINCE = 'free since ';

/** Whether the owner of a number is the time since when nobody has it. */
export const isResting = (owner: string): boolean => owner.startsWith(SINCE);

/** What a transaction writes into the books. */
export interface Bookings {
  readonly release: readonly Reservation[];
  readonly reserve: readonly Reservation[];
}

/**
 * The same bookings, with those that let numbers rest and wake them.
 * @param book the numbers of networks as they are. @param nowMs milliseconds since 1970.
 */
export function withRest(
  { release, reserve }: Bookings,
  book: ReadonlyMap<string, string> = new Map(),
  nowMs: number,
): Bookings {
  const taken = new Set(reserve.filter(isNumber).map(({ entry }) => entry));
  const resting = [...book].filter(([, owner]) => isResting(owner));
  const freed = release.filter((one) => isNumber(one) && !taken.has(one.entry)).map(({ entry }) => entry);
  // The oldest last.
  const left = resting
    .filter(([entry]) => !taken.has(entry))
    .sort(([a, ownerA], [b, ownerB]) => sinceOf(ownerB) - sinceOf(ownerA) || Number(b) - Number(a));
  const rested = [...resting.filter(([entry]) => taken.has(entry)), ...left.slice(Math.max(0, RESTING - freed.length))];
  return {
    release: [...release, ...rested.map(([entry, owner]) => ({ book: NETWORK_IDS, entry, owner }))],
    reserve: [...reserve, ...freed.map((entry) => ({ book: NETWORK_IDS, entry, owner: `${SINCE}${nowMs}` }))],
  };
}

const isNumber = ({ book }: Reservation): boolean => book === NETWORK_IDS;
const sinceOf = (owner: string): number => Number(owner.slice(SINCE.length));
