import type { Nexthop } from '../tables/nexthop.js';
import { VIF_ID } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Datapath } from './datapath.js';
import { clampMss, OVERLAY_ROUTED } from './mss.js';
import { toNexthop } from './nexthop.js';
import { STEP } from './tracer.js';
import { trapZeroTtl } from './trap.js';

/** Routes the packet in hand by the longest match of its destination in the interface's VRF. */
export function routeInput(dp: Datapath, vif: Vif): void {
  const { p, b, tables } = dp;
  const vrf = tables.vrfs[vif.vrf];
  if (!vrf) return dp.drop('invalidIf');
  const v4 = p.etherType === ethernet.TYPE_IPV4;
  if (!v4 && p.etherType !== ethernet.TYPE_IPV6) return dp.drop('invalidProtocol');
  if (p.protocol < 0) return dp.drop('invalidPacket');
  if (v4 && !ipv4.checksumOk(b, p.l3At)) return dp.drop('checksum');

  const addressAt = p.l3At + (v4 ? ipv4.DST : ipv6.DST);
  const route = v4 ? vrf.inet.lookup(b, addressAt) : vrf.inet6.lookup(b, addressAt);
  dp.tracer?.step(STEP.route, route.record.length, route.nexthop, addressAt - p.at, route.flags);
  const nexthop = tables.nexthops.get(route.nexthop);
  if (!nexthop) return dp.drop('invalidNh');
  if (!isForAgent(nexthop)) {
    if ((v4 ? ipv4.ttl(b, p.l3At) : ipv6.hopLimit(b, p.l3At)) <= 1) return trapZeroTtl(dp, vif);
    if (v4) ipv4.decrementTtl(b, p.l3At);
    else ipv6.decrementHopLimit(b, p.l3At);
    clampMss(dp, OVERLAY_ROUTED);
  }
  p.routed = true;
  p.label = route.label;
  toNexthop(dp, nexthop);
}

function isForAgent(nexthop: Nexthop): boolean {
  return nexthop.oif === VIF_ID.agent;
}
