import { MIRROR } from '../tables/counters.js';
import { NH_TYPE } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import { equal } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as ipv6Fragment from '../wire/ipv6-fragment.js';
import * as metadata from '../wire/mirror-metadata.js';
import * as udp from '../wire/udp.js';
import type { Datapath } from './datapath.js';
import { isFromItsSource } from './icmp-error.js';
import { ipEnd } from './parse.js';
import { FIRST_PORT } from './tunnel-entropy.js';

/*
 * ICMP errors about copies: who is mirrored gets copies sent in its name, and so the errors about them. They are kept from it, unless
 * its mirror says otherwise.
 */

/**
 * The ICMP error in hand, which was read, is of no session: it goes on where it is about a copy, to a guest whose mirror wants errors to
 * pass, from where it seems to come. Returns whether it does; else it was dropped.
 * @param from interface it came in by. @param out interface it goes out of, when that is known; else -1.
 */
export function errorWithoutFlow(dp: Datapath, from: Vif, out: number): boolean {
  const { p, b, tables } = dp;
  if (tables.mirrors.size === 0) return refuse(dp);
  const quoteAt = p.l4At + (p.etherType === ethernet.TYPE_IPV6 ? icmpv6.LEN : icmp.LEN);
  const end = ipEnd(dp);
  const own = receiverOf(dp, out)?.mirrors ?? null;
  for (let i = 0; own !== null && i < own.length; i++) {
    if (!isAbout(dp, own[i], quoteAt, end)) continue;
    if (tables.mirrors.get(own[i])?.record.suppressErrors === true) return suppress(dp, own[i]);
    return ((!from.isChecked || from.owns(b, p.at + ethernet.SRC)) && isFromItsSource(dp)) || refuse(dp);
  }
  // Those of policies are not the interface's.
  for (let id = 0; id < tables.mirrors.size; id++)
    if (tables.mirrors.get(id)?.record.suppressErrors === true && isAbout(dp, id, quoteAt, end))
      return suppress(dp, id);
  return refuse(dp);
}

/** Drops the frame in hand where it is an ICMP error about a copy of a mirror of the interface it leaves by. Returns whether it goes on. */
export function passesErrors(dp: Datapath, out: Vif): boolean {
  const about = suppressedBy(dp, out);
  return about < 0 || suppress(dp, about);
}

function suppress(dp: Datapath, mirror: number): false {
  dp.counters.words[dp.counters.mirrorAt(mirror) + MIRROR.suppressed]++;
  dp.drop('mirrorError');
  return false;
}

function refuse(dp: Datapath): false {
  dp.drop('flowUnusable');
  return false;
}

/** The interface of this host that the packet in hand goes to: by its MAC, or by its address where that is the gateway's. */
function receiverOf({ p, b, tables }: Datapath, out: number): Vif | undefined {
  if (out >= 0) return tables.vifs.get(out);
  const slot = tables.bridge.find(p.vrf, b, p.at + ethernet.DST);
  let nexthop = slot < 0 ? undefined : tables.nexthops.get(tables.bridge.nexthop(slot));
  if (nexthop?.type === NH_TYPE.l2Receive) {
    const vrf = tables.vrfs[p.vrf];
    const isIpv4 = p.etherType === ethernet.TYPE_IPV4;
    const route = isIpv4 ? vrf?.inet.lookup(b, p.l3At + ipv4.DST) : vrf?.inet6.lookup(b, p.l3At + ipv6.DST);
    nexthop = route && tables.nexthops.get(route.nexthop);
  }
  return nexthop?.type === NH_TYPE.encap ? tables.vifs.get(nexthop.oif) : undefined;
}

/**
 * The mirror of the interface that suppresses the frame in hand, as it is an ICMP error about a copy of that mirror; -1: none does. Of
 * the frame nothing but its place is known.
 */
function suppressedBy(dp: Datapath, out: Vif): number {
  const { p, b, tables } = dp;
  if (out.mirrors === null || p.end - p.at < ethernet.LEN + ipv4.LEN) return -1;
  const type = ethernet.type(b, p.at);
  const at = p.at + ethernet.LEN;
  const isIpv4 = type === ethernet.TYPE_IPV4;
  const quoteAt = isIpv4 ? quoted4(b, at, p.end) : type === ethernet.TYPE_IPV6 ? quoted6(b, at, p.end) : -1;
  if (quoteAt < 0) return -1;
  const end = at + (isIpv4 ? ipv4.totalLength(b, at) : ipv6.LEN + ipv6.payloadLength(b, at));
  for (let i = 0; i < out.mirrors.length; i++) {
    const id = out.mirrors[i];
    if (tables.mirrors.get(id)?.record.suppressErrors === true && isAbout(dp, id, quoteAt, end)) return id;
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

/**
 * Whether the packet quoted in [at, end), which begins with a whole IP header, is a copy of the mirror, as far as it goes: a UDP datagram
 * for the analyzer, from a port that copies come from, with metadata.
 */
function isAbout({ b, tables, mirrors: { found } }: Datapath, mirror: number, at: number, end: number): boolean {
  const nexthop = tables.mirrors.get(mirror)?.record.nexthop;
  const analyzer = nexthop === undefined ? null : (tables.nexthops.get(nexthop)?.udp ?? null);
  if (analyzer === null || analyzer.isIpv6 !== (ipv4.version(b, at) === 6)) return false;
  const { destination } = analyzer;
  if (!equal(b, at + (analyzer.isIpv6 ? ipv6.DST : ipv4.DST), destination, 0, destination.length)) return false;
  const udpAt = analyzer.isIpv6 ? udpOf6(b, at, end) : udpOf4(b, at);
  if (udpAt < 0 || udpAt + PORTS_LEN > end || udp.dstPort(b, udpAt) !== analyzer.destinationPort) return false;
  const port = udp.srcPort(b, udpAt);
  if (port < FIRST_PORT && port !== analyzer.sourcePort) return false;
  if (udpAt + udp.LEN >= end) return true;
  const inner = metadata.parse(b, udpAt + udp.LEN, end, found);
  return inner >= 0 || metadata.mayBeCut(inner);
}

/** Bytes of the UDP header with both ports. */
const PORTS_LEN = 4;

/** Offset of the UDP header in the packet quoted at `at`, which may be cut off; -1: it has none. */
function udpOf4(b: Uint8Array, at: number): number {
  if (ipv4.protocol(b, at) !== ipv4.PROTOCOL_UDP || ipv4.fragmentOffset(b, at) > 0) return -1;
  return at + ipv4.headerLen(b, at);
}

function udpOf6(b: Uint8Array, at: number, end: number): number {
  const l4At = at + ipv6.LEN;
  const next = ipv6.nextHeader(b, at);
  if (next === ipv4.PROTOCOL_UDP) return l4At;
  if (next !== ipv6.FRAGMENT || !ipv6Fragment.fits(l4At, end)) return -1;
  const isFirst = ipv6Fragment.offset(b, l4At) === 0;
  return isFirst && ipv6Fragment.nextHeader(b, l4At) === ipv4.PROTOCOL_UDP ? l4At + ipv6Fragment.LEN : -1;
}
