import {
  FLOW,
  FLOW_ACTION,
  FLOW_DOUBLE,
  FLOW_DROP,
  FLOW_FLAG,
  FLOW_HEADER,
  FLOW_OWN,
  type FlowKey,
} from '../tables/flow.js';
import { NH_TYPE } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import type { Datapath } from './datapath.js';
import { decide, type FlowDecision } from './flow-decide.js';
import { answerKey, outerPort, sameKey } from './flow-key.js';
import { FLOW_END, type FlowEnd } from './flow-state.js';

/** Owner of a direction that comes from no interface of this host. */
export const NOBODY = 0xffff;
const NO_ECMP = 255 << 24;

/**
 * Makes the pair of entries for the packet in hand, whose keys are in the flow state, and decides it. Returns the forward entry,
 * or -1: the packet was dropped. What costs least is asked first, so that a flood of new sessions is cheap to refuse.
 * @param from interface the packet came in by, which pays for the pair.
 * @param out interface it goes out of, when that is known; else -1.
 */
export function makePair(dp: Datapath, from: Vif, out: number): number {
  const { flow, tables, p } = dp;
  const { table, real, key, answer, decision: d } = flow;
  if (flow.isFull(from)) {
    table.header[FLOW_HEADER.limited]++;
    dp.drop('newFlow');
    return -1;
  }
  decide(tables, from, real, out >= 0 ? out : bridgedTo(dp, from), d);
  if (from.policy && from.portSecurity && !from.owns(dp.b, p.at + ethernet.SRC)) d.drop(FLOW_DROP.noSrcRt, true);
  answerKey(real, d.answerKeyNh, answer);
  const alone = sameKey(key, answer);
  if (alone) d.drop(FLOW_DROP.sameFlowRflowKey, true);
  const known = alone ? -1 : table.find(answer);
  if (known >= 0) removePair(dp, known, FLOW_END.changed);

  const forward = table.insert(key);
  const reverse = forward < 0 || alone ? forward : table.insert(answer);
  if (reverse < 0) {
    if (forward >= 0) table.remove(forward);
    dp.drop('flowTableFull');
    return -1;
  }
  table.header[FLOW_HEADER.created]++;
  flow.count(from.id, alone ? 1 : 2);
  if (!alone) write(dp, reverse, forward, answer, d.destination < 0 ? NOBODY : d.destination, 0);
  write(dp, forward, reverse, key, from.id, FLOW_OWN.forward);
  applyDecision(dp, forward, d);
  tell(dp, forward);
  return forward;
}

/** Interface the destination MAC of the frame in hand leads to; -1: it is routed, or nobody knows the MAC. */
function bridgedTo({ p, b, tables }: Datapath, from: Vif): number {
  const slot = tables.bridge.find(from.vrf, b, p.at + ethernet.DST);
  const nexthop = slot < 0 ? undefined : tables.nexthops.get(tables.bridge.nexthop(slot));
  return nexthop?.type === NH_TYPE.encap ? nexthop.oif : -1;
}

/** Fills a new entry with what does not depend on the decision. */
function write(dp: Datapath, index: number, other: number, key: FlowKey, owner: number, own: number): void {
  const { table, seed } = dp.flow;
  const { words, doubles } = table;
  const at = table.at(index);
  words[at + FLOW.reverse] = other;
  words[at + FLOW.owner] = owner | (own << 16);
  words[at + FLOW.outer] = outerPort(key, dp.p.vrf, seed) | NO_ECMP;
  words[at + FLOW.source1] = dp.p.vif;
  const d = table.doubleAt(index);
  doubles[d + FLOW_DOUBLE.created] = doubles[d + FLOW_DOUBLE.lastSeen] = dp.now;
}

/** Writes a decision into both entries of a pair. */
export function applyDecision(dp: Datapath, forward: number, d: FlowDecision): void {
  const { table } = dp.flow;
  const { words } = table;
  const at = table.at(forward);
  const reverse = table.at(words[at + FLOW.reverse]);
  const keep = FLOW_FLAG.evictCandidate;
  const state = FLOW_FLAG.active | FLOW_FLAG.reverseValid | (d.action << 16) | (d.reason << 24);
  const vrf = dp.tables.vifs.get(words[at + FLOW.owner] & 0xffff)?.vrf ?? 0;
  const own = (d.short ? FLOW_OWN.short : 0) | (d.byMac ? FLOW_OWN.byMac : 0);
  for (let entry = at; ; entry = reverse) {
    words[entry + FLOW.state] = state | (words[entry + FLOW.state] & keep);
    words[entry + FLOW.rule] = d.rule;
    words[entry + FLOW.epoch] = dp.tables.epochs.now;
    words[entry + FLOW.owner] = (words[entry + FLOW.owner] & ~((FLOW_OWN.short | FLOW_OWN.byMac) << 16)) | (own << 16);
    if (entry === reverse) break;
  }
  words[reverse + FLOW.rpfNh] = d.answerRpfNh;
  words[reverse + FLOW.vrf] = d.destinationVrf | (vrf << 16);
  words[at + FLOW.rpfNh] = d.rpfNh;
  words[at + FLOW.vrf] = vrf | (d.destinationVrf << 16);
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
  const owner = table.words[at + FLOW.owner] & 0xffff;
  // Of an interface that was deleted since, the count went with it.
  if (table.words[at + FLOW.epoch] >= tables.epochs.vifGone[owner]) flow.count(owner, reverse === forward ? -1 : -2);
  table.remove(forward);
  if (reverse >= 0 && reverse !== forward) table.remove(reverse);
}
