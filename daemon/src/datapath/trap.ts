import { RING_FRAME } from '../packet/frame-ring.js';
import { DROP } from '../packet/drop.js';
import { HEADER, VIF } from '../tables/counters.js';
import { PUNT } from '../tables/punt.js';
import { VIF_FLAG, VIF_ID } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as udp from '../wire/udp.js';
import type { Datapath } from './datapath.js';
import { STEP } from './tracer.js';

const DHCP_CLIENT = 68;
const DHCPV6_CLIENT = 546;

/**
 * Hands DHCP of the guest to the agent where the agent serves it (flag D): a client's broadcast or multicast datagram. Returns
 * whether the frame is gone. Without the flag it floods like any broadcast.
 */
export function trapDhcp(dp: Datapath, vif: Vif): boolean {
  const { p, b } = dp;
  if (p.protocol !== ipv4.PROTOCOL_UDP || p.l4At === 0 || (vif.flags & VIF_FLAG.dhcp) === 0) return false;
  if (!ethernet.isMulticast(b, p.at) || !udp.fits(p.l4At, p.end)) return false;
  const source = udp.srcPort(b, p.l4At);
  if (source !== (p.etherType === ethernet.TYPE_IPV4 ? DHCP_CLIENT : DHCPV6_CLIENT)) return false;
  toAgent(dp, vif, PUNT.l3);
  return true;
}

/**
 * The frame in hand goes to the agent, as if sent out of its interface (pkt0), and is gone.
 * @param parameter a number that goes with the command: of handleDf, the longest IP packet.
 */
export function toAgent(dp: Datapath, vif: Vif, command: number, copied = 0, parameter = 0): void {
  const { p, counters } = dp;
  if (!dp.tables.vifs.get(VIF_ID.agent)) return dp.drop('trapNoIf');
  const { agentRate, agentBurst } = dp.options;
  const length = p.end - p.at;
  const isLet = vif.toAgent.take(agentRate, agentBurst, dp.now) && length <= RING_FRAME;
  if (!isLet || !dp.toAgent.put(dp.b, p.at, length, vif.id, command, parameter)) {
    dp.tracer?.step(STEP.agent, command, DROP.ifTxDiscard, copied);
    return counters.drop(vif.id, DROP.ifTxDiscard, p.packets);
  }
  dp.tracer?.step(STEP.agent, command, -1, copied);
  dp.punted = true;
  const word = counters.vifAt(VIF_ID.agent);
  counters.words[word + VIF.txPackets] += p.packets;
  counters.words[word + VIF.txBytes] += p.bytes;
}

/** A copy of the frame in hand goes to the agent; the frame itself goes on. */
export function copyToAgent(dp: Datapath, vif: Vif, command: number, parameter = 0): void {
  dp.counters.words[HEADER.copied] += dp.p.packets;
  toAgent(dp, vif, command, 1, parameter);
}

/** The routed packet in hand has used up its hops: the agent tells its sender if that is a guest of this host, the packet ends. */
export function trapZeroTtl(dp: Datapath, vif: Vif): void {
  if (dp.p.peer >= 0) return dp.drop('ttlExceeded');
  copyToAgent(dp, vif, PUNT.zeroTtl);
  dp.drop('ttlExceeded');
}
