import {
  FLOW,
  FLOW_ACTION,
  FLOW_DOUBLE,
  FLOW_FLAG,
  FLOW_HEADER,
  FLOW_OWN,
  type FlowKey,
  NO_MIRRORS,
} from '../tables/flow.js';
import type { Datapath } from './datapath.js';
import type { FlowDecision } from './flow-decide.js';
import { outerPort } from './flow-key.js';
import { FLOW_END, type FlowEnd } from './flow-state.js';
import { STEP, type Tracer } from './tracer.js';

/** Owner of a direction that comes from no interface of this host. */
export const NOBODY = 0xffff;
const NO_ECMP = 255 << 24;

/** Fills a new entry with what does not depend on the decision. */
export function writeNew(dp: Datapath, index: number, other: number, key: FlowKey, owner: number, own: number): void {
  const { table, seed } = dp.flow;
  const { words, doubles } = table;
  const at = table.at(index);
  words[at + FLOW.reverse] = other;
  words[at + FLOW.owner] = owner | (own << 16);
  words[at + FLOW.outer] = outerPort(key, dp.p.vrf, seed) | NO_ECMP;
  writeOrigin(dp, at);
  const d = table.doubleAt(index);
  doubles[d + FLOW_DOUBLE.created] = doubles[d + FLOW_DOUBLE.lastSeen] = dp.now;
}

/** Counts the packet in hand in its entry. */
export function countPacket(dp: Datapath, index: number): void {
  const { p } = dp;
  const { table } = dp.flow;
  const { doubles } = table;
  const d = table.doubleAt(index);
  if (doubles[d + FLOW_DOUBLE.packets] === 0) writeOrigin(dp, table.at(index));
  doubles[d + FLOW_DOUBLE.packets] += p.packets;
  doubles[d + FLOW_DOUBLE.bytes] += p.bytes - p.made;
  doubles[d + FLOW_DOUBLE.lastSeen] = dp.now;
}

/** Notes where the packet in hand comes from, as that of the entry's first. */
function writeOrigin({ p, flow: { table } }: Datapath, at: number): void {
  const { words } = table;
  if (p.peer < 0) {
    words[at + FLOW.source1] = p.vif;
    words[at + FLOW.owner] &= ~(FLOW_OWN.fromFabric << 16);
  } else {
    words[at + FLOW.source1] = p.outerSource;
    words[at + FLOW.owner] |= FLOW_OWN.fromFabric << 16;
  }
}

/** Interface whose share a pair counts against: the one that began it, or, when that was another host's, the one it is for. */
export function payerOf({ flow: { table }, tables }: Datapath, forward: number): number {
  const { words } = table;
  const at = table.at(forward);
  const owner = words[at + FLOW.owner] & 0xffff;
  if (owner !== NOBODY) return owner;
  const reverse = words[at + FLOW.reverse];
  if (reverse >= 0 && reverse !== forward) return words[table.at(reverse) + FLOW.owner] & 0xffff;
  return tables.nexthops.get(words[at + FLOW.keyNh])?.oif ?? NOBODY;
}

function traceDecision(tracer: Tracer, forward: number, d: FlowDecision): void {
  for (let i = 0; i < d.askedCount; i++) tracer.step(STEP.policy, d.asked[2 * i], d.asked[2 * i + 1]);
  tracer.step(STEP.decide, forward, d.action, d.reason, d.rule);
}

/** Writes a decision into both entries of a pair, or the one there is; the session begins in VRF `vrf`. */
export function applyDecision(dp: Datapath, forward: number, vrf: number, d: FlowDecision): void {
  if (dp.tracer !== null) traceDecision(dp.tracer, forward, d);
  const { words } = dp.flow.table;
  const at = dp.flow.table.at(forward);
  const reverse = words[at + FLOW.reverse];
  applyTo(dp, at, d, d.mirrors, reverse >= 0);
  words[at + FLOW.rpfNh] = d.rpfNh;
  words[at + FLOW.vrf] = vrf | (d.destinationVrf << 16);
  if (reverse < 0 || reverse === forward) return;
  const reverseAt = dp.flow.table.at(reverse);
  applyTo(dp, reverseAt, d, d.answerMirrors, true);
  words[reverseAt + FLOW.rpfNh] = d.answerRpfNh;
  words[reverseAt + FLOW.vrf] = d.destinationVrf | (vrf << 16);
}

function applyTo(dp: Datapath, at: number, d: FlowDecision, mirrors: number, hasReverse: boolean): void {
  const { words } = dp.flow.table;
  const flags = FLOW_FLAG.active | (hasReverse ? FLOW_FLAG.reverseValid : 0);
  const kept = words[at + FLOW.state] & FLOW_FLAG.evictCandidate;
  const mirror = mirrors === NO_MIRRORS ? 0 : FLOW_FLAG.mirror;
  const byHand = (words[at + FLOW.owner] & (FLOW_OWN.byHand << 16)) !== 0;
  const own = (d.short && !byHand ? FLOW_OWN.short : 0) | (d.byMac ? FLOW_OWN.byMac : 0);
  // What an operator decided stays.
  if (byHand) words[at + FLOW.state] = (words[at + FLOW.state] & ~FLOW_FLAG.mirror) | mirror;
  else words[at + FLOW.state] = flags | kept | mirror | (d.action << 16) | (d.reason << 24);
  words[at + FLOW.mirrors] = mirrors;
  words[at + FLOW.rule] = d.rule;
  words[at + FLOW.epoch] = dp.tables.epochs.now;
  words[at + FLOW.owner] = (words[at + FLOW.owner] & ~((FLOW_OWN.short | FLOW_OWN.byMac) << 16)) | (own << 16);
}

/** Tells the log of sessions what became of a pair. */
export function tell(dp: Datapath, forward: number): void {
  const { sessions, table } = dp.flow;
  if (!sessions) return;
  const action = (table.words[table.at(forward) + FLOW.state] >>> 16) & 0xff;
  if (action === FLOW_ACTION.drop) sessions.refused(forward);
  else sessions.began(forward);
}

/** Removes the pair one of whose entries is `index`. */
export function removePair(dp: Datapath, index: number, cause: FlowEnd): void {
  const { flow, tables } = dp;
  const { table } = flow;
  const forward = flow.forwardOf(index);
  const at = table.at(forward);
  const reverse = table.words[at + FLOW.reverse];
  flow.sessions?.ended(forward, cause);
  table.header[FLOW_HEADER.ended]++;
  if (cause === FLOW_END.closed) table.header[FLOW_HEADER.evicted]++;
  const owner = payerOf(dp, forward);
  // Of an interface that was deleted since, the count went with it.
  if (table.words[at + FLOW.epoch] >= tables.epochs.vifGone[owner])
    flow.count(owner, reverse === forward || reverse < 0 ? -1 : -2);
  table.remove(forward);
  if (reverse >= 0 && reverse !== forward) table.remove(reverse);
}
