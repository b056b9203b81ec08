/** The end of MurmurHash3's 32-bit form: every bit of `h` takes part in every bit of the result, an int32. */
export function finish(h: number): number {
  let k = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  k = Math.imul(k ^ (k >>> 13), 0xc2b2ae35);
  return k ^ (k >>> 16);
}
