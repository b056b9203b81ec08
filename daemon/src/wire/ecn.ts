/**
 * Explicit congestion notification: the low two bits of the traffic class (RFC 3168 section 5), and what becomes of those of an
 * inner packet when its outer header is taken off (RFC 6040 section 4.2).
 */

export const NOT_CAPABLE = 0;
const CAPABLE_1 = 1;
const CAPABLE_0 = 2;
const CONGESTED = 3;

/** ECN of a traffic class or TOS. */
export const ecn = (trafficClass: number): number => trafficClass & 3;

/** ECN of the packet that goes on; -1: it is to be dropped, as its ends could not be told of the congestion. */
export function unwrapped(inner: number, outer: number): number {
  if (outer === CONGESTED) return inner === NOT_CAPABLE ? -1 : CONGESTED;
  return outer === CAPABLE_1 && inner === CAPABLE_0 ? CAPABLE_1 : inner;
}
