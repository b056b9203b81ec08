import { VNET_LEN } from '../io/device.js';
import { HEADER, VRF_STAT } from '../tables/counters.js';
import type { Nexthop } from '../tables/nexthop.js';
import { type Tunnel, WRAP } from '../tables/tunnel.js';
import type { Vif } from '../tables/vif.js';
import { copy, put16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import type { Datapath } from './datapath.js';
import { completeChecksum, isPlain, isSuperFrame } from './offload.js';
import { ipEnd } from './parse.js';
import { STEP } from './tracer.js';
import { Wrapping, writeOuter } from './tunnel-header.js';
import { enqueue } from './vif-output.js';

/*
 * To other hosts: the packet in hand, or a copy of it, is wrapped into the outer headers of a tunnel and sent to the underlay. Routed
 * packets go without an Ethernet header under an MPLS label, and with one made for them in a VXLAN; bridged frames go as they are.
 */

/** What is known of the packet in hand. */
const wrapping = new Wrapping();

/** Sends the packet in hand through the tunnel; its place is where the outer headers go. */
export function toTunnel(dp: Datapath, nexthop: Nexthop): void {
  const { p } = dp;
  const { tunnel } = nexthop;
  const out = dp.tables.vifs.get(nexthop.oif);
  if (tunnel === null || !tunnel.isResolved || p.label < 0) return dp.drop('invalidNh');
  if (p.peer >= 0) {
    if (p.peer === tunnel.peer) return dp.drop('packetLoop');
    if (!p.routed) return dp.drop('invalidSource');
  }
  if (!out) return dp.drop('invalidIf');
  if (p.routed && !beginPayload(dp, tunnel)) return dp.drop('rewrite');
  count(dp, tunnel);
  wrapping.read(dp);
  const vnetAt = p.at - VNET_LEN;
  if (!isPlain(dp.b, vnetAt)) {
    if (isSuperFrame(dp.b, vnetAt)) return segments(dp, nexthop, tunnel, out);
    completeChecksum(dp.b, p.at, p.end - p.at, vnetAt);
  }
  const from = payloadAt(dp, tunnel);
  send(dp, nexthop, tunnel, out, from - tunnel.headerLen, p.end);
}

/**
 * Copies of the frame in hand to all members of an EVPN composite: the other hosts that have the network.
 * @param sent how many have got the frame already; @returns how many have now.
 */
export function floodToTunnels(dp: Datapath, composite: Nexthop, sent: number): number {
  const { p, tables } = dp;
  // Whoever sent it here has sent it to all hosts.
  if (p.peer >= 0) return sent;
  dp.vrfStat(VRF_STAT.evpnComposites);
  let count = sent;
  for (let i = 0; i < composite.members.length; i++) {
    const member = tables.nexthops.get(composite.members[i]);
    if (!member || member.tunnel === null) continue;
    if (count++ > 0) dp.counters.words[HEADER.copied] += p.packets;
    p.label = composite.memberLabels[i];
    copyToTunnel(dp, member, member.tunnel);
  }
  return count;
}

/** A copy of the frame in hand goes through the tunnel; the frame itself stays as it is, for others to send. */
function copyToTunnel(dp: Datapath, nexthop: Nexthop, tunnel: Tunnel): void {
  const { p, b } = dp;
  dp.tracer?.step(STEP.nexthop, nexthop.id);
  const out = dp.tables.vifs.get(nexthop.oif);
  if (!tunnel.isResolved || p.label < 0) return dp.drop('invalidNh');
  if (!out) return dp.drop('invalidIf');
  count(dp, tunnel);
  wrapping.read(dp);
  const vnetAt = p.at - VNET_LEN;
  const length = p.end - p.at;
  if (!isPlain(b, vnetAt)) {
    if (isSuperFrame(b, vnetAt)) return segments(dp, nexthop, tunnel, out);
    // Those who are to send the frame itself get it with its checksum as well.
    completeChecksum(b, p.at, length, vnetAt);
  }
  const at = dp.scratch(tunnel.headerLen + length);
  copy(b, p.at, at + tunnel.headerLen, length);
  send(dp, nexthop, tunnel, out, at, at + tunnel.headerLen + length);
}

/** The segments a super-frame stands for, one by one. */
function segments(dp: Datapath, nexthop: Nexthop, tunnel: Tunnel, out: Vif): void {
  const { p, b, segmenter } = dp;
  const skipped = payloadAt(dp, tunnel) - p.at;
  if (!segmenter.begin(b, p.at, p.end - p.at, p.at - VNET_LEN, skipped)) return dp.drop('invalidPacket');
  while (segmenter.more) {
    const at = dp.scratch(tunnel.headerLen + segmenter.frameLength);
    const length = segmenter.next(at + tunnel.headerLen);
    send(dp, nexthop, tunnel, out, at, at + tunnel.headerLen + length);
  }
}

/** Writes the outer headers at `at` in front of a payload that ends at `end`, and queues the whole. */
function send(dp: Datapath, nexthop: Nexthop, tunnel: Tunnel, out: Vif, at: number, end: number): void {
  writeOuter(dp, tunnel, wrapping, at, end);
  if (!out.offloads) completeChecksum(dp.b, at, end - at, at - VNET_LEN);
  dp.tracer?.step(
    STEP.tunnel,
    nexthop.id,
    wrapping.label,
    tunnel.wrap === WRAP.mplsOverGre ? 0 : wrapping.port,
    end - at,
  );
  enqueue(dp, out, at, end - at, 1, end - at);
}

/**
 * Makes a routed packet ready: without padding, and for a VXLAN with the Ethernet header it gets there. False: the tunnel names no
 * address for that.
 */
function beginPayload(dp: Datapath, { wrap, innerMac, innerHeader }: Tunnel): boolean {
  const { p, b } = dp;
  p.end = ipEnd(dp);
  if (wrap !== WRAP.vxlan) return true;
  if (innerMac === null) return false;
  for (let i = 0; i < ethernet.TYPE; i++) b[p.at + i] = innerHeader[i];
  put16(b, p.at + ethernet.TYPE, p.etherType);
  return true;
}

/** Where what goes through the tunnel begins. */
const payloadAt = ({ p }: Datapath, { wrap }: Tunnel): number => (p.routed && wrap !== WRAP.vxlan ? p.l3At : p.at);

function count(dp: Datapath, { wrap }: Tunnel): void {
  if (wrap === WRAP.mplsOverUdp) dp.vrfStat(VRF_STAT.udpMplsTunnels);
  else if (wrap === WRAP.mplsOverGre) dp.vrfStat(VRF_STAT.greMplsTunnels);
  else dp.vrfStat(VRF_STAT.vxlanTunnels);
}
