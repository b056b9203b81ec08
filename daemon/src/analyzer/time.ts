/** Times of frames: seconds since 1970 and nanoseconds, two numbers, for a double does not hold both. */

export const BILLION = 1_000_000_000;
const TWO_32 = 0x1_0000_0000;

/** Nanoseconds since 1970 as two 32-bit words, which pcapng stores. `split` computes, the fields hold the outcome. */
export class SplitTime {
  high = 0;
  low = 0;

  /** @param seconds 0 to 2^32-1; @param nanoseconds below 10^9 */
  split(seconds: number, nanoseconds: number): void {
    // seconds * 10^9 in two halves of 16 bits each: all sums stay below 2^53.
    const upper = Math.floor(seconds / 0x10000) * BILLION;
    const lower = (upper % 0x10000) * 0x10000 + (seconds % 0x10000) * BILLION + nanoseconds;
    this.high = Math.floor(upper / 0x10000) + Math.floor(lower / TWO_32);
    this.low = lower % TWO_32;
  }
}

/** `14:03:07.123456789`, in the local time zone. */
export function timeOfDay(seconds: number, nanoseconds: number): string {
  const date = new Date(seconds * 1000);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((n) => String(n).padStart(2, '0'))
    .join(':');
  return `${clock}.${String(nanoseconds).padStart(9, '0')}`;
}

/** `2026-11-20T14:03:07.123456789Z`. */
export const isoTime = (seconds: number, nanoseconds: number): string =>
  new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, `.${String(nanoseconds).padStart(9, '0')}Z`);
