import { type Compiled, EMPTY, FIXED } from '#vrouterd/agent/compile.js';
import {
  BRIDGE_FLAG,
  NH_FLAG,
  NH_TYPE,
  type NexthopRecord,
  ROUTE_FLAG,
  VIF_ID,
  VIF_TYPE,
} from '#vrouterd/tables/records.js';
import type { Encapsulation } from '#vrouterd/wire/encapsulation.js';
import type { Choices } from '../engine/choices.js';
import { HOSTS, type Known, OURS, OURS6 } from '../frames/tunnel.js';
import { FIRST_VIF, LAST_VIF, NETWORKS, vrfOf } from './topology.js';

/** Nexthop of the tunnel to the first host. */
export const TUNNEL = 500;
const ROUTING = 520;
const ROUTING_LABEL = 900;
const FLAGS = { MPLSoUDP: NH_FLAG.tunnelMplsUdp, MPLSoGRE: NH_FLAG.tunnelGre, VXLAN: NH_FLAG.tunnelVxlan } as const;

const vifs = Array.from({ length: LAST_VIF - FIRST_VIF }, (_, i) => FIRST_VIF + i);
const networks = Array.from({ length: NETWORKS }, (_, n) => n);

/** What tunnel packets may ask for, see compiled() of the topology. */
export const KNOWN: Known = {
  packetLabels: [...vifs.map((vif) => 400 + vif), ...networks.map((n) => ROUTING_LABEL + n)],
  frameLabels: [...vifs.map((vif) => 600 + vif), ...networks.map((n) => 300 + n)],
  vnis: networks.map((n) => 10 + n),
};

/** The interface to the underlay, the hosts there, and what is behind them in every network. */
export function chooseOverlay(choices: Choices): Compiled {
  const tunnels = HOSTS.slice(0, -1).map((host, i) => chooseTunnel(choices, host, i));
  const nexthop = (): number => TUNNEL + choices.below(tunnels.length);
  return {
    ...EMPTY,
    vifs: [
      {
        ...FIXED.vifs[0],
        id: VIF_ID.physical,
        type: VIF_TYPE.physical,
        name: 'eth0',
        mac: '0c:00:00:00:00:01',
        vrf: 0,
        mcastVrf: 0,
        mtu: 1500,
      },
    ],
    nexthops: [...tunnels, ...networks.map(routingNexthop), ...networks.map((n) => evpnNexthop(n, tunnels))],
    peers: HOSTS.slice(0, -1).map((address, id) => ({ id, address, name: `host${id}` })),
    labels: networks.map((n) => ({ label: ROUTING_LABEL + n, nexthop: ROUTING + n })),
    routes: networks.flatMap((n) =>
      (['8.8.8.8', '5.5.5.77', 'fd00:9::1', 'fd00:5::77'] as const).map((prefix) => ({
        vrf: vrfOf(n),
        family: prefix.includes(':') ? ('inet6' as const) : ('inet' as const),
        prefix,
        length: prefix.includes(':') ? 128 : 32,
        nexthop: nexthop(),
        label: 40,
        flags: ROUTE_FLAG.label | ROUTE_FLAG.proxy,
        stitchedMac: choices.chance(128) ? '02:00:00:00:00:99' : null,
        network: 10 + n,
        groups: choices.chance(128) ? [1] : [],
      })),
    ),
    bridge: networks.map((n) => ({
      vrf: vrfOf(n),
      mac: '02:00:00:00:00:99',
      nexthop: nexthop(),
      label: 41,
      flags: BRIDGE_FLAG.label,
    })),
  };
}

function chooseTunnel(choices: Choices, destination: string, peer: number): NexthopRecord {
  const encapsulation: Encapsulation = choices.pick(['MPLSoUDP', 'MPLSoGRE', 'VXLAN']);
  return {
    id: TUNNEL + peer,
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | FLAGS[encapsulation],
    vrf: 0,
    oif: VIF_ID.physical,
    rewrite: choices.chance(240) ? '0c00000000020c0000000001' + (destination.includes(':') ? '86dd' : '0800') : '',
    tunnel: {
      encapsulation,
      source: destination.includes(':') ? OURS6 : OURS,
      destination,
      peer,
      mtu: choices.pick([1500, 1280, 9000, 600]),
      innerMac: choices.chance(240) ? '02:00:00:00:00:99' : null,
    },
    members: [],
  };
}

function routingNexthop(n: number): NexthopRecord {
  const flags = NH_FLAG.valid | NH_FLAG.routeLookup;
  const id = ROUTING + n;
  return { id, type: NH_TYPE.vrfTranslate, family: 'unspec', flags, vrf: vrfOf(n), oif: -1, rewrite: '', members: [] };
}

function evpnNexthop(n: number, tunnels: readonly NexthopRecord[]): NexthopRecord {
  return {
    id: 320 + n,
    type: NH_TYPE.composite,
    family: 'bridge',
    flags: NH_FLAG.valid | NH_FLAG.multicast | NH_FLAG.compositeEvpn,
    vrf: vrfOf(n),
    oif: -1,
    rewrite: '',
    members: tunnels.map(({ id }) => ({ nexthop: id, label: 42 })),
  };
}
