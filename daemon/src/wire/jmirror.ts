/**
 * Header of packets mirrored by Juniper routers, 8 bytes in front of an IP packet or one of PPP (Wireshark packet-jmirror.c).
 *    0                               4                               8
 *    +-------------------------------+-------------------------------+------------------------
 *    | mirror identifier             | session identifier            | IPv4, IPv6 or PPP
 *    +-------------------------------+-------------------------------+------------------------
 */
import { get16, get32, put32 } from './bytes.js';
import { TYPE_IPV4, TYPE_IPV6 } from './ethernet.js';

export const LEN = 8;
export const UDP_PORT = 30030;

const PPP_LEN = 4;
const PPP_HEAD = 0xff03;
const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
export const mirrorId = (b: Uint8Array, at: number): number => get32(b, at);
export const sessionId = (b: Uint8Array, at: number): number => get32(b, at + 4);

/** EtherType of the packet behind the header; -1: it is none that is known. */
export function payloadType(b: Uint8Array, at: number, end: number): number {
  const p = at + LEN;
  if (p + PPP_LEN > end) return -1;
  if (b[p] >>> 4 === 4) return TYPE_IPV4;
  if (b[p] >>> 4 === 6) return TYPE_IPV6;
  if (get16(b, p) !== PPP_HEAD) return -1;
  const protocol = get16(b, p + 2);
  if ((protocol & 0x0fff) === PPP_IPV4) return TYPE_IPV4;
  return protocol === PPP_IPV6 ? TYPE_IPV6 : -1;
}

/** Offset of the IP packet behind a header whose payload has a type. */
export const payloadAt = (b: Uint8Array, at: number): number => at + LEN + (b[at + LEN] === 0xff ? PPP_LEN : 0);

export function write(b: Uint8Array, at: number, mirror: number, session: number): void {
  put32(b, at, mirror);
  put32(b, at + 4, session);
}
