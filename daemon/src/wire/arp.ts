/**
 * ARP packet for IPv4 over Ethernet, 28 bytes (RFC 826; probes and announcements: RFC 5227 section 1.1).
 *    0               2               4       5       6               8
 *    +---------------+---------------+-------+-------+---------------+
 *    | hardware type | protocol type | hlen  | plen  | operation     |
 *    +---------------+---------------+-------+-------+---------------+
 *    8                      14               18                     24               28
 *    +----------------------+----------------+----------------------+----------------+
 *    | sender MAC           | sender IP      | target MAC           | target IP      |
 *    +----------------------+----------------+----------------------+----------------+
 */
import { copy, get16, get32, put16, put32 } from './bytes.js';
import * as ethernet from './ethernet.js';

export const LEN = 28;
const HARDWARE = 0;
const PROTOCOL = 2;
const ADDRESS_LENGTHS = 4;
const OPERATION = 6;
export const SENDER_MAC = 8;
export const SENDER_IP = 14;
const TARGET_MAC = 18;
export const TARGET_IP = 24;

export const REQUEST = 1;
export const REPLY = 2;
const HARDWARE_ETHERNET = 1;
/** 6 bytes of hardware address, 4 of protocol address. */
const LENGTHS_6_4 = 0x0604;

/** Whether a whole packet lies in [at, end). Ask once; the accessors below do not ask again. */
export const fits = (at: number, end: number): boolean => at + LEN <= end;
/** Whether the packet is about IPv4 over Ethernet: nothing else has the fields read below. */
export const isEthernetIpv4 = (b: Uint8Array, at: number): boolean =>
  get16(b, at + HARDWARE) === HARDWARE_ETHERNET &&
  get16(b, at + PROTOCOL) === ethernet.TYPE_IPV4 &&
  get16(b, at + ADDRESS_LENGTHS) === LENGTHS_6_4;
/** REQUEST, REPLY or something else. */
export const operation = (b: Uint8Array, at: number): number => get16(b, at + OPERATION);
/** Address of the sender; 0 in a probe. */
export const senderIp = (b: Uint8Array, at: number): number => get32(b, at + SENDER_IP);
/** Address asked for or answered to. */
export const targetIp = (b: Uint8Array, at: number): number => get32(b, at + TARGET_IP);

/** Turns the request at `at` into the reply that says its target is at the 6 bytes of `mac`. */
export function turnIntoReply(b: Uint8Array, at: number, mac: Uint8Array): void {
  const target = targetIp(b, at);
  put16(b, at + OPERATION, REPLY);
  copy(b, at + SENDER_MAC, at + TARGET_MAC, TARGET_MAC - SENDER_MAC);
  ethernet.putAddress(b, at + SENDER_MAC, mac);
  put32(b, at + SENDER_IP, target);
}

/** Writes a whole packet; the MAC addresses are the first 6 bytes of `senderMac` and `targetMac`. */
export function write(
  b: Uint8Array,
  at: number,
  op: number,
  senderMac: Uint8Array,
  sender: number,
  targetMac: Uint8Array,
  target: number,
): void {
  put16(b, at + HARDWARE, HARDWARE_ETHERNET);
  put16(b, at + PROTOCOL, ethernet.TYPE_IPV4);
  put16(b, at + ADDRESS_LENGTHS, LENGTHS_6_4);
  put16(b, at + OPERATION, op);
  ethernet.putAddress(b, at + SENDER_MAC, senderMac);
  put32(b, at + SENDER_IP, sender);
  ethernet.putAddress(b, at + TARGET_MAC, targetMac);
  put32(b, at + TARGET_IP, target);
}
