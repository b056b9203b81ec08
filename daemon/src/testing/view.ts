import { Readable } from 'node:stream';
import { dropstatsDump, vrfstatsDump } from '../api/dump.js';
import type { DaemonView } from '../api/view.js';
import { RefusedError } from '../control/refused.js';
import { DROP_REASONS } from '../packet/drop.js';
import type { StatusDump } from '../control/dumps.js';
import type { TraceDump } from '../control/trace-dumps.js';
import {
  bridgedTrace,
  clusterHosts,
  encapNexthop,
  flowTable,
  guestVif,
  inetRoute,
  mirrorDump,
  remoteProbe,
  tcpFlow,
} from './dumps.js';

const STATUS: StatusDump = {
  host: 'server-4c',
  version: '0.1.0',
  pid: 4711,
  uptimeSeconds: 90061,
  store: { mode: 'embedded', connected: true, epoch: 'e1' },
  datapath: {
    running: true,
    restarts: 2,
    heartbeatAgeMs: 250,
    books: { received: 10, generated: 2, copied: 1, sent: 9, dropped: 3, consumed: 1 },
  },
  flows: {
    active: 40,
    size: 629_760,
    overflow: 1,
    created: 100,
    deleted: 80,
    evicted: 50,
    changed: 3,
    tableFull: 0,
    limited: 2,
  },
  tunnels: { peers: 2, tunnels: 3, unresolved: 1, labels: 14, vnis: 2 },
  sessionRecords: { written: 30, lost: 1, limited: 4 },
  networks: 1,
  interfaces: { total: 2, active: 1 },
  warnings: [],
};

const traces: Pick<DaemonView, 'trace' | 'traceLive' | 'probe'> = {
  probe: ({ address }) => Promise.resolve(remoteProbe({ address })),
  trace: () => bridgedTrace(),
  traceLive: (_match, { count }) => Readable.from([{ waiting: true }, ...Array<TraceDump>(count).fill(bridgedTrace())]),
};

/** A view of one guest (vif 8, nexthop 81, VRF 7, one route and one MAC), with `changes`. */
export const guestView = (changes: Partial<DaemonView> = {}): DaemonView => {
  const mac = '02:aa:f0:88:f0:65';
  const entry = { index: 41308, mac, flags: [], label: null, nexthop: 85, packets: 0 };
  const drops = dropstatsDump(DROP_REASONS.map((_, i) => i));
  const vrf = vrfstatsDump(7, { encaps: 3 });
  return {
    hosts: (name) => {
      const hosts = clusterHosts().filter((host) => name === undefined || host.name === name);
      if (hosts.length > 0) return Promise.resolve(hosts);
      return Promise.reject(
        new RefusedError('notFound', `host ${name ?? ''} does not exist; vrouter get hosts lists all`),
      );
    },
    copyStore: ({ prefix = 'vrouter:' }) =>
      Promise.resolve({ to: 'redis://192.0.2.9:6379', prefix, keys: 7, objects: 12 }),
    hostCounts: () => ({ applied: 41, rereads: 2 }),
    vifs: () => [guestVif()],
    vif: (id) => (id === 8 ? guestVif() : undefined),
    vifDrops: (id) => (id === 8 ? drops : undefined),
    nexthops: () => [encapNexthop()],
    nexthop: (id) => (id === 81 ? encapNexthop() : undefined),
    inetRoutes: (id) => (id === 7 ? [inetRoute()] : undefined),
    inetRoute: (id, _family, prefix, length) => (id === 7 ? inetRoute({ prefix, length }) : undefined),
    bridgeRoutes: (id) => (id === 7 ? [entry] : undefined),
    bridgeRoute: (id, wanted) => (id === 7 && wanted === mac ? entry : undefined),
    labels: () => [{ label: 16, nexthop: 81 }],
    label: (label) => (label === 16 ? { label, nexthop: 81 } : undefined),
    vnis: () => [{ vni: 4, nexthop: 90 }],
    vni: (vni) => (vni === 4 ? { vni, nexthop: 90 } : undefined),
    mirrors: () => [mirrorDump()],
    mirror: (index) => (index === 0 ? mirrorDump() : undefined),
    ...flowView(),
    ...traces,
    dropstats: () => drops,
    vrfstats: () => [vrf],
    vrfstatsOf: (id) => (id === 7 ? vrf : undefined),
    status: () => STATUS,
    apply: () => Promise.resolve([]),
    remove: () => Promise.resolve([]),
    objects: () => Promise.resolve([]),
    pending: () => ({ realised: true, pending: [] }),
    onProgress: () => () => undefined,
    ...changes,
  };
};

/** The part of it that is about flows: one session. */
const flowView = (): Pick<DaemonView, 'flows' | 'flow' | 'flowTable' | 'flowCounts' | 'changeFlow' | 'flushFlows'> => ({
  flows: () => [tcpFlow()],
  flow: (index) => {
    if (index !== 131252) throw new RefusedError('notFound', `Flow index ${index} is not active`);
    return tcpFlow();
  },
  flowTable: () => flowTable(),
  flowCounts: () => [undefined, { drop: 0, hold: 0, forward: 2, nat: 0 }],
  changeFlow: () => Promise.resolve(),
  flushFlows: () => Promise.resolve(1),
});
