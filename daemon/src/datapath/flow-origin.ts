import type { Packet } from '../packet/packet.js';
import { FLOW, RPF_SENDER } from '../tables/flow.js';
import type { Nexthop } from '../tables/nexthop.js';
import { NH_TYPE } from '../tables/records.js';
import type { Datapath } from './datapath.js';

/** Whether the packet comes from where a nexthop leads: out of that interface, or from that host through a tunnel. */
export function isOrigin(p: Packet, nexthop: Nexthop | undefined): boolean {
  if (nexthop === undefined) return false;
  if (nexthop.type === NH_TYPE.tunnel) return p.peer >= 0 && nexthop.tunnel?.peer === p.peer;
  return p.peer < 0 && nexthop.oif === p.vif;
}

/** Whether the packet in hand comes from where the S(nh) its session was given just now says. */
export function isOfOrigin(dp: Datapath, rpfNh: number): boolean {
  if (rpfNh === RPF_SENDER) return isFromSender(dp);
  return rpfNh <= 0 || isOrigin(dp.p, dp.tables.nexthops.get(rpfNh));
}

/** Whether the source of the packet in hand, whose key is in the flow state, is the address of the host that sent it. */
export const isFromSender = ({ p, flow, tables }: Datapath): boolean =>
  p.peer >= 0 && tables.peers.findWords(flow.real, FLOW.source) === p.peer;
