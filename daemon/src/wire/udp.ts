/**
 * UDP header, 8 bytes (RFC 768; over IPv6: RFC 8200 section 8.1).
 *    0               2               4               6               8
 *    +---------------+---------------+---------------+---------------+
 *    | source port   | dest. port    | length        | checksum      |
 *    +---------------+---------------+---------------+---------------+
 */
import { get16, put16 } from './bytes.js';
import * as checksum from './checksum.js';
import { PROTOCOL_UDP } from './ipv4.js';

export const LEN = 8;
const SRC_PORT = 0;
const DST_PORT = 2;
export const LENGTH = 4;
export const CHECKSUM = 6;

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Source port. */
export const srcPort = (b: Uint8Array, at: number): number => get16(b, at + SRC_PORT);
/** Destination port. */
export const dstPort = (b: Uint8Array, at: number): number => get16(b, at + DST_PORT);
/** Length of header and data, bytes. */
export const length = (b: Uint8Array, at: number): number => get16(b, at + LENGTH);

/** Writes a whole header with checksum 0: none, which IPv4 allows and IPv6 does not. */
export function write(b: Uint8Array, at: number, source: number, destination: number, totalLength: number): void {
  put16(b, at + SRC_PORT, source);
  put16(b, at + DST_PORT, destination);
  put16(b, at + LENGTH, totalLength);
  put16(b, at + CHECKSUM, 0);
}

/** Computes and writes the checksum of the datagram [at, end) in the IPv4 packet at `ipAt`. */
export function setChecksum4(b: Uint8Array, ipAt: number, at: number, end: number): void {
  setChecksum(b, at, end, checksum.pseudo4(b, ipAt, PROTOCOL_UDP, end - at));
}

/** Computes and writes the checksum of the datagram [at, end) in the IPv6 packet at `ipAt`. */
export function setChecksum6(b: Uint8Array, ipAt: number, at: number, end: number): void {
  setChecksum(b, at, end, checksum.pseudo6(b, ipAt, PROTOCOL_UDP, end - at));
}

function setChecksum(b: Uint8Array, at: number, end: number, pseudo: number): void {
  put16(b, at + CHECKSUM, 0);
  // 0 would say that there is no checksum; its other form in one's complement does not.
  put16(b, at + CHECKSUM, checksum.finish(checksum.sum(b, at, end, pseudo)) || 0xffff);
}
