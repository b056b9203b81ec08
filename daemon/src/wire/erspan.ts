/**
 * ERSPAN headers in front of a mirrored Ethernet frame, behind GRE (draft-foschiano-erspan).
 *
 *    type II, 8 bytes, GRE protocol 0x88be with sequence number
 *    +---------+---------------+-----+----+---+-----------------+
 *    | ver 1(4)| vlan (12)     | cos3| en2| T | session id (10) |
 *    +---------+---------------+-----+----+---+-----------------+
 *    | reserved (12)           | index (20)                     |
 *    +-------------------------+--------------------------------+
 *    type III, 12 bytes and 8 more with O, GRE protocol 0x22eb; version 2, first word alike
 *    +-----------------------------------------------------------+
 *    | time stamp (32)                                           |
 *    +-------------------------+---+-------+----------+---+------+---+
 *    | security group (16)     | P | ft (5)| hw id (6)| D | gra2 | O |
 *    +-------------------------+---+-------+----------+---+------+---+
 * Type I has no header at all: protocol 0x88be without sequence number.
 */
import { get16, put16, put32 } from './bytes.js';

/** Protocol types of GRE. */
export const TYPE_II = 0x88be;
export const TYPE_III = 0x22eb;

export const LEN_II = 8;
export const LEN_III = 12;
const SUBHEADER_LEN = 8;
const SESSION = 2;
const FLAGS_III = 10;
/** Frame type of Ethernet in type III. */
const ETHERNET_FRAME = 0;

/** Session identifier, 0..1023. */
export const session = (b: Uint8Array, at: number): number => get16(b, at + SESSION) & 0x3ff;
/** Whether a frame of a header of type III left the port that is mirrored, and did not enter it. */
export const isEgress = (b: Uint8Array, at: number): boolean => (get16(b, at + FLAGS_III) & 8) !== 0;

/** Length of the header of type II at `at`; -1: it is none, or does not lie below `end`. */
export const headerLenII = (b: Uint8Array, at: number, end: number): number =>
  at + LEN_II <= end && b[at] >>> 4 === 1 ? LEN_II : -1;

/** Length of the header of type III at `at`; -1: it is none, carries no Ethernet, or does not lie below `end`. */
export function headerLenIII(b: Uint8Array, at: number, end: number): number {
  if (at + LEN_III > end || b[at] >>> 4 !== 2) return -1;
  const flags = get16(b, at + FLAGS_III);
  if (((flags >>> 10) & 0x1f) !== ETHERNET_FRAME) return -1;
  const length = LEN_III + ((flags & 1) === 0 ? 0 : SUBHEADER_LEN);
  return at + length <= end ? length : -1;
}

/** Writes a header of type II: VLAN and priority 0, index 0. */
export function writeII(b: Uint8Array, at: number, sessionId: number): void {
  put16(b, at, 0x1000);
  put16(b, at + SESSION, sessionId & 0x3ff);
  put32(b, at + 4, 0);
}
