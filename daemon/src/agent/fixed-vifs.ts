/** The interfaces every host has whatever its networks: that to the underlay, and that into the host's own stack. */
import { NH_ID, VIF_FLAG, VIF_ID, VIF_TYPE, type VifRecord } from '../tables/records.js';
import { type Compiled, EMPTY, UNRESTRICTED } from './compile.js';
import type { UnderlayLink } from './underlay.js';

const NO_VRF = 65535;
/** VRF of the underlay. */
export const FABRIC_VRF = 0;

/** An interface nobody filters: the host guards itself. */
const FIXED_VIF = { vrf: FABRIC_VRF, mcastVrf: NO_VRF, ip: '0.0.0.0', ip6: null, macs: [], ...UNRESTRICTED } as const;

/** `vif0/0`: the underlay interface, with the address tunnels end at. */
export function physicalVif({ name, mac, mtu }: UnderlayLink, address: string): Compiled {
  const { transmitOffload, l3, l2, vhostPhysical, etreeRoot } = VIF_FLAG;
  const vif: VifRecord = {
    ...FIXED_VIF,
    ...(address.includes(':') ? { ip6: address } : { ip: address }),
    id: VIF_ID.physical,
    type: VIF_TYPE.physical,
    name,
    mac,
    mtu,
    flags: transmitOffload | l3 | l2 | vhostPhysical | etreeRoot,
    nexthop: NH_ID.discard,
  };
  return { ...EMPTY, vifs: [vif] };
}
