import { FRAGMENT } from '../packet/packet.js';
import { FLOW, FLOW_ACTION, FLOW_DOUBLE, FLOW_FLAG, FLOW_OWN, type FlowTable, RPF_SENDER } from '../tables/flow.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as tcp from '../wire/tcp.js';
import type { DropReason } from '../packet/drop.js';
import type { Datapath } from './datapath.js';
import { findEntry } from './flow-find.js';
import { packetKey } from './flow-key.js';
import { mirrorPacket } from './flow-mirror.js';
import { isFromSender, isOrigin } from './flow-origin.js';
import { countPacket, removePair } from './flow-pair.js';
import { makePair } from './flow-setup.js';
import { FLOW_END } from './flow-state.js';
import { isFromItsSource } from './icmp-error.js';
import { errorWithoutFlow } from './mirror-error.js';
import { ipEnd } from './parse.js';
import { trackTcp } from './tcp-track.js';
import { STEP, type Tracer } from './tracer.js';

/** Types of neighbour discovery, which has no flows (RFC 4861). */
const ND_FIRST = 133;
const ND_LAST = 137;

/**
 * The flow stage: every unicast IP packet of an interface with policy belongs to a session, whose two entries say what is done
 * with it. On an entry: is what it was decided by still so; TCP's letters; counts; may it come from there; copies; the action.
 *
 * Looks up the packet in hand as it comes from a guest. On entry parse() has accepted it, and what is neighbour discovery or for
 * DHCP is gone. Returns whether it goes on; else it was dropped.
 */
export function flowInput(dp: Datapath, vif: Vif): boolean {
  const { p, b } = dp;
  p.looked = true;
  if (p.protocol < 0 || ethernet.isMulticast(b, p.at) || isNd(dp)) return true;
  return lookUp(dp, vif, vif.nexthop, -1);
}

/**
 * Looks up the packet in hand before it leaves to a guest, by a nexthop with policy, when its sender has no flows. Returns whether
 * it goes on; else it was dropped.
 */
export function flowOutput(dp: Datapath, out: Vif): boolean {
  const { p, b, tables } = dp;
  p.looked = true;
  if (p.tagged || ethernet.isMulticast(b, p.at)) return true;
  // Malformed, as such packets come from other hosts alone: those have no protocol.
  if (p.protocol < 0) return !ethernet.isIp(p.etherType) || refuse(dp, 'invalidPacket');
  if (isNd(dp)) return true;
  const from = p.peer < 0 ? tables.vifs.get(p.vif) : tables.vrfs[p.vrf]?.fabric;
  return from ? lookUp(dp, from, out.nexthop, out.id) : refuse(dp, 'invalidIf');
}

function isNd({ p, b }: Datapath): boolean {
  if (p.protocol !== ipv6.PROTOCOL_ICMPV6 || p.l4At === 0 || !icmpv6.fits(p.l4At, p.end)) return false;
  const type = icmpv6.type(b, p.l4At);
  return type >= ND_FIRST && type <= ND_LAST;
}

function lookUp(dp: Datapath, from: Vif, keyNh: number, out: number): boolean {
  const { p } = dp;
  if (!packetKey(dp, keyNh)) return false;
  let index = findEntry(dp, from);
  if (index >= 0 && isOver(dp, index)) {
    if (!beginsTcp(dp)) return refuse(dp, 'flowEvict');
    removePair(dp, index, FLOW_END.closed);
    index = -1;
  }
  if (index < 0) {
    if (p.isQuoting) return errorWithoutFlow(dp, from, out);
    if (p.fragment === FRAGMENT.later) return refuse(dp, 'flowUnusable');
    index = makePair(dp, from, out);
  }
  return index >= 0 && follow(dp, from, index);
}

const isOver = ({ flow: { table } }: Datapath, index: number): boolean =>
  (table.words[table.at(index) + FLOW.state] & FLOW_FLAG.evictCandidate) !== 0;

/** Whether the packet is the first of a TCP session. */
function beginsTcp({ p, b }: Datapath): boolean {
  if (p.protocol !== ipv4.PROTOCOL_TCP || p.l4At === 0 || !tcp.fits(p.l4At, p.end)) return false;
  return (tcp.flags(b, p.l4At) & (tcp.SYN | tcp.ACK)) === tcp.SYN;
}

function refuse(dp: Datapath, reason: DropReason): false {
  dp.drop(reason);
  return false;
}

/** Does with the packet in hand what its entry says. */
function follow(dp: Datapath, from: Vif, index: number): boolean {
  const { p, flow } = dp;
  const { table } = flow;
  const { words } = table;
  const at = table.at(index);
  p.flow = index;
  if (p.protocol === ipv4.PROTOCOL_TCP) track(dp, table, index);
  countPacket(dp, index);
  const state = words[at + FLOW.state];
  if (dp.tracer !== null) traceFlow(dp, dp.tracer, index, state);
  const action = (state >>> 16) & 0xff;
  const isMirrored = (state & FLOW_FLAG.mirror) !== 0;
  if (action !== FLOW_ACTION.forward) {
    if (isMirrored && isWhereItBelongs(dp, from, at)) mirrorPacket(dp, at);
    return refuse(dp, action === FLOW_ACTION.drop ? 'flowActionDrop' : 'flowActionInvalid');
  }
  if (!isWhereItBelongs(dp, from, at)) return refuse(dp, 'invalidSource');
  if (isMirrored) mirrorPacket(dp, at);
  return true;
}

function traceFlow({ p, flow: { table } }: Datapath, tracer: Tracer, index: number, state: number): void {
  const isFirst = table.doubles[table.doubleAt(index) + FLOW_DOUBLE.packets] === p.packets;
  tracer.step(STEP.flow, index, isFirst ? 1 : 0, state, table.words[table.at(index) + FLOW.rpfNh]);
}

/** Whether the packet in hand comes from where its entry says, with a MAC that may send there. */
function isWhereItBelongs(dp: Datapath, from: Vif, at: number): boolean {
  const { p, b, flow } = dp;
  const { words } = flow.table;
  const rpfNh = words[at + FLOW.rpfNh];
  const isFat = (words[at + FLOW.owner] & (FLOW_OWN.fat << 16)) !== 0;
  if (rpfNh > 0 && (rpfNh !== from.nexthop || isFat || p.isQuoting) && !comesFrom(dp, from, at, rpfNh)) return false;
  if (rpfNh === RPF_SENDER && !isFromSender(dp)) return false;
  return !from.isChecked || from.owns(b, p.at + ethernet.SRC);
}

/**
 * Whether the packet in hand comes from where the route to its source leads. That is S(nh), unless the entry is for many sources, of
 * which its key has none, or the packet is an ICMP error, whose source is not that of its session.
 */
function comesFrom(dp: Datapath, from: Vif, at: number, rpfNh: number): boolean {
  const { p, flow, tables } = dp;
  const { words } = flow.table;
  let isOfMany = false;
  for (let w = FLOW.source; w < FLOW.source + 4; w++) if (words[at + w] !== flow.real[w]) isOfMany = true;
  if (!isOfMany && rpfNh !== from.nexthop && !isOrigin(p, tables.nexthops.get(rpfNh))) return false;
  return (!isOfMany && !p.isQuoting) || isFromItsSource(dp);
}

/** Takes the TCP segment in hand into its entries, unless several sessions share them. Closed pairs wait to be removed. */
function track(dp: Datapath, table: FlowTable, index: number): void {
  const { p, b, flow } = dp;
  const { words } = table;
  const at = table.at(index);
  if (p.l4At === 0 || !tcp.fits(p.l4At, p.end) || ((words[at + FLOW.owner] >>> 16) & FLOW_OWN.fat) !== 0) return;
  const reverse = words[at + FLOW.reverse];
  if (!trackTcp(table, index, reverse, b, p.l4At, payloadLength(dp), dp.options.closeOnAnyReset)) return;
  words[at + FLOW.state] |= FLOW_FLAG.evictCandidate;
  if (reverse >= 0) words[table.at(reverse) + FLOW.state] |= FLOW_FLAG.evictCandidate;
  const displaced = flow.close(index);
  if (displaced >= 0) removePair(dp, displaced, FLOW_END.closed);
}

/** Bytes behind the TCP header. */
function payloadLength(dp: Datapath): number {
  const { p, b } = dp;
  return Math.max(0, ipEnd(dp) - p.l4At - tcp.dataOffset(b, p.l4At));
}
