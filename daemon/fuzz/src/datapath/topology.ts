import { type Compiled, compileNetwork } from '#vrouterd/agent/compile.js';
import type { GuestConfig } from '#vrouterd/agent/punt.js';
import type { AclRecord, VifMirrorRecord } from '#vrouterd/tables/records.js';
import type { Choices } from '../engine/choices.js';
import {
  GATEWAY_IP,
  GATEWAY_IP6,
  GUESTS,
  guestIp,
  guestIp6,
  guestMac,
  HOST_MAC,
  SERVICE_IP,
  SERVICE_IP6,
} from '../frames/addresses.js';
import { UNRESTRICTED_PORT } from '#vrouterd/testing/plans.js';
import { chooseAcl, chooseAcls, chooseRestrictions, type Restrictions } from './restrictions.js';

export const NETWORKS = 3;
export const FIRST_VIF = 3;
const FIRST_VRF = 7;
/** Vifs the networks can have between them; one more is never there. */
export const LAST_VIF = FIRST_VIF + NETWORKS * GUESTS;

export const vifOf = (network: number, guest: number): number => FIRST_VIF + network * GUESTS + guest;
export const vrfOf = (network: number): number => FIRST_VRF + network;

/** A network of the fuzzer: all have the same addresses. */
export interface Network {
  readonly mode: 'l2_l3' | 'l3' | 'l2';
  readonly floodUnknownUnicast: boolean;
  readonly mtu: number;
  readonly inet: boolean;
  readonly inet6: boolean;
  readonly enableDhcp: boolean;
  readonly gateway: boolean;
  /** Guests whose ports are open, and what each may do. */
  readonly guests: readonly number[];
  readonly restrictions: ReadonlyMap<number, Restrictions>;
  readonly acls: readonly AclRecord[];
  readonly acl: number;
  readonly rpf: boolean;
  readonly isElsewhere: boolean;
  /** Whom the frames of a guest's port are copied to. */
  readonly mirrors: ReadonlyMap<number, readonly VifMirrorRecord[]>;
}

/** @param portMirrors chooses whom the frames of a port are copied to; null: nobody has mirrors. */
export function chooseNetwork(
  choices: Choices,
  index: number,
  portMirrors: ((choices: Choices) => readonly VifMirrorRecord[]) | null,
): Network {
  const bits = choices.byte();
  const present = choices.byte() ^ 0x03;
  const guests = Array.from({ length: GUESTS }, (_, i) => i).filter((i) => (present & (1 << i)) !== 0);
  const acls = chooseAcls(choices, index);
  return {
    mode: choices.pick(['l2_l3', 'l3', 'l2']),
    floodUnknownUnicast: (bits & 1) !== 0,
    inet: (bits & 2) === 0,
    inet6: (bits & 4) === 0,
    enableDhcp: (bits & 8) === 0,
    gateway: (bits & 16) === 0,
    mtu: choices.pick([1450, 1500, 1280, 600, 300, 9216]),
    guests,
    restrictions: new Map(guests.map((guest) => [guest, chooseRestrictions(choices, acls)])),
    acls,
    acl: chooseAcl(choices, acls),
    rpf: (bits & 32) === 0,
    isElsewhere: (bits & 64) !== 0,
    mirrors: new Map(guests.map((guest) => [guest, portMirrors?.(choices) ?? []])),
  };
}

interface Subnet {
  readonly family: 'inet' | 'inet6';
  readonly prefix: string;
  readonly length: number;
  readonly gateway: string | null;
  readonly service: string | null;
}

function subnetsOf(network: Network): Subnet[] {
  const gateway = network.gateway;
  const subnets: Subnet[] = [];
  if (network.inet) {
    const own = gateway ? GATEWAY_IP : null;
    subnets.push({ family: 'inet', prefix: '5.5.5.0', length: 24, gateway: own, service: SERVICE_IP });
  }
  if (network.inet6) {
    const own = gateway ? GATEWAY_IP6 : null;
    subnets.push({ family: 'inet6', prefix: 'fd00:5::', length: 64, gateway: own, service: SERVICE_IP6 });
  }
  return subnets;
}

/** What the tables are to hold for the network with this number. */
export function compiled(index: number, network: Network): Compiled {
  const { mode, floodUnknownUnicast, mtu, enableDhcp, acl, acls, rpf } = network;
  const tables = compileNetwork({
    name: `default-domain:default-project:n${index}`,
    vrf: vrfOf(index),
    networkId: 10 + index,
    mode,
    floodUnknownUnicast,
    acl,
    rpf,
    mtu,
    hostMac: HOST_MAC,
    treeNexthop: 200 + 2 * index,
    localTreeNexthop: 201 + 2 * index,
    evpnNexthop: 320 + index,
    isElsewhere: network.isElsewhere,
    vniNexthop: 300 + index,
    floodLabel: 300 + index,
    imports: [],
    exports: [],
    subnets: subnetsOf(network),
    interfaces: network.guests.map((guest) => {
      const vif = vifOf(index, guest);
      return {
        vif,
        l3Nexthop: 20 + vif,
        l2Nexthop: 60 + vif,
        device: `tap${vif}`,
        mac: guestMac(guest),
        addresses: [...(network.inet ? [guestIp(guest)] : []), ...(network.inet6 ? [guestIp6(guest)] : [])],
        dhcp: enableDhcp,
        ...(network.restrictions.get(guest) ?? UNRESTRICTED_PORT),
        mirrors: network.mirrors.get(guest) ?? [],
        l3Label: 400 + vif,
        l2Label: 600 + vif,
      };
    }),
  });
  return { ...tables, acls };
}

/** What the agent knows of a guest of the network. */
export function guestConfig(network: Network, guest: number): GuestConfig {
  const { mode, mtu, gateway, enableDhcp } = network;
  return {
    routed: mode !== 'l2',
    subnets: subnetsOf(network).map(({ prefix, length, gateway: own, service }) => ({
      prefix: `${prefix}/${length}`,
      gateway: own,
      serviceAddress: service,
    })),
    mtu,
    dhcp: network.inet
      ? {
          enabled: enableDhcp,
          address: guestIp(guest),
          prefixLength: 24,
          gateway: gateway ? GATEWAY_IP : null,
          serviceAddress: SERVICE_IP,
          hostMac: HOST_MAC,
          dnsServers: [],
          domainName: 'example.org',
          hostName: `guest-${guest}`,
          hostRoutes: guest === 1 ? [{ prefix: '9.9.9.0/24', nextHop: '5.5.5.9' }] : [],
          mtu,
          leaseSeconds: 0xffffffff,
        }
      : null,
  };
}
