import { formatAddress, parseAddress } from '../control/prefix.js';
import type { StoredObject } from '../control/store.js';
import type { SubnetSpec } from '../control/virtual-network.js';
import { effectiveFatFlows } from '../control/fat-flow.js';
import type { InterfacePlan, NetworkPlan, SubnetPlan } from './compile.js';
import type { DhcpConfig } from './dhcp.js';
import { fatFlowExclude, fatFlowRecord } from './fat-flow.js';
import type { AnalyzerLeaks } from './analyzer-leaks.js';
import type { Analyzers } from './analyzers.js';
import type { Firewalls } from './firewall.js';
import { type Filters, listKeys, reserveFilters } from './filters.js';
import type { Ids } from './ids.js';
import { vifMirrors } from './mirror-uses.js';
import { addressPlan, planOf } from './ipam.js';
import type { PortSpec } from './ports.js';
import type { GuestConfig } from './punt.js';
import { hostLength, isIpv6 } from '../wire/addr.js';

export type NetworkObject = StoredObject<'VirtualNetwork'>;
export type InterfaceObject = StoredObject<'VirtualMachineInterface'>;

/** What every plan of this host depends on. */
export interface HostPlan {
  /** MTU of networks that name none, bytes. */
  readonly networkMtu: number;
  /** MAC of the underlay interface. */
  readonly mac: string;
}

/** A lease that never ends: the address is the interface's for good. */
const FOREVER = 0xffffffff;

/** What a network and an interface have nexthops for, as their numbers are called; of the interface, labels as well. */
const NETWORK_NEXTHOPS = ['tree', 'local', 'evpn', 'vni'] as const;
const INTERFACE_NEXTHOPS = ['l3', 'l2'] as const;

const mtuOf = (network: NetworkObject, host: HostPlan): number => network.spec.mtu ?? host.networkMtu;

const isRouted = (network: NetworkObject): boolean => network.spec.forwardingMode !== 'l2';

/** The port an interface wants on this host. */
export function portSpec(network: NetworkObject, vmi: InterfaceObject, ids: Ids, host: HostPlan): PortSpec {
  const plans = network.spec.subnets.map(addressPlan);
  const subnets = subnetsOf(network, vmi);
  return {
    vifId: ids.get('vif', vmi.uuid),
    device: vmi.status.device,
    attach: vmi.spec.attach,
    mac: vmi.status.mac,
    mtu: mtuOf(network, host),
    addresses: vmi.status.addresses.map((address) => ({
      address,
      prefixLength: planOf(plans, parseAddress(address))?.range.length ?? hostLength(address),
    })),
    gateways: isRouted(network) ? subnets.flatMap((subnet) => addressPlan(subnet).gateway ?? []) : [],
  };
}

/** Keys access lists of networks have their numbers under; null: there is none. */
export const aclKeysOf = {
  network: (network: NetworkObject, leaks: AnalyzerLeaks): string | null =>
    network.spec.policies.length > 0 || leaks.restricts(network) ? `network ${network.uuid}` : null,
} as const;

/** Whether an interface may only send from its own addresses, and its security groups apply. */
export function hasPortSecurity(network: NetworkObject, vmi: InterfaceObject): boolean {
  return vmi.spec.portSecurity ?? network.spec.portSecurity;
}

/** The security groups that apply to an interface, in an order of their own: those with the same ones share access lists. */
function groupNamesOf(network: NetworkObject, vmi: InterfaceObject): readonly string[] {
  return hasPortSecurity(network, vmi) ? [...vmi.spec.securityGroups].sort() : [];
}

/** Those among them that filter its sessions: in packet mode there are none to filter. */
export function filteringGroupsOf(network: NetworkObject, vmi: InterfaceObject): readonly string[] {
  return vmi.spec.packetMode ? [] : groupNamesOf(network, vmi);
}

/** What filters an interface: nothing in packet mode, where there are no sessions. */
export function filtersOf(network: NetworkObject, vmi: InterfaceObject, firewalls: Firewalls): Filters {
  return { groups: filteringGroupsOf(network, vmi), policies: vmi.spec.packetMode ? [] : firewalls.of(vmi) };
}

/** Gives a network all the numbers it needs. Throws when none is left. */
export function reserveNetwork(network: NetworkObject, ids: Ids, leaks: AnalyzerLeaks): void {
  ids.get('vrf', network.uuid);
  for (const part of NETWORK_NEXTHOPS) ids.get('nexthop', `${network.uuid} ${part}`);
  ids.get('label', `${network.uuid} flood`);
  const key = aclKeysOf.network(network, leaks);
  if (key !== null) ids.get('acl', key);
}

/** Gives an interface and its network all the numbers they need; `reserved`: see `reserveFilters`. Throws when none is left. */
export function reserveNumbers(
  network: NetworkObject,
  vmi: InterfaceObject,
  ids: Ids,
  { firewalls, leaks }: Rules,
  reserved: Set<string>,
): void {
  reserveNetwork(network, ids, leaks);
  ids.get('vif', vmi.uuid);
  for (const part of INTERFACE_NEXTHOPS) {
    ids.get('nexthop', `${vmi.uuid} ${part}`);
    ids.get('label', `${vmi.uuid} ${part}`);
  }
  for (const name of groupNamesOf(network, vmi)) ids.get('group', name);
  reserveFilters(filtersOf(network, vmi, firewalls), ids, reserved);
}

/** Who a network exchanges routes with. */
export interface Exchange {
  /** Whether another host has the network as well. */
  readonly isElsewhere: boolean;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

/** What applies to networks and interfaces besides what they say themselves. */
export interface Rules {
  readonly firewalls: Firewalls;
  readonly leaks: AnalyzerLeaks;
}

/** What numbers come from: of this host, and of access lists and groups, whose use is followed; and what else applies to interfaces. */
export interface PlanContext extends Rules {
  readonly ids: Ids;
  /** Of mirrors -1 where none is left. */
  readonly idOf: (kind: 'acl' | 'group' | 'mirror', key: string) => number;
  /** Groups of interfaces by label that rules on this host name. */
  readonly labelGroups: ReadonlySet<string>;
  readonly analyzers: Analyzers;
}

/** Forwarding state of a network, with the interfaces whose ports are open. */
export function networkPlan(
  network: NetworkObject,
  open: readonly InterfaceObject[],
  exchange: Exchange,
  context: PlanContext,
  host: HostPlan,
): NetworkPlan {
  const { ids, idOf, leaks } = context;
  const nexthop = (part: (typeof NETWORK_NEXTHOPS)[number]): number => ids.get('nexthop', `${network.uuid} ${part}`);
  const aclOf = (key: string | null): number => (key === null ? -1 : idOf('acl', key));
  return {
    name: network.name,
    vrf: ids.get('vrf', network.uuid),
    networkId: network.status.networkId,
    mode: network.spec.forwardingMode,
    floodUnknownUnicast: network.spec.floodUnknownUnicast,
    acl: aclOf(aclKeysOf.network(network, leaks)),
    rpf: network.spec.rpf === 'enable',
    mtu: mtuOf(network, host),
    hostMac: host.mac,
    treeNexthop: nexthop('tree'),
    localTreeNexthop: nexthop('local'),
    evpnNexthop: nexthop('evpn'),
    isElsewhere: exchange.isElsewhere,
    vniNexthop: nexthop('vni'),
    floodLabel: ids.get('label', `${network.uuid} flood`),
    imports: exchange.imports,
    analyzers: leaks.routesOf(network),
    exports: exchange.exports,
    subnets: network.spec.subnets.map(subnetPlan),
    interfaces: open.map((vmi) => interfacePlan(network, vmi, context)),
  };
}

function interfacePlan(network: NetworkObject, vmi: InterfaceObject, context: PlanContext): InterfacePlan {
  const { ids, idOf, firewalls, labelGroups, analyzers } = context;
  const aclOf = (key: string | null): number => (key === null ? -1 : idOf('acl', key));
  const filters = filtersOf(network, vmi, firewalls);
  const groupNames = groupNamesOf(network, vmi);
  const byLabel = firewalls.groupsOf(vmi);
  const groups = [...groupNames, ...byLabel.filter((name) => labelGroups.has(name))];
  return {
    vif: ids.get('vif', vmi.uuid),
    l3Nexthop: ids.get('nexthop', `${vmi.uuid} l3`),
    l2Nexthop: ids.get('nexthop', `${vmi.uuid} l2`),
    l3Label: ids.get('label', `${vmi.uuid} l3`),
    l2Label: ids.get('label', `${vmi.uuid} l2`),
    device: vmi.status.device,
    mac: vmi.status.mac,
    addresses: vmi.status.addresses,
    dhcp: servesDhcp(network, vmi),
    packetMode: vmi.spec.packetMode,
    portSecurity: hasPortSecurity(network, vmi),
    maxFlows: vmi.spec.maxFlows ?? 0,
    groups: groups.map((name) => idOf('group', name)),
    groupNames: [...groupNames, ...byLabel],
    egressAcl: aclOf(listKeys('egress', filters).first),
    ingressAcl: aclOf(listKeys('ingress', filters).first),
    mirrors: vifMirrors(network, vmi, analyzers, idOf),
    ...fatFlowPlan(network, vmi),
  };
}

function fatFlowPlan(network: NetworkObject, vmi: InterfaceObject): Pick<InterfacePlan, 'fatFlows' | 'fatFlowExclude'> {
  const fatFlows = effectiveFatFlows(network.spec.fatFlows, vmi.spec.fatFlows).map(fatFlowRecord);
  return {
    fatFlows,
    fatFlowExclude: fatFlows.length > 0 ? fatFlowExclude(subnetsOf(network, vmi).map(subnetPlan)) : [],
  };
}

/** Gives back the numbers of a network that is gone, and those of an interface. */
export function releaseNetwork(uuid: string, ids: Ids): void {
  ids.release('vrf', uuid);
  for (const part of NETWORK_NEXTHOPS) ids.release('nexthop', `${uuid} ${part}`);
  ids.release('label', `${uuid} flood`);
}
export function releaseInterface(uuid: string, ids: Ids): void {
  ids.release('vif', uuid);
  for (const part of INTERFACE_NEXTHOPS) {
    ids.release('nexthop', `${uuid} ${part}`);
    ids.release('label', `${uuid} ${part}`);
  }
}

function subnetPlan(subnet: SubnetSpec): SubnetPlan {
  const { range, gateway, serviceAddress } = addressPlan(subnet);
  return {
    family: range.family === 4 ? 'inet' : 'inet6',
    prefix: formatAddress(range.family, range.first),
    length: range.length,
    gateway: gateway ?? null,
    service: serviceAddress,
  };
}

/** What the agent answers the guest behind an interface. */
export function guestConfig(network: NetworkObject, vmi: InterfaceObject, host: HostPlan): GuestConfig {
  return {
    routed: isRouted(network),
    mtu: mtuOf(network, host),
    subnets: network.spec.subnets.map((subnet) => {
      const { gateway, serviceAddress } = addressPlan(subnet);
      return { prefix: subnet.prefix, gateway: gateway ?? null, serviceAddress };
    }),
    dhcp: dhcpConfig(network, vmi, host),
  };
}

/** Whether DHCP is on where the interface has its IPv4 address, or, when it has none, any other. */
function servesDhcp(network: NetworkObject, vmi: InterfaceObject): boolean {
  const subnets = subnetsOf(network, vmi);
  const ipv4 = subnets.filter(({ prefix }) => !isIpv6(prefix));
  return (ipv4.length > 0 ? ipv4 : subnets).some(({ enableDhcp }) => enableDhcp);
}

function dhcpConfig(network: NetworkObject, vmi: InterfaceObject, host: HostPlan): DhcpConfig | null {
  const address = vmi.status.addresses.find((candidate) => !isIpv6(candidate));
  const subnet = address === undefined ? undefined : subnetsOf(network, { status: { addresses: [address] } }).at(0);
  if (address === undefined || subnet === undefined) return null;
  const { range, gateway, serviceAddress } = addressPlan(subnet);
  return {
    enabled: subnet.enableDhcp,
    address,
    prefixLength: range.length,
    gateway: isRouted(network) ? (gateway ?? null) : null,
    serviceAddress,
    hostMac: host.mac,
    dnsServers: subnet.dnsServers,
    domainName: subnet.domainName ?? null,
    hostName: vmi.spec.hostName ?? vmi.metadata.name,
    hostRoutes: subnet.hostRoutes,
    mtu: mtuOf(network, host),
    leaseSeconds: FOREVER,
  };
}

/** The subnets an interface has an address in. */
function subnetsOf(
  network: NetworkObject,
  { status }: { readonly status: { readonly addresses: readonly string[] } },
): SubnetSpec[] {
  const addresses = status.addresses.map(parseAddress);
  return network.spec.subnets.filter((subnet) =>
    addresses.some((address) => planOf([addressPlan(subnet)], address) !== undefined),
  );
}
