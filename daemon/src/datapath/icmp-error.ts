import { FLOW, type FlowKey } from '../tables/flow.js';
import { equal, get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import { isOrigin } from './flow-origin.js';
import { hasPorts } from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as ipv6Fragment from '../wire/ipv6-fragment.js';
import type { Datapath } from './datapath.js';
import { writePorts } from './flow-ports.js';
import { ipEnd } from './parse.js';

/*
 * ICMP errors pass with the session they are about: their flow is that of the packet they quote, turned round, so that the error of
 * whoever the packet was for, or of a router on its way, finds the entry of the answers (tf-vrouter dp-core/vr_proto_ip.c).
 *
 *    A -> B  the packet          [IP A -> B][UDP 1000 -> 53]
 *    B -> A  the error           [IP B -> A][ICMP 3][IP A -> B][UDP 1000 -> 53]
 *            its key             B -> A, UDP 53 -> 1000
 */

/** Whether the packet in hand is an ICMP error whose flow is that of what it quotes: types 3 and 11, in IPv6 1 to 4. */
export function isIcmpError({ p, b }: Datapath): boolean {
  if (p.l4At === 0) return false;
  if (p.etherType === ethernet.TYPE_IPV6) {
    if (p.protocol !== ipv6.PROTOCOL_ICMPV6 || !icmpv6.fits(p.l4At, p.end)) return false;
    const type = icmpv6.type(b, p.l4At);
    return type >= icmpv6.UNREACHABLE && type <= icmpv6.PARAMETER_PROBLEM;
  }
  if (p.protocol !== ipv4.PROTOCOL_ICMP || !icmp.fits(p.l4At, p.end)) return false;
  const type = icmp.type(b, p.l4At);
  return type === icmp.UNREACHABLE || type === icmp.TIME_EXCEEDED;
}

/**
 * Writes the key of the session the ICMP error in hand is about; its nexthop is the caller's. False: there is none, and the packet
 * was dropped. That is the end of an error about an error, of one that is not for the sender of what it quotes (else a guest could
 * reach anybody with an error about a session of its own), and of one that quotes too little.
 */
export function quotedKey(dp: Datapath, key: FlowKey): boolean {
  const { p } = dp;
  p.isQuoting = true;
  return p.etherType === ethernet.TYPE_IPV4 ? quoted4(dp, key) : quoted6(dp, key);
}

/**
 * Whether the ICMP error in hand comes in where its own source address is. Its flow does not say: the addresses there are those of
 * what it quotes.
 */
export function isFromItsSource({ p, b, tables }: Datapath): boolean {
  const vrf = tables.vrfs[p.vrf];
  if (!vrf) return false;
  const v4 = p.etherType === ethernet.TYPE_IPV4;
  const route = v4 ? vrf.inet.lookup(b, p.l3At + ipv4.SRC) : vrf.inet6.lookup(b, p.l3At + ipv6.SRC);
  return isOrigin(p, tables.nexthops.get(route.nexthop));
}

function quoted4(dp: Datapath, key: FlowKey): boolean {
  const { p, b } = dp;
  const at = p.l4At + icmp.LEN;
  const end = ipEnd(dp);
  if (!ipv4.fits(at, end) || ipv4.version(b, at) !== 4) return unusable(dp);
  const headerLen = ipv4.headerLen(b, at);
  if (headerLen < ipv4.LEN || ipv4.fragmentOffset(b, at) !== 0) return unusable(dp);

  const protocol = ipv4.protocol(b, at);
  const l4At = at + headerLen;
  if (protocol === ipv4.PROTOCOL_ICMP && icmp.fits(l4At, end) && icmp.isError(b, l4At)) return aboutError(dp);
  if (!equal(b, at + ipv4.SRC, b, p.l3At + ipv4.DST, 4)) return unusable(dp);
  for (let w = 0; w < 4; w++) key[FLOW.source + w] = key[FLOW.destination + w] = 0;
  key[FLOW.source] = get32(b, at + ipv4.DST);
  key[FLOW.destination] = get32(b, at + ipv4.SRC);
  key[FLOW.protocol] = (4 << 8) | protocol;
  return quotedPorts(dp, key, protocol, l4At, end);
}

function quoted6(dp: Datapath, key: FlowKey): boolean {
  const { p, b } = dp;
  const at = p.l4At + icmpv6.LEN;
  const end = ipEnd(dp);
  if (!ipv6.fits(at, end) || ipv6.version(b, at) !== 6) return unusable(dp);

  let protocol = ipv6.nextHeader(b, at);
  let l4At = at + ipv6.LEN;
  if (protocol === ipv6.FRAGMENT) {
    if (!ipv6Fragment.fits(l4At, end) || ipv6Fragment.offset(b, l4At) !== 0) return unusable(dp);
    protocol = ipv6Fragment.nextHeader(b, l4At);
    l4At += ipv6Fragment.LEN;
  }
  if (protocol === ipv6.PROTOCOL_ICMPV6 && icmpv6.fits(l4At, end) && icmpv6.isError(b, l4At)) return aboutError(dp);
  if (!equal(b, at + ipv6.SRC, b, p.l3At + ipv6.DST, ipv6.ADDRESS_LEN)) return unusable(dp);
  for (let w = 0; w < 4; w++) {
    key[FLOW.source + w] = get32(b, at + ipv6.DST + 4 * w);
    key[FLOW.destination + w] = get32(b, at + ipv6.SRC + 4 * w);
  }
  key[FLOW.protocol] = (6 << 8) | protocol;
  return quotedPorts(dp, key, protocol, l4At, end);
}

function quotedPorts(dp: Datapath, key: FlowKey, protocol: number, l4At: number, end: number): boolean {
  if (!writePorts(dp.b, protocol, l4At, end, key)) return unusable(dp);
  const ports = key[FLOW.ports];
  if (hasPorts(protocol)) key[FLOW.ports] = (ports << 16) | (ports >>> 16);
  return true;
}

function aboutError(dp: Datapath): boolean {
  dp.drop('icmpError');
  return false;
}

function unusable(dp: Datapath): boolean {
  dp.drop('flowUnusable');
  return false;
}
