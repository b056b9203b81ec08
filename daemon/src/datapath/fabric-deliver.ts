import { VNET_LEN } from '../io/device.js';
import { FRAGMENT } from '../packet/packet.js';
import { VIF, VRF_STAT } from '../tables/counters.js';
import type { Nexthop } from '../tables/nexthop.js';
import { NH_FLAG, NH_TYPE } from '../tables/records.js';
import type { Vrf } from '../tables/vrf.js';
import { equal, put16 } from '../wire/bytes.js';
import * as ecn from '../wire/ecn.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as tcp from '../wire/tcp.js';
import * as vnet from '../wire/vnet.js';
import type { Datapath } from './datapath.js';
import { fabricFrame } from './fabric-frame.js';
import { clampMss, OVERLAY_BRIDGED, OVERLAY_ROUTED } from './mss.js';
import { toNexthop } from './nexthop.js';
import { MAX_SEGMENTS } from './offload.js';
import { ipEnd, parse, parseEthernet } from './parse.js';
import { routeInput } from './route.js';

/** Control word in front of frames some send to many (RFC 4385 section 3): zeros here. */
const CONTROL_WORD_LEN = 4;

/** The payload [at, end) of a tunnel packet goes to the nexthop its label or network identifier stands for. */
export function deliver(dp: Datapath, id: number, at: number, end: number): void {
  const { p, tables } = dp;
  const nexthop = tables.nexthops.get(id);
  const vrf = nexthop === undefined ? undefined : tables.vrfs[nexthop.vrf];
  if (!nexthop || !vrf) return dp.drop('invalidNh');
  p.vrf = nexthop.vrf;
  switch (nexthop.type) {
    case NH_TYPE.encap:
      return nexthop.bridged ? toGuestAsIs(dp, nexthop, at, end) : toGuest(dp, nexthop, at, end);
    case NH_TYPE.composite:
      return toAll(dp, vrf, nexthop, at, end);
    case NH_TYPE.vrfTranslate:
      dp.vrfStat(VRF_STAT.vrfTranslates);
      return (nexthop.record.flags & NH_FLAG.routeLookup) === 0 ? bridge(dp, vrf, at, end) : route(dp, vrf, at, end);
    case NH_TYPE.l2Receive:
      dp.vrfStat(VRF_STAT.l2Receives);
      return receive(dp, vrf, at, end);
    default:
      return dp.drop('invalidNh');
  }
}

/** An IP packet for one guest: no table is asked, the guest's flows are. */
function toGuest(dp: Datapath, nexthop: Nexthop, at: number, end: number): void {
  if (!openPacket(dp, at, end)) return;
  clampMss(dp, OVERLAY_ROUTED);
  toNexthop(dp, nexthop);
}

/** A frame for one guest. */
function toGuestAsIs(dp: Datapath, nexthop: Nexthop, at: number, end: number): void {
  if (!openFrame(dp, at, end)) return;
  // A copy for an analyzer is of sessions of others, of another network perhaps: it is none of the guest's, and nobody's answer. What is
  // for the guest's own MAC is taken as what it is without being a copy.
  const { p, b } = dp;
  if (p.copies > 0 && !equal(b, p.at + ethernet.DST, nexthop.rewrite, ethernet.DST, ethernet.ADDRESS_LEN))
    p.looked = true;
  else clampMss(dp, OVERLAY_BRIDGED);
  toNexthop(dp, nexthop);
}

/** A frame for everybody in the network, or somebody its sender's host does not know. */
function toAll(dp: Datapath, vrf: Vrf, tree: Nexthop, at: number, end: number): void {
  const { b } = dp;
  const hasControlWord = at + CONTROL_WORD_LEN <= end && (b[at] | b[at + 1] | b[at + 2] | b[at + 3]) === 0;
  if (openFrame(dp, hasControlWord ? at + CONTROL_WORD_LEN : at, end)) fabricFrame(dp, vrf, tree);
}

function bridge(dp: Datapath, vrf: Vrf, at: number, end: number): void {
  if (openFrame(dp, at, end)) fabricFrame(dp, vrf, null);
}

function route(dp: Datapath, vrf: Vrf, at: number, end: number): void {
  if (openPacket(dp, at, end)) routeInput(dp, vrf.fabric);
}

/** A frame for the gateway of the network. */
function receive(dp: Datapath, vrf: Vrf, at: number, end: number): void {
  if (!openFrame(dp, at, end)) return;
  if (dp.p.tagged) return dp.drop('ifRxDiscard');
  routeInput(dp, vrf.fabric);
}

/**
 * Takes the IP packet [at, end) in hand, with an Ethernet header in front of it for the stages to come. False: it was dropped. The
 * outer headers are overwritten.
 */
function openPacket(dp: Datapath, at: number, end: number): boolean {
  const { p, b } = dp;
  const version = at < end ? ipv4.version(b, at) : 0;
  if (version !== 4 && version !== 6) return refuse(dp, 'invalidProtocol');
  p.at = at - ethernet.LEN;
  for (let i = 0; i < ethernet.TYPE; i++) b[p.at + i] = 0;
  put16(b, p.at + ethernet.TYPE, version === 4 ? ethernet.TYPE_IPV4 : ethernet.TYPE_IPV6);
  p.end = end;
  p.copies = 0;
  p.made = ethernet.LEN;
  p.bytes = end - p.at;
  vnet.clear(b, p.at - VNET_LEN);
  if (!parseEthernet(dp) || !parse(dp)) return refuse(dp, 'invalidPacket');
  if (p.segmentSize > 0 && !asSuperFrame(dp)) return refuse(dp, 'invalidPacket');
  dp.tracer?.inside();
  if (version === 4 && !ipv4.checksumOk(b, at)) return refuse(dp, 'checksum');
  return keepEcn(dp);
}

/** Takes the frame [at, end) in hand. False: it was dropped. IP that is malformed has no protocol, as networks of layer 2 pass it. */
function openFrame(dp: Datapath, at: number, end: number): boolean {
  const { p, b, tables } = dp;
  if (p.copies > 0 && tables.peers.isForeign(p.peer)) p.copies = 0;
  p.at = at;
  p.end = end;
  p.made = 0;
  p.bytes = end - at;
  if (!parseEthernet(dp)) return refuse(dp, 'pull');
  vnet.clear(b, at - VNET_LEN);
  const sound = parse(dp);
  if (p.segmentSize > 0 && !asSuperFrame(dp)) return refuse(dp, 'invalidPacket');
  if (!sound) {
    p.protocol = -1;
    p.l4At = 0;
  }
  dp.tracer?.inside();
  return !sound || p.protocol < 0 || keepEcn(dp);
}

/**
 * Says of segments put together how they are to be cut again: their checksums are known to be right. So it does of those that another
 * host on this machine never cut; only here it shows how many those are. False: it is no TCP, or more segments than may be.
 */
function asSuperFrame(dp: Datapath): boolean {
  const { p, b, counters, fabric } = dp;
  if (p.protocol !== ipv4.PROTOCOL_TCP || p.fragment !== FRAGMENT.none || p.tagged || ipEnd(dp) !== p.end) return false;
  if (!tcp.fits(p.l4At, p.end) || tcp.dataOffset(b, p.l4At) < tcp.LEN) return false;
  const dataAt = p.l4At + tcp.dataOffset(b, p.l4At);
  const packets = Math.ceil((p.end - dataAt) / p.segmentSize);
  if (packets < 1 || packets > MAX_SEGMENTS) return false;
  if (packets > p.packets) {
    const word = counters.vifAt(p.vif);
    counters.words[word + VIF.rxPackets] += packets - p.packets;
    counters.words[word + VIF.rxBytes] += (packets - p.packets) * (dataAt - fabric.outer.at);
    p.packets = packets;
  }
  const vnetAt = p.at - VNET_LEN;
  const headers = dataAt - p.at;
  vnet.setFlags(b, vnetAt, vnet.NEEDS_CSUM);
  vnet.setGso(b, vnetAt, p.etherType === ethernet.TYPE_IPV4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6, headers, p.segmentSize);
  vnet.setCsum(b, vnetAt, p.l4At - p.at, tcp.CHECKSUM);
  p.bytes += (p.packets - 1) * headers;
  p.made *= p.packets;
  dp.vrfStat(VRF_STAT.gros);
  return true;
}

function refuse(dp: Datapath, reason: 'invalidProtocol' | 'invalidPacket' | 'checksum' | 'pull' | 'discards'): false {
  dp.drop(reason);
  return false;
}

/** What routers of the underlay said about congestion is said to the ends of the inner packet. False: it was dropped for it. */
function keepEcn(dp: Datapath): boolean {
  const { p, b } = dp;
  if (p.outerEcn === ecn.NOT_CAPABLE) return true;
  const isIpv4 = p.etherType === ethernet.TYPE_IPV4;
  const inner = ecn.ecn(isIpv4 ? ipv4.tos(b, p.l3At) : ipv6.trafficClass(b, p.l3At));
  const outer = ecn.unwrapped(inner, p.outerEcn);
  if (outer === inner) return true;
  if (outer < 0) return refuse(dp, 'discards');
  if (isIpv4) ipv4.setEcn(b, p.l3At, outer);
  else ipv6.setEcn(b, p.l3At, outer);
  return true;
}
