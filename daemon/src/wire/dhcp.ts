/**
 * DHCP message (RFC 2131 section 2): the fixed fields of BOOTP, a magic cookie, and options (RFC 2132).
 *    0       1       2       3       4               8       10      12
 *    +-------+-------+-------+-------+---------------+-------+-------+
 *    | op    | htype | hlen  | hops  | xid           | secs  | flags |
 *    +-------+-------+-------+-------+---------------+-------+-------+
 *    12              16              20              24              28
 *    +---------------+---------------+---------------+---------------+
 *    | ciaddr        | yiaddr        | siaddr        | giaddr        |
 *    +---------------+---------------+---------------+---------------+
 *    28                     44                      108                    236             240
 *    +----------------------+-----------------------+----------------------+---------------+---------
 *    | chaddr (16)          | sname (64)            | file (128)           | 99.130.83.99  | options
 *    +----------------------+-----------------------+----------------------+---------------+---------
 *    option: code, length, data; code 0 (pad) and 255 (end) stand alone
 */
import { get16, get32, put16, put32 } from './bytes.js';
import * as ethernet from './ethernet.js';

/** Length of the fixed fields and the cookie: where options begin. */
export const LEN = 240;
/** Replies are padded to this, which every BOOTP relay passes on (RFC 951 section 3). */
export const MIN_LEN = 300;
const XID = 4;
const SECS = 8;
const FLAGS = 10;
const CIADDR = 12;
const YIADDR = 16;
const SIADDR = 20;
const GIADDR = 24;
export const CHADDR = 28;
const COOKIE = 236;
const COOKIE_VALUE = 0x63825363;

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

/** Transaction id of the messages written here: any will do. */
const CLIENT_XID = 0x76727472;

/** Values of `op`: of clients, and of servers. */
export const BOOTREQUEST = 1;
const BOOTREPLY = 2;
/** Flag: the client cannot take a unicast answer yet. */
export const BROADCAST = 0x8000;

/** Values of the message type option. */
export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
export const ACK = 5;
export const NAK = 6;
export const INFORM = 8;

/** Option codes. */
const PAD = 0;
const END = 255;
export const OPTION_SUBNET_MASK = 1;
export const OPTION_ROUTER = 3;
export const OPTION_DNS = 6;
export const OPTION_HOST_NAME = 12;
export const OPTION_DOMAIN_NAME = 15;
export const OPTION_MTU = 26;
export const OPTION_BROADCAST_ADDRESS = 28;
export const OPTION_REQUESTED_ADDRESS = 50;
export const OPTION_LEASE_TIME = 51;
export const OPTION_MESSAGE_TYPE = 53;
export const OPTION_SERVER_ID = 54;
const OPTION_MAX_MESSAGE_SIZE = 57;
/** RFC 3442. */
export const OPTION_CLASSLESS_ROUTES = 121;

const OPTION_HEADER_LEN = 2;
/** Data one option takes. */
const OPTION_MAX_LEN = 255;

/** Whether the fixed fields and the cookie lie in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Whether this is a message of a client with an Ethernet address, and DHCP rather than plain BOOTP. */
export const isClientMessage = (b: Uint8Array, at: number): boolean =>
  b[at] === BOOTREQUEST &&
  b[at + 1] === 1 &&
  b[at + 2] === ethernet.ADDRESS_LEN &&
  get32(b, at + COOKIE) === COOKIE_VALUE;
/** BOOTREQUEST or BOOTREPLY. */
export const op = (b: Uint8Array, at: number): number => b[at];
/** Transaction id the client chose. */
export const xid = (b: Uint8Array, at: number): number => get32(b, at + XID);
/** BROADCAST or 0. */
export const flags = (b: Uint8Array, at: number): number => get16(b, at + FLAGS);
/** Address the client has and answers ARP for; 0: none. */
export const ciaddr = (b: Uint8Array, at: number): number => get32(b, at + CIADDR);
/** Address given to the client. */
export const yiaddr = (b: Uint8Array, at: number): number => get32(b, at + YIADDR);
/** Server of the next step of booting. */
export const siaddr = (b: Uint8Array, at: number): number => get32(b, at + SIADDR);
/** Relay the message came through; 0: none. */
export const giaddr = (b: Uint8Array, at: number): number => get32(b, at + GIADDR);

/**
 * Offset of the data of the first option `code` of the message at `at`; its length is the byte before. -1 when there is none or
 * the options are malformed before it. The whole option lies below `end`.
 */
export function option(b: Uint8Array, at: number, end: number, code: number): number {
  for (let p = at + LEN; p < end;) {
    if (b[p] === PAD) {
      p++;
      continue;
    }
    if (b[p] === END || p + 2 > end || p + 2 + b[p + 1] > end) return -1;
    if (b[p] === code) return p + 2;
    p += 2 + b[p + 1];
  }
  return -1;
}

/** Value of the message type option, 0 when it is missing. */
export function messageType(b: Uint8Array, at: number, end: number): number {
  const p = option(b, at, end, OPTION_MESSAGE_TYPE);
  return p < 0 || b[p - 1] !== 1 ? 0 : b[p];
}

/** Value of the option `code`, an IPv4 address; -1 when it is missing or of another length. */
export function addressOption(b: Uint8Array, at: number, end: number, code: number): number {
  const p = option(b, at, end, code);
  return p < 0 || b[p - 1] !== 4 ? -1 : get32(b, p);
}

/** Largest datagram the client takes, bytes (RFC 2132 section 9.10); 0 when it does not say. */
export function maxMessageSize(b: Uint8Array, at: number, end: number): number {
  const p = option(b, at, end, OPTION_MAX_MESSAGE_SIZE);
  return p < 0 || b[p - 1] !== 2 ? 0 : get16(b, p);
}

/** Writes the fixed fields and the cookie of a client's message; it has no address yet. The area is zero on entry. */
export function writeClientMessage(b: Uint8Array, at: number, mac: Uint8Array): void {
  put32(b, at, (BOOTREQUEST << 24) | (1 << 16) | (ethernet.ADDRESS_LEN << 8));
  put32(b, at + XID, CLIENT_XID);
  ethernet.putAddress(b, at + CHADDR, mac);
  put32(b, at + COOKIE, COOKIE_VALUE);
}

/** What the fixed fields of a reply say; the rest of them is 0. */
export interface Reply {
  readonly xid: number;
  readonly flags: number;
  readonly ciaddr: number;
  readonly yiaddr: number;
  readonly siaddr: number;
  readonly giaddr: number;
  /** MAC address of the client. */
  readonly chaddr: Uint8Array;
}

/** Writes the fixed fields and the cookie of a reply; returns the offset of the first option. */
export function writeReply(b: Uint8Array, at: number, r: Reply): number {
  b[at] = BOOTREPLY;
  b[at + 1] = 1;
  b[at + 2] = ethernet.ADDRESS_LEN;
  b[at + 3] = 0;
  put32(b, at + XID, r.xid);
  put16(b, at + SECS, 0);
  put16(b, at + FLAGS, r.flags);
  put32(b, at + CIADDR, r.ciaddr);
  put32(b, at + YIADDR, r.yiaddr);
  put32(b, at + SIADDR, r.siaddr);
  put32(b, at + GIADDR, r.giaddr);
  ethernet.putAddress(b, at + CHADDR, r.chaddr);
  b.fill(0, at + CHADDR + ethernet.ADDRESS_LEN, at + COOKIE);
  put32(b, at + COOKIE, COOKIE_VALUE);
  return at + LEN;
}

/**
 * Writes an option at `at` and returns the offset behind it. Data longer than 255 bytes is written in several options of the same
 * code, which clients join (RFC 3396 section 5).
 */
export function putOption(b: Uint8Array, at: number, code: number, data: ArrayLike<number>): number {
  let p = at;
  let from = 0;
  do {
    const n = Math.min(data.length - from, OPTION_MAX_LEN);
    b[p++] = code;
    b[p++] = n;
    for (let i = 0; i < n; i++) b[p++] = data[from++];
  } while (from < data.length);
  return p;
}

/** Bytes an option with `dataLen` bytes of data takes in a message. */
export const optionLen = (dataLen: number): number =>
  dataLen + OPTION_HEADER_LEN * Math.max(1, Math.ceil(dataLen / OPTION_MAX_LEN));

/** Option data of a 16-bit value. */
export const data16 = (value: number): number[] => [value >>> 8, value & 0xff];

/** Option data of 32-bit values: addresses or seconds. */
export const data32 = (...values: readonly number[]): number[] =>
  values.flatMap((v) => [v >>> 24, (v >>> 16) & 0xff, (v >>> 8) & 0xff, v & 0xff]);

/** Ends the options at `optionsEnd` and pads the message that began at `at`; returns the offset behind it. */
export function finish(b: Uint8Array, at: number, optionsEnd: number): number {
  b[optionsEnd] = END;
  const end = Math.max(optionsEnd + 1, at + MIN_LEN);
  b.fill(0, optionsEnd + 1, end);
  return end;
}

/** A route as option 121 carries it: IPv4 addresses as numbers. */
export interface ClasslessRoute {
  readonly prefix: number;
  readonly length: number;
  readonly gateway: number;
}

/** Data of option 121: per route the prefix length, the significant bytes of the prefix, the gateway (RFC 3442). */
export function classlessRoutes(routes: readonly ClasslessRoute[]): Uint8Array {
  const bytes: number[] = [];
  for (const { prefix, length, gateway } of routes) {
    bytes.push(length);
    for (let i = 0; i < Math.ceil(length / 8); i++) bytes.push((prefix >>> (24 - 8 * i)) & 0xff);
    for (let i = 0; i < 4; i++) bytes.push((gateway >>> (24 - 8 * i)) & 0xff);
  }
  return Uint8Array.from(bytes);
}
