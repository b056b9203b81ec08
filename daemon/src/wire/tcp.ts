/**
 * TCP header, 20 bytes and up to 40 of options (RFC 9293 section 3.1).
 *    0               2               4               8               12
 *    +---------------+---------------+---------------+---------------+
 *    | source port   | dest. port    | sequence no.  | ack. number   |
 *    +---------------+---------------+---------------+---------------+
 *    12      13      14              16              18              20
 *    +---+---+-------+---------------+---------------+---------------+
 *    |off| 0 | flags | window        | checksum      | urgent pointer|
 *    +---+---+-------+---------------+---------------+---------------+
 */
import { get16, get32 } from './bytes.js';

/** Length of a header without options. */
export const LEN = 20;
const SRC_PORT = 0;
const DST_PORT = 2;
export const SEQ = 4;
const ACK_NUMBER = 8;
const DATA_OFFSET = 12;
export const FLAGS = 13;
export const CHECKSUM = 16;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const CWR = 0x80;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;

/** Whether a header without options lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Source port. */
export const srcPort = (b: Uint8Array, at: number): number => get16(b, at + SRC_PORT);
/** Destination port. */
export const dstPort = (b: Uint8Array, at: number): number => get16(b, at + DST_PORT);
/** Sequence number of the first byte of data. */
export const seq = (b: Uint8Array, at: number): number => get32(b, at + SEQ);
/** Acknowledgment number. */
export const ackNumber = (b: Uint8Array, at: number): number => get32(b, at + ACK_NUMBER);
/** Length of the header with its options, bytes; below LEN in a malformed one. */
export const dataOffset = (b: Uint8Array, at: number): number => (b[at + DATA_OFFSET] >>> 4) << 2;
/** The eight flags, CWR to FIN. */
export const flags = (b: Uint8Array, at: number): number => b[at + FLAGS];

/**
 * Offset of the value of the maximum segment size option (RFC 9293 section 3.7.1), 2 bytes; -1 when the header at `at`, which
 * fits below `end`, has none or its options are malformed before it.
 */
export function mssAt(b: Uint8Array, at: number, end: number): number {
  const stop = Math.min(at + dataOffset(b, at), end);
  for (let p = at + LEN; p < stop;) {
    const kind = b[p];
    if (kind === OPTION_NOP) {
      p++;
      continue;
    }
    if (kind === OPTION_END || p + 2 > stop) return -1;
    const length = b[p + 1];
    if (length < 2 || p + length > stop) return -1;
    if (kind === OPTION_MSS) return length === 4 ? p + 2 : -1;
    p += length;
  }
  return -1;
}
