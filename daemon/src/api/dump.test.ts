import test from 'ava';

import { DROP_REASONS } from '../packet/drop.js';
import { BRIDGE_FLAG, NH_FLAG, NH_TYPE, ROUTE_FLAG, VIF_FLAG, VIF_TYPE } from '../tables/records.js';
import type { NexthopRecord, RouteRecord, TunnelRecord, VifRecord } from '../tables/records.js';
import { bridgeRouteDump, dropstatsDump, inetRouteDump, nexthopDump, vifDump, vrfstatsDump } from './dump.js';

const vif: VifRecord = {
  id: 3,
  type: VIF_TYPE.virtual,
  name: 'tapaaf088f0-65',
  mac: '00:00:5e:00:01:00',
  vrf: 2,
  mcastVrf: 2,
  flags: 0,
  nexthop: 20,
  ip: '5.5.5.3',
  ip6: null,
  mtu: 1500,
  macs: [],
  portSecurity: true,
  maxFlows: 0,
  egressAcl: -1,
  ingressAcl: -1,
  fatFlows: [],
  fatFlowExclude: [],
  mirrors: [],
};
const none = { packets: 0, bytes: 0, errors: 0 };
const state = {
  rx: none,
  tx: none,
  drops: 4,
  kernelDrops: 1,
  superFrames: { rx: 0, tx: 2 },
  flows: { entries: 0, most: 64 },
  ref: 6,
  vmi: 'a:b:c',
};

test('flags of an interface become letters in print order', (t) => {
  t.deepEqual(vifDump(vif, state).flags, []);
  const { etreeRoot, unknownUnicastFlood, l2, l3, dhcp } = VIF_FLAG;
  t.deepEqual(vifDump({ ...vif, flags: etreeRoot | unknownUnicastFlood | l2 | l3 | dhcp }, state).flags, [
    'L3',
    'L2',
    'D',
    'Uuf',
    'Er',
  ]);
  t.deepEqual(vifDump(vif, { ...state, flows: { entries: 62, most: 64 } }).flags, []);
  t.deepEqual(vifDump(vif, { ...state, flows: { entries: 63, most: 64 } }).flags, ['Df']);
  const all = Object.values(VIF_FLAG).reduce((sum, bit) => sum | bit, 0);
  t.is(vifDump({ ...vif, flags: all }, state).flags.length, Object.keys(VIF_FLAG).length);
});

test('fat-flow rules of an interface are shown as they are', (t) => {
  const fatFlows = [{ protocol: 6, port: 22, ignore: 'source', source: null, destination: null }] as const;
  t.like(vifDump({ ...vif, fatFlows, fatFlowExclude: ['5.5.5.1/32'] }, state), {
    fatFlows,
    fatFlowExclude: ['5.5.5.1/32'],
  });
});

test('an interface shows whom it is mirrored to, and the metadata of its network', (t) => {
  const blue = { sentMetadata: Uint8Array.of(3, 1, 0x61, 255, 0), receivedMetadata: Uint8Array.of(4, 1, 0x61, 255, 0) };
  t.like(vifDump(vif, state, blue), { mirrors: [], mirrorMetadata: null });
  const mirrors = [
    { mirror: 0, receive: true, transmit: false },
    { mirror: 4, receive: false, transmit: true },
  ];
  t.like(vifDump({ ...vif, mirrors }, state, blue), {
    mirrors: [0, 4],
    mirrorMetadata: { ingress: '030161ff00', egress: '040161ff00' },
  });
});

test('an interface has the fields of its record and of its state', (t) => {
  t.like(vifDump(vif, state), {
    id: 3,
    type: 'Virtual',
    qos: -1,
    ref: 6,
    drops: 4,
    vmi: 'a:b:c',
    superFrames: { tx: 2 },
  });
  const link = { speed: 10000, duplex: 1 } as const;
  t.like(vifDump({ ...vif, id: 0, type: VIF_TYPE.physical }, { ...state, link }), { type: 'Physical', link });
  t.is(vifDump({ ...vif, type: VIF_TYPE.host }, state).type, 'Host');
  t.is(vifDump({ ...vif, type: VIF_TYPE.agent }, state).type, 'Agent');
});

const nexthop: NexthopRecord = {
  id: 20,
  type: NH_TYPE.encap,
  family: 'inet',
  flags: NH_FLAG.etreeRoot | NH_FLAG.policy | NH_FLAG.valid | NH_FLAG.compositeEncap,
  vrf: 2,
  oif: 3,
  rewrite: '02aaf088f06500005e0001000800',
  members: [],
};

test('an encap nexthop shows its header, and no flag of composites', (t) => {
  t.deepEqual(nexthopDump(nexthop, 5), {
    id: 20,
    type: 'Encap',
    family: 'AF_INET',
    rid: 0,
    refCount: 5,
    vrf: 2,
    flags: ['Valid', 'Policy', 'Etree Root'],
    encap: { family: 0x0806, oif: 3, data: '02aaf088f06500005e0001000800' },
  });
});

test('the tunnel of a mirror shows both ends and ports, and has a flag that others of its number have not', (t) => {
  const udp = { source: '192.168.200.11', destination: '7.7.7.3', sourcePort: 8097, destinationPort: 8888 };
  const flags = NH_FLAG.valid | NH_FLAG.tunnelUdp | NH_FLAG.copySip | NH_FLAG.etreeRoot;
  t.like(nexthopDump({ ...nexthop, type: NH_TYPE.tunnel, flags, vrf: -1, oif: 0, udp }, 2), {
    type: 'Tunnel',
    vrf: -1,
    flags: ['Valid', 'Udp', 'Copy SIP', 'Etree Root'],
    udpTunnel: { ...udp, oif: 0, data: '02aaf088f06500005e0001000800' },
  });
  t.deepEqual(nexthopDump({ ...nexthop, flags }, 2).flags, ['Valid', 'Copy SIP', 'Etree Root']);
});

test('a composite nexthop shows its members and its kind', (t) => {
  const members = [{ nexthop: 20, label: -1 }];
  const flags = NH_FLAG.valid | NH_FLAG.multicast | NH_FLAG.compositeEncap;
  t.deepEqual(nexthopDump({ ...nexthop, type: NH_TYPE.composite, family: 'bridge', flags, members }, 1), {
    id: 20,
    type: 'Composite',
    family: 'AF_BRIDGE',
    rid: 0,
    refCount: 1,
    vrf: 2,
    flags: ['Valid', 'Multicast', 'Encap'],
    members,
  });
});

const tunnel: TunnelRecord = {
  encapsulation: 'VXLAN',
  source: '192.168.200.11',
  destination: '192.168.200.12',
  peer: 4,
  mtu: 1500,
  innerMac: '00:00:5e:00:01:00',
};

test('a tunnel shows where it leads, and no flag of composites', (t) => {
  const flags = NH_FLAG.valid | NH_FLAG.tunnelMplsUdp | NH_FLAG.compositeEvpn | NH_FLAG.etreeRoot;
  const record: NexthopRecord = { ...nexthop, type: NH_TYPE.tunnel, oif: 0, vrf: 0, flags, tunnel };
  t.deepEqual(nexthopDump(record, 2, 'server-4d'), {
    id: 20,
    type: 'Tunnel',
    family: 'AF_INET',
    rid: 0,
    refCount: 2,
    vrf: 0,
    flags: ['Valid', 'MPLSoUDP', 'Etree Root'],
    tunnel: {
      encapsulation: 'VXLAN',
      oif: 0,
      data: '02aaf088f06500005e0001000800',
      source: '192.168.200.11',
      destination: '192.168.200.12',
      host: 'server-4d',
      mtu: 1500,
      l3VxlanMac: null,
    },
  });
  const gre = { ...record, flags: NH_FLAG.valid | NH_FLAG.tunnelGre };
  t.deepEqual(nexthopDump(gre, 2).flags, ['Valid', 'MPLSoGRE']);
  const l3 = { ...record, flags: NH_FLAG.valid | NH_FLAG.tunnelVxlan | NH_FLAG.l3Vxlan };
  t.deepEqual(nexthopDump(l3, 2).flags, ['Valid', 'Vxlan', 'l3_vxlan']);
  t.like(nexthopDump(l3, 2), { tunnel: { host: null, l3VxlanMac: '00:00:5e:00:01:00' } });
});

test('a flood tree to other hosts names its labels, and no flag of tunnels', (t) => {
  const members = [{ nexthop: 20, label: 23 }];
  const flags = NH_FLAG.valid | NH_FLAG.multicast | NH_FLAG.compositeEvpn | NH_FLAG.tunnelGre;
  const record: NexthopRecord = { ...nexthop, type: NH_TYPE.composite, family: 'bridge', flags, members };
  t.like(nexthopDump(record, 1), { flags: ['Valid', 'Multicast', 'Evpn'], members });
});

test('a VRF translation shows what of it is special', (t) => {
  const flags = NH_FLAG.valid | NH_FLAG.tunnelVxlan | NH_FLAG.routeLookup | NH_FLAG.compositeEncap;
  const record: NexthopRecord = { ...nexthop, type: NH_TYPE.vrfTranslate, flags };
  t.like(nexthopDump(record, 1), { type: 'Vrf_Translate', flags: ['Valid', 'Vxlan', 'RouteLookup'] });
  t.false('tunnel' in nexthopDump(record, 1));
});

test('only a receive nexthop shows an interface of its own', (t) => {
  t.is(nexthopDump({ ...nexthop, type: NH_TYPE.receive }, 1).oif, 3);
  t.false('oif' in nexthopDump({ ...nexthop, type: NH_TYPE.discard }, 1));
  t.is(nexthopDump({ ...nexthop, type: NH_TYPE.discard }, 1).type, 'Drop');
});

const route: RouteRecord = {
  vrf: 2,
  family: 'inet',
  prefix: '5.5.5.0',
  length: 24,
  nexthop: 1,
  label: -1,
  flags: ROUTE_FLAG.flood | ROUTE_FLAG.trap,
  stitchedMac: null,
  stitchedIndex: -1,
  network: 7,
  groups: [],
};

test('a slot shows the length of the route that fills it', (t) => {
  t.deepEqual(inetRouteDump(route, { prefix: '5.5.5.100', length: 32 }), {
    prefix: '5.5.5.100',
    length: 32,
    ppl: 24,
    flags: ['T', 'F'],
    label: null,
    nexthop: 1,
    stitchedMac: null,
    stitchedIndex: null,
  });
});

test('a label is shown when its flag says that it is valid', (t) => {
  const labelled = {
    ...route,
    label: 53,
    flags: ROUTE_FLAG.proxy | ROUTE_FLAG.label,
    stitchedMac: '02:00:00:00:00:01',
  };
  t.like(inetRouteDump({ ...labelled, stitchedIndex: 4 }), {
    prefix: '5.5.5.0',
    length: 24,
    flags: ['L', 'P'],
    label: 53,
    stitchedIndex: 4,
  });
  const entry = { vrf: 2, mac: '02:00:00:00:00:01', index: 4, nexthop: 20, label: 57, flags: BRIDGE_FLAG.dhcpFlood };
  t.like(bridgeRouteDump(entry, 9), { flags: ['Df'], label: null, packets: 9, index: 4 });
  t.like(bridgeRouteDump({ ...entry, flags: BRIDGE_FLAG.label }, 0), { flags: ['L'], label: 57 });
});

test('drop counters are named in counter order', (t) => {
  const dump = dropstatsDump(DROP_REASONS.map((_, i) => i));
  t.is(dump.Discards, 0);
  t.is(dump['Pull Fails'], 1);
  t.is(Object.keys(dump).length, DROP_REASONS.length);
});

test('counters of a VRF that are left out are zero', (t) => {
  const { vrf, counters } = vrfstatsDump(2, { discards: 3 });
  t.is(vrf, 2);
  t.is(counters.Discards, 3);
  t.is(counters['L2 Encaps'], 0);
});
