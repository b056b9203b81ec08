/** The interfaces every host has whatever its networks: that to the underlay, and that into the host's own stack. */
import { BRIDGE_FLAG, NH_FLAG, NH_ID, NH_TYPE, VIF_FLAG, VIF_ID, VIF_TYPE, type VifRecord } from '../tables/records.js';
import { type Compiled, EMPTY, ethernetHex, FABRIC, UNRESTRICTED } from './compile.js';
import { linkLocalOf } from './link-local.js';
import type { UnderlayLink } from './underlay.js';
import { BROADCAST_MAC, GATEWAY_MAC } from '../wire/ethernet.js';
import { isIpv6 } from '../wire/addr.js';

const NO_VRF = 65535;

/** Address of the host on vhost0: link-local, and alone, so that no other link-local address is looked for there. */
export const HOST_ADDRESS = '169.254.42.1';

/** An interface nobody filters: the host guards itself. */
const FIXED_VIF = { vrf: FABRIC.vrf, ip: '0.0.0.0', ip6: null, macs: [], mirrors: [], ...UNRESTRICTED } as const;

/** `vif0/0`: the underlay interface, with the address tunnels end at. */
export function physicalVif({ name, mac, mtu }: UnderlayLink, address: string): Compiled {
  const { transmitOffload, l3, l2, vhostPhysical, etreeRoot } = VIF_FLAG;
  const vif: VifRecord = {
    ...FIXED_VIF,
    ...(isIpv6(address) ? { ip6: address } : { ip: address }),
    id: VIF_ID.physical,
    type: VIF_TYPE.physical,
    name,
    mac,
    mtu,
    mcastVrf: NO_VRF,
    flags: transmitOffload | l3 | l2 | vhostPhysical | etreeRoot,
    nexthop: NH_ID.discard,
  };
  return { ...EMPTY, vifs: [vif] };
}

/** `vif0/1`: the TAP into the host's stack, `mac` its MAC. What the host broadcasts there is for the agent. */
export function hostVif(name: string, mac: string, mtu: number): Compiled {
  const { vrf } = FABRIC;
  const vif: VifRecord = {
    ...FIXED_VIF,
    ip: HOST_ADDRESS,
    ip6: linkLocalOf(mac),
    id: VIF_ID.host,
    type: VIF_TYPE.host,
    name,
    mac: GATEWAY_MAC,
    mtu,
    mcastVrf: vrf,
    flags: VIF_FLAG.transmitOffload | VIF_FLAG.l3 | VIF_FLAG.etreeRoot,
    nexthop: NH_ID.host,
  };
  const nexthop = {
    id: NH_ID.host,
    type: NH_TYPE.encap,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.etreeRoot,
    vrf,
    oif: VIF_ID.host,
    rewrite: ethernetHex(mac, GATEWAY_MAC),
    members: [],
  } as const;
  const row = { vrf, label: -1, flags: BRIDGE_FLAG.dhcpFlood };
  return {
    ...EMPTY,
    vifs: [vif],
    nexthops: [nexthop],
    bridge: [
      { ...row, mac: GATEWAY_MAC, nexthop: NH_ID.l2Receive },
      { ...row, mac: BROADCAST_MAC, nexthop: NH_ID.agent },
    ],
  };
}
