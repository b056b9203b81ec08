import { FRAGMENT } from '../packet/packet.js';
import { FLOW } from '../tables/flow.js';
import { NH_TYPE, VIF_ID } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import type { UdpTunnel } from '../tables/udp-tunnel.js';
import type { Vif } from '../tables/vif.js';
import { equal, get16, get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
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
 * What is in frames that are copied: the flow that decides the port of the copy, another copy.
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
 * Whether a frame is a copy for this analyzer, or a copy of one, and so on: to copy that for it would go on for ever where analyzers
 * mirror each other. Of fragments, and what is in them, it is seen as far as they go.
 *
 * Only what another host sends to somebody who gets copies may have copies in it. What guests of this host send is looked into no
 * further than whom it is for: else it would be theirs to say what is not copied.
 */
export function isForItself(dp: Datapath, analyzer: UdpTunnel): boolean {
  const { b, tables } = dp;
  const { original, found, receiver } = dp.mirrors;
  const { end } = original;
  const isOfGuest = original.peer < 0 && original.vif >= VIF_ID.firstVirtual;
  let at = original.at;
  for (let depth = 0; ; depth++) {
    const udpAt = datagramAt(b, at, end);
    // What is cut off in a copy may be one: better none of it than one for ever.
    if (udpAt === CUT) return depth > 0;
    if (udpAt === NONE) return false;
    const l3At = vlan.typeAt(b, at, end) + 2;
    const isAnalyzers = isTo(b, l3At, analyzer);
    // Behind the first fragment nothing is to be seen but whom it is for.
    if (udpAt === LATER) return isAnalyzers && (depth > 0 || isForReceiver(tables, b, l3At, receiver));
    const inner = metadata.parse(b, udpAt + udp.LEN, end, found);
    if (inner < 0) return depth > 0 && metadata.mayBeCut(inner) && isCutOff(b, l3At, end);
    if (isAnalyzers && udp.dstPort(b, udpAt) === analyzer.destinationPort) return true;
    // What is in a copy may be for analyzers that only other hosts know.
    if (depth === 0 && (isOfGuest || !isForSomebody(dp, l3At, udpAt))) return false;
    at = inner;
  }
}

/** No UDP; a fragment of UDP without its header; cut off before that shows. */
const NONE = -1;
const LATER = -2;
const CUT = -3;

/** Offset of the UDP header in the frame [at, end), which may be cut off; NONE, LATER, CUT. */
function datagramAt(b: Uint8Array, at: number, end: number): number {
  const typeAt = vlan.typeAt(b, at, end);
  if (typeAt < 0) return CUT;
  const l3At = typeAt + 2;
  const type = get16(b, typeAt);
  if (type === ethernet.TYPE_IPV4) {
    if (!ipv4.fits(l3At, end)) return CUT;
    if (ipv4.protocol(b, l3At) !== ipv4.PROTOCOL_UDP) return NONE;
    if (ipv4.fragmentOffset(b, l3At) > 0) return LATER;
    const l4At = l3At + ipv4.headerLen(b, l3At);
    return udp.fits(l4At, end) ? l4At : CUT;
  }
  if (type !== ethernet.TYPE_IPV6) return NONE;
  if (!ipv6.fits(l3At, end)) return CUT;
  let next = ipv6.nextHeader(b, l3At);
  let l4At = l3At + ipv6.LEN;
  if (next === ipv6.FRAGMENT) {
    if (!ipv6Fragment.fits(l4At, end)) return CUT;
    next = ipv6Fragment.nextHeader(b, l4At);
    if (next === ipv4.PROTOCOL_UDP && ipv6Fragment.offset(b, l4At) > 0) return LATER;
    l4At += ipv6Fragment.LEN;
  }
  if (next !== ipv4.PROTOCOL_UDP) return NONE;
  return udp.fits(l4At, end) ? l4At : CUT;
}

/** Whether the IP packet at `at` says it is longer than what is there of it. */
const isCutOff = (b: Uint8Array, at: number, end: number): boolean =>
  at + (ipv4.version(b, at) === 4 ? ipv4.totalLength(b, at) : ipv6.LEN + ipv6.payloadLength(b, at)) > end;

function isTo(b: Uint8Array, at: number, { destination, isIpv6 }: UdpTunnel): boolean {
  if (ipv4.version(b, at) !== (isIpv6 ? 6 : 4)) return false;
  return isIpv6
    ? equal(b, at + ipv6.DST, destination, 0, ipv6.ADDRESS_LEN)
    : equal(b, at + ipv4.DST, destination, 0, 4);
}

/** Whether the datagram is for whom it goes to, or some analyzer that mirrors of this host know. */
function isForSomebody({ b, tables, mirrors: { receiver } }: Datapath, l3At: number, udpAt: number): boolean {
  if (isForReceiver(tables, b, l3At, receiver)) return true;
  const { mirrors, nexthops } = tables;
  for (let id = 0; id < mirrors.size; id++) {
    const mirror = mirrors.get(id);
    const analyzer = mirror && nexthops.get(mirror.record.nexthop)?.udp;
    if (analyzer && isTo(b, l3At, analyzer) && udp.dstPort(b, udpAt) === analyzer.destinationPort) return true;
  }
  return false;
}

/** Whether the IP packet at `at` is for the guest it goes to: for an address of its own, or one that is routed to it. */
function isForReceiver({ vrfs, nexthops }: Tables, b: Uint8Array, at: number, receiver: Vif | null): boolean {
  const vrf = receiver === null ? undefined : vrfs[receiver.vrf];
  if (receiver === null || vrf === undefined) return false;
  const isIpv6 = ipv4.version(b, at) === 6;
  const addressAt = at + (isIpv6 ? ipv6.DST : ipv4.DST);
  const own = isIpv6 ? receiver.address6 : receiver.address;
  if (own !== null && equal(b, addressAt, own, 0, own.length)) return true;
  const nexthop = nexthops.get((isIpv6 ? vrf.inet6 : vrf.inet).lookup(b, addressAt).nexthop);
  return nexthop?.type === NH_TYPE.encap && nexthop.oif === receiver.id;
}
