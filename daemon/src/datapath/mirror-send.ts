import { FRAGMENT } from '../packet/packet.js';
import { HEADER, VRF_STAT } from '../tables/counters.js';
import type { Nexthop } from '../tables/nexthop.js';
import { WRAP } from '../tables/tunnel.js';
import type { UdpTunnel } from '../tables/udp-tunnel.js';
import { copy, get16, put16 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv4Fragment from '../wire/ipv4-fragment.js';
import * as ipv6 from '../wire/ipv6.js';
import * as ipv6Fragment from '../wire/ipv6-fragment.js';
import * as udp from '../wire/udp.js';
import type { Datapath } from './datapath.js';
import { enqueue } from './enqueue.js';
import { toTunnel } from './tunnel-output.js';

/*
 * Copies on their way out. The copy in hand lies in the scratch area, and where it goes is in `dp.mirrors`.
 */

/** Most that an IP packet can have, and least that every link takes: an interface with less says nothing. */
const MAX_PACKET = 65_535;
const MIN_MTU = 68;

/** Sends the frame in hand as it is. False: it was dropped. */
export function sendPlain(dp: Datapath): boolean {
  const { p, mirrors: state } = dp;
  const { leg } = state;
  p.routed = false;
  p.bytes = p.end - p.at;
  p.label = state.label;
  if (leg === null) return drop(dp, 'invalidNh');
  if (leg.oif === p.vif) return drop(dp, 'packetLoop');
  if (leg.tunnel !== null && p.bytes + leg.tunnel.overhead > leg.tunnel.mtu) return drop(dp, 'fragment');
  if (leg.tunnel === null) dp.vrfStat(VRF_STAT.l2Encaps);
  dispatch(dp, leg);
  return true;
}

/**
 * Wraps the frame in hand into metadata, UDP and IP and sends it. The headers begin at `at` and end where the frame begins.
 * @returns false: it was dropped.
 */
export function sendWrapped(dp: Datapath, analyzer: UdpTunnel, at: number, sourcePort: number): boolean {
  const { p, b, mirrors: state } = dp;
  const { leg } = state;
  const length = p.end - at;
  if (leg === null) return drop(dp, 'invalidNh');
  if (length - ethernet.LEN > MAX_PACKET) return drop(dp, 'push');
  b.set(analyzer.header, at);
  writeMetadata(dp, at + analyzer.header.length);
  const l4At = at + analyzer.header.length - udp.LEN;
  put16(b, l4At, sourcePort);
  put16(b, l4At + udp.LENGTH, p.end - l4At);
  writeAddresses(dp, analyzer, at + ethernet.LEN);
  if (analyzer.isIpv6) udp.setChecksum6(b, at + ethernet.LEN, l4At, p.end);
  else udp.setChecksum4(b, at + ethernet.LEN, l4At, p.end);

  p.at = at;
  p.bytes = length;
  p.etherType = analyzer.isIpv6 ? ethernet.TYPE_IPV6 : ethernet.TYPE_IPV4;
  p.l3At = at + ethernet.LEN;
  p.tagged = false;
  p.protocol = ipv4.PROTOCOL_UDP;
  p.l4At = l4At;
  p.fragment = FRAGMENT.none;
  p.isQuoting = false;
  p.routed = true;
  p.label = state.label;
  p.copies = 0;
  dp.vrfStat(VRF_STAT.udpTunnels);
  const longest = longestPacket(dp, leg);
  if (length - ethernet.LEN > longest) return sendFragments(dp, leg, longest);
  dispatch(dp, leg);
  return true;
}

function drop(dp: Datapath, reason: 'invalidNh' | 'packetLoop' | 'fragment' | 'push'): false {
  dp.drop(reason);
  return false;
}

function writeMetadata({ b, mirrors: { metadata, metadataLen } }: Datapath, at: number): void {
  if (metadata.length === metadataLen) b.set(metadata, at);
  else for (let i = 0; i < metadataLen; i++) b[at + i] = metadata[i];
}

/** The rest of the IP header at `at` of the datagram in hand: lengths, identification, source. */
function writeAddresses(dp: Datapath, analyzer: UdpTunnel, at: number): void {
  const { p, b, mirrors: state } = dp;
  const vif = analyzer.copySip ? state.addressed : null;
  if (analyzer.isIpv6) {
    put16(b, at + ipv6.PAYLOAD_LENGTH, p.end - at - ipv6.LEN);
    b.set(vif?.address6 ?? analyzer.source, at + ipv6.SRC);
    return;
  }
  const length = p.end - at;
  const id = (state.id = (state.id + 1) & 0xffff);
  const source = vif?.address ?? analyzer.source;
  put16(b, at + ipv4.TOTAL_LENGTH, length);
  put16(b, at + ipv4.ID, id);
  for (let i = 0; i < 4; i++) b[at + ipv4.SRC + i] = source[i];
  const sum = analyzer.ipSum + length + id + get16(source, 0) + get16(source, 2);
  put16(b, at + ipv4.CHECKSUM, checksum.finish(sum));
}

/**
 * Longest IP packet that gets to the next one on the way. What an analyzer's interface on another host takes is not known here: no more
 * than the mirrored one, as networks of a cluster are mostly alike.
 */
function longestPacket({ tables, mirrors: { sender, receiver } }: Datapath, { tunnel, oif }: Nexthop): number {
  if (tunnel !== null) {
    const room = tunnel.mtu - tunnel.overhead - (tunnel.wrap === WRAP.vxlan ? ethernet.LEN : 0);
    const own = (receiver ?? sender)?.record.mtu ?? 0;
    return own < MIN_MTU || own > room ? room : own;
  }
  const mtu = tables.vifs.get(oif)?.record.mtu ?? 0;
  return mtu < MIN_MTU ? MAX_PACKET : mtu;
}

/** Sends the frame in hand by a nexthop: with the Ethernet header prepared for it where it is routed. */
function dispatch(dp: Datapath, leg: Nexthop): void {
  const { p, b } = dp;
  if (leg.tunnel !== null) return toTunnel(dp, leg);
  const out = dp.tables.vifs.get(leg.oif);
  if (!out) return dp.drop('invalidIf');
  if (p.routed) {
    for (let i = 0; i < ethernet.TYPE; i++) b[p.at + i] = leg.rewrite[i];
    dp.vrfStat(VRF_STAT.encaps);
  }
  enqueue(dp, out, p.at, p.end - p.at, 1, p.end - p.at);
}

/** Cuts the datagram in hand into fragments of at most `longest` bytes (RFC 791 section 3.2, RFC 8200 section 4.5) and sends them. */
function sendFragments(dp: Datapath, leg: Nexthop, longest: number): boolean {
  const { p, mirrors: state } = dp;
  const isIpv6 = p.etherType === ethernet.TYPE_IPV6;
  const headerLen = isIpv6 ? ipv6.LEN + ipv6Fragment.LEN : ipv4.LEN;
  const most = (longest - headerLen) & ~(ipv4Fragment.UNIT - 1);
  if (most < ipv4Fragment.UNIT) return drop(dp, 'fragment');
  const { at, end, l3At, l4At } = p;
  const dataLen = end - l4At;
  if (isIpv6) state.id++;
  dp.counters.words[HEADER.copied] += Math.ceil(dataLen / most) - 1;
  for (let done = 0; done < dataLen; done += most) {
    const length = Math.min(most, dataLen - done);
    const to = dp.scratch(ethernet.LEN + headerLen + length);
    writeFragment(dp, to, done, length, done + length < dataLen);
    p.at = to;
    p.end = to + ethernet.LEN + headerLen + length;
    p.bytes = p.end - to;
    p.l3At = to + ethernet.LEN;
    p.l4At = done === 0 ? p.l3At + headerLen : 0;
    p.fragment = done === 0 ? FRAGMENT.head : FRAGMENT.later;
    dispatch(dp, leg);
    p.at = at;
    p.end = end;
    p.l3At = l3At;
    p.l4At = l4At;
  }
  return true;
}

/** Writes the fragment with `length` bytes of the datagram in hand, from byte `done` of its data on, at `to`. */
function writeFragment(
  { p, b, mirrors: { id } }: Datapath,
  to: number,
  done: number,
  length: number,
  more: boolean,
): void {
  const ipAt = to + ethernet.LEN;
  if (p.etherType === ethernet.TYPE_IPV6) {
    copy(b, p.at, to, ethernet.LEN + ipv6.LEN);
    const fragmentAt = ipAt + ipv6.LEN;
    ipv6Fragment.write(b, fragmentAt, ipv4.PROTOCOL_UDP, done, more, id);
    copy(b, p.l4At + done, fragmentAt + ipv6Fragment.LEN, length);
    put16(b, ipAt + ipv6.PAYLOAD_LENGTH, ipv6Fragment.LEN + length);
    b[ipAt + ipv6.NEXT_HEADER] = ipv6.FRAGMENT;
    return;
  }
  copy(b, p.at, to, ethernet.LEN + ipv4.LEN);
  copy(b, p.l4At + done, ipAt + ipv4.LEN, length);
  ipv4Fragment.finish(b, ipAt, ipv4.LEN + length, done, more);
}
