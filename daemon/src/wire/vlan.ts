/**
 * VLAN tag, 4 bytes in front of the EtherType of a frame (IEEE 802.1Q clause 9).
 *    0               2                               4
 *    +---------------+-----+---+---------------------+---------------
 *    | TPID (16)     | PCP |DEI| VLAN identifier(12) | type of the payload
 *    +---------------+-----+---+---------------------+---------------
 * A tag stands where an untagged frame has its EtherType, so `at` is an EtherType's offset before and after each tag.
 */
import { get16, put16 } from './bytes.js';
import * as ethernet from './ethernet.js';

export const LEN = 4;
const TCI = 2;
/** Tags we look behind: a service tag and a customer tag. */
const MAX_TAGS = 2;

/** Whether this EtherType announces a tag. */
export const isTag = (etherType: number): boolean =>
  etherType === ethernet.TYPE_VLAN || etherType === ethernet.TYPE_SERVICE_VLAN;
/** VLAN identifier, 0..4095; 0: a priority tag. */
export const id = (b: Uint8Array, at: number): number => get16(b, at + TCI) & 0x0fff;
/** Priority code point, 0..7. */
export const priority = (b: Uint8Array, at: number): number => b[at + TCI] >>> 5;

/** Writes a whole tag, drop eligible bit 0. */
export function write(b: Uint8Array, at: number, tpid: number, vlanId: number, pcp: number): void {
  put16(b, at, tpid);
  put16(b, at + TCI, ((pcp & 7) << 13) | (vlanId & 0x0fff));
}

/**
 * Offset of the EtherType behind all tags of the frame whose Ethernet header is at `at`; -1 when it does not lie below `end`.
 * Behind two tags nothing is looked at: a third one is what the caller finds there.
 */
export function typeAt(b: Uint8Array, at: number, end: number): number {
  let p = at + ethernet.TYPE;
  if (p + 2 > end) return -1;
  for (let tags = 0; tags < MAX_TAGS && isTag(get16(b, p)); tags++) {
    p += LEN;
    if (p + 2 > end) return -1;
  }
  return p;
}
