import { type Address, contains, parseAddress, parsePrefix } from '../control/prefix.js';
import {
  type AclRecord,
  BRIDGE_FLAG,
  FABRIC_NETWORK,
  type FatFlowRecord,
  type BridgeRecord,
  type LabelRecord,
  type MirrorRecord,
  type NetworkNameRecord,
  NH_FLAG,
  NH_ID,
  NH_TYPE,
  type NexthopRecord,
  type PeerRecord,
  ROUTE_FLAG,
  type RouteRecord,
  VIF_FLAG,
  VIF_ID,
  VIF_TYPE,
  type VifMirrorRecord,
  type VifRecord,
  type VniRecord,
  type VrfRecord,
} from '../tables/records.js';
import { type AnalyzerRoute, analyzerRoutes } from './analyzer-routes.js';
import { linkLocalOf } from './link-local.js';
import { BROADCAST_MAC, GATEWAY_MAC } from '../wire/ethernet.js';
import { familyOf, hostLength } from '../wire/addr.js';

/** Link-local address of the gateway. */
export const GATEWAY_LINK_LOCAL = linkLocalOf(GATEWAY_MAC);
/** Destination MAC of frames to the agent, as `nh` shows it. */
const AGENT_MAC = '00:00:00:00:00:01';
const NO_VRF = 65535;

const ETHERTYPE_IPV4 = '0800';
const USABLE = NH_FLAG.valid | NH_FLAG.etreeRoot;

export interface SubnetPlan {
  readonly family: 'inet' | 'inet6';
  readonly prefix: string;
  readonly length: number;
  /** null: the subnet has none. */
  readonly gateway: string | null;
  readonly service: string | null;
}

/** An interface whose port is open on this host. */
export interface InterfacePlan {
  readonly vif: number;
  /** Its nexthops: packets routed to it, frames bridged to it. */
  readonly l3Nexthop: number;
  readonly l2Nexthop: number;
  /** MPLS labels packets and frames for it arrive with. */
  readonly l3Label: number;
  readonly l2Label: number;
  readonly device: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  /** Whether the agent serves DHCP to it. */
  readonly dhcp: boolean;
  /** Whether its packets are forwarded without flows: then nothing below applies to it. */
  readonly packetMode: boolean;
  /** Whether it may only send from its own addresses, and its security groups apply. */
  readonly portSecurity: boolean;
  /** 0: the default share of the flow table. */
  readonly maxFlows: number;
  /** Numbers of the groups it is in: security groups, and those by label that rules on this host name. */
  readonly groups: readonly number[];
  /** Names of all groups it is in, for other hosts: those by label as well that only rules there name. */
  readonly groupNames: readonly string[];
  /** Access lists of its security groups and firewall policies; -1: none. */
  readonly egressAcl: number;
  readonly ingressAcl: number;
  readonly fatFlows: readonly FatFlowRecord[];
  readonly fatFlowExclude: readonly string[];
  /** Whom its frames are copied to, in either mode. */
  readonly mirrors: readonly VifMirrorRecord[];
}

/** A network as this host sees it. */
export interface NetworkPlan {
  readonly name: string;
  readonly vrf: number;
  /** Network number, which `rt` shows as the label of the flood entry. */
  readonly networkId: number;
  readonly mode: 'l2_l3' | 'l3' | 'l2';
  readonly floodUnknownUnicast: boolean;
  /** Access list of its policies; -1: none. */
  readonly acl: number;
  /** Whether packets must come from where the route to their source leads. */
  readonly rpf: boolean;
  readonly mtu: number;
  /** MAC of the host: DHCP answers come from it, and frames to it are routed. */
  readonly hostMac: string;
  /** The flood tree, its part for interfaces of this host, and that for other hosts. */
  readonly treeNexthop: number;
  readonly localTreeNexthop: number;
  readonly evpnNexthop: number;
  /** Whether another host has the network as well. */
  readonly isElsewhere: boolean;
  /** What frames that arrive in a VXLAN are handed to: a lookup in the network. */
  readonly vniNexthop: number;
  /** MPLS label frames for all its interfaces arrive with. */
  readonly floodLabel: number;
  /** Route targets it takes routes of, and those its own routes have. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** Routes it takes for copies alone, where no other one has the address; none where it is missing. */
  readonly analyzers?: readonly AnalyzerRoute[];
  readonly subnets: readonly SubnetPlan[];
  readonly interfaces: readonly InterfacePlan[];
}

/** Table contents, before anybody has chosen bridge slots. */
export interface Compiled {
  readonly acls: readonly AclRecord[];
  readonly vrfs: readonly VrfRecord[];
  readonly vifs: readonly VifRecord[];
  readonly nexthops: readonly NexthopRecord[];
  readonly routes: readonly Omit<RouteRecord, 'stitchedIndex'>[];
  /** Routes that any other one with the same prefix is used instead of. */
  readonly spareRoutes: readonly Omit<RouteRecord, 'stitchedIndex'>[];
  readonly bridge: readonly Omit<BridgeRecord, 'index'>[];
  readonly peers: readonly PeerRecord[];
  readonly labels: readonly LabelRecord[];
  readonly vnis: readonly VniRecord[];
  readonly mirrors: readonly MirrorRecord[];
  readonly networks: readonly NetworkNameRecord[];
}

/** Nothing. */
export const EMPTY: Compiled = {
  acls: [],
  vrfs: [],
  vifs: [],
  nexthops: [],
  routes: [],
  spareRoutes: [],
  bridge: [],
  peers: [],
  labels: [],
  vnis: [],
  mirrors: [],
  networks: [],
};

/** What flows of an interface are held to. */
type Restrictions = Pick<
  VifRecord,
  'portSecurity' | 'maxFlows' | 'egressAcl' | 'ingressAcl' | 'fatFlows' | 'fatFlowExclude'
>;

/** An interface without flows. */
export const UNRESTRICTED: Restrictions = {
  portSecurity: false,
  maxFlows: 0,
  egressAcl: -1,
  ingressAcl: -1,
  fatFlows: [],
  fatFlowExclude: [],
};

/** The underlay's own routing: a network that is always there. */
export const FABRIC = { vrf: 0, name: 'default-domain:default-project:ip-fabric', network: FABRIC_NETWORK } as const;

/** What every host has whatever its networks: the agent's interface and the nexthop to it, and the underlay's VRF. */
export const FIXED: Compiled = {
  ...EMPTY,
  vrfs: [
    { id: FABRIC.vrf, name: FABRIC.name, network: FABRIC.network, acl: -1, rpf: false, floodUnknownUnicast: false },
  ],
  vifs: [
    {
      id: VIF_ID.agent,
      type: VIF_TYPE.agent,
      name: 'pkt0',
      mac: GATEWAY_MAC,
      vrf: NO_VRF,
      mcastVrf: NO_VRF,
      flags: VIF_FLAG.l3 | VIF_FLAG.etreeRoot,
      nexthop: NH_ID.agent,
      ip: '0.0.0.0',
      ip6: null,
      mtu: 9216,
      macs: [],
      mirrors: [],
      ...UNRESTRICTED,
    },
  ],
  nexthops: [
    {
      id: NH_ID.agent,
      type: NH_TYPE.encap,
      family: 'inet',
      flags: USABLE | NH_FLAG.policy,
      vrf: 0,
      oif: VIF_ID.agent,
      rewrite: ethernetHex(AGENT_MAC, GATEWAY_MAC),
      members: [],
    },
  ],
};

/**
 * Computes the forwarding state of one network on this host. Pure: the same plan gives the same tables. `neighbours` are the
 * networks whose interfaces it has routes to, `others` those analyzers may be in.
 */
export function compileNetwork(
  network: NetworkPlan,
  neighbours: readonly NetworkPlan[] = [],
  others: readonly NetworkPlan[] = [],
): Compiled {
  const { vrf, name, networkId, acl, rpf, floodUnknownUnicast } = network;
  return {
    ...EMPTY,
    vrfs: [{ id: vrf, name, network: networkId, acl, rpf, floodUnknownUnicast }],
    vifs: network.interfaces.map((port) => vifOf(network, port)),
    nexthops: [
      ...network.interfaces.flatMap((port) => nexthopsOf(network, port)),
      ...treeOf(network),
      vniNexthopOf(network),
    ],
    routes: network.mode === 'l2' ? [] : [...routesOf(network), ...leakedRoutes(network, neighbours)],
    spareRoutes: network.mode === 'l2' ? [] : analyzerRoutes(network, others),
    bridge: bridgeOf(network),
    labels: labelsOf(network),
    vnis: [{ vni: networkId, nexthop: network.vniNexthop }],
  };
}

/** What arrives from other hosts: for an interface, or for all of them. */
function labelsOf({ mode, interfaces, floodLabel, localTreeNexthop }: NetworkPlan): LabelRecord[] {
  const routed = interfaces.map((port) => ({ label: port.l3Label, nexthop: port.l3Nexthop }));
  const bridged = interfaces.map((port) => ({ label: port.l2Label, nexthop: port.l2Nexthop }));
  const flood = { label: floodLabel, nexthop: localTreeNexthop };
  return [...(mode === 'l2' ? [] : routed), ...(mode === 'l3' ? [] : [...bridged, flood])];
}

/** Frames of the network's VXLAN are looked up in its bridge table. */
function vniNexthopOf({ vniNexthop, vrf }: NetworkPlan): NexthopRecord {
  return {
    id: vniNexthop,
    type: NH_TYPE.vrfTranslate,
    family: 'bridge',
    flags: USABLE,
    vrf,
    oif: -1,
    rewrite: '',
    members: [],
  };
}

function vifOf(network: NetworkPlan, port: InterfacePlan): VifRecord {
  return {
    id: port.vif,
    type: VIF_TYPE.virtual,
    name: port.device,
    mac: GATEWAY_MAC,
    vrf: network.vrf,
    mcastVrf: network.vrf,
    flags:
      (hasFlows(network, port) ? VIF_FLAG.policy : 0) |
      (network.mode === 'l2' ? 0 : VIF_FLAG.l3) |
      (network.mode === 'l3' ? 0 : VIF_FLAG.l2) |
      (port.dhcp ? VIF_FLAG.dhcp : 0) |
      (network.floodUnknownUnicast ? VIF_FLAG.unknownUnicastFlood : 0) |
      mirrorFlags(port) |
      VIF_FLAG.etreeRoot,
    nexthop: port.l3Nexthop,
    ip: port.addresses.find((address) => familyOf(address) === 'inet') ?? '0.0.0.0',
    ip6: port.addresses.find((address) => familyOf(address) === 'inet6') ?? null,
    mtu: network.mtu,
    macs: [port.mac],
    mirrors: port.mirrors,
    ...restrictionsOf(network, port),
  };
}

function mirrorFlags({ mirrors }: InterfacePlan): number {
  return (
    (mirrors.some(({ receive }) => receive) ? VIF_FLAG.receiveMirror : 0) |
    (mirrors.some(({ transmit }) => transmit) ? VIF_FLAG.transmitMirror : 0)
  );
}

/** Whether packets of the interface have flows: a pure layer-2 network never looks into IP. */
function hasFlows(network: NetworkPlan, port: InterfacePlan): boolean {
  return network.mode !== 'l2' && !port.packetMode;
}

function restrictionsOf(network: NetworkPlan, port: InterfacePlan): Restrictions {
  if (!hasFlows(network, port)) return UNRESTRICTED;
  const { portSecurity, maxFlows, egressAcl, ingressAcl, fatFlows, fatFlowExclude } = port;
  return { portSecurity, maxFlows, egressAcl, ingressAcl, fatFlows, fatFlowExclude };
}

function nexthopsOf(network: NetworkPlan, port: InterfacePlan): NexthopRecord[] {
  const encap = {
    type: NH_TYPE.encap,
    flags: USABLE | (hasFlows(network, port) ? NH_FLAG.policy : 0),
    vrf: network.vrf,
    oif: port.vif,
    rewrite: ethernetHex(port.mac, GATEWAY_MAC),
    members: [],
  };
  return [
    { ...encap, id: port.l3Nexthop, family: 'inet' },
    { ...encap, id: port.l2Nexthop, family: 'bridge' },
  ];
}

/** Broadcast, multicast and unknown unicast: a tree whose first branch is every interface of this host. */
function treeOf(network: NetworkPlan): NexthopRecord[] {
  const composite = { type: NH_TYPE.composite, family: 'bridge', vrf: network.vrf, oif: -1, rewrite: '' } as const;
  const local: NexthopRecord = {
    ...composite,
    id: network.localTreeNexthop,
    flags: USABLE | NH_FLAG.multicast | NH_FLAG.compositeEncap,
    // In an order of their own, so that the table does not change with the order in which interfaces become known.
    members: network.interfaces
      .map((port) => ({ nexthop: port.l2Nexthop, label: -1 }))
      .sort((a, b) => a.nexthop - b.nexthop),
  };
  const tree: NexthopRecord = {
    ...composite,
    id: network.treeNexthop,
    flags: USABLE | NH_FLAG.multicast,
    members: [local.id, ...(network.isElsewhere && network.mode !== 'l3' ? [network.evpnNexthop] : [])].map((id) => ({
      nexthop: id,
      label: -1,
    })),
  };
  return [local, tree];
}

function routesOf(network: NetworkPlan): Omit<RouteRecord, 'stitchedIndex'>[] {
  const route = { vrf: network.vrf, label: -1, stitchedMac: null, network: network.networkId, groups: [] };
  const routes: Omit<RouteRecord, 'stitchedIndex'>[] = [];
  const gateway = { ...route, nexthop: NH_ID.agent, flags: ROUTE_FLAG.proxy };
  for (const subnet of network.subnets) {
    const { family } = subnet;
    const flags = ROUTE_FLAG.trap | ROUTE_FLAG.flood;
    routes.push({ ...route, family, prefix: subnet.prefix, length: subnet.length, nexthop: NH_ID.drop, flags });
    const own = new Set([subnet.gateway, subnet.service].filter((address) => address !== null));
    for (const prefix of own) routes.push({ ...gateway, family, prefix, length: hostLength(prefix) });
  }
  const hasIpv6 = network.subnets.some((subnet) => subnet.family === 'inet6');
  if (hasIpv6) routes.push({ ...gateway, family: 'inet6', prefix: GATEWAY_LINK_LOCAL, length: 128 });
  for (const port of network.interfaces) {
    // Where there is IPv6, a guest has the link-local address of its MAC as well: its sessions with it are its own.
    for (const address of [...port.addresses, ...(hasIpv6 ? [linkLocalOf(port.mac)] : [])]) {
      const family = familyOf(address);
      routes.push({
        ...route,
        groups: port.groups,
        family,
        prefix: address,
        length: hostLength(address),
        nexthop: port.l3Nexthop,
        flags: ROUTE_FLAG.proxy,
        // A network that does not bridge has everything routed: it answers with the gateway's MAC.
        stitchedMac: network.mode === 'l3' ? null : port.mac,
      });
    }
  }
  return routes;
}

/**
 * Routes to the interfaces of other networks. What lies in a subnet of the network itself is its own, and where two others have
 * the same address, it is that of the network with the smaller number.
 */
function leakedRoutes(network: NetworkPlan, neighbours: readonly NetworkPlan[]): Omit<RouteRecord, 'stitchedIndex'>[] {
  const own = network.subnets.map(({ prefix, length }) => parsePrefix(`${prefix}/${length}`));
  const routes = new Map<string, Omit<RouteRecord, 'stitchedIndex'>>();
  for (const { interfaces, networkId } of [...neighbours].sort((a, b) => a.networkId - b.networkId)) {
    for (const port of interfaces) {
      const { addresses, groups, l3Nexthop } = port;
      const numbers = addressesOf(port);
      for (const [i, address] of addresses.entries()) {
        const parsed = numbers[i];
        if (routes.has(address) || own.some((range) => contains(range, parsed))) continue;
        const family = familyOf(address);
        routes.set(address, {
          vrf: network.vrf,
          family,
          prefix: address,
          length: hostLength(address),
          nexthop: l3Nexthop,
          label: -1,
          flags: ROUTE_FLAG.proxy,
          stitchedMac: null,
          network: networkId,
          groups,
        });
      }
    }
  }
  return [...routes.values()];
}

/** Addresses of interfaces as numbers: many networks may ask for them. */
const parsedAddresses = new WeakMap<InterfacePlan, readonly Address[]>();

function addressesOf(port: InterfacePlan): readonly Address[] {
  const known = parsedAddresses.get(port) ?? port.addresses.map(parseAddress);
  parsedAddresses.set(port, known);
  return known;
}

function bridgeOf(network: NetworkPlan): Omit<BridgeRecord, 'index'>[] {
  const { vrf } = network;
  const flood = { vrf, mac: BROADCAST_MAC, nexthop: network.treeNexthop, label: network.networkId };
  const toRouting = { vrf, nexthop: NH_ID.l2Receive, label: -1, flags: BRIDGE_FLAG.dhcpFlood };
  const rows: Omit<BridgeRecord, 'index'>[] = [
    ...[GATEWAY_MAC, network.hostMac].map((mac) => ({ ...toRouting, mac })),
    { ...flood, flags: BRIDGE_FLAG.label | BRIDGE_FLAG.dhcpFlood },
  ];
  if (network.mode === 'l3') return rows;
  for (const port of network.interfaces)
    rows.push({ vrf, mac: port.mac, nexthop: port.l2Nexthop, label: -1, flags: 0 });
  return rows;
}

/** An Ethernet header as nexthops keep it; its type is written when a packet is sent. */
export function ethernetHex(dst: string, src: string): string {
  return `${dst}${src}`.replaceAll(':', '') + ETHERTYPE_IPV4;
}
