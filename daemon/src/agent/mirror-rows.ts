/** The rows of the tables that make a mirror. */
import type { MirrorTo } from '../control/mirror-to.js';
import { type MirrorRecord, NH_FLAG, NH_ID, NH_TYPE, type NexthopRecord, VIF_ID } from '../tables/records.js';
import { FALLBACK_SOURCE_PORT } from '../wire/mirror-metadata.js';
import { ethernetHex } from './compile.js';
import { HOST_ADDRESS } from './fixed-vifs.js';
import { linkLocalOf } from './link-local.js';
import type { Way } from './way.js';
import { isIpv6 } from '../wire/addr.js';

/** This host, as copies name it. */
export interface MirrorHost {
  /** MAC of the underlay interface. */
  readonly mac: string;
  /** Where its tunnels begin. */
  readonly address: string;
}

/** Where a mirror leads: a nexthop, and the MPLS label or VXLAN identifier frames are sent to it with, -1: none. */
export interface MirrorTarget {
  readonly nexthop: number;
  readonly label: number;
}

/** Nowhere, until the analyzer is known. */
export const UNRESOLVED: MirrorTarget = { nexthop: NH_ID.discard, label: -1 };

const NO_MAC = '00:00:00:00:00:00';

export function mirrorRecord(id: number, to: MirrorTo, { nexthop, label }: MirrorTarget): MirrorRecord {
  return {
    id,
    name: to.analyzerName,
    nexthop,
    isDynamic: to.juniperHeader && !to.nicAssistedMirroring,
    vni: label,
    nicVlan: to.nicAssistedMirroring ? (to.nicAssistedVlan ?? 0) : 0,
    rateLimit: to.rateLimit,
    sample: to.sample,
    snapLength: to.snapLength,
    suppressErrors: to.suppressIcmpErrors,
  };
}

/**
 * Wraps copies into UDP; their way is looked up in the VRF of what is copied. For a service instance all come from this host, where it has an
 * address of the analyzer's family: the network there need not have routes to whose frames are copied.
 */
export function udpNexthop(
  id: number,
  { udpPort }: MirrorTo,
  analyzer: string,
  host: MirrorHost,
  isService: boolean,
): NexthopRecord {
  const isOfHost = isService && isIpv6(analyzer) === isIpv6(host.address);
  return {
    id,
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.tunnelUdp | (isOfHost ? 0 : NH_FLAG.copySip) | NH_FLAG.etreeRoot,
    vrf: -1,
    oif: VIF_ID.physical,
    rewrite: ethernetHex(NO_MAC, host.mac),
    udp: {
      source: sourceFor(analyzer, host),
      destination: analyzer,
      sourcePort: FALLBACK_SOURCE_PORT,
      destinationPort: udpPort,
    },
    members: [],
  };
}

/** An address of this host of the analyzer's family: where its underlay is of the other one, a link-local one. */
function sourceFor(analyzer: string, { mac, address }: MirrorHost): string {
  if (isIpv6(analyzer) === isIpv6(address)) return address;
  return isIpv6(analyzer) ? linkLocalOf(mac) : HOST_ADDRESS;
}

/** Puts frames into a VXLAN to something that need not be a host of the cluster. */
export function vxlanNexthop(id: number, destination: string, way: Way): NexthopRecord {
  return {
    id,
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.tunnelVxlan | NH_FLAG.etreeRoot,
    vrf: 0,
    oif: VIF_ID.physical,
    rewrite: way.rewrite,
    tunnel: { encapsulation: 'VXLAN', source: way.source, destination, peer: -1, mtu: way.mtu, innerMac: null },
    members: [],
  };
}
