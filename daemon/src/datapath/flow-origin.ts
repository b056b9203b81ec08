import type { Packet } from '../packet/packet.js';
import type { Nexthop } from '../tables/nexthop.js';
import { NH_TYPE } from '../tables/records.js';

/** Whether the packet comes from where a nexthop leads: out of that interface, or from that host through a tunnel. */
export function isOrigin(p: Packet, nexthop: Nexthop | undefined): boolean {
  if (nexthop === undefined) return false;
  if (nexthop.type === NH_TYPE.tunnel) return p.peer >= 0 && nexthop.tunnel?.peer === p.peer;
  return p.peer < 0 && nexthop.oif === p.vif;
}
