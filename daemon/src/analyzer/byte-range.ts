/** Bytes [start, end] of a file that were asked for, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a Range header (RFC 9110 section 14.2) about a file of `size` bytes. `whole`: it is not there, asks for several ranges or in
 * other units, or makes no sense, all of which may be answered with the file. `beyond`: nothing of it is there.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'whole' | 'beyond' {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (parts === null || (parts[1] === '' && parts[2] === '')) return 'whole';
  const [first, last] = [parts[1], parts[2]].map((text) => (text === '' ? undefined : Number(text)));
  if (first === undefined) {
    const length = Math.min(last ?? 0, size);
    return length === 0 ? 'beyond' : { start: size - length, end: size - 1 };
  }
  if (last !== undefined && last < first) return 'whole';
  return first >= size ? 'beyond' : { start: first, end: Math.min(last ?? size - 1, size - 1) };
}
