import { VNET_LEN } from '../io/device.js';
import { HEADER, MIRROR, VRF_STAT } from '../tables/counters.js';
import type { Mirror } from '../tables/mirror.js';
import type { Nexthop } from '../tables/nexthop.js';
import { NH_TYPE, VIF_ID } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import { WRAP } from '../tables/tunnel.js';
import type { Vif } from '../tables/vif.js';
import { copy } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import { NOTHING, writeFlow } from '../wire/mirror-metadata.js';
import * as vnet from '../wire/vnet.js';
import type { Datapath } from './datapath.js';
import { passesErrors } from './mirror-error.js';
import { isForItself, sourcePort } from './mirror-frame.js';
import { MAX_COPIES } from './mirror-state.js';
import { sendPlain, sendWrapped } from './mirror-send.js';
import { completeChecksum, isSuperFrame } from './offload.js';
import { parse, parseEthernet } from './parse.js';
import { MIRROR_OUTCOME, MIRRORED, STEP } from './tracer.js';
import { outerPort } from './flow-key.js';
import { FLOW } from '../tables/flow.js';

/*
 * Copies for analyzers: of what an interface receives before anything else is done with it, of what it sends after everything else
 * was, and of the packets of a flow (tf-vrouter dp-core/vr_mirror.c). The frame in hand is never touched; what is copied is what goes
 * on the wire, so a super-frame is copied as its segments, and checksums left to others are completed in the copy.
 *
 * A copy goes out at once, by the tables and past the flows. As it is no frame in hand of the other stages, it is never copied itself.
 */

/** The interface has received the frame in hand, of which nothing but the length was looked at. */
export function mirrorReceived(dp: Datapath, ids: readonly number[], vif: Vif): void {
  const { mirrors: state, tables } = dp;
  state.kind = MIRRORED.received;
  state.isIngress = true;
  state.sender = vif;
  state.receiver = null;
  copyOfPort(dp, ids, vif, tables.vrfs[vif.vrf]?.sentMetadata ?? NOTHING);
}

/**
 * The frame in hand is about to leave by an interface with mirrors. False: it does not, as it is an ICMP error about a copy, which is
 * not for who is mirrored; it was dropped.
 */
export function mirrorSent(dp: Datapath, out: Vif): boolean {
  const { mirrors: state, tables } = dp;
  if (!passesErrors(dp, out)) return false;
  if (out.transmitMirrors === null) return true;
  state.kind = MIRRORED.sent;
  state.isIngress = false;
  state.sender = dp.p.peer < 0 ? (tables.vifs.get(dp.p.vif) ?? null) : null;
  state.receiver = out;
  copyOfPort(dp, out.transmitMirrors, out, tables.vrfs[out.vrf]?.receivedMetadata ?? NOTHING);
  return true;
}

/**
 * Copies the packet in hand for one analyzer of its flow, whose key is in `dp.flow.key`.
 * @param index mirror; one that is not there, or cannot be reached, copies nothing.
 * @param vrf VRF in which the analyzer is routed.
 * @param flags bits of ACTION of the metadata; `ingress`: the packet comes from the guest.
 * @param source number of the network of its source, and of its destination; 0: the VRF's own.
 */
export function mirrorFlow(
  dp: Datapath,
  index: number,
  vrf: number,
  flags: number,
  source: number,
  destination: number,
): void {
  const { p, mirrors: state, tables, flow } = dp;
  const out = p.nexthop >= 0 ? tables.nexthops.get(p.nexthop) : undefined;
  state.kind = MIRRORED.flow;
  state.isIngress = p.peer < 0;
  state.sender = p.peer < 0 ? (tables.vifs.get(p.vif) ?? null) : null;
  state.receiver = out === undefined ? null : (tables.vifs.get(out.oif) ?? null);
  state.vrf = vrf;
  state.addressed = null;
  state.port = outerPort(flow.key, flow.key[FLOW.keyNh], 0);
  state.metadata = state.flowMetadata;
  const own = tables.vrfs[vrf]?.encodedName ?? NOTHING_NAMED;
  const nexthop = tables.mirrors.get(index)?.record.nexthop ?? -1;
  const host = tables.nexthops.get(nexthop)?.udp?.source ?? NO_HOST;
  const sourceName = tables.networks.bytesOf(source) ?? own;
  const destinationName = tables.networks.bytesOf(destination) ?? own;
  state.metadataLen = writeFlow(state.flowMetadata, 0, host, flags, sourceName, destinationName);
  // What other hosts have sent has the Ethernet header it came with, none or one of the tunnel's, until it is sent.
  const isRewritten = p.peer >= 0 && out !== undefined && !out.bridged && out.rewrite.length === ethernet.LEN;
  state.rewrite = isRewritten ? out.rewrite : null;
  begin(dp);
  copyTo(dp, index);
  end(dp);
}

/** VLAN tag with which the interface's frames leave through the underlay, for a NIC that copies those; 0: none. */
export function nicVlanOf({ mirrors }: Tables, { receiveMirrors }: Vif): number {
  for (let i = 0; receiveMirrors !== null && i < receiveMirrors.length; i++) {
    const vlan = mirrors.get(receiveMirrors[i])?.record.nicVlan ?? 0;
    if (vlan > 0) return vlan;
  }
  return 0;
}

const NOTHING_NAMED = new Uint8Array(0);
const NO_HOST = new Uint8Array(4);

/** Copies the frame in hand for an interface's analyzers; what has no Ethernet header is no frame. */
function copyOfPort(dp: Datapath, ids: readonly number[], vif: Vif, metadata: Uint8Array): void {
  if (dp.p.end - dp.p.at < ethernet.LEN) return;
  const { mirrors: state } = dp;
  state.vrf = vif.vrf;
  state.addressed = vif;
  state.keyNh = vif.nexthop;
  state.port = -1;
  state.metadata = metadata;
  state.metadataLen = metadata.length;
  state.rewrite = null;
  begin(dp);
  for (let i = 0; i < ids.length; i++) {
    // Copies are the interface's: it is its own frames that must not come back to it.
    dp.p.vif = vif.id;
    copyTo(dp, ids[i]);
  }
  end(dp);
}

/** Takes the copies to be made in hand, one after the other, instead of the packet. */
function begin(dp: Datapath): void {
  const { p, mirrors: state } = dp;
  state.original.set(p);
  dp.hold(p.at, p.end);
  p.isCopy = true;
  p.peer = -1;
  p.flow = -1;
  p.nexthop = -1;
  p.looked = true;
  p.made = 0;
  p.nicVlan = 0;
}

function end(dp: Datapath): void {
  const { p, mirrors: state } = dp;
  p.set(state.original);
  dp.hold(-1, -1);
}

/** Copies the original for one analyzer. A mirror that is not there copies nothing. */
function copyTo(dp: Datapath, index: number): void {
  const { b, mirrors: state } = dp;
  const { original, segmenter } = state;
  const mirror = dp.tables.mirrors.get(index);
  if (!mirror) return dp.tracer?.step(STEP.mirror, index, state.kind, MIRROR_OUTCOME.gone, -1);
  if (mirror.record.nicVlan > 0) {
    if (state.isIngress) original.nicVlan = mirror.record.nicVlan;
    return trace(dp, mirror, MIRROR_OUTCOME.byNic);
  }
  if (!findLeg(dp, mirror)) return discard(dp, mirror);
  if (isLooped(dp, mirror)) {
    trace(dp, mirror, MIRROR_OUTCOME.looped);
    return count(dp, mirror, MIRROR.looped, original.packets);
  }
  const { at } = original;
  const length = original.end - at;
  const vnetAt = at - VNET_LEN;
  if (!isSuperFrame(b, vnetAt)) {
    if (isWanted(dp, mirror)) copyFrame(dp, mirror, length, false);
    return;
  }
  // Nothing else but copies is divided by this one.
  if (!segmenter.begin(b, at, length, vnetAt)) return;
  const { tracer } = dp;
  while (segmenter.more) {
    if (isWanted(dp, mirror)) copyFrame(dp, mirror, segmenter.frameLength, true);
    else segmenter.skip();
    // Who traces hears of the first segment alone.
    dp.tracer = null;
  }
  dp.tracer = tracer;
}

function trace({ tracer, mirrors: { kind, leg } }: Datapath, { record }: Mirror, outcome: number): void {
  tracer?.step(STEP.mirror, record.id, kind, outcome, leg === null ? -1 : leg.id);
}

/** Whether the original is a copy of the mirror's own, or of so many mirrors that those lead to each other. */
function isLooped(dp: Datapath, { record }: Mirror): boolean {
  const analyzer = dp.tables.nexthops.get(record.nexthop)?.udp;
  return analyzer ? isForItself(dp, analyzer) : dp.mirrors.original.copies >= MAX_COPIES;
}

/** Whether one more frame is copied: it is in the sample, and the limit lets it. */
function isWanted(dp: Datapath, mirror: Mirror): boolean {
  const { sample, rateLimit } = mirror.record;
  if (sample > 1 && mirror.untilSample > 0) {
    mirror.untilSample--;
    count(dp, mirror, MIRROR.sampledOut, 1);
    trace(dp, mirror, MIRROR_OUTCOME.sampledOut);
    return false;
  }
  if (sample > 1) mirror.untilSample = sample - 1;
  if (rateLimit === 0 || mirror.copies.take(rateLimit, rateLimit, dp.now)) return true;
  count(dp, mirror, MIRROR.limited, 1);
  trace(dp, mirror, MIRROR_OUTCOME.limited);
  return false;
}

function count(dp: Datapath, { record }: Mirror, word: number, packets: number): void {
  dp.counters.words[dp.counters.mirrorAt(record.id) + word] += packets;
}

/** No way leads to the analyzer: there are copies, and they are dropped. */
function discard(dp: Datapath, mirror: Mirror): void {
  const { p, mirrors: state } = dp;
  const { packets } = state.original;
  trace(dp, mirror, MIRROR_OUTCOME.unresolved);
  p.packets = packets;
  p.vrf = state.legVrf;
  dp.counters.words[HEADER.copied] += packets;
  count(dp, mirror, MIRROR.discards, packets);
  dp.vrfStat(VRF_STAT.discards);
  dp.drop('discards');
}

/** Finds where copies for the analyzer go. False: nowhere. */
function findLeg(dp: Datapath, { record }: Mirror): boolean {
  const { tables, mirrors: state } = dp;
  const nexthop = tables.nexthops.get(record.nexthop);
  state.legVrf = state.vrf;
  if (!nexthop?.udp) {
    state.leg = nexthop ?? null;
    state.label = record.vni;
    return nexthop !== undefined && !record.isDynamic && isWay(dp, nexthop, false);
  }
  if (nexthop.vrf >= 0) state.legVrf = nexthop.vrf;
  const vrf = tables.vrfs[state.legVrf];
  if (vrf === undefined || !record.isDynamic) return false;
  const { udp } = nexthop;
  const route = udp.isIpv6 ? vrf.inet6.lookup(udp.destination, 0) : vrf.inet.lookup(udp.destination, 0);
  const way = tables.nexthops.get(route.nexthop);
  state.leg = way ?? null;
  state.label = route.label;
  // The host's stack takes nothing that comes from its own address; from guests it takes what is for the underlay.
  if (way?.oif === VIF_ID.host && state.addressed === null) state.addressed = guestOf(dp);
  return way !== undefined && isWay(dp, way, true);
}

/** The guest of this host whose packet the original is: who sends it, else who is sent it. */
function guestOf({ tables, mirrors: { original } }: Datapath): Vif | null {
  const sender = original.peer < 0 ? original.vif : -1;
  const id = sender >= VIF_ID.firstVirtual ? sender : (tables.nexthops.get(original.nexthop)?.oif ?? -1);
  return id >= VIF_ID.firstVirtual ? (tables.vifs.get(id) ?? null) : null;
}

/** Whether frames can be sent by a nexthop: out of an interface that is not the agent's, or through a tunnel. */
function isWay(dp: Datapath, { type, oif, tunnel }: Nexthop, isRouted: boolean): boolean {
  if (dp.tables.vifs.get(oif) === undefined) return false;
  if (type === NH_TYPE.encap) return oif !== VIF_ID.agent;
  if (type !== NH_TYPE.tunnel || tunnel === null || !tunnel.isResolved || dp.mirrors.label < 0) return false;
  return !isRouted || tunnel.wrap !== WRAP.vxlan || tunnel.innerMac !== null;
}

/** Copies a frame of `length` bytes: the original, or the next of its segments. */
function copyFrame(dp: Datapath, mirror: Mirror, length: number, isSegment: boolean): void {
  const { p, b, mirrors: state } = dp;
  const { original, segmenter } = state;
  const { record } = mirror;
  const udp = dp.tables.nexthops.get(record.nexthop)?.udp ?? null;
  const headerLen = udp === null ? 0 : udp.header.length + state.metadataLen;
  // The copy before is sent: it may be overwritten.
  p.at = original.at;
  p.end = original.end;
  const at = dp.scratch(headerLen + length);
  const frameAt = at + headerLen;
  if (isSegment) segmenter.next(frameAt);
  else copyWhole(dp, frameAt, length);
  if (state.rewrite !== null) for (let i = 0; i < ethernet.TYPE; i++) b[frameAt + i] = state.rewrite[i];

  p.at = frameAt;
  p.end = frameAt + length;
  p.packets = 1;
  p.vrf = state.legVrf;
  p.copies = original.copies;
  if (!parseEthernet(dp)) p.protocol = -1;
  else if (!parse(dp)) p.protocol = -1;
  trace(dp, mirror, MIRROR_OUTCOME.copied);

  if (record.snapLength > 0 && length > record.snapLength) p.end = frameAt + Math.max(record.snapLength, ethernet.LEN);
  const kept = p.end - frameAt;
  dp.counters.words[HEADER.copied]++;
  count(dp, mirror, state.isIngress ? MIRROR.ingressPackets : MIRROR.egressPackets, 1);
  count(dp, mirror, state.isIngress ? MIRROR.ingressBytes : MIRROR.egressBytes, kept);
  const isSent =
    udp === null
      ? sendPlain(dp)
      : sendWrapped(dp, udp, at, state.port >= 0 && p.protocol >= 0 ? state.port : sourcePort(dp, udp));
  if (!isSent) count(dp, mirror, MIRROR.failed, 1);
}

/** Copies the original, its checksum completed, to `to`. */
function copyWhole({ b, mirrors: { original } }: Datapath, to: number, length: number): void {
  const { at } = original;
  const vnetAt = at - VNET_LEN;
  copy(b, at, to, length);
  const flags = vnet.flags(b, vnetAt);
  if ((flags & vnet.NEEDS_CSUM) === 0) return;
  completeChecksum(b, to, length, vnetAt);
  // The original has that left to do yet.
  vnet.setFlags(b, vnetAt, flags);
}
