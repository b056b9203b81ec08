/** Records of the tables as the tools show them: flag bits become letters, numbers of types and families become names. */
import type {
  BridgeRouteDump,
  DropstatsDump,
  FamilyName,
  InetRouteDump,
  NexthopDump,
  NexthopTypeName,
  TunnelDump,
  UdpTunnelDump,
  VifDump,
  VifTypeName,
  VrfstatsDump,
} from '../control/dumps.js';
import { DROP_REASONS, DROP_TEXT } from '../packet/drop.js';
import { VRF_STATS, VRF_STAT_TEXT } from '../tables/counters.js';
import type { VrfStat } from '../tables/counters.js';
import type { Vrf } from '../tables/vrf.js';
import { BRIDGE_FLAG, NH_FLAG, NH_TYPE, ROUTE_FLAG, VIF_FLAG, VIF_TYPE } from '../tables/records.js';
import type {
  BridgeRecord,
  Family,
  NexthopRecord,
  RouteRecord,
  TunnelRecord,
  UdpTunnelRecord,
  VifRecord,
} from '../tables/records.js';

/** Letters of interface flags, in print order. */
const VIF_LETTERS: Record<keyof typeof VIF_FLAG, string> = {
  policy: 'P',
  receiveMirror: 'Mr',
  transmitMirror: 'Mt',
  transmitOffload: 'Tc',
  l3: 'L3',
  l2: 'L2',
  dhcp: 'D',
  vhostPhysical: 'Vp',
  unknownUnicastFlood: 'Uuf',
  dropNewFlows: 'Df',
  etreeRoot: 'Er',
};

/** Names of nexthop flags, in bit order. */
const NH_NAMES: Record<keyof typeof NH_FLAG, string> = {
  valid: 'Valid',
  policy: 'Policy',
  tunnelGre: 'MPLSoGRE',
  tunnelUdp: 'Udp',
  multicast: 'Multicast',
  tunnelMplsUdp: 'MPLSoUDP',
  tunnelVxlan: 'Vxlan',
  compositeEvpn: 'Evpn',
  compositeEncap: 'Encap',
  routeLookup: 'RouteLookup',
  copySip: 'Copy SIP',
  etreeRoot: 'Etree Root',
  l3Vxlan: 'l3_vxlan',
};

const ROUTE_LETTERS: Record<keyof typeof ROUTE_FLAG, string> = { label: 'L', proxy: 'P', trap: 'T', flood: 'F' };
const BRIDGE_LETTERS: Record<keyof typeof BRIDGE_FLAG, string> = { label: 'L', dhcpFlood: 'Df' };

/** Texts of the bits of `flags` that are set, in the order of `texts`. */
function letters<F extends string>(flags: number, bits: Record<F, number>, texts: Record<F, string>): string[] {
  const names = Object.keys(texts) as F[];
  return names.filter((name) => (flags & bits[name]) !== 0).map((name) => texts[name]);
}

const VIF_TYPES: Record<number, VifTypeName> = {
  [VIF_TYPE.host]: 'Host',
  [VIF_TYPE.agent]: 'Agent',
  [VIF_TYPE.physical]: 'Physical',
  [VIF_TYPE.virtual]: 'Virtual',
};

/** What a vif's record does not say: its counters, and what the agent knows of it. */
export type VifState = Pick<
  VifDump,
  'rx' | 'tx' | 'drops' | 'kernelDrops' | 'superFrames' | 'flows' | 'ref' | 'vmi' | 'link'
>;

/** @param vrf that of the interface; none: it is not known. */
export const vifDump = (vif: VifRecord, state: VifState, vrf?: MirrorMetadata): VifDump => ({
  id: vif.id,
  name: vif.name,
  type: VIF_TYPES[vif.type],
  mac: vif.mac,
  ip: vif.ip,
  ip6: vif.ip6,
  vrf: vif.vrf,
  mcastVrf: vif.mcastVrf,
  flags: letters(vif.flags | (isFull(state) ? VIF_FLAG.dropNewFlows : 0), VIF_FLAG, VIF_LETTERS),
  qos: -1,
  mtu: vif.mtu,
  fatFlows: vif.fatFlows,
  fatFlowExclude: vif.fatFlowExclude,
  mirrors: vif.mirrors.map(({ mirror }) => mirror),
  mirrorMetadata:
    vif.mirrors.length === 0 || vrf === undefined
      ? null
      : { ingress: hex(vrf.sentMetadata), egress: hex(vrf.receivedMetadata) },
  ...state,
});

/** What copies of frames carry that guests of a VRF send, and are sent. */
type MirrorMetadata = Pick<Vrf, 'sentMetadata' | 'receivedMetadata'>;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Whether there is no room for one more pair. */
const isFull = ({ flows }: VifState): boolean => flows.entries + 2 > flows.most;

const NH_TYPES: Record<number, NexthopTypeName> = {
  [NH_TYPE.dead]: 'Dead',
  [NH_TYPE.receive]: 'Receive',
  [NH_TYPE.encap]: 'Encap',
  [NH_TYPE.tunnel]: 'Tunnel',
  [NH_TYPE.resolve]: 'Resolve',
  [NH_TYPE.discard]: 'Drop',
  [NH_TYPE.composite]: 'Composite',
  [NH_TYPE.vrfTranslate]: 'Vrf_Translate',
  [NH_TYPE.l2Receive]: 'L2 Receive',
};

const FAMILIES: Record<Family, FamilyName> = {
  inet: 'AF_INET',
  inet6: 'AF_INET6',
  bridge: 'AF_BRIDGE',
  unspec: 'AF_UNSPEC',
};

/** Family of the encapsulation operators see in every encap nexthop: ARP, which is where its MAC comes from. */
const ENCAP_FAMILY = 0x0806;

/** Flags of which the same bits mean something else, or nothing, for nexthops of other types. */
const ONLY_TUNNELS = NH_FLAG.tunnelGre | NH_FLAG.tunnelMplsUdp | NH_FLAG.tunnelUdp;
const ONLY_COMPOSITES = NH_FLAG.compositeEvpn | NH_FLAG.compositeEncap;

/**
 * @param refCount how many routes, nexthops, interfaces and labels use it.
 * @param host name of the host a tunnel leads to, where it is known.
 */
export function nexthopDump(nh: NexthopRecord, refCount: number, host: string | null = null): NexthopDump {
  const composite = nh.type === NH_TYPE.composite;
  const hidden = (nh.type === NH_TYPE.tunnel ? 0 : ONLY_TUNNELS) | (composite ? 0 : ONLY_COMPOSITES);
  return {
    id: nh.id,
    type: NH_TYPES[nh.type],
    family: FAMILIES[nh.family],
    rid: 0,
    refCount,
    vrf: nh.vrf,
    flags: letters(nh.flags & ~hidden, NH_FLAG, NH_NAMES),
    ...(nh.type === NH_TYPE.encap && { encap: { family: ENCAP_FAMILY, oif: nh.oif, data: nh.rewrite } }),
    ...(nh.type === NH_TYPE.receive && { oif: nh.oif }),
    ...(nh.tunnel && { tunnel: tunnelDump(nh, nh.tunnel, host) }),
    ...(nh.udp && { udpTunnel: udpTunnelDump(nh, nh.udp) }),
    ...(composite && { members: nh.members }),
  };
}

const tunnelDump = (nh: NexthopRecord, tunnel: TunnelRecord, host: string | null): TunnelDump => ({
  encapsulation: tunnel.encapsulation,
  oif: nh.oif,
  data: nh.rewrite,
  source: tunnel.source,
  destination: tunnel.destination,
  host,
  mtu: tunnel.mtu,
  l3VxlanMac: (nh.flags & NH_FLAG.l3Vxlan) === 0 ? null : tunnel.innerMac,
});

const udpTunnelDump = (nh: NexthopRecord, udp: UdpTunnelRecord): UdpTunnelDump => ({
  oif: nh.oif,
  data: nh.rewrite,
  source: udp.source,
  destination: udp.destination,
  sourcePort: udp.sourcePort,
  destinationPort: udp.destinationPort,
});

/** `slot`: the place in the trie that `route` fills; its parent prefix length is the route's own. */
export function inetRouteDump(
  route: RouteRecord,
  slot: { readonly prefix: string; readonly length: number } = route,
): InetRouteDump {
  return {
    prefix: slot.prefix,
    length: slot.length,
    ppl: route.length,
    flags: letters(route.flags, ROUTE_FLAG, ROUTE_LETTERS),
    label: (route.flags & ROUTE_FLAG.label) === 0 ? null : route.label,
    nexthop: route.nexthop,
    stitchedMac: route.stitchedMac,
    stitchedIndex: route.stitchedMac === null ? null : route.stitchedIndex,
  };
}

/** `packets`: frames this entry forwarded. */
export const bridgeRouteDump = (entry: BridgeRecord, packets: number): BridgeRouteDump => ({
  index: entry.index,
  mac: entry.mac,
  flags: letters(entry.flags, BRIDGE_FLAG, BRIDGE_LETTERS),
  label: (entry.flags & BRIDGE_FLAG.label) === 0 ? null : entry.label,
  nexthop: entry.nexthop,
  packets,
});

/** `counters`: one per drop reason, in counter order. */
export const dropstatsDump = (counters: ArrayLike<number>): DropstatsDump =>
  Object.fromEntries(DROP_REASONS.map((reason, i) => [DROP_TEXT[reason], counters[i]]));

/** Counters left out are zero. */
export const vrfstatsDump = (vrf: number, counters: Partial<Record<VrfStat, number>>): VrfstatsDump => ({
  vrf,
  counters: Object.fromEntries(VRF_STATS.map((stat) => [VRF_STAT_TEXT[stat], counters[stat] ?? 0])),
});
