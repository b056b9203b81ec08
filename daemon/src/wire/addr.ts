/**
 * Addresses as text and as bytes. MAC and IPv6 addresses are arrays of 6 and 16 bytes, IPv4 addresses are numbers. Parsing throws
 * an Error that quotes what it was given.
 */
import { get16, get32, put16, put32 } from './bytes.js';
import { ADDRESS_LEN as MAC_LEN } from './ethernet.js';
import { ADDRESS_LEN as IPV6_LEN } from './ipv6.js';

const IPV6_GROUPS = 8;

/** Which family the address belongs to: 4, 6, or 0 when it is no address. */
export function family(text: string): 4 | 6 | 0 {
  if (readIpv4(text) >= 0) return 4;
  return readIpv6(text) === undefined ? 0 : 6;
}

/** Whether the text of an address or prefix, which it is, is one of IPv6. */
export const isIpv6 = (text: string): boolean => text.includes(':');
/** Family of an address or prefix. */
export const familyOf = (text: string): 'inet' | 'inet6' => (isIpv6(text) ? 'inet6' : 'inet');
/** Bits of an address of the family of this one. */
export const hostLength = (text: string): 32 | 128 => (isIpv6(text) ? 128 : 32);

/** `00:00:5e:00:01:00` or, as ether_ntoa writes it, `0:0:5e:0:1:0`. */
export function parseMac(text: string): Uint8Array {
  const groups = text.split(':');
  if (groups.length !== MAC_LEN || !groups.every((group) => /^[0-9a-f]{1,2}$/i.test(group))) {
    throw new Error(`not a MAC address: "${text}"`);
  }
  return Uint8Array.from(groups, (group) => parseInt(group, 16));
}

/** The MAC address at `at` in six groups of two digits. */
export function formatMac(b: Uint8Array, at = 0): string {
  return Array.from(b.subarray(at, at + MAC_LEN), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Four decimal groups without leading zeros. */
export function parseIpv4(text: string): number {
  const value = readIpv4(text);
  if (value < 0) throw new Error(`not an IPv4 address: "${text}"`);
  return value;
}

/** Dotted quad. */
export const formatIpv4 = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;

/** Any form of RFC 4291 section 2.2, the one with an IPv4 tail included; no zone. */
export function parseIpv6(text: string): Uint8Array {
  const bytes = readIpv6(text);
  if (bytes === undefined) throw new Error(`not an IPv6 address: "${text}"`);
  return bytes;
}

/** An address of either family: 4 or 16 bytes. */
export function parseAddress(text: string): Uint8Array {
  if (isIpv6(text)) return parseIpv6(text);
  const bytes = new Uint8Array(4);
  put32(bytes, 0, parseIpv4(text));
  return bytes;
}

/** An address of 4 or 16 bytes in canonical text. */
export const formatAddress = (b: Uint8Array): string => (b.length === 4 ? formatIpv4(get32(b, 0)) : formatIpv6(b));

/** The IPv6 address at `at` in the form of RFC 5952; IPv4-mapped ones with a dotted quad (section 5). */
export function formatIpv6(b: Uint8Array, at = 0): string {
  const groups = Array.from({ length: IPV6_GROUPS }, (_, i) => get16(b, at + 2 * i));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatIpv4((groups[6] << 16) | groups[7])}`;
  }
  const zeros = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (zeros.length < 2) return hex.join(':');
  return `${hex.slice(0, zeros.start).join(':')}::${hex.slice(zeros.start + zeros.length).join(':')}`;
}

/** The first of the longest runs of zero groups. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, i) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  });
  return best;
}

/** The address, or -1. */
function readIpv4(text: string): number {
  const groups = text.split('.');
  if (groups.length !== 4) return -1;
  let value = 0;
  for (const group of groups) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(group) || Number(group) > 255) return -1;
    value = value * 256 + Number(group);
  }
  return value;
}

function readIpv6(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(IPV6_LEN);
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const last = halves.length - 1;
  const groups = halves.map((half, i) => readGroups(half, i === last));
  const front = groups[0];
  const back = last === 0 ? [] : groups[1];
  if (front === undefined || back === undefined) return undefined;
  // "::" stands for at least one group (RFC 5952 section 4.2.2 wants two, but one is legal to read).
  const given = front.length + back.length;
  if (last === 0 ? given !== IPV6_GROUPS : given >= IPV6_GROUPS) return undefined;
  front.forEach((group, i) => {
    put16(bytes, 2 * i, group);
  });
  back.forEach((group, i) => {
    put16(bytes, IPV6_LEN - 2 * (back.length - i), group);
  });
  return bytes;
}

/** The 16-bit groups between colons; the last may be a dotted quad, two groups, where the address ends. */
function readGroups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(parseInt(part, 16));
      continue;
    }
    const ipv4 = endsAddress && i === parts.length - 1 ? readIpv4(part) : -1;
    if (ipv4 < 0) return undefined;
    groups.push(ipv4 >>> 16, ipv4 & 0xffff);
  }
  return groups;
}
