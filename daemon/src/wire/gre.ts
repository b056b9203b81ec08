/**
 * GRE header, 4 bytes and 4 more each for checksum and key (RFC 2784, RFC 2890).
 *    0               2               4
 *    +---------------+---------------+- - - - - - - - -+- - - - - - -+
 *    | flags, version| protocol type | checksum, 0     | key         |
 *    +---------------+---------------+- - - - - - - - -+- - - - - - -+
 */
import { get16, put16 } from './bytes.js';

/** Length of a header without options. */
export const LEN = 4;
/** IP protocol. */
export const PROTOCOL = 47;
/** Protocol type of MPLS (RFC 4023). */
export const TYPE_MPLS = 0x8847;

const CHECKSUM_PRESENT = 0x8000;
const KEY_PRESENT = 0x2000;

/** Whether a header without options lies in [at, end). */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Protocol type of the payload. */
export const type = (b: Uint8Array, at: number): number => get16(b, at + 2);

/** Length of the header with its options, -1: it has others than checksum and key, or another version. */
export function headerLen(b: Uint8Array, at: number): number {
  const flags = get16(b, at);
  if ((flags & ~(CHECKSUM_PRESENT | KEY_PRESENT)) !== 0) return -1;
  return LEN + ((flags & CHECKSUM_PRESENT) === 0 ? 0 : 4) + ((flags & KEY_PRESENT) === 0 ? 0 : 4);
}

/** Whether there is a checksum behind the first four bytes. */
export const hasChecksum = (b: Uint8Array, at: number): boolean => (get16(b, at) & CHECKSUM_PRESENT) !== 0;

/** Writes a header without options. */
export function write(b: Uint8Array, at: number, protocolType: number): void {
  put16(b, at, 0);
  put16(b, at + 2, protocolType);
}
