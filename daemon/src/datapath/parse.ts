import { get16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
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

function parseIpv4(dp: Datapath): boolean {
  const { p, b } = dp;
  const at = p.l3At;
  if (!ipv4.wellFormed(b, at, p.end)) return false;
  p.protocol = ipv4.protocol(b, at);
  p.l4At = ipv4.fragmentOffset(b, at) === 0 ? at + ipv4.headerLen(b, at) : 0;
  return true;
}

function parseIpv6(dp: Datapath): boolean {
  const { p, b } = dp;
  const at = p.l3At;
  if (!ipv6.wellFormed(b, at, p.end)) return false;
  p.protocol = ipv6.nextHeader(b, at);
  p.l4At = at + ipv6.LEN;
  return true;
}
