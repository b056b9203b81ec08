import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { type HostLease, type HostRoute, hostRouteKey, type InetHostRoute } from '../control/host-route.js';
import { BridgeTable } from '../tables/bridge.js';
import { NH_ID } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import { ID_RANGES, OPEN_NETWORK, UNRESTRICTED_PORT } from '../testing/plans.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { formatMac } from '../wire/addr.js';
import { ENCAPSULATIONS, sharedEncapsulation } from '../wire/encapsulation.js';
import { compileNetwork, EMPTY, type InterfacePlan, type NetworkPlan } from './compile.js';
import { Ids } from './ids.js';
import { Reconciler } from './reconcile.js';
import { RemoteHosts } from './remote-hosts.js';

/**
 * Random changes of hosts, networks and ways lead to the tables that follow from the state they end in, worked out here row by
 * row with nothing remembered.
 */
const NETWORKS = ['blue', 'green', 'red'];
const TARGETS = ['target:1:1', 'target:1:2', 'target:1:3'];
const PREFIXES = ['10.1.0.1/32', '10.1.0.9/32', '10.2.0.9/32', '10.9.0.9/32', '10.9.0.0/16', 'fe80::9/128'];
const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
const HOSTS = ['a', 'b', 'c'];
const GROUPS = ['web', 'db'];
const OURS = ['VXLAN', 'MPLSoUDP'] as const;

type Step =
  | { readonly do: 'lease'; readonly lease: HostLease }
  | { readonly do: 'gone'; readonly host: string }
  | { readonly do: 'set'; readonly host: string; readonly route: HostRoute }
  | { readonly do: 'delete'; readonly host: string; readonly route: HostRoute }
  | { readonly do: 'way'; readonly address: string; readonly rewrite: string }
  | { readonly do: 'network'; readonly name: string; readonly plan: NetworkPlan | null }
  | { readonly do: 'groups'; readonly groups: readonly string[] };

const host = fc.constantFrom(...HOSTS);
const network = fc.constantFrom(...NETWORKS);
const address = fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4');
const numbers = { label: fc.integer({ min: 16, max: 19 }), vni: fc.constantFrom(1, 2) };
const rank = { preference: fc.constantFrom(100, 200, 300), sequence: fc.constantFrom(0, 1) };
const route: fc.Arbitrary<HostRoute> = fc.oneof(
  fc.record({
    ...{ kind: fc.constant('inet' as const), network, ...numbers, ...rank, prefix: fc.constantFrom(...PREFIXES) },
    mac: fc.constantFrom(null, ...MACS),
    targets: fc.subarray(TARGETS),
    groups: fc.subarray(GROUPS),
  }),
  fc.record({ kind: fc.constant('mac' as const), network, ...numbers, ...rank, mac: fc.constantFrom(...MACS) }),
  fc.record({ kind: fc.constant('flood' as const), network, ...numbers }),
);
const lease: fc.Arbitrary<HostLease> = fc.record({
  ...{ name: host, tunnelAddress: address, version: fc.constant(''), incarnation: fc.constant('') },
  encapsulations: fc.subarray([...ENCAPSULATIONS]),
});

const guestOf = (name: string, prefix: string, mac: string): InterfacePlan => {
  const n = 10 * NETWORKS.indexOf(name);
  const numbersOf = { vif: 3 + n, l3Nexthop: 3000 + n, l2Nexthop: 3001 + n };
  return {
    ...{ ...numbersOf, device: 'tap', mac, addresses: [prefix.replace(/\/.*/, '')], dhcp: false },
    ...{ ...UNRESTRICTED_PORT, l3Label: 500 + n, l2Label: 501 + n },
  };
};

const plan = fc
  .record({
    name: network,
    mode: fc.constantFrom('l2_l3' as const, 'l3' as const, 'l2' as const),
    imports: fc.subarray(TARGETS),
    guest: fc.option(
      fc.record({ prefix: fc.constantFrom('10.1.0.9/32', '10.9.0.9/32'), mac: fc.constantFrom(...MACS) }),
    ),
  })
  .map(({ name, mode, imports, guest }): NetworkPlan => {
    const vrf = 1 + NETWORKS.indexOf(name);
    const base = 4000 + 10 * vrf;
    return {
      ...{ name, vrf, networkId: vrf, mode, floodUnknownUnicast: false, ...OPEN_NETWORK, imports, mtu: 1450 },
      ...{ hostMac: '0c:c4:7a:59:62:5c', treeNexthop: base, localTreeNexthop: base + 1, evpnNexthop: base + 2 },
      ...{ vniNexthop: base + 3, floodLabel: 600 + vrf },
      subnets: [{ family: 'inet', prefix: `10.${vrf}.0.0`, length: 24, gateway: `10.${vrf}.0.1`, service: null }],
      interfaces: guest ? [guestOf(name, guest.prefix, guest.mac)] : [],
    };
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lease' as const), lease }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gone' as const), host }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('set' as const), host, route }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), host, route }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('way' as const),
      address,
      rewrite: fc.constantFrom('', '020000000002020000000001' + '0800'),
    }),
  },
  { weight: 3, arbitrary: plan.map((one): Step => ({ do: 'network', name: one.name, plan: one })) },
  { weight: 1, arbitrary: network.map((name): Step => ({ do: 'network', name, plan: null })) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('groups' as const), groups: fc.subarray(GROUPS) }) },
);

/** The state all changes lead to, kept in the plainest way. */
class State {
  readonly leases = new Map<string, HostLease>();
  readonly routes = new Map<string, Map<string, HostRoute>>();
  readonly rewrites = new Map<string, string>();
  readonly plans = new Map<string, NetworkPlan>();
  groups: readonly string[] = [];

  /** Every row that leads to another host or could, in words. */
  rows(): string[] {
    const rows: string[] = [];
    for (const { plan: own } of this.#present()) {
      for (const prefix of PREFIXES) rows.push(...this.#route(own, prefix));
      for (const mac of MACS) rows.push(...this.#bridge(own, mac));
      const members = this.#floods(own);
      if (members.length > 0) rows.push(`flood ${own.vrf} ${members.join(', ')}`);
    }
    for (const [name, { tunnelAddress }] of this.leases) rows.push(`peer ${tunnelAddress} ${name}`);
    return rows.sort();
  }

  *#present(): Generator<{ plan: NetworkPlan }> {
    for (const own of this.plans.values()) yield { plan: own };
  }

  #all<K extends HostRoute['kind']>(kind: K): { host: string; route: Extract<HostRoute, { kind: K }> }[] {
    const all = [...this.routes].flatMap(([name, routes]) =>
      [...routes.values()].map((one) => ({ host: name, route: one })),
    );
    return all.filter((one) => one.route.kind === kind) as { host: string; route: Extract<HostRoute, { kind: K }> }[];
  }

  #route(own: NetworkPlan, prefix: string): string[] {
    if (own.mode === 'l2') return [];
    const isStructure = prefix === `10.${own.vrf}.0.1/32`;
    if (isStructure) return [];
    const isInside = (one: InetHostRoute): boolean => one.prefix.startsWith(`10.${own.vrf}.0.`);
    const candidates = this.#all('inet')
      .filter(({ route: one }) => one.prefix === prefix && one.targets.some((target) => own.imports.includes(target)))
      .filter(({ route: one }) => one.network === own.name || !(isInside(one) || one.prefix.startsWith('fe80:')))
      .map((one) => ({ ...one, isLocal: false }));
    candidates.sort(
      (a, b) =>
        b.route.preference - a.route.preference ||
        b.route.sequence - a.route.sequence ||
        Number(b.route.network === own.name) - Number(a.route.network === own.name) ||
        a.host.localeCompare(b.host) ||
        a.route.network.localeCompare(b.route.network),
    );
    const best = candidates.at(0);
    const guest = own.interfaces.find(({ addresses }) => `${addresses[0]}/32` === prefix);
    const isBetter =
      best && (best.route.preference > 200 || (best.route.preference === 200 && best.route.sequence > 0));
    if (guest && !isBetter) return [`route ${own.vrf} ${prefix} -> ${guest.l3Nexthop}`];
    if (!best) return [];
    const isOwn = best.route.network === own.name && own.mode === 'l2_l3' && !prefix.endsWith('/16');
    const groups = best.route.groups
      .filter((name) => this.groups.includes(name))
      .map((name) => GROUPS.indexOf(name) + 1);
    const number = NETWORKS.indexOf(best.route.network) + 1;
    const to = this.#to(best, best.route.mac ?? '00:00:5e:00:01:00');
    return [
      `route ${own.vrf} ${prefix} ${isOwn ? (best.route.mac ?? '-') : '-'} ${number} [${groups.join(' ')}] -> ${to}`,
    ];
  }

  #bridge(own: NetworkPlan, mac: string): string[] {
    if (own.mode === 'l3') return [];
    const candidates = this.#all('mac').filter(({ route: one }) => one.network === own.name && one.mac === mac);
    candidates.sort(
      (a, b) =>
        b.route.preference - a.route.preference || b.route.sequence - a.route.sequence || a.host.localeCompare(b.host),
    );
    const best = candidates.at(0);
    const guest = own.interfaces.find((one) => one.mac === mac);
    const isBetter =
      best && (best.route.preference > 200 || (best.route.preference === 200 && best.route.sequence > 0));
    if (guest && !isBetter) return [`bridge ${own.vrf} ${mac} -> ${guest.l2Nexthop}`];
    return best ? [`bridge ${own.vrf} ${mac} -> ${this.#to(best, null)}`] : [];
  }

  #floods(own: NetworkPlan): string[] {
    if (own.mode === 'l3') return [];
    return this.#all('flood')
      .filter(({ route: one }) => one.network === own.name)
      .sort((a, b) => a.host.localeCompare(b.host))
      .map((one) => this.#to(one, null))
      .filter((to) => to !== 'drop');
  }

  #to(one: { host: string; route: HostRoute }, innerMac: string | null): string {
    const known = this.leases.get(one.host);
    const encapsulation = known && sharedEncapsulation(OURS, known.encapsulations);
    if (!known || !encapsulation) return 'drop';
    const label = encapsulation === 'VXLAN' ? one.route.vni : one.route.label;
    const mac = encapsulation === 'VXLAN' ? innerMac : null;
    const rewrite = this.rewrites.get(known.tunnelAddress) ?? '';
    return `${encapsulation} ${known.tunnelAddress} ${rewrite} ${mac ?? '-'} label ${label}`;
  }
}

/** The same rows, as the tables have them. */
function rowsOf(tables: Tables, plans: ReadonlyMap<string, NetworkPlan>): string[] {
  const rows: string[] = [];
  const to = (id: number, label: number): string => {
    if (id === NH_ID.drop) return label === -1 ? 'drop' : 'drop with a label';
    const nexthop = tables.nexthops.get(id)?.record;
    if (!nexthop) return 'nowhere';
    if (!nexthop.tunnel) return String(id);
    const { encapsulation, destination, innerMac, peer } = nexthop.tunnel;
    if (tables.peers.get(peer)?.address !== destination) return 'not a peer';
    return `${encapsulation} ${destination} ${nexthop.rewrite} ${innerMac ?? '-'} label ${label}`;
  };
  for (const own of plans.values()) {
    const vrf = tables.vrfs[own.vrf];
    for (const one of vrf ? [...vrf.inet.records(), ...vrf.inet6.records()] : []) {
      const prefix = `${one.prefix}/${one.length}`;
      if (prefix.endsWith('.0.1/32') && one.nexthop === NH_ID.agent) continue;
      if (prefix === `10.${own.vrf}.0.0/24`) continue;
      const isLocal = tables.nexthops.get(one.nexthop)?.record.tunnel === undefined && one.nexthop !== NH_ID.drop;
      const about = isLocal ? '' : ` ${one.stitchedMac ?? '-'} ${one.network} [${one.groups.join(' ')}]`;
      rows.push(`route ${own.vrf} ${prefix}${about} -> ${to(one.nexthop, one.label)}`);
    }
    for (const one of tables.bridge.entries(own.vrf)) {
      const mac = formatMac(one.mac);
      if (MACS.includes(mac)) rows.push(`bridge ${own.vrf} ${mac} -> ${to(one.nexthop, one.label)}`);
    }
    const members = tables.nexthops.get(own.evpnNexthop)?.record.members ?? [];
    const hasBranch = tables.nexthops.get(own.treeNexthop)?.members.includes(own.evpnNexthop) === true;
    const text = members.map(({ nexthop, label }) => to(nexthop, label)).join(', ');
    if (hasBranch !== members.length > 0) rows.push(`tree ${own.vrf} ${hasBranch ? 'without' : 'beside'} its branch`);
    if (members.length > 0) rows.push(`flood ${own.vrf} ${text}`);
  }
  for (const { address: at, name } of tables.peers.entries()) rows.push(`peer ${at} ${name}`);
  return rows.sort();
}

/** Tunnel nexthops nothing leads to, not even a route that waits behind one of this host. */
function unused({ tables, reconciler }: System): number[] {
  const used = new Set<number>();
  for (const vrf of NETWORKS.keys()) {
    const keys = [
      ...PREFIXES.map((prefix) => `route ${vrf + 1} ${prefix}`),
      ...MACS.map((mac) => `bridge ${vrf + 1} ${mac}`),
    ];
    for (const row of keys.map((key) => reconciler.offered(key)))
      if (row?.table === 'route' || row?.table === 'bridge') used.add(row.record.nexthop);
  }
  for (const { members } of tables.nexthops.entries()) for (const id of members) used.add(id);
  return [...tables.nexthops.entries()].filter(({ id, tunnel }) => tunnel && !used.has(id)).map(({ id }) => id);
}

/** The agent with its tables, to which steps are done. */
class System {
  readonly tables = new Tables(null, new BridgeTable(64, 16));
  readonly reconciler = new Reconciler(this.tables, () => undefined);
  readonly remote: RemoteHosts;
  readonly state = new State();
  #isStale = false;

  constructor(file: string) {
    const rewriteTo = (to: string): string => this.state.rewrites.get(to) ?? '';
    this.remote = new RemoteHosts({
      ...{ host: 'here', address: '192.0.2.100', encapsulations: OURS, mtu: 1500, reconciler: this.reconciler },
      ids: new Ids(file, ID_RANGES),
      underlay: {
        wayTo: (to) => ({ source: '192.0.2.100', rewrite: rewriteTo(to), mtu: 1500 }),
        follow: () => undefined,
      },
    });
    this.remote.onElsewhere(() => {
      this.#isStale = true;
    });
  }

  do(one: Step): void {
    const { state, remote } = this;
    switch (one.do) {
      case 'lease':
        // A host has one address; of two with the same it is not said which is the peer.
        if (
          [...state.leases.values()].some(
            (other) => other.name !== one.lease.name && other.tunnelAddress === one.lease.tunnelAddress,
          )
        )
          return;
        state.leases.set(one.lease.name, one.lease);
        return remote.onHosts([{ op: 'host', host: one.lease }]);
      case 'gone':
        state.leases.delete(one.host);
        state.routes.delete(one.host);
        return remote.onHosts([{ op: 'gone', host: one.host }]);
      case 'set': {
        const routes = state.routes.get(one.host) ?? new Map<string, HostRoute>();
        state.routes.set(one.host, routes.set(hostRouteKey(one.route), one.route));
        return remote.onHosts([{ op: 'set', host: one.host, route: one.route }]);
      }
      case 'delete':
        state.routes.get(one.host)?.delete(hostRouteKey(one.route));
        return remote.onHosts([{ op: 'delete', host: one.host, key: hostRouteKey(one.route) }]);
      case 'way':
        state.rewrites.set(one.address, one.rewrite);
        return remote.onWays([one.address]);
      case 'network':
        if (one.plan) state.plans.set(one.name, one.plan);
        else state.plans.delete(one.name);
        return this.compile();
      case 'groups':
        state.groups = one.groups;
        return this.compile();
    }
  }

  /** What the realiser does. */
  compile(): void {
    this.#isStale = false;
    const plans = [...this.state.plans.values()].map((own) => ({
      ...own,
      isElsewhere: this.remote.isElsewhere(own.name),
    }));
    this.remote.prepare(plans);
    const parts = plans.map((own) => compileNetwork(own));
    this.reconciler.reconcile('networks', {
      ...EMPTY,
      vrfs: parts.flatMap(({ vrfs }) => vrfs),
      nexthops: parts.flatMap(({ nexthops }) => nexthops),
      bridge: parts.flatMap(({ bridge }) => bridge),
      routes: parts.flatMap(({ routes }) => routes),
    });
    const groups = new Map(this.state.groups.map((name) => [name, GROUPS.indexOf(name) + 1]));
    this.remote.present(plans, { network: (name) => NETWORKS.indexOf(name) + 1, groups });
  }

  settle(): void {
    if (this.#isStale) this.compile();
  }
}

test('whatever changes in whatever order, the tables are those that follow from what there is', (t) => {
  const folder = temporaryFolder(t);
  let runs = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const system = new System(join(folder, `ids${runs++}`));
      for (const one of steps) {
        system.do(one);
        system.settle();
        const problems = unused(system).map((id) => `nexthop ${id} is unused`);
        const actual = [...rowsOf(system.tables, system.state.plans), ...problems].join('\n');
        const expected = system.state.rows().join('\n');
        // What ava prints of a difference is for people; making it ready takes longer than all the rest.
        if (actual !== expected) t.is(actual, expected);
      }
    }),
    { numRuns: 40 },
  );
  t.true(runs >= 40);
});
