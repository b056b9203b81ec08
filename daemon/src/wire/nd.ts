/**
 * Neighbour discovery: ICMPv6 messages 133 to 136 (RFC 4861 section 4). All offsets count from the ICMPv6 header.
 *
 *    router solicitation (133)           router advertisement (134)
 *    0     1     2        4              0     1     2        4     5     6
 *    +-----+-----+--------+---------+    +-----+-----+--------+-----+-----+----------+
 *    | 133 |  0  | chksum | 0       |    | 134 |  0  | chksum | hops|flags| lifetime |
 *    +-----+-----+--------+---------+    +-----+-----+--------+-----+-----+----------+
 *    | options                      |  8 | reachable time (ms)    | retransmission (ms) |
 *    +------------------------------+ 16 | options
 *
 *    neighbour solicitation (135)        neighbour advertisement (136)
 *    0     1     2        4              0     1     2        4
 *    +-----+-----+--------+---------+    +-----+-----+--------+-+-+-+---------+
 *    | 135 |  0  | chksum | 0       |    | 136 |  0  | chksum |R|S|O| 0       |
 *    +-----+-----+--------+---------+    +-----+-----+--------+-+-+-+---------+
 *  8 | target (16), then options    |  8 | target (16), then options          |
 *
 *    option: type, length in units of 8 bytes, data (section 4.6)
 */
import { get16, put16, put32 } from './bytes.js';
import * as ethernet from './ethernet.js';

export const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;

/** Length of a router solicitation without options. */
export const ROUTER_SOLICITATION_LEN = 8;
/** Length of a router advertisement without options. */
export const ROUTER_ADVERTISEMENT_LEN = 16;
/** Length of a neighbour solicitation or advertisement without options. */
export const NEIGHBOUR_LEN = 24;
/** Target address of a neighbour message, 16 bytes. */
export const TARGET = 8;
const FLAGS = 4;

/** Flags of a neighbour advertisement: it answers a solicitation; it replaces what was known. */
export const SOLICITED = 0x40;
export const OVERRIDE = 0x20;

/** Flags of a router advertisement: addresses by DHCPv6 (M); other configuration by DHCPv6 (O). */
export const MANAGED = 0x80;
export const OTHER_CONFIG = 0x40;

/** Flags of a prefix information option: the prefix is on the link; hosts may make addresses of it. */
export const ON_LINK = 0x80;
export const AUTONOMOUS = 0x40;

export const OPTION_SOURCE_MAC = 1;
export const OPTION_TARGET_MAC = 2;
const OPTION_PREFIX = 3;
export const OPTION_MTU = 5;

/** Every neighbour discovery message carries this hop limit: it has not been forwarded (section 7.1). */
export const HOP_LIMIT = 255;

/** Whether a whole neighbour solicitation or advertisement lies in [at, end). */
export const fits = (at: number, end: number): boolean => at + NEIGHBOUR_LEN <= end;
/** Flags of a neighbour advertisement. */
export const neighbourFlags = (b: Uint8Array, at: number): number => b[at + FLAGS];
/** Hop limit hosts are to use, from a router advertisement. */
export const routerHopLimit = (b: Uint8Array, at: number): number => b[at + 4];
/** Flags of a router advertisement. */
export const routerFlags = (b: Uint8Array, at: number): number => b[at + 5];
/** Seconds the sender is a default router; 0: it is none. */
export const routerLifetime = (b: Uint8Array, at: number): number => get16(b, at + 6);

/**
 * Offset of the first option of type `wanted` in [at, end), the option area of a message; -1 when there is none or the area is
 * malformed before it. The whole option, as long as it says, lies below `end`.
 */
export function option(b: Uint8Array, at: number, end: number, wanted: number): number {
  for (let p = at; p + 8 <= end;) {
    const length = b[p + 1] << 3;
    if (length === 0 || p + length > end) return -1;
    if (b[p] === wanted) return p;
    p += length;
  }
  return -1;
}

/** Writes a neighbour solicitation for the 16 bytes `target`, without options; the checksum comes with icmpv6.setChecksum. */
export function writeSolicitation(b: Uint8Array, at: number, target: Uint8Array): void {
  writeNeighbour(b, at, NEIGHBOUR_SOLICITATION, 0, target);
}

/** Writes a neighbour advertisement about the 16 bytes `target`, without options. */
export function writeAdvertisement(b: Uint8Array, at: number, flags: number, target: Uint8Array): void {
  writeNeighbour(b, at, NEIGHBOUR_ADVERTISEMENT, flags, target);
}

/** Turns the solicitation at `at` into the advertisement about its target, without options. */
export function turnIntoAdvertisement(b: Uint8Array, at: number, flags: number): void {
  put16(b, at, NEIGHBOUR_ADVERTISEMENT << 8);
  put16(b, at + 2, 0);
  put32(b, at + FLAGS, flags << 24);
}

function writeNeighbour(b: Uint8Array, at: number, type: number, flags: number, target: Uint8Array): void {
  put16(b, at, type << 8);
  put16(b, at + 2, 0);
  put32(b, at + FLAGS, flags << 24);
  for (let i = 0; i < 16; i++) b[at + TARGET + i] = target[i];
}

/** Writes a router solicitation without options. */
export function writeRouterSolicitation(b: Uint8Array, at: number): void {
  put32(b, at, ROUTER_SOLICITATION << 24);
  put32(b, at + 4, 0);
}

/** What a router advertisement says, options aside. */
export interface RouterAdvertisement {
  readonly hopLimit: number;
  readonly flags: number;
  /** Seconds the sender is a default router; 0: it is none. */
  readonly lifetime: number;
}

/** Writes a router advertisement without options; reachable and retransmission time are left to the hosts (0). */
export function writeRouterAdvertisement(b: Uint8Array, at: number, r: RouterAdvertisement): void {
  put32(b, at, ROUTER_ADVERTISEMENT << 24);
  b[at + 4] = r.hopLimit;
  b[at + 5] = r.flags;
  put16(b, at + 6, r.lifetime);
  put32(b, at + 8, 0);
  put32(b, at + 12, 0);
}

/** Length of a link-layer address option for Ethernet. */
export const MAC_OPTION_LEN = 8;
/** Length of an MTU option. */
export const MTU_OPTION_LEN = 8;
/** Length of a prefix information option. */
export const PREFIX_OPTION_LEN = 32;

/** Writes a link-layer address option (OPTION_SOURCE_MAC or OPTION_TARGET_MAC); returns the offset behind it. */
export function writeMacOption(b: Uint8Array, at: number, type: number, mac: Uint8Array): number {
  b[at] = type;
  b[at + 1] = 1;
  ethernet.putAddress(b, at + 2, mac);
  return at + MAC_OPTION_LEN;
}

/** Writes an MTU option; returns the offset behind it. */
export function writeMtuOption(b: Uint8Array, at: number, mtu: number): number {
  b[at] = OPTION_MTU;
  b[at + 1] = 1;
  put16(b, at + 2, 0);
  put32(b, at + 4, mtu);
  return at + MTU_OPTION_LEN;
}

/** What a prefix information option says (RFC 4861 section 4.6.2). */
export interface Prefix {
  /** 16 bytes, host bits zero. */
  readonly address: Uint8Array;
  readonly length: number;
  /** ON_LINK, AUTONOMOUS. */
  readonly flags: number;
  /** Seconds; 0xffffffff: for ever. */
  readonly validLifetime: number;
  readonly preferredLifetime: number;
}

/** Writes a prefix information option; returns the offset behind it. */
export function writePrefixOption(b: Uint8Array, at: number, prefix: Prefix): number {
  b[at] = OPTION_PREFIX;
  b[at + 1] = 4;
  b[at + 2] = prefix.length;
  b[at + 3] = prefix.flags;
  put32(b, at + 4, prefix.validLifetime);
  put32(b, at + 8, prefix.preferredLifetime);
  put32(b, at + 12, 0);
  b.set(prefix.address, at + 16);
  return at + PREFIX_OPTION_LEN;
}
