import { FLOW, FLOW_ACTION, FLOW_DROP, FLOW_HEADER, FLOW_OWN } from '../tables/flow.js';
import { NH_TYPE } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import { get16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Datapath } from './datapath.js';
import { decide } from './flow-decide.js';
import { answerKey, foldAnswer, FOLDED, sameKey } from './flow-key.js';
import { isBegun, unfoldRefused } from './flow-find.js';
import { applyDecision, NOBODY, removePair, tell, writeNew } from './flow-pair.js';
import { isOfOrigin } from './flow-origin.js';
import { refresh } from './flow-refresh.js';
import { FLOW_END } from './flow-state.js';

/**
 * Makes the pair of entries for the packet in hand, whose keys are in the flow state, and decides it. Returns the forward entry,
 * or -1: the packet was dropped. What costs least is asked first, so that a flood of new sessions is cheap to refuse.
 * @param from interface the packet came in by, which pays for the pair unless it is the underlay's: then `out` does.
 * @param out interface it goes out of, when that is known; else -1.
 */
export function makePair(dp: Datapath, from: Vif, out: number): number {
  const { flow, tables, p } = dp;
  const { table, real, key, answer, decision: d } = flow;
  const payer = p.peer < 0 ? from : (tables.vifs.get(out) ?? from);
  if (flow.isFull(payer)) {
    table.header[FLOW_HEADER.limited]++;
    dp.drop('newFlow');
    return -1;
  }
  const icmp = icmpOf(dp);
  decide(tables, from, real, out >= 0 ? out : bridgedTo(dp, from), icmp, d);
  if (from.isChecked && !from.owns(dp.b, p.at + ethernet.SRC)) d.drop(FLOW_DROP.noSrcRt, true);
  answerKey(real, d.answerKeyNh, answer);
  foldAnswer(tables, answer, flow.folded, real, from);
  const known = flow.folded === FOLDED.not ? -1 : unfoldRefused(dp, from);
  if (known >= 0) return known;
  const isOwn = sameKey(key, answer);
  if (isOwn) d.drop(FLOW_DROP.sameFlowRflowKey, true);
  const single = isOwn || !hasAnswers(dp);

  const forward = table.insert(key);
  const reverse = forward < 0 || single ? -1 : table.insert(answer);
  if (forward < 0 || (!single && reverse < 0)) {
    if (forward >= 0) table.remove(forward);
    dp.drop('flowTableFull');
    return -1;
  }
  table.header[FLOW_HEADER.created]++;
  flow.count(payer.id, single ? 1 : 2);
  const fat = flow.folded === FOLDED.not ? 0 : FLOW_OWN.fat;
  if (!single) writeNew(dp, reverse, forward, answer, d.destination < 0 ? NOBODY : d.destination, fat);
  const owner = p.peer < 0 ? from.id : NOBODY;
  writeNew(dp, forward, isOwn ? forward : reverse, key, owner, FLOW_OWN.forward | fat);
  if (icmp >= 0) table.words[table.at(forward) + FLOW.tcpSeq] = icmp;
  applyDecision(dp, forward, from.vrf, d);
  tell(dp, forward);
  return forward;
}

/**
 * Whether the session just decided gets an entry for its answers. It gets none when the packet does not come from where its source
 * is: else a guest could take the answers to another one. Nor when the answers have an entry of somebody else's already, as those
 * of several guests of this host to one with a fat-flow rule, or of a session this one answers; such an entry is left to sessions
 * that pass.
 */
function hasAnswers(dp: Datapath): boolean {
  const { flow, tables } = dp;
  const { table, decision: d } = flow;
  if (!isOfOrigin(dp, d.rpfNh)) return false;
  if (flow.folded === FOLDED.byReceiver && d.action === FLOW_ACTION.drop) return false;
  const known = table.find(flow.answer);
  if (known < 0) return true;
  const isStale = table.words[table.at(known) + FLOW.epoch] !== tables.epochs.now;
  if (isStale && !refresh(dp, known)) return true;
  if (table.words[table.at(known) + FLOW.reverse] >= 0) return false;
  if (flow.folded !== FOLDED.not && isBegun(dp, flow.answer)) return false;
  removePair(dp, known, FLOW_END.changed);
  return true;
}

/** Type << 8 | code of the packet in hand; -1: it is not ICMP. */
function icmpOf({ p, b }: Datapath): number {
  const isIcmp = p.protocol === ipv4.PROTOCOL_ICMP || p.protocol === ipv6.PROTOCOL_ICMPV6;
  return isIcmp && p.l4At !== 0 ? get16(b, p.l4At) : -1;
}

/** Interface the destination MAC of the frame in hand leads to; -1: it is routed, or nobody knows the MAC. */
function bridgedTo({ p, b, tables }: Datapath, from: Vif): number {
  const slot = tables.bridge.find(from.vrf, b, p.at + ethernet.DST);
  const nexthop = slot < 0 ? undefined : tables.nexthops.get(tables.bridge.nexthop(slot));
  return nexthop?.type === NH_TYPE.encap ? nexthop.oif : -1;
}
