import { FRAGMENT } from '../packet/packet.js';
import { get16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as ipv6Fragment from '../wire/ipv6-fragment.js';
import * as vlan from '../wire/vlan.js';
import type { Datapath } from './datapath.js';

/** Reads the Ethernet header and what VLAN tags follow it into the packet. False: the frame is too short for them. */
export function parseEthernet(dp: Datapath): boolean {
  const { p, b } = dp;
  const typeAt = vlan.typeAt(b, p.at, p.end);
  if (typeAt < 0) return false;
  p.etherType = get16(b, typeAt);
  p.tagged = typeAt !== p.at + ethernet.TYPE;
  p.l3At = typeAt + 2;
  p.protocol = -1;
  p.l4At = 0;
  p.fragment = FRAGMENT.none;
  p.isQuoting = false;
  return true;
}

/**
 * Reads the IP header into the packet. False: it is IP and malformed. Anything that is not IP
 * is fine and has no protocol.
 */
export function parse(dp: Datapath): boolean {
  switch (dp.p.etherType) {
    case ethernet.TYPE_IPV4:
      return parseIpv4(dp);
    case ethernet.TYPE_IPV6:
      return parseIpv6(dp);
    default:
      return true;
  }
}

/** Offset of the first byte behind the IP packet in hand, which parse() has accepted: frames may be padded. */
export function ipEnd({ p, b }: Datapath): number {
  if (p.etherType === ethernet.TYPE_IPV4) return p.l3At + ipv4.totalLength(b, p.l3At);
  return p.l3At + ipv6.LEN + ipv6.payloadLength(b, p.l3At);
}

function parseIpv4(dp: Datapath): boolean {
  const { p, b } = dp;
  const at = p.l3At;
  if (!ipv4.wellFormed(b, at, p.end)) return false;
  p.protocol = ipv4.protocol(b, at);
  if (ipv4.isFragment(b, at)) p.fragment = ipv4.fragmentOffset(b, at) === 0 ? FRAGMENT.head : FRAGMENT.later;
  p.l4At = p.fragment === FRAGMENT.later ? 0 : at + ipv4.headerLen(b, at);
  return true;
}

/** Of the extension headers, the fragment header alone is looked behind; others count as the protocol. */
function parseIpv6(dp: Datapath): boolean {
  const { p, b } = dp;
  const at = p.l3At;
  if (!ipv6.wellFormed(b, at, p.end)) return false;
  p.protocol = ipv6.nextHeader(b, at);
  p.l4At = at + ipv6.LEN;
  if (p.protocol !== ipv6.FRAGMENT) return true;

  const fragmentAt = p.l4At;
  if (!ipv6Fragment.fits(fragmentAt, at + ipv6.LEN + ipv6.payloadLength(b, at))) return false;
  p.protocol = ipv6Fragment.nextHeader(b, fragmentAt);
  p.l4At += ipv6Fragment.LEN;
  if (ipv6Fragment.offset(b, fragmentAt) > 0) {
    p.fragment = FRAGMENT.later;
    p.l4At = 0;
  } else if (ipv6Fragment.more(b, fragmentAt)) {
    p.fragment = FRAGMENT.head;
  }
  return true;
}
