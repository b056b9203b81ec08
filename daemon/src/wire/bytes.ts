/**
 * Big-endian (network order) fields of a byte array. All numbers are unsigned; nothing is checked: who calls has made sure that the
 * bytes exist.
 */

/** The 16-bit number at `at`. */
export const get16 = (b: Uint8Array, at: number): number => (b[at] << 8) | b[at + 1];

/** The 32-bit number at `at`, 0..2^32-1. */
export const get32 = (b: Uint8Array, at: number): number =>
  ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0;

/** Writes the low 16 bits of `value` at `at`. */
export function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

/** Writes the low 32 bits of `value` at `at`. */
export function put32(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 24;
  b[at + 1] = value >>> 16;
  b[at + 2] = value >>> 8;
  b[at + 3] = value;
}

/** Whether the `n` bytes of `a` at `at` and those of `b` at `bt` are the same. */
export function equal(a: Uint8Array, at: number, b: Uint8Array, bt: number, n: number): boolean {
  for (let i = 0; i < n; i++) if (a[at + i] !== b[bt + i]) return false;
  return true;
}

/** Moves `n` bytes inside `b` from offset `from` to offset `to`; the two may overlap. */
export function copy(b: Uint8Array, from: number, to: number, n: number): void {
  b.copyWithin(to, from, from + n);
}
