import type { FloodHostRoute, InetHostRoute, MacHostRoute } from '../control/host-route.js';
import { BRIDGE_FLAG, NH_FLAG, NH_TYPE, ROUTE_FLAG } from '../tables/records.js';
import type { Encapsulation } from '../wire/encapsulation.js';
import type { PlainRow } from './reconcile.js';
import type { Remote } from './remote-book.js';
import type { RemoteVrf } from './remote-vrf.js';
import { familyOf } from '../wire/addr.js';

/** What packets to a host are labelled with: with VXLAN the network's identifier. -1: nothing can be sent to it. */
function labelFor({ label, vni }: { label: number; vni: number }, encapsulation: Encapsulation | null): number {
  if (encapsulation === null) return -1;
  return encapsulation === 'VXLAN' ? vni : label;
}

/** How numbers of networks and security groups are found by full name. */
export interface RemoteNames {
  readonly network: (name: string) => number | undefined;
  readonly groups: ReadonlyMap<string, number>;
}

/** A row that leads to another host: the nexthop, and what it shares with the host. */
export interface Through {
  readonly nexthop: number;
  readonly encapsulation: Encapsulation | null;
}

export function inetRow(
  { plan, isBridged }: RemoteVrf,
  route: InetHostRoute,
  to: Through,
  names: RemoteNames,
): PlainRow {
  const slash = route.prefix.indexOf('/');
  const length = Number(route.prefix.slice(slash + 1));
  const family = familyOf(route.prefix);
  const isHost = length === (family === 'inet' ? 32 : 128);
  const label = labelFor(route, to.encapsulation);
  return {
    table: 'route',
    op: 'set',
    record: {
      vrf: plan.vrf,
      family,
      prefix: route.prefix.slice(0, slash),
      length,
      nexthop: to.nexthop,
      label,
      flags: ROUTE_FLAG.proxy | (label >= 0 ? ROUTE_FLAG.label : 0),
      stitchedMac: isBridged && isHost && route.network === plan.name ? route.mac : null,
      network: names.network(route.network) ?? route.vni,
      groups: route.groups.flatMap((name) => names.groups.get(name) ?? []),
    },
  };
}

export function macRow({ plan }: RemoteVrf, route: MacHostRoute, to: Through): PlainRow {
  const label = labelFor(route, to.encapsulation);
  const flags = BRIDGE_FLAG.dhcpFlood | (label >= 0 ? BRIDGE_FLAG.label : 0);
  return { table: 'bridge', op: 'set', record: { vrf: plan.vrf, mac: route.mac, nexthop: to.nexthop, label, flags } };
}

/** The part of the flood tree that leads to other hosts; `nexthopOf`: the way to one, null: there is none. */
export function floodRow(
  { plan }: RemoteVrf,
  floods: Iterable<Remote<FloodHostRoute>>,
  throughOf: (host: string) => Through,
): PlainRow {
  const members = [...floods]
    .sort((a, b) => (a.host < b.host ? -1 : 1))
    .map(({ host, route }) => ({ route, ...throughOf(host) }))
    .filter(({ encapsulation }) => encapsulation !== null)
    .map(({ route, nexthop, encapsulation }) => ({ nexthop, label: labelFor(route, encapsulation) }));
  return {
    table: 'nexthop',
    op: 'set',
    record: {
      id: plan.evpnNexthop,
      type: NH_TYPE.composite,
      family: 'bridge',
      flags: NH_FLAG.valid | NH_FLAG.etreeRoot | NH_FLAG.multicast | NH_FLAG.compositeEvpn,
      vrf: plan.vrf,
      oif: -1,
      rewrite: '',
      members,
    },
  };
}
