/**
 * ICMPv6 message, 8 bytes of header in the messages used here (RFC 4443 section 2.1).
 *    0       1       2               4               6               8
 *    +-------+-------+---------------+---------------+---------------+
 *    | type  | code  | checksum      | identifier    | sequence      |   echo request and reply
 *    +-------+-------+---------------+---------------+---------------+
 *    | type  | code  | checksum      | MTU (packet too big), else 0  |   errors; then the packet they are about
 *    +-------+-------+---------------+---------------+---------------+
 * The checksum covers a pseudo header too (section 2.3), so it takes the offset of the IPv6 header.
 */
import { get16, put16, put32 } from './bytes.js';
import * as checksum from './checksum.js';
import { PROTOCOL_ICMPV6 } from './ipv6.js';

export const LEN = 8;
const CODE = 1;
const CHECKSUM = 2;
const IDENT = 4;
const SEQ = 6;

export const UNREACHABLE = 1;
export const TOO_BIG = 2;
export const TIME_EXCEEDED = 3;
export const PARAMETER_PROBLEM = 4;
export const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;

/** Code of UNREACHABLE: nobody listens at the port. */
export const CODE_PORT = 4;

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Kind of message. */
export const type = (b: Uint8Array, at: number): number => b[at];
/** What exactly, within the type. */
export const code = (b: Uint8Array, at: number): number => b[at + CODE];
/** Identifier of an echo. */
export const ident = (b: Uint8Array, at: number): number => get16(b, at + IDENT);
/** Sequence number of an echo. */
export const seq = (b: Uint8Array, at: number): number => get16(b, at + SEQ);
/** Whether this is an echo, request or reply. */
export const isEcho = (b: Uint8Array, at: number): boolean => b[at] === ECHO_REQUEST || b[at] === ECHO_REPLY;
/** Whether this is an error message: about errors no error may be sent (section 2.4). */
export const isError = (b: Uint8Array, at: number): boolean => b[at] < 128;
/** Whether the checksum of the message [at, end) in the packet at `ipAt` is right. */
export const checksumOk = (b: Uint8Array, ipAt: number, at: number, end: number): boolean =>
  checksum.finish(checksum.sum(b, at, end, checksum.pseudo6(b, ipAt, PROTOCOL_ICMPV6, end - at))) === 0;

/** Turns the echo request in [at, end) of the packet at `ipAt` into its reply; the addresses are the reply's already. */
export function turnIntoReply(b: Uint8Array, ipAt: number, at: number, end: number): void {
  b[at] = ECHO_REPLY;
  setChecksum(b, ipAt, at, end);
}

/** Writes the header of an echo; the checksum comes with setChecksum, once addresses and data stand. */
export function writeEcho(b: Uint8Array, at: number, echoType: number, identifier: number, sequence: number): void {
  put16(b, at, echoType << 8);
  put16(b, at + IDENT, identifier);
  put16(b, at + SEQ, sequence);
}

/** Writes the header of an error; `mtu` is the next hop's with TOO_BIG, else 0. The checksum comes with setChecksum. */
export function writeError(b: Uint8Array, at: number, errorType: number, errorCode: number, mtu: number): void {
  put16(b, at, (errorType << 8) | errorCode);
  put32(b, at + IDENT, mtu);
}

/** Computes and writes the checksum of the message [at, end) in the packet at `ipAt`. */
export function setChecksum(b: Uint8Array, ipAt: number, at: number, end: number): void {
  put16(b, at + CHECKSUM, 0);
  const sum = checksum.sum(b, at, end, checksum.pseudo6(b, ipAt, PROTOCOL_ICMPV6, end - at));
  put16(b, at + CHECKSUM, checksum.finish(sum));
}
