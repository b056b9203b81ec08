import * as addr from '../wire/addr.js';

export type Family = 4 | 6;

/** Bits of an address. */
const ADDRESS_BITS = { 4: 32, 6: 128 } as const;

/** An IP address as a number, so that plans of subnets of any size are arithmetic. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** The addresses a prefix covers; `first` is the prefix's own address. */
export interface Prefix {
  readonly family: Family;
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads an IPv4 or IPv6 address; throws on anything else. */
export function parseAddress(text: string): Address {
  if (addr.family(text) === 4) return { family: 4, value: BigInt(addr.parseIpv4(text)) };
  return { family: 6, value: BigInt(`0x${Buffer.from(addr.parseIpv6(text)).toString('hex')}`) };
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatAddress(family: Family, value: bigint): string {
  if (family === 4) return addr.formatIpv4(Number(value));
  return addr.formatIpv6(Buffer.from(value.toString(16).padStart(32, '0'), 'hex'));
}

/** Reads `address/length`. Throws when it is not that, and when bits are set behind the length. */
export function parsePrefix(text: string): Prefix {
  const parts = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (parts === null) throw new Error('is not a prefix');

  const { family, value } = parseAddress(parts[1]);
  const length = Number(parts[2]);
  if (length > ADDRESS_BITS[family]) throw new Error('is not a prefix');

  const hostMask = (1n << BigInt(ADDRESS_BITS[family] - length)) - 1n;
  if ((value & hostMask) !== 0n) {
    throw new Error('has bits set behind its length');
  }
  return { family, length, first: value, last: value | hostMask };
}

/** Canonical text of a prefix. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.family, prefix.first)}/${prefix.length}`;
}

/** What is left of a prefix without others, as few prefixes as that takes, in ascending order. */
export function* withoutPrefixes(prefix: Prefix, holes: readonly Prefix[]): Generator<Prefix> {
  const { family, length, first, last } = prefix;
  const inside = holes.filter((hole) => hole.family === family && hole.first <= last && first <= hole.last);
  if (inside.length === 0) yield prefix;
  if (inside.length === 0 || inside.some((hole) => hole.first <= first && last <= hole.last)) return;
  const middle = first + ((last - first + 1n) >> 1n);
  const half = { family, length: length + 1 };
  const halves = [
    { ...half, first, last: middle - 1n },
    { ...half, first: middle, last },
  ];
  for (const one of halves) yield* withoutPrefixes(one, inside);
}

export function contains(prefix: Prefix, address: Address): boolean {
  return address.family === prefix.family && address.value >= prefix.first && address.value <= prefix.last;
}
