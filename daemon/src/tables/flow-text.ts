import { formatIpv4, formatIpv6 } from '../wire/addr.js';
import { put32 } from '../wire/bytes.js';
import { FLOW } from './flow.js';

const IPV6_BYTES = 16;

/**
 * Bytes of the address at word `FLOW.source` or `FLOW.destination` of the entry, or key, that begins at `at`: 4 or 16, in network
 * order.
 */
export function flowAddressBytes(words: Int32Array, at: number, side: number): Uint8Array {
  const bytes = new Uint8Array(words[at + FLOW.protocol] >>> 8 === 4 ? 4 : IPV6_BYTES);
  for (let i = 0; i < bytes.length; i += 4) put32(bytes, i, words[at + side + i / 4]);
  return bytes;
}

/** The same address as text. */
export function flowAddress(words: Int32Array, at: number, side: number): string {
  if (words[at + FLOW.protocol] >>> 8 === 4) return formatIpv4(words[at + side]);
  return formatIpv6(flowAddressBytes(words, at, side));
}

/** Four words of text: the outer source address, or the index of an interface as `flow` shows it, little-endian. */
export function flowSourceInfo(word: number, fromFabric: boolean): string {
  if (fromFabric) return formatIpv4(word);
  return [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24].join('.');
}
