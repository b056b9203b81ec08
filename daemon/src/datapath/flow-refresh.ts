import { FLOW, FLOW_DROP, FLOW_HEADER, FLOW_OWN } from '../tables/flow.js';
import type { Tables } from '../tables/tables.js';
import type { Vif } from '../tables/vif.js';
import type { Datapath } from './datapath.js';
import { decide } from './flow-decide.js';
import { foldByReceiver, foldBySender, FOLDED } from './flow-key.js';
import { applyDecision, NOBODY, removePair, tell } from './flow-pair.js';
import { FLOW_END } from './flow-state.js';

/**
 * Brings an entry that was decided by an older state up to date: looks whether a change since concerns it, and decides its pair
 * anew in place if so. False: the pair is gone, because its packets would have another key now, or its interface is not there
 * any more.
 */
export function refresh(dp: Datapath, index: number): boolean {
  const { flow, tables } = dp;
  const { words } = flow.table;
  const forward = flow.forwardOf(index);
  const at = flow.table.at(forward);
  const reverse = words[at + FLOW.reverse];
  const reverseAt = reverse < 0 ? at : flow.table.at(reverse);
  const to = reverse < 0 ? NOBODY : words[reverseAt + FLOW.owner] & 0xffff;
  const owner = words[at + FLOW.owner] & 0xffff;
  const from = owner === NOBODY ? tables.vrfs[words[at + FLOW.vrf] & 0xffff]?.fabric : tables.vifs.get(owner);
  if (!isGone(tables, words, at, to)) {
    // After a start nobody is there yet: what was decided holds until they are.
    if (!from || (to !== NOBODY && !tables.vifs.get(to))) return true;
    if (isRight(dp, forward, from, to)) {
      words[at + FLOW.epoch] = words[reverseAt + FLOW.epoch] = tables.epochs.now;
      return true;
    }
  }
  removePair(dp, forward, FLOW_END.changed);
  return false;
}

const isAfter = (changes: Int32Array, id: number, time: number): boolean => id < changes.length && changes[id] > time;

/** Whether an interface or a network of the pair was deleted since. */
function isGone({ epochs }: Tables, words: Int32Array, at: number, to: number): boolean {
  const decided = words[at + FLOW.epoch];
  const vrfs = words[at + FLOW.vrf];
  if (isAfter(epochs.vifGone, words[at + FLOW.owner] & 0xffff, decided) || isAfter(epochs.vifGone, to, decided))
    return true;
  return isAfter(epochs.vrfGone, vrfs & 0xffff, decided) || isAfter(epochs.vrfGone, vrfs >>> 16, decided);
}

/** Whether the entries of the pair may stay, decided anew if need be. */
function isRight(dp: Datapath, forward: number, from: Vif, to: number): boolean {
  const { flow, tables } = dp;
  const { epochs } = tables;
  const { words } = flow.table;
  const at = flow.table.at(forward);
  const decided = words[at + FLOW.epoch];
  const vrfs = words[at + FLOW.vrf];
  const alone = words[at + FLOW.reverse] < 0;
  const policies = policiesChanged(tables, words, at, from, to) || (alone && epochs.anybody > decided);
  const routes =
    epochs.shared > decided || isAfter(epochs.vrf, vrfs & 0xffff, decided) || isAfter(epochs.vrf, vrfs >>> 16, decided);
  if (((words[at + FLOW.owner] >>> 16) & FLOW_OWN.fat) !== 0) return !policies && (!routes || leadsBack(dp, forward));
  // Where an entry without a partner leads is not known any more: the next packet shows.
  return alone ? !policies && !routes : (!policies && !routes) || decideAnew(dp, forward, from, to);
}

/** Whether an interface, a network or an ACL changed that the pair was decided by. */
function policiesChanged(tables: Tables, words: Int32Array, at: number, from: Vif, to: number): boolean {
  const { epochs, vrfs, vifs } = tables;
  const decided = words[at + FLOW.epoch];
  const vrf = words[at + FLOW.vrf] & 0xffff;
  const toVrf = words[at + FLOW.vrf] >>> 16;
  if (isAfter(epochs.vif, from.id, decided) || isAfter(epochs.vif, to, decided)) return true;
  if (isAfter(epochs.vrfRecord, vrf, decided) || isAfter(epochs.vrfRecord, toVrf, decided)) return true;
  const networks = Math.max(epochs.aclTime(vrfs[vrf]?.record.acl ?? -1), epochs.aclTime(vrfs[toVrf]?.record.acl ?? -1));
  const groups = Math.max(epochs.aclTime(from.egressAcl), epochs.aclTime(vifs.get(to)?.ingressAcl ?? -1));
  return networks > decided || groups > decided;
}

/** Whether both directions of a pair still come from nexthops there are. Whose packets it is for is not known any more. */
function leadsBack({ flow: { table }, tables }: Datapath, forward: number): boolean {
  const at = table.at(forward);
  const reverse = table.words[at + FLOW.reverse];
  const isThere = (nexthop: number): boolean => nexthop <= 0 || tables.nexthops.get(nexthop) !== undefined;
  return isThere(table.words[at + FLOW.rpfNh]) && (reverse < 0 || isThere(table.words[table.at(reverse) + FLOW.rpfNh]));
}

/** Decides a pair anew in place; whether its keys are still right. */
function decideAnew(dp: Datapath, forward: number, from: Vif, to: number): boolean {
  const { flow, tables } = dp;
  const { table, oldDecision: d, oldKey: key } = flow;
  const { words } = table;
  const at = table.at(forward);
  const reverse = table.at(words[at + FLOW.reverse]);
  const byMac = ((words[at + FLOW.owner] >>> 16) & FLOW_OWN.byMac) !== 0;
  table.keyOf(forward, key);
  decide(tables, from, key, byMac ? to : -1, words[at + FLOW.tcpSeq], d);
  if (reverse === at) d.drop(FLOW_DROP.sameFlowRflowKey, true);
  if ((d.destination < 0 ? NOBODY : d.destination) !== to) return false;
  if (words[at + FLOW.keyNh] !== keyNhOf(tables, from, d.destination)) return false;
  if (words[reverse + FLOW.keyNh] !== d.answerKeyNh) return false;
  if (foldBySender(key, from) !== FOLDED.not || foldByReceiver(tables, key, from) !== FOLDED.not) return false;
  const was = words[at + FLOW.state];
  applyDecision(dp, forward, from.vrf, d);
  if ((was ^ words[at + FLOW.state]) >>> 16 !== 0) {
    table.header[FLOW_HEADER.changed]++;
    tell(dp, forward);
  }
  return true;
}

/** K(nh) of what an interface sends to another, -1: it is not looked up. */
function keyNhOf({ vifs }: Tables, from: Vif, to: number): number {
  if (from.policy) return from.nexthop;
  const out = to < 0 ? undefined : vifs.get(to);
  return out?.policy ? out.nexthop : -1;
}
