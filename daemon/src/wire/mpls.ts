/**
 * MPLS label stack entry, 4 bytes (RFC 3032 section 2.1; traffic class: RFC 5462).
 *    0                                       20      23  24              32 bits
 *    +---------------------------------------+-------+---+---------------+
 *    | label                                 | tc    | S | ttl           |
 *    +---------------------------------------+-------+---+---------------+
 */
import { get32, put32 } from './bytes.js';

export const LEN = 4;
/** UDP destination port of MPLS in UDP (RFC 7510), and the one used before it had one. */
export const UDP_PORT = 6635;
export const OLD_UDP_PORT = 51234;

/** Whether a whole entry lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
export const label = (b: Uint8Array, at: number): number => get32(b, at) >>> 12;
export const isBottom = (b: Uint8Array, at: number): boolean => (b[at + 2] & 1) !== 0;
export const ttl = (b: Uint8Array, at: number): number => b[at + 3];

/** Writes the only entry of a stack. */
export function write(b: Uint8Array, at: number, value: number, trafficClass: number, hops: number): void {
  put32(b, at, (value << 12) | (trafficClass << 9) | 0x100 | hops);
}
