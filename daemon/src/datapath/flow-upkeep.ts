import { FLOW, FLOW_ACTION, FLOW_DOUBLE, FLOW_FLAG, FLOW_HEADER, FLOW_OWN } from '../tables/flow.js';
import { MAX_VIFS, VIF } from '../tables/counters.js';
import type { Datapath } from './datapath.js';
import { refresh } from './flow-refresh.js';
import { payerOf, removePair } from './flow-pair.js';
import { FLOW_END } from './flow-state.js';

/*
 * What the worker does to the flow table between batches, a bounded part of it each time: closed pairs go, idle pairs somebody
 * asked for go, and after a change every entry is looked at once, so that idle ones show the truth too.
 */

/** Pairs removed, entries decided anew, and places looked at in one round. */
const REMOVED_A_ROUND = 256;
const REFRESHED_A_ROUND = 128;
const PLACES_A_ROUND = 4096;

/** Does a round's part; returns whether there is more to do. */
export function flowUpkeep(dp: Datapath): boolean {
  const { flow } = dp;
  flow.table.header[FLOW_HEADER.now] = dp.now;
  let left = REMOVED_A_ROUND;
  for (; left > 0; left--) {
    const index = flow.nextClosed();
    if (index < 0) break;
    removePair(dp, index, FLOW_END.closed);
  }
  const aged = flow.ageing.length === 0 || age(dp);
  return !aged || left === 0 || sweep(dp);
}

/** Removes idle pairs from the first list that waits; whether all lists are done. */
function age(dp: Datapath): boolean {
  const { flow } = dp;
  const pairs = flow.ageing[0];
  const end = Math.min(pairs.length - 2, flow.ageingAt + 3 * REMOVED_A_ROUND);
  for (; flow.ageingAt < end; flow.ageingAt += 3) {
    const index = pairs[flow.ageingAt];
    if (!isThere(dp, index, pairs[flow.ageingAt + 1])) continue;
    if (idleMs(dp, index) >= pairs[flow.ageingAt + 2]) removePair(dp, index, FLOW_END.aged);
  }
  if (flow.ageingAt + 2 >= pairs.length) {
    flow.ageing.shift();
    flow.ageingAt = 0;
  }
  return flow.ageing.length === 0;
}

function isThere({ flow: { table } }: Datapath, index: number, generation: number): boolean {
  return index >= 0 && index < table.size && table.isUsed(index) && table.generation(index) === generation;
}

/** How long neither entry of the pair has seen a packet. */
function idleMs({ flow: { table }, now }: Datapath, index: number): number {
  const reverse = table.words[table.at(index) + FLOW.reverse];
  const one = table.doubles[table.doubleAt(index) + FLOW_DOUBLE.lastSeen];
  const other = reverse < 0 ? one : table.doubles[table.doubleAt(reverse) + FLOW_DOUBLE.lastSeen];
  return now - Math.max(one, other);
}

/** Looks at the next entries when something changed since they were; whether more are left. */
function sweep(dp: Datapath): boolean {
  const { flow, tables } = dp;
  const { table } = flow;
  if (flow.sweptEpoch !== tables.epochs.now) {
    flow.sweptEpoch = tables.epochs.now;
    flow.sweepLeft = table.header[FLOW_HEADER.active] > 0 ? table.size : 0;
  }
  let refreshed = REFRESHED_A_ROUND;
  let places = PLACES_A_ROUND;
  const end = Math.min(table.size, flow.sweepAt + flow.sweepLeft);
  let index = table.nextUsed(flow.sweepAt);
  for (; index < end && places > 0 && refreshed > 0; index = table.nextUsed(index + 1)) {
    places--;
    if (!table.isUsed(index) || table.words[table.at(index) + FLOW.epoch] === tables.epochs.now) continue;
    refreshed--;
    refresh(dp, index);
  }
  index = Math.min(index, end);
  flow.sweepLeft -= index - flow.sweepAt;
  flow.sweepAt = index === table.size ? 0 : index;
  return flow.sweepLeft > 0;
}

/** What an operator may do to a pair, named by one of its entries. */
export type FlowOp = 'forward' | 'drop' | 'delete' | 'evict';

/** Carries out what an operator asked, unless the entry is another's by now. */
export function flowCommand(dp: Datapath, op: FlowOp, index: number, generation: number): void {
  if (!isThere(dp, index, generation)) return;
  switch (op) {
    case 'forward':
      return decideByHand(dp, index, FLOW_ACTION.forward);
    case 'drop':
      return decideByHand(dp, index, FLOW_ACTION.drop);
    case 'delete':
      return removePair(dp, index, FLOW_END.asked);
    case 'evict':
      return removePair(dp, index, FLOW_END.closed);
  }
}

/** The other direction keeps its action; the pair is in the operator's hands, and stays for as long as it has packets. */
function decideByHand({ flow: { table } }: Datapath, index: number, action: number): void {
  const { words } = table;
  const at = table.at(index);
  words[at + FLOW.state] = (words[at + FLOW.state] & 0xffff) | (action << 16);
  const reverse = words[at + FLOW.reverse];
  takeInHand(words, at);
  if (reverse >= 0) takeInHand(words, table.at(reverse));
}

function takeInHand(words: Int32Array, at: number): void {
  words[at + FLOW.owner] = (words[at + FLOW.owner] | (FLOW_OWN.byHand << 16)) & ~(FLOW_OWN.short << 16);
}

/**
 * Takes over the table of an earlier run: makes it whole, counts whose entries there are, and lets every entry be looked at when
 * the state it was decided by is known again.
 */
export function takeOverFlows(dp: Datapath): void {
  const { table, counters } = dp.flow;
  table.repair();
  for (let vif = 0; vif < MAX_VIFS; vif++) counters.words[counters.vifAt(vif) + VIF.flows] = 0;
  if (table.header[FLOW_HEADER.active] === 0) return;
  for (let index = table.nextUsed(0); index < table.size; index = table.nextUsed(index + 1)) {
    if (!table.isUsed(index)) continue;
    const at = table.at(index);
    table.words[at + FLOW.epoch] = 0;
    const forward = dp.flow.forwardOf(index);
    const owner = payerOf(dp, forward);
    if (owner < MAX_VIFS) dp.flow.count(owner, 1);
    if ((table.words[at + FLOW.state] & FLOW_FLAG.evictCandidate) !== 0 && forward === index) closeAgain(dp, index);
  }
}

function closeAgain(dp: Datapath, index: number): void {
  const displaced = dp.flow.close(index);
  if (displaced >= 0) removePair(dp, displaced, FLOW_END.closed);
}
