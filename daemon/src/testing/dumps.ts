/** Dumps as a daemon would answer them, for tests. */
import type { InetRouteDump, NexthopDump, TunnelDump, VifDump } from '../control/dumps.js';
import type { FlowDump, FlowTableDump } from '../control/flow-dumps.js';
import type { HostDump, ProbeDump } from '../control/host-dumps.js';
import type { MirrorDump } from '../control/mirror-dumps.js';
import type { TraceDump } from '../control/trace-dumps.js';

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
  mirrors: [],
  mirrorMetadata: null,
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

/** A tunnel to another host, by which labelled packets leave. */
export const tunnelNexthop = (tunnel: Partial<TunnelDump> = {}, changes: Partial<NexthopDump> = {}): NexthopDump => ({
  id: 20,
  type: 'Tunnel',
  family: 'AF_INET',
  rid: 0,
  refCount: 23,
  vrf: 0,
  flags: ['Valid', 'MPLSoUDP', 'Etree Root'],
  tunnel: {
    encapsulation: 'MPLSoUDP',
    oif: 0,
    data: '0cc47a59625e0cc47a59625c0800',
    source: '192.168.200.11',
    destination: '192.168.200.12',
    host: 'server-4d',
    mtu: 1500,
    l3VxlanMac: null,
    ...tunnel,
  },
  ...changes,
});

/** A mirror with header, both ways, to an analyzer that is found. */
export const mirrorDump = (changes: Partial<MirrorDump> = {}): MirrorDump => ({
  index: 0,
  nexthop: 129,
  name: 'DPI',
  isDynamic: true,
  isNicAssisted: false,
  vni: 0,
  vlan: 0,
  state: 'resolved',
  reason: null,
  users: ['VirtualMachineInterface/vnf1'],
  rateLimit: 0,
  sample: 1,
  snapLength: 0,
  counters: {
    ingress: { packets: 12, bytes: 1176 },
    egress: { packets: 11, bytes: 1078 },
    discards: 1,
    limited: 2,
    sampledOut: 3,
    failed: 4,
    looped: 5,
    suppressed: 6,
  },
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

/** An established session from a guest to somebody beyond the underlay, in the direction towards the guest. */
export const tcpFlow = (changes: Partial<FlowDump> = {}): FlowDump => ({
  index: 131252,
  generation: 1,
  reverse: 202092,
  family: 'inet',
  protocol: 6,
  source: '8.8.8.8',
  sourcePort: 22,
  destination: '10.10.0.1',
  destinationPort: 64165,
  keyNexthop: 122,
  vrf: 8,
  destinationVrf: null,
  action: 'forward',
  dropReason: null,
  nat: [],
  flags: [],
  tcp: ['S', 'Sr', 'E', 'Er'],
  ecmpMember: null,
  qos: -1,
  rpfNexthop: 20,
  packets: 12,
  bytes: 2765,
  mirrors: [],
  udpSourcePort: 56468,
  ttl: 0,
  sourceInfo: '192.168.200.12',
  fromFabric: true,
  vif: 16,
  forward: false,
  fat: false,
  short: false,
  ageMs: 61_000,
  idleMs: 1500,
  decidedBy: null,
  ...changes,
});

/** A table of the usual size with that session in it. */
export const flowTable = (changes: Partial<FlowTableDump> = {}): FlowTableDump => ({
  bytes: 80_609_280,
  entries: 629_760,
  overflowEntries: 105_472,
  active: 2,
  overflowUsed: 0,
  created: 7,
  createdByWorker: [7],
  added: 14,
  deleted: 12,
  changed: 1,
  tableFull: 0,
  limited: 0,
  ...changes,
});

/** An address of another host that packets get to. */
export const remoteProbe = (changes: Partial<ProbeDump> = {}): ProbeDump => ({
  network: 'default-domain:default-project:blue',
  address: '10.0.0.6',
  vrf: 2,
  nexthop: 20,
  host: 'host-b',
  hostAddress: '192.168.0.2',
  encapsulation: 'MPLSoUDP',
  label: 57,
  outcome: 'reachable',
  vif: null,
  ms: 0.8,
  ...changes,
});

/** A ping that a guest sends to another one; what `changes` says is different. */
export const bridgedTrace = (changes: Partial<TraceDump> = {}): TraceDump => ({
  packet: 'ICMP 5.5.5.3 > 5.5.5.4 echo request',
  length: 98,
  vif: 3,
  vmi: 'default-domain:default-project:a',
  steps: [
    {
      stage: 'input',
      subject: 'vif0/3 tapA (a)',
      result: '98 bytes, VRF 2 (blue)',
      changes: [],
      ids: { vif: 3, vrf: 2 },
    },
    { stage: 'parse', subject: '', result: 'IPv4, ICMP', changes: [], ids: {} },
    {
      stage: 'route',
      subject: 'VRF 2 (blue), 5.5.5.4',
      result: '5.5.5.4/32, flags P, nexthop 24',
      changes: [{ field: 'ttl', from: '64', to: '63' }],
      ids: { vrf: 2, nexthop: 24 },
    },
    { stage: 'output', subject: 'vif0/4 tapB (b)', result: '98 bytes', changes: [], ids: { vif: 4 } },
  ],
  lost: 0,
  outcome: 'sent',
  verdict: 'sent out of vif0/4 tapB (b)',
  drop: null,
  answers: [],
  tunnels: [],
  ...changes,
});

/** The host that was asked; another one that is cut off from the store, and to which nothing can be sent; an endpoint without vrouterd. */
export const clusterHosts = (): readonly HostDump[] => [
  {
    name: 'alpha',
    self: true,
    tunnelAddress: '192.0.2.1',
    encapsulations: ['MPLSoUDP', 'VXLAN'],
    encapsulation: null,
    version: '0.1.0',
    state: 'alive',
    leaseMs: 8123,
    lag: { entries: 0, ms: 0 },
    routes: 3,
    invalid: 0,
    keepaliveMs: null,
  },
  {
    name: 'beta',
    self: false,
    tunnelAddress: '192.0.2.2',
    encapsulations: ['MPLSoGRE'],
    encapsulation: null,
    version: '0.1.0',
    state: 'keepaliveAnswered',
    leaseMs: null,
    lag: { entries: 7, ms: 1250 },
    routes: 12,
    invalid: 1,
    keepaliveMs: 0.84,
  },
  {
    name: 'TunnelEndpoint/vtep',
    self: false,
    tunnelAddress: '192.0.2.9',
    encapsulations: ['VXLAN'],
    encapsulation: 'VXLAN',
    version: null,
    state: 'configured',
    leaseMs: null,
    lag: null,
    routes: 2,
    invalid: 0,
    keepaliveMs: null,
  },
];
