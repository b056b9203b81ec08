import { HEADER } from '../tables/counters.js';
import { newFragmentKey } from '../tables/fragment.js';
import type { Datapath } from './datapath.js';
import { giveUp } from './fragment.js';
import { nicVlanOf } from './mirror.js';
import { toNexthop } from './nexthop.js';
import { parse, parseEthernet } from './parse.js';
import { frameInput } from './vif-input.js';

/** Key of the datagram whose frames go on: those frames write their own. */
const released = newFragmentKey();

/** Runs the frames again that waited for the one just run, which was the first of their datagram, in the order they came. */
export function releaseFragments(dp: Datapath): void {
  const { queue, key } = dp.fragments;
  dp.fragments.due = false;
  released.set(key);
  let place = queue.oldest;
  // One that has to wait again comes last, and is not looked at twice.
  for (let left = queue.used; left > 0 && place >= 0; left--) {
    const next = queue.after(place);
    if (queue.isOf(place, released)) runAgain(dp, place);
    place = next;
  }
}

/**
 * Runs a frame that waited. As it may go out of many interfaces, and the scratch area promises room for the descriptor of one, what
 * was queued before it and with it is sent at once.
 */
function runAgain(dp: Datapath, place: number): void {
  const { p, fragments, tables } = dp;
  const { queue } = fragments;
  const vif = queue.vifOf(place);
  if (!vif || tables.vifs.get(vif.id) !== vif) return giveUp(dp, place);
  dp.flush();
  const length = queue.lengthOf(place);
  const at = dp.scratch(length);
  queue.copy(place, dp.b, at);
  queue.recall(place, p);
  const { nexthop } = p;
  if (p.peer < 0) p.vrf = vif.vrf;
  queue.give(place);
  dp.counters.words[HEADER.generated]++;
  p.vif = vif.id;
  p.at = at;
  p.end = at + length;
  p.packets = 1;
  p.bytes = length;
  p.looked = false;
  p.nexthop = -1;
  p.flow = -1;
  p.copies = 0;
  p.nicVlan = nicVlanOf(tables, vif);
  dp.tracer?.begin(-1);
  if (!parseEthernet(dp)) dp.drop('pull');
  else if (nexthop < 0) frameInput(dp, vif);
  else if (parse(dp)) goOn(dp, nexthop);
  else dp.drop('invalidPacket');
  dp.flush();
}

/** The frame in hand was on its way out already, its hop taken off. */
function goOn(dp: Datapath, id: number): void {
  const nexthop = dp.tables.nexthops.get(id);
  if (nexthop) toNexthop(dp, nexthop);
  else dp.drop('invalidNh');
}
