/**
 * Ids in the log of a host: `milliseconds-sequence`. The milliseconds say when the entry was written, by the clock of its host;
 * the sequence counts on by one from entry to entry. So a reader sees from the ids alone whether it missed something: after a
 * trimmed log, after a failover that lost writes, or when the host began anew, the next sequence is not the expected one.
 */
export interface LogId {
  readonly ms: number;
  readonly sequence: number;
}

/** Field of the hash and of log entries that holds the HostLease; all others are keys of routes. */
export const HOST_FIELD = 'host';
/** First sequences are drawn from so many: two are never neighbours by accident. */
const FIRST_SEQUENCES = 2 ** 47;

export const NO_ID: LogId = { ms: 0, sequence: 0 };

export function parseId(text: string): LogId {
  const dash = text.indexOf('-');
  return { ms: Number(text.slice(0, dash)), sequence: Number(text.slice(dash + 1)) };
}

export const idText = ({ ms, sequence }: LogId): string => `${ms}-${sequence}`;

/** Whether nothing lies between the two. */
export const follows = (id: LogId, before: LogId): boolean => id.sequence === before.sequence + 1 && id.ms >= before.ms;

/** Negative, 0 or positive, as in the order of the stream. */
export const compareLogIds = (a: LogId, b: LogId): number => (a.ms === b.ms ? a.sequence - b.sequence : a.ms - b.ms);

/** The id behind `last`; clocks may go back, ids do not. */
export const nextId = (last: LogId, nowMs: number): LogId => ({
  ms: Math.max(last.ms, nowMs),
  sequence: last.sequence + 1,
});

/** An id that follows no other, NO_ID neither: readers then read everything anew. `random` is in [0, 1). */
export const freshId = (last: LogId, nowMs: number, random: number): LogId => ({
  ms: Math.max(last.ms + 1, nowMs),
  sequence: 2 + Math.floor(random * FIRST_SEQUENCES),
});
