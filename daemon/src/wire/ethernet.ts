/**
 * Ethernet II header, 14 bytes (IEEE 802.3; EtherTypes: RFC 9542).
 *    0               6              12      14
 *    +---------------+---------------+-------+
 *    | destination   | source        | type  |
 *    +---------------+---------------+-------+
 */
import { get16, put16 } from './bytes.js';

export const LEN = 14;
/** Bytes of a MAC address. */
export const ADDRESS_LEN = 6;
export const DST = 0;
export const SRC = 6;
export const TYPE = 12;

export const TYPE_IPV4 = 0x0800;
export const TYPE_ARP = 0x0806;
/** Tag of a customer VLAN (802.1Q). */
export const TYPE_VLAN = 0x8100;
/** Tag of a service VLAN (802.1ad). */
export const TYPE_SERVICE_VLAN = 0x88a8;
export const TYPE_IPV6 = 0x86dd;

/** MAC of every network's gateway, and of the datapath's end of every port. */
export const GATEWAY_MAC = '00:00:5e:00:01:00';
/** The address of everybody, as text and as bytes. */
export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';
export const BROADCAST = new Uint8Array(6).fill(0xff);

/** Whether a whole header lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** EtherType; of a tagged frame that of the outer tag. */
export const type = (b: Uint8Array, at: number): number => get16(b, at + TYPE);
/** Whether this EtherType is that of IPv4 or IPv6. */
export const isIp = (etherType: number): boolean => etherType === TYPE_IPV4 || etherType === TYPE_IPV6;
/** Whether the destination is a group address: multicast or broadcast. */
export const isMulticast = (b: Uint8Array, at: number): boolean => (b[at + DST] & 1) !== 0;
/** Whether the destination is ff:ff:ff:ff:ff:ff. */
export const isBroadcast = (b: Uint8Array, at: number): boolean =>
  (b[at] & b[at + 1] & b[at + 2] & b[at + 3] & b[at + 4] & b[at + 5]) === 0xff;

/** Writes the MAC address `address[from..from+6)` at `at`. */
export function putAddress(b: Uint8Array, at: number, address: Uint8Array, from = 0): void {
  for (let i = 0; i < ADDRESS_LEN; i++) b[at + i] = address[from + i];
}

/** Writes a whole header; `dst` and `src` are MAC addresses of 6 bytes. */
export function write(b: Uint8Array, at: number, dst: Uint8Array, src: Uint8Array, etherType: number): void {
  putAddress(b, at + DST, dst);
  putAddress(b, at + SRC, src);
  put16(b, at + TYPE, etherType);
}
