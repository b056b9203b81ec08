/** Bytes written as in an RFC or a dump: pairs of hex digits, blanks anywhere. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** What a writer leaves in a buffer of 0xa5 whose first `length` bytes it was to fill; a bit it forgot stands out. */
export function written(length: number, write: (b: Uint8Array) => void): Uint8Array {
  const b = new Uint8Array(length + 8).fill(0xa5);
  write(b);
  if (b.subarray(length).some((byte) => byte !== 0xa5)) throw new Error(`wrote beyond ${length} bytes`);
  return b.slice(0, length);
}
