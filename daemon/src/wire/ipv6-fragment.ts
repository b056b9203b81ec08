/**
 * IPv6 fragment header, 8 bytes (RFC 8200 section 4.5).
 *    0       1       2                       4                       8
 *    +-------+-------+-------------------+-+-+-----------------------+
 *    | next  | 0     | offset (13 bits)  |0|M| identification        |
 *    +-------+-------+-------------------+-+-+-----------------------+
 */
import { get16, get32, put16, put32 } from './bytes.js';

export const LEN = 8;
const OFFSET_AND_MORE = 2;
const ID = 4;
const MORE = 1;

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Protocol of what the datagram carries behind this header. */
export const nextHeader = (b: Uint8Array, at: number): number => b[at];
/** Place of this fragment in the part of the datagram that is divided, bytes. */
export const offset = (b: Uint8Array, at: number): number => get16(b, at + OFFSET_AND_MORE) & 0xfff8;
/** Whether fragments follow this one. */
export const more = (b: Uint8Array, at: number): boolean => (b[at + OFFSET_AND_MORE + 1] & MORE) !== 0;
/** Identification, common to all fragments of a datagram. */
export const id = (b: Uint8Array, at: number): number => get32(b, at + ID);

/** Writes a whole header. @param place bytes of the datagram in front, a multiple of 8. */
export function write(
  b: Uint8Array,
  at: number,
  next: number,
  place: number,
  hasMore: boolean,
  identification: number,
): void {
  b[at] = next;
  b[at + 1] = 0;
  put16(b, at + OFFSET_AND_MORE, place | (hasMore ? MORE : 0));
  put32(b, at + ID, identification);
}
