/** Fragments of IPv4 packets (RFC 791 section 3.2). */
import { put16 } from './bytes.js';
import * as checksum from './checksum.js';
import * as ipv4 from './ipv4.js';

/** Fragments carry multiples of this (RFC 791 section 2.3). */
export const UNIT = 8;
/** IPv4 options: end of list, no operation, and the bit of those that every fragment has (RFC 791 section 3.1). */
const OPTION_END = 0;
const OPTION_NONE = 1;
const OPTION_COPIED = 0x80;

/**
 * Makes the header at `at`, still that of the whole packet, that of a fragment.
 * @param done bytes of data in front of it, a multiple of UNIT; @param more whether others come behind it.
 */
export function finish(b: Uint8Array, at: number, totalLength: number, done: number, more: boolean): void {
  const headerEnd = at + ipv4.headerLen(b, at);
  put16(b, at + ipv4.TOTAL_LENGTH, totalLength);
  put16(b, at + ipv4.FLAGS_AND_OFFSET, (ipv4.flagsAndOffset(b, at) + done / UNIT) | (more ? ipv4.MF : 0));
  if (done > 0) clearOptions(b, at + ipv4.LEN, headerEnd);
  put16(b, at + ipv4.CHECKSUM, 0);
  put16(b, at + ipv4.CHECKSUM, checksum.checksum(b, at, headerEnd));
}

/** Overwrites the options in [at, end) that belong into the first fragment alone. */
function clearOptions(b: Uint8Array, at: number, end: number): void {
  for (let option = at; option < end && b[option] !== OPTION_END;) {
    const length = b[option] === OPTION_NONE ? 1 : option + 1 < end ? Math.max(b[option + 1], 2) : 1;
    const next = Math.min(option + length, end);
    if ((b[option] & OPTION_COPIED) === 0) b.fill(OPTION_NONE, option, next);
    option = next;
  }
}
