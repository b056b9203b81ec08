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
import { Wrapping } from './tunnel-header.js';
import { payloadAt, send } from './tunnel-send.js';
import { tooLong } from './tunnel-size.js';
import { sendSuperFrame } from './tunnel-super-frame.js';

/*
 * To other hosts: the packet in hand, or a copy of it, is wrapped into the outer headers of a tunnel and sent to the underlay. Routed
 * packets go without an Ethernet header under an MPLS label, and with one made for them in a VXLAN; bridged frames go as they are.
 */

/** What is known of the packet in hand. */
const wrapping = new Wrapping();

/** Sends the packet in hand through the tunnel; the room in front of it is where the outer headers go. */
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
  wrapping.read(dp, nexthop.id);
  if (!isSingle(dp, tunnel, out)) return;
  const from = payloadAt(p, tunnel);
  if (p.end - from + tunnel.overhead > tunnel.mtu) return tooLong(dp, wrapping, tunnel, out);
  send(dp, wrapping, tunnel, out, from - tunnel.headerLen, p.end);
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
  let all = sent;
  for (let i = 0; i < composite.members.length; i++) {
    const member = tables.nexthops.get(composite.members[i]);
    if (!member || member.tunnel === null) continue;
    if (all++ > 0) dp.counters.words[HEADER.copied] += p.packets;
    p.label = composite.memberLabels[i];
    copyToTunnel(dp, member, member.tunnel);
  }
  return all;
}

/** A copy of the frame in hand goes through the tunnel; the frame itself stays as it is, for others to send. */
function copyToTunnel(dp: Datapath, nexthop: Nexthop, tunnel: Tunnel): void {
  const { p, b } = dp;
  dp.tracer?.step(STEP.nexthop, nexthop.id);
  const out = dp.tables.vifs.get(nexthop.oif);
  if (!tunnel.isResolved || p.label < 0) return dp.drop('invalidNh');
  if (!out) return dp.drop('invalidIf');
  count(dp, tunnel);
  wrapping.read(dp, nexthop.id);
  if (!isSingle(dp, tunnel, out)) return;
  const length = p.end - p.at;
  if (length + tunnel.overhead > tunnel.mtu) return tooLong(dp, wrapping, tunnel, out);
  const at = dp.scratch(tunnel.headerLen + length);
  copy(b, p.at, at + tunnel.headerLen, length);
  send(dp, wrapping, tunnel, out, at, at + tunnel.headerLen + length);
}

/**
 * Whether the packet in hand is one on the wire, and then completes its checksum: whoever else sends it, too, gets it with that.
 * A super-frame is sent here.
 */
function isSingle(dp: Datapath, tunnel: Tunnel, out: Vif): boolean {
  const { p, b } = dp;
  const vnetAt = p.at - VNET_LEN;
  if (isPlain(b, vnetAt)) return true;
  if (isSuperFrame(b, vnetAt)) {
    sendSuperFrame(dp, wrapping, tunnel, out);
    return false;
  }
  completeChecksum(b, p.at, p.end - p.at, vnetAt);
  return true;
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

function count(dp: Datapath, { wrap }: Tunnel): void {
  if (wrap === WRAP.mplsOverUdp) dp.vrfStat(VRF_STAT.udpMplsTunnels);
  else if (wrap === WRAP.mplsOverGre) dp.vrfStat(VRF_STAT.greMplsTunnels);
  else dp.vrfStat(VRF_STAT.vxlanTunnels);
}
