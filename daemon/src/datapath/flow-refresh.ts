import { FLOW, FLOW_DROP, FLOW_HEADER, FLOW_OWN } from '../tables/flow.js';
import type { Datapath } from './datapath.js';
import { decide } from './flow-decide.js';
import { applyDecision, NOBODY, removePair, tell } from './flow-setup.js';
import { FLOW_END } from './flow-state.js';

/**
 * Brings an entry that was decided by an older state up to date: looks whether a change since concerns it, and decides its pair
 * anew in place if so. False: the pair is gone, because its packets would have another key now, or its interface is not there
 * any more.
 */
export function refresh(dp: Datapath, index: number): boolean {
  const { flow, tables } = dp;
  const { words } = flow.table;
  const { epochs } = tables;
  const forward = flow.forwardOf(index);
  const at = flow.table.at(forward);
  const reverse = flow.table.at(words[at + FLOW.reverse]);
  const decided = words[at + FLOW.epoch];
  const from = words[at + FLOW.owner] & 0xffff;
  const to = words[reverse + FLOW.owner] & 0xffff;
  const vrf = words[at + FLOW.vrf] & 0xffff;
  const toVrf = words[at + FLOW.vrf] >>> 16;
  const gone = isAfter(epochs.vifGone, from, decided) || isAfter(epochs.vifGone, to, decided);
  if (gone || isAfter(epochs.vrfGone, vrf, decided) || isAfter(epochs.vrfGone, toVrf, decided)) {
    removePair(dp, forward, FLOW_END.changed);
    return false;
  }
  const vif = tables.vifs.get(from);
  // After a start nobody is there yet: what was decided holds until they are.
  if (!vif || (isGuest(to) && !tables.vifs.get(to))) return true;
  const policies = epochs.acl > decided || isAfter(epochs.vif, from, decided) || isAfter(epochs.vif, to, decided);
  const routes = epochs.shared > decided || isAfter(epochs.vrf, vrf, decided) || isAfter(epochs.vrf, toVrf, decided);
  if (policies || routes) return decideAnew(dp, forward, policies);
  words[at + FLOW.epoch] = words[reverse + FLOW.epoch] = epochs.now;
  return true;
}

const isAfter = (changes: Int32Array, id: number, time: number): boolean => id < changes.length && changes[id] > time;
const isGuest = (vif: number): boolean => vif !== NOBODY;

function decideAnew(dp: Datapath, forward: number, policies: boolean): boolean {
  const { flow, tables } = dp;
  const { table, decision: d } = flow;
  const { words } = table;
  const at = table.at(forward);
  const reverse = table.at(words[at + FLOW.reverse]);
  const own = words[at + FLOW.owner] >>> 16;
  if ((own & FLOW_OWN.fat) !== 0) {
    // Whose packets they were is not known any more: the next one shows.
    if (policies) {
      removePair(dp, forward, FLOW_END.changed);
      return false;
    }
    words[at + FLOW.epoch] = words[reverse + FLOW.epoch] = tables.epochs.now;
    return true;
  }
  const vif = tables.vifs.get(words[at + FLOW.owner] & 0xffff);
  if (!vif) return true;
  const to = words[reverse + FLOW.owner] & 0xffff;
  table.keyOf(forward, flow.answer);
  decide(tables, vif, flow.answer, (own & FLOW_OWN.byMac) !== 0 ? to : -1, d);
  if (reverse === at) d.drop(FLOW_DROP.sameFlowRflowKey, true);
  const keyNh = vif.policy ? vif.nexthop : d.answerKeyNh;
  const moved = (d.destination < 0 ? NOBODY : d.destination) !== to;
  if (moved || words[at + FLOW.keyNh] !== keyNh || words[reverse + FLOW.keyNh] !== d.answerKeyNh) {
    removePair(dp, forward, FLOW_END.changed);
    return false;
  }
  const was = words[at + FLOW.state];
  applyDecision(dp, forward, d);
  if ((was ^ words[at + FLOW.state]) >>> 16 !== 0) {
    table.header[FLOW_HEADER.changed]++;
    tell(dp, forward);
  }
  return true;
}
