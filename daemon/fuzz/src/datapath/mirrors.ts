import { type Compiled, EMPTY } from '#vrouterd/agent/compile.js';
import {
  type MirrorRecord,
  NH_FLAG,
  NH_TYPE,
  type NexthopRecord,
  VIF_ID,
  type VifMirrorRecord,
} from '#vrouterd/tables/records.js';
import type { Choices } from '../engine/choices.js';
import { OURS, OURS6 } from '../frames/tunnel.js';
import { TUNNEL } from './overlay.js';
import { FIRST_VIF, LAST_VIF, NETWORKS, vrfOf } from './topology.js';

/** Mirrors there are; one more is never there. */
const MIRRORS = 6;
const WRAPPING = 540;
const STATIC = 560;
const ANALYZERS = ['5.5.5.3', '5.5.5.4', '8.8.8.8', '7.7.7.7', 'fd00:5::4', 'fd00:9::1', '5.5.5.1'] as const;

/** Mirrors of every kind: with header, as they are, to a VXLAN, by the NIC; some lead nowhere. */
export function chooseMirrors(choices: Choices): Compiled {
  const nexthops: NexthopRecord[] = [staticNexthop(choices)];
  const mirrors = Array.from({ length: MIRRORS }, (_, id): MirrorRecord => {
    const kind = choices.below(6);
    const isDynamic = kind < 3;
    if (isDynamic) nexthops.push(wrappingNexthop(choices, WRAPPING + id));
    const plain = [60 + FIRST_VIF + choices.below(LAST_VIF - FIRST_VIF), TUNNEL + choices.below(4), STATIC] as const;
    return {
      id,
      name: `mirror ${id}`,
      nexthop: isDynamic ? WRAPPING + id : plain[kind - 3],
      isDynamic,
      vni: choices.pick([-1, 41, 603, 10]),
      nicVlan: choices.chance(24) ? 1 + choices.below(4094) : 0,
      rateLimit: choices.pick([0, 0, 0, 1, 10]),
      sample: choices.pick([1, 1, 1, 2, 7]),
      snapLength: choices.pick([0, 0, 0, 1, 14, 40, 300]),
      suppressErrors: choices.chance(128),
    };
  });
  return { ...EMPTY, nexthops, mirrors };
}

/** Whom an interface's frames are copied to. */
export function choosePortMirrors(choices: Choices): VifMirrorRecord[] {
  if (!choices.chance(128)) return [];
  return Array.from({ length: 1 + choices.below(3) }, () => ({
    mirror: choices.below(MIRRORS + 1),
    receive: choices.chance(176),
    transmit: choices.chance(176),
  }));
}

function wrappingNexthop(choices: Choices, id: number): NexthopRecord {
  const destination = choices.pick(ANALYZERS);
  return {
    id,
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.tunnelUdp | (choices.chance(128) ? NH_FLAG.copySip : 0),
    vrf: choices.pick([-1, -1, -1, vrfOf(choices.below(NETWORKS)), 99]),
    oif: VIF_ID.physical,
    rewrite: '0000000000000c00000000010800',
    udp: {
      source: destination.includes(':') ? OURS6 : OURS,
      destination,
      sourcePort: 8097,
      destinationPort: choices.pick([8099, 53, 1000]),
    },
    members: [],
  };
}

function staticNexthop(choices: Choices): NexthopRecord {
  return {
    id: STATIC,
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.tunnelVxlan,
    vrf: 0,
    oif: VIF_ID.physical,
    rewrite: '0c00000000020c00000000010800',
    tunnel: {
      encapsulation: 'VXLAN',
      source: OURS,
      destination: '10.9.9.9',
      peer: -1,
      mtu: choices.pick([1500, 600, 9000]),
      innerMac: null,
    },
    members: [],
  };
}
