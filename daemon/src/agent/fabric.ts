/** The underlay as a network: which of its addresses guests may be connected with, and the rows of the tables that do so. */
import type { Route } from 'packet-io';
import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import { NH_ID, ROUTE_FLAG, type RouteRecord } from '../tables/records.js';
import { familyOf, hostLength, formatIpv4, formatIpv6 } from '../wire/addr.js';
import { get16, get32 } from '../wire/bytes.js';
import { FABRIC, type NetworkPlan } from './compile.js';

type Row = Omit<RouteRecord, 'stitchedIndex'>;

/** A range of addresses on the underlay. */
export type FabricPrefix = Pick<RouteRecord, 'family' | 'prefix' | 'length'>;

const RTN_UNICAST = 1;

/**
 * Prefixes that the kernel's routes reach through the underlay interface, in an order of their own: those on the link and those
 * behind routers, but not the default route, which is everything.
 */
export function prefixesThrough(ifindex: number, routes: readonly Route[]): FabricPrefix[] {
  const prefixes = new Map<string, FabricPrefix>();
  for (const { oif, type, length, family, destination } of routes) {
    if (oif !== ifindex || type !== RTN_UNICAST || length === 0) continue;
    // fe80::/10 is on every link, ff00::/8 nobody's.
    if (family === 6 && (get16(destination, 0) & 0xffc0) === 0xfe80) continue;
    if (family === 6 && destination[0] === 0xff) continue;
    const prefix = family === 4 ? formatIpv4(get32(destination, 0)) : formatIpv6(destination);
    prefixes.set(`${prefix}/${length}`, { family: family === 4 ? 'inet' : 'inet6', prefix, length });
  }
  return [...prefixes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, prefix]) => prefix);
}

/**
 * The routes of the underlay's VRF, to its prefixes and to the guests of the connected networks, and those of these networks to the
 * prefixes. What lies in a subnet of a network is the network's own; where two guests have one address, it is that of the network
 * with the smaller number.
 */
export function fabricRoutes(prefixes: readonly FabricPrefix[], connected: readonly NetworkPlan[]): Row[] {
  const toHost = { nexthop: NH_ID.host, label: -1, stitchedMac: null, network: FABRIC.network, groups: [] };
  const rows: Row[] = prefixes.map((prefix) => ({ ...toHost, ...prefix, vrf: FABRIC.vrf, flags: 0 }));
  const taken = new Set(prefixes.map(({ prefix, length }) => `${prefix}/${length}`));
  for (const { family, address, row } of guestsOf(connected)) {
    const key = `${address}/${family === 'inet' ? 32 : 128}`;
    if (taken.has(key)) continue;
    taken.add(key);
    rows.push(row);
  }
  for (const network of connected) {
    const own = network.subnets.map(({ prefix, length }) => parsePrefix(`${prefix}/${length}`));
    for (const prefix of prefixes) {
      const first = parseAddress(prefix.prefix);
      if (own.some((range) => contains(range, first) && prefix.length >= lengthOf(range))) continue;
      rows.push({ ...toHost, ...prefix, vrf: network.vrf, flags: ROUTE_FLAG.proxy });
    }
  }
  return rows;
}

const lengthOf = ({ length }: { readonly length: number }): number => length;

/** Addresses of the guests the host is to reach: those of all networks connected with the underlay, each once. */
export function fabricGuests(connected: readonly NetworkPlan[]): Set<string> {
  return new Set(guestsOf(connected).map(({ address }) => address));
}

function guestsOf(connected: readonly NetworkPlan[]) {
  const inOrder = [...connected].sort((a, b) => a.networkId - b.networkId);
  return inOrder.flatMap(({ networkId, interfaces }) =>
    interfaces.flatMap(({ addresses, groups, l3Nexthop }) =>
      addresses.map((address) => {
        const family = familyOf(address);
        const row: Row = {
          vrf: FABRIC.vrf,
          family,
          prefix: address,
          length: hostLength(address),
          nexthop: l3Nexthop,
          label: -1,
          flags: ROUTE_FLAG.proxy,
          stitchedMac: null,
          network: networkId,
          groups,
        };
        return { family, address, row };
      }),
    ),
  );
}
