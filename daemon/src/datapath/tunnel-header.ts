import { VNET_LEN } from '../io/device.js';
import { FLOW } from '../tables/flow.js';
import { type Tunnel, WRAP } from '../tables/tunnel.js';
import { put16, put32 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import { ecn as ecnOf } from '../wire/ecn.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as mpls from '../wire/mpls.js';
import * as udp from '../wire/udp.js';
import * as vnet from '../wire/vnet.js';
import * as vxlan from '../wire/vxlan.js';
import type { Datapath } from './datapath.js';
import { entropyPort } from './tunnel-entropy.js';

/**
 * TTL in the label of what has no TTL of its own, or keeps it: bridged frames. Copies of those, made for analyzers, have one less each
 * time they are copied again, so that hosts whose mirrors lead to each other come to an end.
 */
export const BRIDGED_TTL = 64;

/**
 * Outer headers differ from packet to packet in lengths, identification, ECN, source port and the label. What of that the packet in
 * hand decides is read once, and serves all it is sent as: its segments, its fragments, its copies to other hosts.
 */
export class Wrapping {
  /** Nexthop of the tunnel. */
  nexthop = 0;
  /** MPLS label, or VNI. */
  label = 0;
  /** TTL of the label. */
  hops = 0;
  /** ECN of the packet, which the outer header repeats (RFC 6040 section 4.1, normal mode). */
  ecn = 0;
  /** Outer UDP source port. */
  port = 0;
  /** Identification of an IPv4 packet, 0 of others. */
  id = 0;

  /** Looks at the packet in hand, which goes to this nexthop. */
  read(dp: Datapath, nexthop: number): void {
    const { p, b, flow } = dp;
    const at = p.l3At;
    this.nexthop = nexthop;
    const isIpv4 = p.protocol >= 0 && p.etherType === ethernet.TYPE_IPV4;
    const isIpv6 = p.protocol >= 0 && p.etherType === ethernet.TYPE_IPV6;
    this.label = p.label;
    this.hops = p.isCopy ? BRIDGED_TTL - 1 - p.copies : BRIDGED_TTL;
    this.ecn = 0;
    this.id = 0;
    if (isIpv4) {
      this.ecn = ecnOf(ipv4.tos(b, at));
      this.id = ipv4.id(b, at);
      if (p.routed) this.hops = ipv4.ttl(b, at);
    } else if (isIpv6) {
      this.ecn = ecnOf(ipv6.trafficClass(b, at));
      if (p.routed) this.hops = ipv6.hopLimit(b, at);
    }
    this.port = p.flow >= 0 ? flow.table.words[flow.table.at(p.flow) + FLOW.outer] & 0xffff : entropyPort(dp);
  }
}

/**
 * Writes the outer headers, all but the label, at `at`, in front of what ends at `end`. The virtio-net header in front of them says
 * that nothing is left to do, but for the UDP checksum over IPv6, where there has to be one.
 */
export function writeOuter(dp: Datapath, tunnel: Tunnel, wrapping: Wrapping, at: number, end: number): void {
  const { b } = dp;
  // Of so many bytes, half the time of a loop (bench: encapsulation).
  b.set(tunnel.header, at);
  vnet.clear(b, at - VNET_LEN);
  const ipAt = at + ethernet.LEN;
  const l4At = ipAt + (tunnel.isIpv6 ? ipv6.LEN : ipv4.LEN);
  if (tunnel.isIpv6) writeIpv6(b, wrapping, ipAt, end);
  else writeIpv4(dp, tunnel, wrapping, ipAt, end);
  if (tunnel.wrap === WRAP.mplsOverGre) return;
  put16(b, l4At, wrapping.port);
  put16(b, l4At + udp.LENGTH, end - l4At);
  if (tunnel.isIpv6) leaveChecksum(b, tunnel, at, end);
}

/** Writes the MPLS label or the VXLAN header at `at`. */
export function writeLabel(b: Uint8Array, { wrap }: Tunnel, { label, hops }: Wrapping, at: number): void {
  if (wrap === WRAP.vxlan) vxlan.write(b, at, label);
  else mpls.write(b, at, label, 0, hops);
}

/** The rest of the IPv4 header, whose checksum begins with what is always the same. */
function writeIpv4(dp: Datapath, tunnel: Tunnel, { ecn, id }: Wrapping, at: number, end: number): void {
  const { b, options } = dp;
  const length = end - at;
  const identification = tunnel.wrap === WRAP.mplsOverGre ? id : (dp.outerId = (dp.outerId + 1) & 0xffff);
  const flags = options.outerDf === false ? 0 : ipv4.DF;
  b[at + 1] = ecn;
  put16(b, at + ipv4.TOTAL_LENGTH, length);
  put16(b, at + ipv4.ID, identification);
  put16(b, at + ipv4.FLAGS_AND_OFFSET, flags);
  put16(b, at + ipv4.CHECKSUM, checksum.finish(tunnel.ipSum + ecn + length + identification + flags));
}

/** The rest of the IPv6 header. Its flow label spreads packets over ways of the underlay as the port does (RFC 6438). */
function writeIpv6(b: Uint8Array, { ecn, port }: Wrapping, at: number, end: number): void {
  put32(b, at, (6 << 28) | (ecn << 20) | port);
  put16(b, at + ipv6.PAYLOAD_LENGTH, end - at - ipv6.LEN);
}

/**
 * Leaves the checksum of the outer UDP datagram, which ends at `end`, to who sends it: the field has the sum of the pseudo header,
 * and the virtio-net header says that the rest is to be added.
 */
export function leaveChecksum(b: Uint8Array, tunnel: Tunnel, at: number, end: number): void {
  const l4At = at + ethernet.LEN + (tunnel.isIpv6 ? ipv6.LEN : ipv4.LEN);
  put16(b, l4At + udp.CHECKSUM, ~checksum.finish(tunnel.pseudoSum + end - l4At));
  vnet.setFlags(b, at - VNET_LEN, vnet.NEEDS_CSUM);
  vnet.setCsum(b, at - VNET_LEN, l4At - at, udp.CHECKSUM);
}
