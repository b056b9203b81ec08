import { type HostRoute, hostRouteKey } from '../control/host-route.js';
import { type InterfacePlan, type NetworkPlan } from './compile.js';
import { ACTIVE } from './rank.js';
import { linkLocalOf } from './link-local.js';
import { hostLength } from '../wire/addr.js';

/** What this host realises and others send to, by key: addresses and MACs of open interfaces, and the networks they are in. */
export function publishedRoutes(networks: Iterable<NetworkPlan>): Map<string, HostRoute> {
  const routes = new Map<string, HostRoute>();
  const add = (route: HostRoute): void => void routes.set(hostRouteKey(route), route);
  for (const network of networks) {
    const { name, mode, networkId, floodLabel } = network;
    if (network.interfaces.length > 0 && mode !== 'l3')
      add({ kind: 'flood', network: name, label: floodLabel, vni: networkId });
    const hasIpv6 = network.subnets.some(({ family }) => family === 'inet6');
    for (const port of network.interfaces) {
      const { mac, l2Label } = port;
      if (mode !== 'l3') add({ kind: 'mac', network: name, mac, label: l2Label, vni: networkId, ...ACTIVE });
      if (mode === 'l2') continue;
      const addresses = hasIpv6 ? [...port.addresses, linkLocalOf(mac)] : port.addresses;
      for (const address of addresses) add(inetRoute(network, port, address));
    }
  }
  return routes;
}

function inetRoute(network: NetworkPlan, port: InterfacePlan, address: string): HostRoute {
  return {
    kind: 'inet',
    network: network.name,
    prefix: `${address}/${hostLength(address)}`,
    mac: network.mode === 'l3' ? null : port.mac,
    label: port.l3Label,
    vni: network.networkId,
    targets: network.exports,
    groups: port.groupNames,
    ...ACTIVE,
  };
}
