import type { Nexthop } from '../tables/nexthop.js';
import type { Vrf } from '../tables/vrf.js';
import * as ethernet from '../wire/ethernet.js';
import { bridgeInput, flood } from './bridge.js';
import type { Datapath } from './datapath.js';
import { toNexthop } from './nexthop.js';

/**
 * A frame of another host goes on in the network: to the interfaces of this host alone.
 * @param tree whom it was sent to, when its sender's host has said that everybody gets it; else null.
 */
export function fabricFrame(dp: Datapath, vrf: Vrf, tree: Nexthop | null): void {
  const { p, b, tables } = dp;
  if (ethernet.isMulticast(b, p.at)) {
    if (tree) toNexthop(dp, tree);
    else flood(dp, vrf.fabric);
    return;
  }
  if (tree && tables.bridge.find(vrf.record.id, b, p.at + ethernet.DST) < 0) return toNexthop(dp, tree);
  bridgeInput(dp, vrf.fabric);
}
