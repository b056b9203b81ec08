/** Dumps as a daemon would answer them, for tests. */
import type { InetRouteDump, NexthopDump, VifDump } from '../control/dumps.js';

/** A guest's interface as a daemon that forwards for it would show it. */
export const guestVif = (changes: Partial<VifDump> = {}): VifDump => ({
  id: 8,
  name: 'tapaaf088f0-65',
  type: 'Virtual',
  mac: '00:00:5e:00:01:00',
  ip: '5.5.5.3',
  ip6: null,
  vrf: 7,
  mcastVrf: 7,
  flags: ['P', 'L3', 'L2', 'D', 'Er'],
  qos: -1,
  ref: 6,
  mtu: 1500,
  vmi: 'default-domain:default-project:l3c1',
  rx: { packets: 479, bytes: 41541, errors: 0 },
  tx: { packets: 612, bytes: 51267, errors: 0 },
  drops: 21,
  kernelDrops: 0,
  superFrames: { rx: 0, tx: 0 },
  flows: { entries: 4, most: 131072 },
  fatFlows: [],
  fatFlowExclude: [],
  ...changes,
});

export const encapNexthop = (changes: Partial<NexthopDump> = {}): NexthopDump => ({
  id: 81,
  type: 'Encap',
  family: 'AF_INET',
  rid: 0,
  refCount: 5,
  vrf: 7,
  flags: ['Valid', 'Policy', 'Etree Root'],
  encap: { family: 0x0806, oif: 8, data: '02aaf088f06500005e0001000800' },
  ...changes,
});

export const inetRoute = (changes: Partial<InetRouteDump> = {}): InetRouteDump => ({
  prefix: '5.5.5.100',
  length: 32,
  ppl: 24,
  flags: ['T', 'F'],
  label: null,
  nexthop: 1,
  stitchedMac: null,
  stitchedIndex: null,
  ...changes,
});
