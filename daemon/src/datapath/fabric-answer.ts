import { NH_TYPE } from '../tables/records.js';
import type { Vrf } from '../tables/vrf.js';
import * as ethernet from '../wire/ethernet.js';
import type { Datapath } from './datapath.js';
import { STEP } from './tracer.js';
import { toNexthop } from './nexthop.js';

/** Sends the frame in hand, made as an answer to a guest of another host, through the tunnel its MAC leads to. */
export function answerToTunnel(dp: Datapath, vrf: Vrf): void {
  const { p, b, tables } = dp;
  dp.answered();
  const slot = tables.bridge.find(vrf.record.id, b, p.at + ethernet.DST);
  const nexthop = slot < 0 ? undefined : tables.nexthops.get(tables.bridge.nexthop(slot));
  dp.tracer?.step(STEP.bridge, vrf.record.id, slot, nexthop === undefined ? -1 : nexthop.id, 0);
  // Whoever asked is on another host: an address of a guest here was not its own.
  if (nexthop?.type !== NH_TYPE.tunnel) return dp.drop('l2NoRoute');
  p.peer = -1;
  p.looked = true;
  p.routed = false;
  p.label = tables.bridge.label(slot);
  toNexthop(dp, nexthop);
}
