import { VRF_STAT } from '../tables/counters.js';
import { NH_TYPE, VIF_FLAG } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import type { Datapath } from './datapath.js';
import { clampMss, OVERLAY_BRIDGED } from './mss.js';
import { toNexthop } from './nexthop.js';
import { routeInput } from './route.js';
import { STEP } from './tracer.js';

/** Bridges the frame in hand by its destination MAC, or passes it to routing when it is for the gateway. */
export function bridgeInput(dp: Datapath, vif: Vif): void {
  const { p, b, tables } = dp;
  const bridging = (vif.flags & VIF_FLAG.l2) !== 0;
  if (ethernet.isMulticast(b, p.at)) {
    if (bridging || ethernet.isIp(p.etherType) || p.etherType === ethernet.TYPE_ARP) return flood(dp, vif);
    return dp.drop('l2NoRoute');
  }

  const slot = tables.bridge.find(vif.vrf, b, p.at + ethernet.DST);
  const nexthop = slot < 0 ? undefined : tables.nexthops.get(tables.bridge.nexthop(slot));
  dp.tracer?.step(STEP.bridge, vif.vrf, slot, nexthop === undefined ? -1 : nexthop.id, 0);
  if (nexthop?.type === NH_TYPE.l2Receive) {
    countHit(dp, slot);
    dp.vrfStat(VRF_STAT.l2Receives);
    // No sub-interface claims the tag, and routing would lose it.
    return p.tagged ? dp.drop('ifRxDiscard') : routeInput(dp, vif);
  }
  // Where nothing is bridged all is routed: guests may have learnt each other's MAC from what one of them told all.
  if (!bridging) return ethernet.isIp(p.etherType) && !p.tagged ? routeInput(dp, vif) : dp.drop('l2NoRoute');
  if (!nexthop || nexthop.type === NH_TYPE.discard) return unknownUnicast(dp, vif);
  countHit(dp, slot);
  clampMss(dp, OVERLAY_BRIDGED);
  p.routed = false;
  if (nexthop.tunnel !== null) p.label = tables.bridge.label(slot);
  toNexthop(dp, nexthop);
}

function unknownUnicast(dp: Datapath, vif: Vif): void {
  if ((vif.flags & VIF_FLAG.unknownUnicastFlood) === 0) return dp.drop('l2NoRoute');
  dp.vrfStat(VRF_STAT.unknownUnicastFloods);
  flood(dp, vif);
}

/** Sends the frame in hand to everybody in its network but the sender: the ff:ff:ff:ff:ff:ff entry. */
export function flood(dp: Datapath, vif: Vif): void {
  const { tables } = dp;
  const slot = tables.bridge.find(vif.mcastVrf, ethernet.BROADCAST, 0);
  const nexthop = slot < 0 ? undefined : tables.nexthops.get(tables.bridge.nexthop(slot));
  dp.tracer?.step(STEP.bridge, vif.mcastVrf, slot, nexthop === undefined ? -1 : nexthop.id, 1);
  if (!nexthop) return dp.drop('l2NoRoute');
  countHit(dp, slot);
  dp.p.routed = false;
  toNexthop(dp, nexthop);
}

function countHit(dp: Datapath, slot: number): void {
  dp.counters.words[dp.counters.bridgeAt(slot)] += dp.p.packets;
}
