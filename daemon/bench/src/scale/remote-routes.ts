/**
 * What the routes of other hosts cost the agent, without Redis and without a worker: `npm run bench:remote`. A thousand hosts have
 * a hundred endpoints each in one of a hundred networks, ten of which are here. Then single endpoints change, and the networks of
 * this host are compiled again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkPlan } from '../../../dist/agent/compile.js';
import { compileNetwork } from '../../../dist/agent/compile.js';
import { Ids } from '../../../dist/agent/ids.js';
import { Reconciler } from '../../../dist/agent/reconcile.js';
import { RemoteHosts } from '../../../dist/agent/remote-hosts.js';
import type { HostChange } from '../../../dist/control/host-route.js';
import { BridgeTable } from '../../../dist/tables/bridge.js';
import { Tables } from '../../../dist/tables/tables.js';
import { ID_RANGES, OPEN_NETWORK } from '../../../dist/testing/plans.js';

const HOSTS = 1_000;
const ENDPOINTS = 100;
const NETWORKS = 100;
const CHANGES = 10_000;
const COMPILATIONS = 20;

const say = (what: string, value: number, unit: string): void => {
  process.stdout.write(`${what.padEnd(44)} ${value.toFixed(1).padStart(9)} ${unit}\n`);
};

const nameOf = (network: number): string => `d:p:n${network}`;
const byte = (n: number, at: number): number => (n >>> (8 * at)) & 0xff;

/** Networks of this host: all, or every tenth. */
const plans = (every: number): NetworkPlan[] =>
  Array.from({ length: NETWORKS / every }, (_, i): NetworkPlan => {
    const n = i * every + 1;
    const nexthop = 10 * n + 500_000;
    return {
      ...{ name: nameOf(n), vrf: n, networkId: n, mode: 'l2_l3', floodUnknownUnicast: false, ...OPEN_NETWORK },
      ...{ imports: [`target:64512:${8_000_000 + n}`], mtu: 1450, hostMac: '0c:c4:7a:59:62:5c', isElsewhere: true },
      ...{ treeNexthop: nexthop, localTreeNexthop: nexthop + 1, evpnNexthop: nexthop + 2, vniNexthop: nexthop + 3 },
      ...{ subnets: [{ family: 'inet', prefix: '10.0.0.0', length: 8, gateway: '10.255.0.1', service: null }] },
      interfaces: [],
    };
  });

/** One endpoint of a host: its address and its MAC. */
function endpoint(host: number, index: number, label: number): HostChange[] {
  const n = 1 + (index % NETWORKS);
  const id = host * ENDPOINTS + index;
  const mac = `02:00:00:${[2, 1, 0].map((at) => byte(id, at).toString(16).padStart(2, '0')).join(':')}`;
  const rank = { preference: 200, sequence: 0, vni: n, network: nameOf(n) };
  const prefix = `10.${byte(id, 2)}.${byte(id, 1)}.${byte(id, 0)}/32`;
  const targets = [`target:64512:${8_000_000 + n}`];
  const name = `h${host}`;
  return [
    { op: 'set', host: name, route: { kind: 'mac', mac, label: label + 1, ...rank } },
    { op: 'set', host: name, route: { kind: 'inet', prefix, mac, label, targets, groups: [], ...rank } },
  ];
}

function lease(host: number): HostChange {
  const tunnelAddress = `192.168.${byte(host, 1)}.${byte(host, 0)}`;
  const version = '';
  return {
    op: 'host',
    host: { name: `h${host}`, tunnelAddress, encapsulations: ['MPLSoUDP'], version, incarnation: version },
  };
}

function timed(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function heap(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function measure(here: readonly NetworkPlan[], folder: string): void {
  const tables = new Tables(null, new BridgeTable());
  let sent = 0;
  const reconciler = new Reconciler(tables, (changes) => (sent += changes.length));
  const remote = new RemoteHosts({
    ...{ host: 'here', address: '192.168.255.1', encapsulations: ['MPLSoUDP'], mtu: 1500, reconciler },
    ids: new Ids(join(folder, `ids${here.length}`), { ...ID_RANGES, nexthop: { first: 16, end: 500_000 } }),
    underlay: { wayTo: () => ({ source: '192.168.255.1', rewrite: '', mtu: 1500 }), follow: () => undefined },
  });
  const compile = (): void => {
    remote.prepare(here);
    for (const plan of here) reconciler.reconcile(plan.name, compileNetwork(plan));
    remote.present(here, { network: (name) => Number(name.slice('d:p:n'.length)), groups: new Map() });
  };
  compile();
  const before = heap();
  const all = Array.from({ length: HOSTS }, (_, host) => [
    lease(host),
    ...Array.from({ length: ENDPOINTS }, (_unused, index) => endpoint(host, index, 16)).flat(),
  ]);
  say(
    'all endpoints become known',
    timed(() =>
      all.forEach((changes) => {
        remote.onHosts(changes);
      }),
    ),
    'ms',
  );
  say('memory, routes as published included', (heap() - before) / 2 ** 20, 'MB');
  sent = 0;
  const changes = Array.from({ length: CHANGES }, (_, i) => endpoint((i * 7) % HOSTS, (i * 13) % ENDPOINTS, 100 + i));
  const changing = timed(() =>
    changes.forEach((one) => {
      remote.onHosts(one);
    }),
  );
  say('one endpoint changes', (1000 * changing) / CHANGES, 'us');
  say('rows sent for a change', sent / CHANGES, 'rows');
  sent = 0;
  say(
    'networks are compiled again',
    timed(() => {
      for (let i = 0; i < COMPILATIONS; i++) compile();
    }) / COMPILATIONS,
    'ms',
  );
  say('rows sent for it', sent, 'rows');
  say(
    'one host is gone',
    timed(() => {
      remote.onHosts([{ op: 'gone', host: 'h7' }]);
    }),
    'ms',
  );
}

const folder = mkdtempSync(join(tmpdir(), 'vrouterd-remote-'));
for (const every of [10, 1]) {
  process.stdout.write(
    `${HOSTS * ENDPOINTS} endpoints of ${HOSTS} hosts; ${NETWORKS / every} of ${NETWORKS} networks here\n`,
  );
  measure(plans(every), folder);
}
rmSync(folder, { recursive: true });
