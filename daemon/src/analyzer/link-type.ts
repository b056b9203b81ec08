/** Link types of capture files (tcpdump.org/linktypes.html) whose packets can be taken apart. */
import { get16 } from '../wire/bytes.js';
import { TYPE_IPV4, TYPE_IPV6 } from '../wire/ethernet.js';

export const LINK = {
  ethernet: 1,
  /** IP without anything in front. */
  raw: 101,
  /** What a capture at all interfaces has: an EtherType behind some 14 bytes, and the same in front of 18. */
  linuxCooked: 113,
  linuxCooked2: 276,
} as const;

const COOKED_LEN = 16;
const COOKED_2_LEN = 20;

export const isKnownLink = (type: number): boolean => Object.values(LINK).some((one) => one === type);

/** EtherType and offset of what such a packet carries; null: nothing that lies below `end`. Not for Ethernet. */
export function linkPayload(
  linkType: number,
  b: Uint8Array,
  at: number,
  end: number,
): { readonly type: number; readonly at: number } | null {
  switch (linkType) {
    case LINK.raw:
      return at < end ? { type: b[at] >>> 4 === 6 ? TYPE_IPV6 : TYPE_IPV4, at } : null;
    case LINK.linuxCooked:
      return at + COOKED_LEN <= end ? { type: get16(b, at + COOKED_LEN - 2), at: at + COOKED_LEN } : null;
    case LINK.linuxCooked2:
      return at + COOKED_2_LEN <= end ? { type: get16(b, at), at: at + COOKED_2_LEN } : null;
    default:
      return null;
  }
}
