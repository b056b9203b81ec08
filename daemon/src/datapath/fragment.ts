import { DROP } from '../packet/drop.js';
import { HEADER } from '../tables/counters.js';
import { FLOW, type FlowKey } from '../tables/flow.js';
import { FRAGMENT_KEY, FragmentTable, type FragmentTableSize, newFragmentKey } from '../tables/fragment.js';
import { get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as ipv6Fragment from '../wire/ipv6-fragment.js';
import type { Datapath } from './datapath.js';
import { STEP } from './tracer.js';
import { FragmentQueue, type FragmentQueueSize } from './fragment-queue.js';

/** Frames dropped for want of their first fragment in one go at most. */
const EXPIRED_AT_ONCE = 64;

export interface FragmentSizes {
  readonly table?: FragmentTableSize;
  readonly queue?: FragmentQueueSize;
}

/*
 * Fragments and flows. The first fragment of a datagram has the ports, and leaves them in a table; those behind it find them
 * there, and so the flow. One that comes before the first waits for it, copied, and is run again when it is there.
 *
 * In the books a frame that waits is consumed, and generated when it goes on or is given up: they balance at every moment.
 */
export class Fragments {
  readonly table: FragmentTable;
  readonly queue: FragmentQueue;
  /** Key of the datagram of the frame in hand. */
  readonly key = newFragmentKey();
  /** Whether frames wait that may go on with the frame in hand, which is the first of their datagram. */
  due = false;

  /** @param sizes other than usual, as a test wants them. */
  constructor(sizes: FragmentSizes = {}) {
    this.table = new FragmentTable(sizes.table);
    this.queue = new FragmentQueue(sizes.queue);
  }
}

/** Keeps the ports of the first fragment in hand. False: there is no room for them, and the frame was dropped. */
export function rememberPorts(dp: Datapath, ports: number): boolean {
  const { p, fragments } = dp;
  writeKey(dp);
  const entry = fragments.table.add(fragments.key, ports, p.vif, dp.now);
  if (entry < 0) {
    dp.drop('noFragmentEntry');
    return false;
  }
  pass(dp, entry);
  fragments.due = fragments.queue.used > 0;
  return true;
}

/**
 * Writes the ports of the datagram that the later fragment in hand belongs to into a key. False: they are not known yet, and the
 * frame waits or was dropped.
 */
export function recallPorts(dp: Datapath, into: FlowKey): boolean {
  const { fragments } = dp;
  writeKey(dp);
  const entry = fragments.table.find(fragments.key, dp.now);
  if (entry < 0) {
    wait(dp);
    return false;
  }
  into[FLOW.ports] = fragments.table.portsOf(entry);
  pass(dp, entry);
  return true;
}

/** Lets go what has waited too long, a bounded part of it; returns whether there may be more. */
export function expireFragments(dp: Datapath): boolean {
  const { fragments, now } = dp;
  const more = fragments.table.expire(now);
  for (let n = 0; n < EXPIRED_AT_ONCE; n++) {
    const { oldest } = fragments.queue;
    if (oldest < 0 || !fragments.queue.isOver(oldest, now)) return more;
    giveUp(dp, oldest);
  }
  return true;
}

function writeKey({ p, b, fragments: { key } }: Datapath): void {
  key[FRAGMENT_KEY.vrf] = p.vrf | (p.vif << 16);
  if (p.etherType === ethernet.TYPE_IPV4) {
    key.fill(0, FRAGMENT_KEY.source);
    key[FRAGMENT_KEY.protocol] = (4 << 8) | p.protocol;
    key[FRAGMENT_KEY.id] = ipv4.id(b, p.l3At);
    key[FRAGMENT_KEY.source] = get32(b, p.l3At + ipv4.SRC);
    key[FRAGMENT_KEY.destination] = get32(b, p.l3At + ipv4.DST);
    return;
  }
  key[FRAGMENT_KEY.protocol] = (6 << 8) | p.protocol;
  key[FRAGMENT_KEY.id] = ipv6Fragment.id(b, p.l3At + ipv6.LEN);
  for (let w = 0; w < 4; w++) {
    key[FRAGMENT_KEY.source + w] = get32(b, p.l3At + ipv6.SRC + 4 * w);
    key[FRAGMENT_KEY.destination + w] = get32(b, p.l3At + ipv6.DST + 4 * w);
  }
}

/** Counts the fragment in hand towards its datagram. */
function pass({ p, b, fragments }: Datapath, entry: number): void {
  let offset = 0;
  let bytes: number;
  let more: boolean;
  if (p.etherType === ethernet.TYPE_IPV4) {
    offset = ipv4.fragmentOffset(b, p.l3At);
    bytes = ipv4.totalLength(b, p.l3At) - ipv4.headerLen(b, p.l3At);
    more = ipv4.moreFragments(b, p.l3At);
  } else {
    const at = p.l3At + ipv6.LEN;
    offset = ipv6Fragment.offset(b, at);
    bytes = ipv6.payloadLength(b, p.l3At) - ipv6Fragment.LEN;
    more = ipv6Fragment.more(b, at);
  }
  fragments.table.pass(entry, bytes, more ? -1 : offset + bytes);
}

/** The later fragment in hand waits for its first. */
function wait(dp: Datapath): void {
  const { p, fragments } = dp;
  const vif = dp.tables.vifs.get(p.vif);
  if (!vif) return dp.drop('fragment');
  const displaced = fragments.queue.displaced(vif);
  if (displaced >= 0) giveUp(dp, displaced);
  if (!fragments.queue.put(dp.b, p, fragments.key, vif, dp.now)) {
    return dp.drop('fragmentQueue');
  }
  dp.tracer?.step(STEP.wait);
  dp.consume();
}

/** Drops a frame that waits. */
export function giveUp(dp: Datapath, place: number): void {
  const { queue } = dp.fragments;
  const vif = queue.vifOf(place);
  queue.give(place);
  dp.counters.words[HEADER.generated]++;
  const isThere = vif !== null && dp.tables.vifs.get(vif.id) === vif;
  dp.counters.drop(isThere ? vif.id : -1, DROP.fragment, 1);
}
