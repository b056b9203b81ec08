import { FLOW, FLOW_ACTION, FLOW_DROP, FLOW_OWN, type FlowKey, newFlowKey } from '../tables/flow.js';
import type { Vif } from '../tables/vif.js';
import type { Datapath } from './datapath.js';
import { answerKey, foldAnswer, foldByReceiver, foldBySender, FOLDED } from './flow-key.js';
import { isOfOrigin } from './flow-origin.js';
import { refresh } from './flow-refresh.js';

/** A second key of the packet in hand: as the rules of the receiver fold it. */
const other = newFlowKey();

/**
 * Finds the entry of the packet in hand, whose key is in `flow.real`; -1: there is none. Leaves in `flow.key` and `flow.folded` what
 * it was found by, or would be made with.
 *
 * The rules of the interface it comes from go first, and those of the interface it goes to are for what they leave alone. But an
 * entry counts for more than a rule: answers belong to the session that was made when the other end's rules went first.
 */
export function findEntry(dp: Datapath, from: Vif): number {
  const { flow, tables } = dp;
  if (tables.vifs.withFatFlows === 0) {
    flow.folded = FOLDED.not;
    if (flow.key !== flow.real) flow.key = flow.real;
    return findCurrent(dp, flow.real);
  }
  flow.key = flow.fat;
  flow.key.set(flow.real);
  flow.folded = foldBySender(flow.key, from);
  let index = findCurrent(dp, flow.key);
  if (index >= 0) return index;

  other.set(flow.real);
  if (foldByReceiver(tables, other, from) === FOLDED.not) return -1;
  index = findCurrent(dp, other);
  if (index < 0 && flow.folded !== FOLDED.not) return -1;
  flow.key.set(other);
  flow.folded = FOLDED.byReceiver;
  return index;
}

/** The entry of a key, decided by the state there is now; -1: there is none, or not any more. */
function findCurrent(dp: Datapath, key: FlowKey): number {
  const { table } = dp.flow;
  const index = table.find(key);
  if (index < 0 || table.words[table.at(index) + FLOW.epoch] === dp.tables.epochs.now) return index;
  return refresh(dp, index) ? index : -1;
}

/**
 * What becomes of a folded session that was just decided not to pass. When it is the answer to one that passes it does, too: of
 * several ends folded into one, only the first was known when that was decided. Else it is not folded, as those it would be folded
 * with would be refused with it; unless the rules are of whoever sends it, for whom one decision is to serve all.
 *
 * On entry the keys and the decision are in the flow state. Returns the entry the session has already, or -1.
 */
export function unfoldRefused(dp: Datapath, from: Vif): number {
  const { flow } = dp;
  const { decision: d } = flow;
  const isForeign = !isOfOrigin(dp, d.rpfNh);
  if (d.action !== FLOW_ACTION.drop && !isForeign) return -1;
  if (!d.short && !isForeign) {
    if (answersPassing(dp, from)) {
      d.action = FLOW_ACTION.forward;
      d.reason = FLOW_DROP.unknown;
      return -1;
    }
    if (flow.folded === FOLDED.bySender) return -1;
  }
  flow.key.set(flow.real);
  flow.folded = FOLDED.not;
  answerKey(flow.real, d.answerKeyNh, flow.answer);
  return findCurrent(dp, flow.key);
}

/**
 * Whether the session in hand is the other direction of one that somebody else began, and that passes: by the key of the answers, or
 * by the key the receiver's own rules give to what it sends.
 */
function answersPassing(dp: Datapath, from: Vif): boolean {
  const { flow, tables } = dp;
  if (isBegun(dp, flow.answer)) return true;
  if (flow.folded !== FOLDED.bySender || tables.vifs.withFatFlows === 0) return false;
  answerKey(flow.real, flow.decision.answerKeyNh, other);
  foldAnswer(tables, other, FOLDED.byReceiver, flow.real, from);
  return isBegun(dp, other);
}

/** Whether a session was begun by a packet with this key, and passes. */
export function isBegun(dp: Datapath, key: FlowKey): boolean {
  const { table } = dp.flow;
  const index = findCurrent(dp, key);
  if (index < 0) return false;
  const at = table.at(index);
  const isForward = ((table.words[at + FLOW.owner] >>> 16) & FLOW_OWN.forward) !== 0;
  return isForward && ((table.words[at + FLOW.state] >>> 16) & 0xff) === FLOW_ACTION.forward;
}
