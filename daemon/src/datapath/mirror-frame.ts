import { FRAGMENT } from '../packet/packet.js';
import { FLOW } from '../tables/flow.js';
import type { UdpTunnel } from '../tables/udp-tunnel.js';
import type { Vif } from '../tables/vif.js';
import { equal, get16, get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as ipv6Fragment from '../wire/ipv6-fragment.js';
import * as metadata from '../wire/mirror-metadata.js';
import * as udp from '../wire/udp.js';
import * as vlan from '../wire/vlan.js';
import type { Datapath } from './datapath.js';
import { outerPort } from './flow-key.js';
import { writePorts } from './flow-ports.js';
import { ipEnd } from './parse.js';

/*
 * What is in frames that are copied: the flow that decides the port of the copy, another copy, an error about one.
 */

const IPV4_KEY = 4 << 8;
const IPV6_KEY = 6 << 8;

/**
 * UDP source port of a copy of the frame in hand: made of its flow, folded as fat-flow rules would, so that it is one for each direction
 * of a session; that of the nexthop for what is not IP.
 */
export function sourcePort(dp: Datapath, { sourcePort: fallback }: UdpTunnel): number {
  const { p, b, mirrors: state } = dp;
  if (p.protocol < 0) return fallback;
  const { sender, receiver } = state;
  const isIpv4 = p.etherType === ethernet.TYPE_IPV4;
  // Words behind the addresses of IPv4 are 0 from the start.
  const key = isIpv4 ? state.key4 : state.key6;
  if (isIpv4) {
    key[FLOW.protocol] = IPV4_KEY | p.protocol;
    key[FLOW.source] = get32(b, p.l3At + ipv4.SRC);
    key[FLOW.destination] = get32(b, p.l3At + ipv4.DST);
  } else {
    key[FLOW.protocol] = IPV6_KEY | p.protocol;
    for (let w = 0; w < 4; w++) {
      key[FLOW.source + w] = get32(b, p.l3At + ipv6.SRC + 4 * w);
      key[FLOW.destination + w] = get32(b, p.l3At + ipv6.DST + 4 * w);
    }
  }
  key[FLOW.keyNh] = state.keyNh;
  // Fragments behind the first have no ports, so that the first does not show its own.
  key[FLOW.ports] = 0;
  if (p.fragment === FRAGMENT.none && p.l4At > 0) writePorts(b, p.protocol, p.l4At, ipEnd(dp), key);
  if (sender?.fatFlows?.mask(key, true) !== true) receiver?.fatFlows?.mask(key, false);
  return outerPort(key, state.keyNh, 0);
}

/**
 * Whether the frame in hand is a copy for this analyzer, or a copy of one, and so on: to copy that for it would go on for ever where
 * analyzers mirror each other. Of fragments, and what is in them, it is seen as far as they go.
 */
export function isForItself({ p, b, mirrors: { found } }: Datapath, analyzer: UdpTunnel): boolean {
  const { end } = p;
  let at = p.at;
  for (;;) {
    const udpAt = datagramAt(b, at, end);
    if (udpAt === NONE) return false;
    const l3At = vlan.typeAt(b, at, end) + 2;
    // Behind the first fragment nothing is to be seen but whom it is for.
    if (udpAt === LATER) return isTo(b, l3At, analyzer);
    const inner = metadata.parse(b, udpAt + udp.LEN, end, found);
    if (inner < 0) return false;
    if (isTo(b, l3At, analyzer) && udp.dstPort(b, udpAt) === analyzer.destinationPort) return true;
    at = inner;
  }
}

/** No UDP; a fragment of UDP without its header. */
const NONE = -1;
const LATER = -2;

/** Offset of the UDP header in the frame [at, end), which may be cut off; NONE, LATER. */
function datagramAt(b: Uint8Array, at: number, end: number): number {
  const typeAt = vlan.typeAt(b, at, end);
  if (typeAt < 0) return NONE;
  const l3At = typeAt + 2;
  const type = get16(b, typeAt);
  if (type === ethernet.TYPE_IPV4) {
    if (!ipv4.fits(l3At, end) || ipv4.protocol(b, l3At) !== ipv4.PROTOCOL_UDP) return NONE;
    if (ipv4.fragmentOffset(b, l3At) > 0) return LATER;
    const l4At = l3At + ipv4.headerLen(b, l3At);
    return udp.fits(l4At, end) ? l4At : NONE;
  }
  if (type !== ethernet.TYPE_IPV6 || !ipv6.fits(l3At, end)) return NONE;
  let next = ipv6.nextHeader(b, l3At);
  let l4At = l3At + ipv6.LEN;
  if (next === ipv6.FRAGMENT && ipv6Fragment.fits(l4At, end)) {
    next = ipv6Fragment.nextHeader(b, l4At);
    if (next === ipv4.PROTOCOL_UDP && ipv6Fragment.offset(b, l4At) > 0) return LATER;
    l4At += ipv6Fragment.LEN;
  }
  return next === ipv4.PROTOCOL_UDP && udp.fits(l4At, end) ? l4At : NONE;
}

function isTo(b: Uint8Array, at: number, { destination, isIpv6 }: UdpTunnel): boolean {
  if (ipv4.version(b, at) !== (isIpv6 ? 6 : 4)) return false;
  return isIpv6
    ? equal(b, at + ipv6.DST, destination, 0, ipv6.ADDRESS_LEN)
    : equal(b, at + ipv4.DST, destination, 0, 4);
}

/** Whether the ICMP error in hand, which was read, quotes a copy for some analyzer. */
export function isAboutCopy({ p, b, tables }: Datapath): boolean {
  const isIpv6 = p.etherType === ethernet.TYPE_IPV6;
  const quoteAt = p.l4At + (isIpv6 ? icmpv6.LEN : icmp.LEN);
  for (let id = 0; id < tables.mirrors.size; id++) {
    const mirror = tables.mirrors.get(id);
    const analyzer = mirror && tables.nexthops.get(mirror.record.nexthop)?.udp;
    if (analyzer && analyzer.isIpv6 === isIpv6 && isQuoted(b, quoteAt, p.end, analyzer)) return true;
  }
  return false;
}

/**
 * The mirror of the interface that suppresses the frame in hand, as it is an ICMP error about a copy of that mirror; -1: none does. Of
 * the frame nothing but its place is known.
 */
export function isErrorAboutCopy({ p, b, tables }: Datapath, out: Vif): number {
  if (out.mirrors === null || p.end - p.at < ethernet.LEN + ipv4.LEN) return -1;
  const type = ethernet.type(b, p.at);
  const at = p.at + ethernet.LEN;
  const quoteAt =
    type === ethernet.TYPE_IPV4 ? quoted4(b, at, p.end) : type === ethernet.TYPE_IPV6 ? quoted6(b, at, p.end) : -1;
  if (quoteAt < 0) return -1;
  for (let i = 0; i < out.mirrors.length; i++) {
    const mirror = tables.mirrors.get(out.mirrors[i]);
    if (mirror?.record.suppressErrors !== true) continue;
    const analyzer = tables.nexthops.get(mirror.record.nexthop)?.udp;
    if (analyzer && analyzer.isIpv6 === (type === ethernet.TYPE_IPV6) && isQuoted(b, quoteAt, p.end, analyzer))
      return mirror.record.id;
  }
  return -1;
}

/** Offset of the packet that the ICMP error in the IPv4 packet [at, end) quotes, -1: it is none. */
function quoted4(b: Uint8Array, at: number, end: number): number {
  if (ipv4.protocol(b, at) !== ipv4.PROTOCOL_ICMP || !ipv4.wellFormed(b, at, end) || ipv4.isFragment(b, at)) return -1;
  const l4At = at + ipv4.headerLen(b, at);
  if (!icmp.fits(l4At, end) || !icmp.isError(b, l4At)) return -1;
  const quoteAt = l4At + icmp.LEN;
  return ipv4.fits(quoteAt, end) && ipv4.version(b, quoteAt) === 4 ? quoteAt : -1;
}

function quoted6(b: Uint8Array, at: number, end: number): number {
  if (!ipv6.wellFormed(b, at, end) || ipv6.nextHeader(b, at) !== ipv6.PROTOCOL_ICMPV6) return -1;
  const l4At = at + ipv6.LEN;
  if (!icmpv6.fits(l4At, end) || !icmpv6.isError(b, l4At)) return -1;
  const quoteAt = l4At + icmpv6.LEN;
  return ipv6.fits(quoteAt, end) && ipv6.version(b, quoteAt) === 6 ? quoteAt : -1;
}

/** Whether the packet quoted at `at` is a UDP datagram for the analyzer. */
function isQuoted(
  b: Uint8Array,
  at: number,
  end: number,
  { destination, destinationPort, isIpv6 }: UdpTunnel,
): boolean {
  const protocol = isIpv6 ? ipv6.nextHeader(b, at) : ipv4.protocol(b, at);
  const l4At = isIpv6 ? at + ipv6.LEN : at + ipv4.headerLen(b, at);
  const addressAt = at + (isIpv6 ? ipv6.DST : ipv4.DST);
  return (
    protocol === ipv4.PROTOCOL_UDP &&
    equal(b, addressAt, destination, 0, destination.length) &&
    l4At + 4 <= end &&
    get16(b, l4At + 2) === destinationPort
  );
}
