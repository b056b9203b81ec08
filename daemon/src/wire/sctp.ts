/**
 * SCTP common header, 12 bytes (RFC 9260 section 3.1).
 *    0               2               4               8               12
 *    +---------------+---------------+---------------+---------------+
 *    | source port   | dest. port    | verif. tag    | checksum      |
 *    +---------------+---------------+---------------+---------------+
 */
import { get16 } from './bytes.js';

/** Number of the protocol in IP. */
export const PROTOCOL = 132;
/** Length of the common header. */
export const LEN = 12;
const SRC_PORT = 0;
const DST_PORT = 2;

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Source port. */
export const srcPort = (b: Uint8Array, at: number): number => get16(b, at + SRC_PORT);
/** Destination port. */
export const dstPort = (b: Uint8Array, at: number): number => get16(b, at + DST_PORT);
