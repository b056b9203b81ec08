import { parseIpv4, parseIpv6 } from '../wire/addr.js';
import { get32 } from '../wire/bytes.js';

/** Words of an address: IPv4 has its own in the first, the others are 0. The most significant word comes first. */
const WORDS = 4;

/** Addresses that begin alike, in words as a `FlowKey` has them. */
export interface PrefixWords {
  readonly family: 4 | 6;
  readonly length: number;
  /** Host bits zero. */
  readonly first: Int32Array;
}

/** Reads an address in canonical text. Throws on anything else. */
export function addressWords(text: string): Int32Array {
  const words = new Int32Array(WORDS);
  if (!text.includes(':')) {
    words[0] = parseIpv4(text);
    return words;
  }
  const bytes = parseIpv6(text);
  for (let w = 0; w < WORDS; w++) words[w] = get32(bytes, 4 * w);
  return words;
}

/** Reads `address/length`; bits behind the length are cleared. Throws on anything else. */
export function prefixWords(text: string): PrefixWords {
  const slash = text.indexOf('/');
  const length = Number(text.slice(slash + 1));
  const family = text.includes(':') ? 6 : 4;
  if (slash < 0 || !Number.isInteger(length) || length < 0 || length > (family === 4 ? 32 : 128))
    throw new Error(`not a prefix: "${text}"`);
  const first = addressWords(text.slice(0, slash));
  for (let w = 0; w < WORDS; w++) first[w] &= wordMask(length, w);
  return { family, length, first };
}

/** The bits of word `w` of an address that a prefix of this length covers. */
export function wordMask(length: number, w: number): number {
  const bits = length - 32 * w;
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

/** Whether the address at `at` begins as the prefix does. The family is the caller's to compare. */
export function isInside({ first, length }: PrefixWords, words: Int32Array, at: number): boolean {
  for (let w = 0; 32 * w < length; w++) if (((words[at + w] ^ first[w]) & wordMask(length, w)) !== 0) return false;
  return true;
}
