import { HEADER, VRF_STAT } from '../tables/counters.js';
import type { Nexthop } from '../tables/nexthop.js';
import { PUNT } from '../tables/punt.js';
import { NH_TYPE, VIF_ID } from '../tables/records.js';
import { equal, put16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import type { Datapath } from './datapath.js';
import { STEP } from './tracer.js';
import { flowOutput } from './flow.js';
import { toAgent } from './trap.js';
import { floodToTunnels, toTunnel } from './tunnel-output.js';
import { output } from './vif-output.js';

/** Does with the frame in hand what its nexthop says. */
export function toNexthop(dp: Datapath, nexthop: Nexthop): void {
  dp.tracer?.step(STEP.nexthop, nexthop.id);
  switch (nexthop.type) {
    case NH_TYPE.encap:
      return encap(dp, nexthop);
    case NH_TYPE.composite:
      return replicate(dp, nexthop);
    case NH_TYPE.tunnel:
      return toTunnel(dp, nexthop);
    case NH_TYPE.discard:
      dp.vrfStat(VRF_STAT.discards);
      return dp.drop('discards');
    default:
      return dp.drop('invalidNh');
  }
}

/** Out of one interface: bridged as it is, routed with the Ethernet header prepared for it. */
function encap(dp: Datapath, nexthop: Nexthop): void {
  const { p, tables } = dp;
  const out = tables.vifs.get(nexthop.oif);
  if (!out) return dp.drop('invalidIf');
  if (nexthop.oif === VIF_ID.agent) return toAgentFrom(dp);
  if (nexthop.policy && !p.looked) {
    p.nexthop = nexthop.id;
    if (!flowOutput(dp, out)) return;
  }
  if (nexthop.bridged) {
    if (nexthop.oif === p.vif) return dp.drop('packetLoop');
    dp.vrfStat(VRF_STAT.l2Encaps);
  } else {
    writeHeader(dp, nexthop);
    dp.vrfStat(VRF_STAT.encaps);
  }
  output(dp, out);
}

function toAgentFrom(dp: Datapath): void {
  // Every host is the gateway of its own guests.
  if (dp.p.peer >= 0) return dp.drop('nowhereToGo');
  const from = dp.tables.vifs.get(dp.p.vif);
  if (from) toAgent(dp, from, PUNT.nexthop);
  else dp.drop('trapNoIf');
}

/** Writes the prepared Ethernet header. Byte by byte: for so few, `set` costs more than twice as much. */
function writeHeader({ b, p }: Datapath, { rewrite }: Nexthop): void {
  for (let i = 0; i < ethernet.TYPE; i++) b[p.at + i] = rewrite[i];
  put16(b, p.at + ethernet.TYPE, p.etherType);
}

/** Down a flood tree. */
function replicate(dp: Datapath, tree: Nexthop): void {
  dp.vrfStat(VRF_STAT.l2McastComposites);
  if (sendToMembers(dp, tree, 0) === 0) dp.drop('discards');
}

/**
 * Whether the frame in hand, on its way to everybody, is for the very guest of this nexthop and was not asked for a flow: a network whose
 * guests are not in the bridge table routes what is for them.
 */
function isPastFlows({ p, b }: Datapath, { policy, rewrite }: Nexthop): boolean {
  if (p.looked || !policy || ethernet.isMulticast(b, p.at)) return false;
  return equal(b, p.at + ethernet.DST, rewrite, ethernet.DST, ethernet.ADDRESS_LEN);
}

/**
 * To every interface below the composite but the one the frame came from. The first takes the frame itself, the others a copy.
 * @param sent how many have got it already; @returns how many have now.
 */
function sendToMembers(dp: Datapath, composite: Nexthop, sent: number): number {
  const { p, tables } = dp;
  let count = sent;
  for (let i = 0; i < composite.members.length; i++) {
    const member = tables.nexthops.get(composite.members[i]);
    if (!member) continue;
    if (member.type === NH_TYPE.composite) {
      dp.tracer?.step(STEP.nexthop, member.id);
      if (member.isEvpn) count = floodToTunnels(dp, member, count);
      else {
        dp.vrfStat(VRF_STAT.encapComposites);
        count = sendToMembers(dp, member, count);
      }
      continue;
    }
    const out = member.oif === p.vif || isPastFlows(dp, member) ? undefined : tables.vifs.get(member.oif);
    if (!out) continue;
    if (count++ > 0) dp.counters.words[HEADER.copied] += p.packets;
    dp.vrfStat(VRF_STAT.l2Encaps);
    output(dp, out);
  }
  return count;
}
