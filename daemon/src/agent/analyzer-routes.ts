import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import { familyOf, hostLength } from '../wire/addr.js';
import { ROUTE_FLAG, type RouteRecord } from '../tables/records.js';
import type { NetworkPlan } from './compile.js';

/** The way to an analyzer in another network, for copies alone. */
export interface AnalyzerRoute {
  /** Full name of the network it is in, and the route target its routes have. */
  readonly network: string;
  readonly target: string;
  /** Its address with the whole length. */
  readonly prefix: string;
}

/** Routes of a network to analyzers whose interfaces are on this host. What lies in a subnet of the network itself is its own. */
export function analyzerRoutes(
  network: NetworkPlan,
  others: readonly NetworkPlan[],
): Omit<RouteRecord, 'stitchedIndex'>[] {
  const own = network.subnets.map(({ prefix, length }) => parsePrefix(`${prefix}/${length}`));
  return (network.analyzers ?? []).flatMap(({ network: name, prefix }) => {
    const [address] = prefix.split('/');
    const other = others.find((one) => one.name === name && one.mode !== 'l2');
    const port = other?.interfaces.find(({ addresses }) => addresses.includes(address));
    if (!other || !port || own.some((range) => contains(range, parseAddress(address)))) return [];
    return {
      vrf: network.vrf,
      family: familyOf(address),
      prefix: address,
      length: hostLength(address),
      nexthop: port.l3Nexthop,
      label: -1,
      flags: ROUTE_FLAG.proxy,
      stitchedMac: null,
      network: other.networkId,
      groups: port.groups,
    };
  });
}
