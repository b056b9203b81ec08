import { PUNT } from '../tables/punt.js';
import * as checksum from '../wire/checksum.js';
import { get16 } from '../wire/bytes.js';
import * as ecn from '../wire/ecn.js';
import * as ethernet from '../wire/ethernet.js';
import * as gre from '../wire/gre.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { isTunnelPort } from '../wire/tunnel-ports.js';
import * as udp from '../wire/udp.js';
import * as vnet from '../wire/vnet.js';
import * as vxlan from '../wire/vxlan.js';
import { VNET_LEN } from '../io/device.js';
import type { Datapath } from './datapath.js';
import { arrive } from './fabric-merge.js';
import { TUNNEL } from './fabric-tunnel.js';
import { completeChecksum, isSuperFrame } from './offload.js';
import { toAgent } from './trap.js';

/*
 * What comes in from the underlay (vif0/0): tunnel packets of hosts we know, and ICMP errors about our own. This stage reads the outer
 * headers, and hands what is behind them to fabric-tunnel, which hands the payload to fabric-deliver.
 *
 * Fragments of tunnel packets are dropped and counted: nobody here makes any, inner packets are cut before they are wrapped.
 */

/** The frame in hand came in by vif 0; its Ethernet header was read. */
export function fabricInput(dp: Datapath): void {
  dp.fabric.outer.segmentSize = 0;
  headersInput(dp);
}

/**
 * The same of a frame whose virtio-net header does not fit its outer headers. That of a kernel on this machine that has wrapped a
 * super-frame of TCP whole fits the inner ones: it is about those.
 */
export function superFrameInput(dp: Datapath): void {
  const { p, b, fabric } = dp;
  const vnetAt = p.at - VNET_LEN;
  const kind = vnet.gsoType(b, vnetAt) & ~vnet.GSO_ECN;
  const isTcp = kind === vnet.GSO_TCPV4 || kind === vnet.GSO_TCPV6;
  if (!isTcp || (vnet.flags(b, vnetAt) & vnet.NEEDS_CSUM) === 0) return dp.drop('invalidPacket');
  fabric.outer.segmentSize = vnet.gsoSize(b, vnetAt);
  if (fabric.outer.segmentSize === 0) return dp.drop('invalidPacket');
  headersInput(dp);
}

function headersInput(dp: Datapath): void {
  const { p } = dp;
  if (p.tagged) return dp.drop('ifRxDiscard');
  if (p.etherType === ethernet.TYPE_IPV4) return outer4(dp);
  if (p.etherType === ethernet.TYPE_IPV6) return outer6(dp);
  dp.drop('ifRxDiscard');
}

function outer4(dp: Datapath): void {
  const { p, b, tables, fabric } = dp;
  const at = p.l3At;
  if (!ipv4.wellFormed(b, at, p.end)) return dp.drop('invalidPacket');
  if (!ipv4.checksumOk(b, at)) return dp.drop('checksum');
  if (ipv4.isFragment(b, at)) return dp.drop('fragment');
  const end = at + ipv4.totalLength(b, at);
  const l4At = at + ipv4.headerLen(b, at);
  const protocol = ipv4.protocol(b, at);
  if (protocol === ipv4.PROTOCOL_ICMP) {
    return icmp.fits(l4At, end) && icmp.isError(b, l4At) ? underlayError(dp) : dp.drop('ifRxDiscard');
  }
  if (!isTunnel(b, protocol, l4At, end)) return dp.drop('ifRxDiscard');
  const { outer } = fabric;
  outer.peer = tables.peers.find4(b, at + ipv4.SRC);
  outer.source = ipv4.src(b, at);
  outer.ecn = ecn.ecn(ipv4.tos(b, at));
  transport(dp, protocol, l4At, end);
}

/** Extension headers are not looked behind: nobody puts any in front of a tunnel. */
function outer6(dp: Datapath): void {
  const { p, b, tables, fabric } = dp;
  const at = p.l3At;
  if (!ipv6.wellFormed(b, at, p.end)) return dp.drop('invalidPacket');
  const end = at + ipv6.LEN + ipv6.payloadLength(b, at);
  const l4At = at + ipv6.LEN;
  const protocol = ipv6.nextHeader(b, at);
  if (protocol === ipv6.FRAGMENT) return dp.drop('fragment');
  if (protocol === ipv6.PROTOCOL_ICMPV6) {
    return icmpv6.fits(l4At, end) && icmpv6.isError(b, l4At) ? underlayError(dp) : dp.drop('ifRxDiscard');
  }
  if (!isTunnel(b, protocol, l4At, end)) return dp.drop('ifRxDiscard');
  const { outer } = fabric;
  outer.peer = tables.peers.find6(b, at + ipv6.SRC);
  outer.source = 0;
  outer.ecn = ecn.ecn(ipv6.trafficClass(b, at));
  transport(dp, protocol, l4At, end);
}

/** Who learns the path MTU is the agent. */
function underlayError(dp: Datapath): void {
  const vif = dp.tables.vifs.get(dp.p.vif);
  if (vif) toAgent(dp, vif, PUNT.icmpError);
}

/** Whether the outer header is one of the three we speak; it may be cut short. */
function isTunnel(b: Uint8Array, protocol: number, at: number, end: number): boolean {
  if (protocol === gre.PROTOCOL) return true;
  if (protocol !== ipv4.PROTOCOL_UDP || !udp.fits(at, end)) return false;
  return isTunnelPort(udp.dstPort(b, at));
}

/** Of a host we know, the payload goes on; it ends at `end`. */
function transport(dp: Datapath, protocol: number, at: number, end: number): void {
  const { p, fabric } = dp;
  const { outer } = fabric;
  if (outer.peer < 0) return dp.drop('invalidSource');
  outer.vif = p.vif;
  outer.at = p.at;
  outer.end = p.end;
  outer.l3At = p.l3At;
  outer.etherType = p.etherType;
  completeInside(dp, at);
  if (protocol === gre.PROTOCOL) greInput(dp, at, end);
  else udpInput(dp, at, end);
}

/**
 * A kernel on this machine, whose tunnels end where our underlay begins, leaves checksums inside them to offload. The outer one is made
 * for what is completed. Super-frames of UDP are complete inside, those of TCP are finished by whoever cuts them.
 */
function completeInside({ p, b }: Datapath, at: number): void {
  const vnetAt = p.at - VNET_LEN;
  if ((vnet.flags(b, vnetAt) & vnet.NEEDS_CSUM) === 0 || isSuperFrame(b, vnetAt)) return;
  if (p.at + vnet.csumStart(b, vnetAt) > at) completeChecksum(b, p.at, p.end - p.at, vnetAt);
}

function greInput(dp: Datapath, at: number, end: number): void {
  const { b } = dp;
  if (!gre.fits(at, end)) return dp.drop('pull');
  const length = gre.headerLen(b, at);
  if (length < 0) return dp.drop('invalidPacket');
  if (at + length > end) return dp.drop('pull');
  if (gre.hasChecksum(b, at) && checksum.checksum(b, at, end) !== 0) return dp.drop('checksum');
  if (gre.type(b, at) !== gre.TYPE_MPLS) return dp.drop('invalidProtocol');
  arrive(dp, TUNNEL.mpls, at + length, end, true);
}

function udpInput(dp: Datapath, at: number, ipEnd: number): void {
  const { p, b, fabric } = dp;
  const length = udp.length(b, at);
  if (length < udp.LEN || at + length > ipEnd) return dp.drop('invalidPacket');
  const end = at + length;
  if (!isChecked(dp, at, end)) return dp.drop('checksum');
  const kind = udp.dstPort(b, at) === vxlan.UDP_PORT ? TUNNEL.vxlan : TUNNEL.mpls;
  const vnetAt = p.at - VNET_LEN;
  if (!isSuperFrame(b, vnetAt) || fabric.outer.segmentSize > 0) return arrive(dp, kind, at + udp.LEN, end, true);
  const size = vnet.gsoSize(b, vnetAt);
  for (let from = at + udp.LEN; from < end; from += size) {
    arrive(dp, kind, from, Math.min(from + size, end), from === at + udp.LEN);
  }
}

/**
 * Whether the outer UDP checksum is right. It need not be looked at when the sender is on this host and left it undone, or when the
 * interface has verified it. Without one, IPv4 is fine (RFC 7510 section 3.1); IPv6 is not (RFC 8200 section 8.1).
 */
function isChecked({ p, b }: Datapath, at: number, end: number): boolean {
  const isIpv4 = p.etherType === ethernet.TYPE_IPV4;
  if (get16(b, at + udp.CHECKSUM) === 0) return isIpv4;
  if ((vnet.flags(b, p.at - VNET_LEN) & (vnet.NEEDS_CSUM | vnet.DATA_VALID)) !== 0) return true;
  const pseudo = isIpv4
    ? checksum.pseudo4(b, p.l3At, ipv4.PROTOCOL_UDP, end - at)
    : checksum.pseudo6(b, p.l3At, ipv4.PROTOCOL_UDP, end - at);
  return checksum.finish(checksum.sum(b, at, end, pseudo)) === 0;
}
