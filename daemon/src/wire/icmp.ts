/**
 * ICMP message, 8 bytes of header (RFC 792; next-hop MTU: RFC 1191 section 4).
 *    0       1       2               4               6               8
 *    +-------+-------+---------------+---------------+---------------+
 *    | type  | code  | checksum      | identifier    | sequence      |   echo request and reply
 *    +-------+-------+---------------+---------------+---------------+
 *    | type  | code  | checksum      | 0             | next-hop MTU  |   errors; then the packet they are about
 *    +-------+-------+---------------+---------------+---------------+
 */
import { get16, put16 } from './bytes.js';
import * as checksum from './checksum.js';

export const LEN = 8;
const CODE = 1;
const CHECKSUM = 2;
const IDENT = 4;
const SEQ = 6;

const ECHO_REPLY = 0;
export const UNREACHABLE = 3;
const REDIRECT = 5;
export const ECHO_REQUEST = 8;
export const TIME_EXCEEDED = 11;
const PARAMETER_PROBLEM = 12;

/** Code of TIME_EXCEEDED: the TTL ran out on the way. */
export const CODE_TTL = 0;
/** Code of UNREACHABLE: nobody listens at the port. */
export const CODE_PORT = 3;
/** Code of UNREACHABLE: too long for the next hop, and DF is set. */
export const CODE_FRAGMENTATION_NEEDED = 4;

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
/** Whether this is an error message: about errors no error may be sent (RFC 1122 section 3.2.2). */
export const isError = (b: Uint8Array, at: number): boolean =>
  (b[at] >= UNREACHABLE && b[at] <= REDIRECT) || (b[at] >= TIME_EXCEEDED && b[at] <= PARAMETER_PROBLEM);
/** Whether the checksum over the message [at, end) is right. */
export const checksumOk = (b: Uint8Array, at: number, end: number): boolean => checksum.checksum(b, at, end) === 0;

/** Turns the echo request in [at, end) into its reply; data, identifier and sequence number stay. */
export function turnIntoReply(b: Uint8Array, at: number, end: number): void {
  b[at] = ECHO_REPLY;
  setChecksum(b, at, end);
}

/** Writes the header of an echo; the checksum comes with setChecksum, once the data stands. */
export function writeEcho(b: Uint8Array, at: number, echoType: number, identifier: number, sequence: number): void {
  put16(b, at, echoType << 8);
  put16(b, at + IDENT, identifier);
  put16(b, at + SEQ, sequence);
}

/**
 * Writes the header of an error; `mtu` is the next hop's with CODE_FRAGMENTATION_NEEDED, else 0. The checksum comes with
 * setChecksum, once the packet in question stands behind the header.
 */
export function writeError(b: Uint8Array, at: number, errorType: number, errorCode: number, mtu: number): void {
  put16(b, at, (errorType << 8) | errorCode);
  put16(b, at + IDENT, 0);
  put16(b, at + SEQ, mtu);
}

/** Computes and writes the checksum of the message [at, end). */
export function setChecksum(b: Uint8Array, at: number, end: number): void {
  put16(b, at + CHECKSUM, 0);
  put16(b, at + CHECKSUM, checksum.checksum(b, at, end));
}
