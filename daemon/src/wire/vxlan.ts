/**
 * VXLAN header, 8 bytes (RFC 7348 section 5).
 *    0               1                               4                       7       8
 *    +---------------+-------------------------------+-----------------------+-------+
 *    | flags (I 08)  | reserved                      | network identifier    | res.  |
 *    +---------------+-------------------------------+-----------------------+-------+
 */
import { get32, put32 } from './bytes.js';

export const LEN = 8;
export const UDP_PORT = 4789;

const VNI = 4;
/** Whether the network identifier is valid. */
const VALID = 0x08;

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
export const isValid = (b: Uint8Array, at: number): boolean => (b[at] & VALID) !== 0;
export const vni = (b: Uint8Array, at: number): number => get32(b, at + VNI) >>> 8;

export function write(b: Uint8Array, at: number, networkIdentifier: number): void {
  put32(b, at, VALID << 24);
  put32(b, at + VNI, networkIdentifier << 8);
}
