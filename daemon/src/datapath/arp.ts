import { VRF_STAT } from '../tables/counters.js';
import { ROUTE_FLAG } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import { PUNT } from '../tables/punt.js';
import * as arp from '../wire/arp.js';
import { copy, equal } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import { bridgeInput, flood } from './bridge.js';
import type { Datapath } from './datapath.js';
import { ANSWER, STEP } from './tracer.js';
import { answer } from './vif-output.js';
import { copyToAgent, toAgent } from './trap.js';

/** An untagged ARP packet from a guest of a network with layer 3: answer, flood, trap or bridge it. */
export function arpInput(dp: Datapath, vif: Vif): void {
  const { p, b } = dp;
  if (!arp.fits(p.l3At, p.end) || !arp.isEthernetIpv4(b, p.l3At)) return dp.drop('invalidArp');
  switch (arp.operation(b, p.l3At)) {
    case arp.REQUEST:
      return arpRequest(dp, vif);
    case arp.REPLY:
      return arpReply(dp, vif);
    default:
      return dp.drop('invalidArp');
  }
}

function arpRequest(dp: Datapath, vif: Vif): void {
  const { p, b } = dp;
  const vrf = dp.tables.vrfs[vif.vrf];
  if (!vrf) return dp.drop('invalidIf');
  const route = vrf.inet.lookup(b, p.l3At + arp.TARGET_IP);
  dp.tracer?.step(STEP.route, route.record.length, route.nexthop, p.l3At + arp.TARGET_IP - p.at, route.flags);
  const sender = arp.senderIp(b, p.l3At);
  if (sender === 0 || sender === arp.targetIp(b, p.l3At)) {
    dp.tracer?.step(STEP.neighbour, ANSWER.announcement);
    if ((route.flags & ROUTE_FLAG.trap) !== 0) copyToAgent(dp, vif, PUNT.arp);
    return flood(dp, vif);
  }
  const mac = answeringMac(dp, vif, route);
  if (!mac) return flood(dp, vif);

  arp.turnIntoReply(b, p.l3At, mac);
  copy(b, p.at + ethernet.SRC, p.at + ethernet.DST, 6);
  b.set(mac, p.at + ethernet.SRC);
  answer(dp, vif);
}

/**
 * The MAC to answer for the address `route` leads to, or null when its owner must answer itself. Counts which of the three
 * happened.
 */
export function answeringMac(
  dp: Datapath,
  vif: Vif,
  route: { readonly flags: number; readonly stitchedMac: Uint8Array | null },
): Uint8Array | null {
  if ((route.flags & ROUTE_FLAG.proxy) !== 0) {
    if (route.stitchedMac) {
      dp.vrfStat(VRF_STAT.arpVirtualStitchs);
      dp.tracer?.step(STEP.neighbour, ANSWER.stitched);
      return route.stitchedMac;
    }
    if ((route.flags & ROUTE_FLAG.flood) === 0) {
      dp.vrfStat(VRF_STAT.arpVirtualProxys);
      dp.tracer?.step(STEP.neighbour, ANSWER.gateway);
      return vif.mac;
    }
  }
  dp.vrfStat(VRF_STAT.arpVirtualFloods);
  dp.tracer?.step(STEP.neighbour, ANSWER.owner);
  return null;
}

function arpReply(dp: Datapath, vif: Vif): void {
  const { p, b } = dp;
  if (equal(b, p.at + ethernet.DST, vif.mac, 0, 6)) return toAgent(dp, vif, PUNT.arp);
  if (ethernet.isBroadcast(b, p.at)) {
    copyToAgent(dp, vif, PUNT.arp);
    return flood(dp, vif);
  }
  bridgeInput(dp, vif);
}
