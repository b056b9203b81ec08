import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { HostChange, HostLease, HostRoute } from '../control/host-route.js';
import { BridgeTable } from '../tables/bridge.js';
import { BRIDGE_FLAG, NH_FLAG, NH_ID, ROUTE_FLAG, type RouteRecord, type TableChange } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import { ID_RANGES, OPEN_NETWORK, UNRESTRICTED_PORT } from '../testing/plans.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import type { Encapsulation } from '../wire/encapsulation.js';
import { type Compiled, compileNetwork, type NetworkPlan } from './compile.js';
import { Ids } from './ids.js';
import { Reconciler } from './reconcile.js';
import { RemoteHosts } from './remote-hosts.js';
import type { Way } from './way.js';

const plan = (name: string, vrf: number, changes: Partial<NetworkPlan> = {}): NetworkPlan => ({
  name,
  vrf,
  networkId: vrf,
  mode: 'l2_l3',
  floodUnknownUnicast: false,
  ...OPEN_NETWORK,
  imports: [`target:1:${vrf}`],
  mtu: 1450,
  hostMac: '0c:c4:7a:59:62:5c',
  treeNexthop: 100 + 10 * vrf,
  localTreeNexthop: 101 + 10 * vrf,
  evpnNexthop: 102 + 10 * vrf,
  vniNexthop: 103 + 10 * vrf,
  floodLabel: 100 + vrf,
  subnets: [{ family: 'inet', prefix: `10.${vrf}.0.0`, length: 24, gateway: `10.${vrf}.0.1`, service: null }],
  interfaces: [],
  ...changes,
});
const BLUE = plan('blue', 1);
const GREEN = plan('green', 2);

const lease = (name: string, changes: Partial<HostLease> = {}): HostChange => ({
  op: 'host',
  host: {
    name,
    tunnelAddress: `192.0.2.${name.charCodeAt(0) - 96}`,
    encapsulations: ['MPLSoUDP', 'VXLAN'],
    version: '1',
    incarnation: '1',
    ...changes,
  },
});
const inet = (network: string, prefix: string, changes: object = {}): HostRoute => ({
  kind: 'inet',
  network,
  prefix,
  mac: '02:00:00:00:00:99',
  label: 53,
  vni: network === 'blue' ? 1 : 2,
  targets: [network === 'blue' ? 'target:1:1' : 'target:1:2'],
  groups: [],
  preference: 200,
  sequence: 0,
  ...changes,
});
const mac = (network: string, address: string): HostRoute => ({
  ...{ kind: 'mac', network, mac: address, label: 57, vni: 1, preference: 200, sequence: 0 },
});
const flood = (network: string, label = 60): HostRoute => ({ kind: 'flood', network, label, vni: 1 });
const set = (host: string, ...routes: HostRoute[]): HostChange[] => routes.map((route) => ({ op: 'set', host, route }));

const WAY: Way = { source: '192.0.2.100', rewrite: '020000000002020000000001' + '0800', mtu: 1500 };

/** A host whose tables follow networks and other hosts. */
function setUp(t: ExecutionContext, encapsulations: Encapsulation[] = ['MPLSoUDP', 'MPLSoGRE', 'VXLAN']) {
  const tables = new Tables(null, new BridgeTable(64, 16));
  const changes: TableChange[] = [];
  const followed = new Set<string>();
  const ways = new Map<string, Way>();
  const reconciler = new Reconciler(tables, (sent) => changes.push(...sent));
  const ids = new Ids(join(temporaryFolder(t), 'ids'), ID_RANGES);
  const remote = new RemoteHosts({
    host: 'here',
    address: '192.0.2.100',
    encapsulations,
    mtu: 1500,
    ids,
    reconciler,
    underlay: {
      wayTo: (address) => ways.get(address) ?? WAY,
      follow: (addresses) => {
        followed.clear();
        for (const address of addresses) followed.add(address);
      },
    },
  });
  const networks = (
    plans: readonly NetworkPlan[],
    groups: ReadonlyMap<string, number> = new Map(),
    spareRoutes: Compiled['spareRoutes'] = [],
  ): void => {
    const real = plans.map((one) => ({ ...one, isElsewhere: remote.isElsewhere(one.name) }));
    remote.prepare(real);
    for (const { name } of [BLUE, GREEN]) {
      const found = real.find((one) => one.name === name);
      const spare = name === BLUE.name ? spareRoutes : [];
      reconciler.reconcile(name, found ? { ...compileNetwork(found), spareRoutes: spare } : null);
    }
    remote.present(real, { network: (name) => (name === 'blue' ? 1 : name === 'green' ? 2 : undefined), groups });
  };
  const route = (vrf: number, prefix: string): RouteRecord | undefined => {
    const found = tables.vrfs[vrf];
    const records = found ? [...found.inet.records(), ...found.inet6.records()] : [];
    return records.find((one) => `${one.prefix}/${one.length}` === prefix);
  };
  const members = (id: number) => tables.nexthops.get(id)?.record.members;
  return { remote, tables, changes, followed, ways, networks, route, members, ids };
}

test('an address of another host is a route with its label to the tunnel there, stitched to its MAC', (t) => {
  const { remote, tables, networks, route, followed } = setUp(t);
  networks([BLUE]);
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.9/32'), mac('blue', '02:00:00:00:00:99'))]);
  const found = route(1, '10.1.0.9/32');
  t.like(found, {
    label: 53,
    flags: ROUTE_FLAG.label | ROUTE_FLAG.proxy,
    network: 1,
    stitchedMac: '02:00:00:00:00:99',
  });
  t.true((found?.stitchedIndex ?? -1) >= 0);
  t.like(tables.nexthops.get(found?.nexthop ?? -1)?.record, {
    flags: NH_FLAG.valid | NH_FLAG.etreeRoot | NH_FLAG.tunnelMplsUdp,
    rewrite: WAY.rewrite,
    tunnel: {
      encapsulation: 'MPLSoUDP',
      source: '192.0.2.100',
      destination: '192.0.2.1',
      peer: 0,
      mtu: 1500,
      innerMac: null,
    },
  });
  const [row] = [...tables.bridge.entries(1)].filter(({ label }) => label === 57);
  t.like(row, { nexthop: found?.nexthop, flags: BRIDGE_FLAG.label | BRIDGE_FLAG.dhcpFlood });
  t.deepEqual([...tables.peers.entries()], [{ id: 0, address: '192.0.2.1', name: 'a' }]);
  t.deepEqual([...followed], ['192.0.2.1']);
});

test('with VXLAN the network’s identifier is the label, and routed packets go to the guest’s MAC', (t) => {
  const { remote, tables, networks, route } = setUp(t, ['VXLAN']);
  networks([BLUE]);
  const unknown = inet('blue', '10.1.0.8/32', { mac: null });
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.9/32'), unknown, mac('blue', '02:00:00:00:00:99'))]);
  const tunnelOf = (prefix: string) => tables.nexthops.get(route(1, prefix)?.nexthop ?? -1)?.record;
  t.is(route(1, '10.1.0.9/32')?.label, 1);
  t.like(tunnelOf('10.1.0.9/32'), { tunnel: { innerMac: '02:00:00:00:00:99' } });
  t.like(tunnelOf('10.1.0.8/32'), { tunnel: { innerMac: '00:00:5e:00:01:00' } });
  t.is((tunnelOf('10.1.0.9/32')?.flags ?? 0) & NH_FLAG.l3Vxlan, NH_FLAG.l3Vxlan);
  const [row] = [...tables.bridge.entries(1)].filter(({ mac: bytes }) => bytes[5] === 0x99);
  t.is(row.label, 1);
  t.is(tables.nexthops.get(row.nexthop)?.tunnel?.innerMac, null);
});

test('what the configuration says of the end of a tunnel makes a peer that is no host', (t) => {
  const { remote, tables } = setUp(t);
  remote.onHosts([lease('TunnelEndpoint/vtep', { tunnelAddress: '192.0.2.9' })]);
  t.deepEqual(
    [...tables.peers.entries()].map(({ name, isForeign }) => [name, isForeign]),
    [['TunnelEndpoint/vtep', true]],
  );
});

test('a host that has no encapsulation in common is a peer, and its addresses lead nowhere', (t) => {
  const { remote, tables, networks, route, members } = setUp(t, ['MPLSoGRE']);
  networks([BLUE]);
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.9/32'), flood('blue'))]);
  t.like(route(1, '10.1.0.9/32'), { nexthop: NH_ID.drop, label: -1, flags: ROUTE_FLAG.proxy });
  t.is([...tables.peers.entries()].length, 1);
  t.false(remote.isElsewhere('blue'));
  remote.onHosts([lease('a', { encapsulations: ['VXLAN', 'MPLSoGRE'] })]);
  t.is(tables.nexthops.get(route(1, '10.1.0.9/32')?.nexthop ?? -1)?.tunnel?.encapsulation, 'MPLSoGRE');
  t.is(members(BLUE.evpnNexthop)?.length, 1);
});

test('frames for all go to every other host that has the network, once the tree has a branch for them', (t) => {
  const { remote, networks, members } = setUp(t);
  let asked = 0;
  remote.onElsewhere(() => asked++);
  networks([BLUE]);
  remote.onHosts([lease('b'), lease('a'), ...set('b', flood('blue', 61)), ...set('a', flood('blue'), flood('green'))]);
  t.is(asked, 1);
  networks([BLUE]);
  t.deepEqual(
    members(BLUE.treeNexthop)?.map(({ nexthop }) => nexthop),
    [BLUE.localTreeNexthop, BLUE.evpnNexthop],
  );
  t.deepEqual(
    members(BLUE.evpnNexthop)?.map(({ label }) => label),
    [60, 61],
  );
  remote.onHosts([{ op: 'gone', host: 'a' }]);
  t.is(asked, 1);
  t.deepEqual(
    members(BLUE.evpnNexthop)?.map(({ label }) => label),
    [61],
  );
  remote.onHosts([{ op: 'delete', host: 'b', key: 'flood blue' }]);
  t.is(asked, 2);
  networks([BLUE]);
  t.is(members(BLUE.treeNexthop)?.length, 1);
  t.is(members(BLUE.evpnNexthop), undefined);
});

test('of equal ones this host’s address is used, a better one elsewhere wins, and the loser comes back', (t) => {
  const { remote, networks, route } = setUp(t);
  const guest = {
    ...UNRESTRICTED_PORT,
    ...{ vif: 3, l3Nexthop: 20, l2Nexthop: 21, device: 'tap', mac: '02:00:00:00:00:03', addresses: ['10.1.0.9'] },
    dhcp: false,
  };
  const withGuest = plan('blue', 1, { interfaces: [guest] });
  networks([withGuest]);
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.9/32'))]);
  t.is(route(1, '10.1.0.9/32')?.nexthop, 20);
  remote.onHosts(set('a', inet('blue', '10.1.0.9/32', { sequence: 1 })));
  t.is(route(1, '10.1.0.9/32')?.label, 53);
  networks([withGuest]);
  t.is(route(1, '10.1.0.9/32')?.label, 53);
  remote.onHosts([{ op: 'gone', host: 'a' }]);
  t.is(route(1, '10.1.0.9/32')?.nexthop, 20);
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.9/32', { preference: 100 }))]);
  t.is(route(1, '10.1.0.9/32')?.nexthop, 20);
  networks([BLUE]);
  t.is(route(1, '10.1.0.9/32')?.label, 53);
});

test('the gateway of a network is nobody else’s address', (t) => {
  const { remote, networks, route } = setUp(t);
  networks([BLUE]);
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.1/32', { preference: 1000 }))]);
  t.is(route(1, '10.1.0.1/32')?.nexthop, NH_ID.agent);
});

test('a network takes routes of the targets it imports, not stitched, and none in its own subnets', (t) => {
  const { remote, networks, route } = setUp(t);
  const imports = ['target:1:1', 'target:1:2'];
  networks([plan('blue', 1, { imports }), GREEN]);
  const outside = inet('green', '10.2.0.9/32');
  const inside = inet('green', '10.1.0.77/32');
  const local = inet('green', 'fe80::1/128');
  const all = inet('green', '0.0.0.0/0');
  remote.onHosts([lease('a'), ...set('a', outside, inside, local, all)]);
  t.like(route(1, '10.2.0.9/32'), { network: 2, stitchedMac: null, label: 53 });
  t.is(route(1, '10.1.0.77/32'), undefined);
  t.is(route(1, 'fe80::1/128'), undefined);
  t.is(route(1, '0.0.0.0/0')?.label, 53);
  t.truthy(route(2, 'fe80::1/128'));
  networks([BLUE, GREEN]);
  t.is(route(1, '10.2.0.9/32'), undefined);
  t.truthy(route(2, '10.2.0.9/32'));
});

test('a network that comes finds the routes of other hosts, and takes them along when it goes', (t) => {
  const { remote, networks, route, tables, ids } = setUp(t);
  remote.onHosts([
    lease('a'),
    ...set('a', inet('blue', '10.1.0.9/32'), mac('blue', '02:00:00:00:00:99'), flood('blue')),
  ]);
  t.is([...tables.nexthops.entries()].filter(({ tunnel }) => tunnel).length, 0);
  networks([BLUE]);
  t.truthy(route(1, '10.1.0.9/32'));
  networks([]);
  t.is([...tables.nexthops.entries()].filter(({ tunnel }) => tunnel).length, 0);
  t.is([...tables.bridge.entries()].length, 0);
  t.deepEqual(ids.keys('nexthop'), []);
  networks([BLUE]);
  t.truthy(route(1, '10.1.0.9/32'));
});

test('a way that changes is one changed nexthop; a host that is gone takes everything along', (t) => {
  const { remote, networks, ways, changes, tables, route } = setUp(t);
  networks([BLUE]);
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.8/32'), inet('blue', '10.1.0.9/32'))]);
  changes.length = 0;
  ways.set('192.0.2.1', { ...WAY, rewrite: '', mtu: 1400 });
  remote.onWays(['192.0.2.1']);
  t.deepEqual(
    changes.map(({ op, table }) => `${op} ${table}`),
    ['set nexthop'],
  );
  t.is(tables.nexthops.get(route(1, '10.1.0.8/32')?.nexthop ?? -1)?.tunnel?.mtu, 1400);
  changes.length = 0;
  remote.onHosts([{ op: 'gone', host: 'a' }]);
  t.deepEqual(
    changes.map(({ op, table }) => `${op} ${table}`),
    ['delete route', 'delete route', 'delete nexthop', 'delete peer'],
  );
});

test('routes name the security groups that rules here are about, also when a rule comes later', (t) => {
  const { remote, networks, route, changes } = setUp(t);
  networks([BLUE]);
  const groups = ['web', 'db'];
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.8/32', { groups }), inet('blue', '10.1.0.9/32'))]);
  t.deepEqual(route(1, '10.1.0.8/32')?.groups, []);
  changes.length = 0;
  networks([BLUE], new Map([['db', 4]]));
  t.deepEqual(route(1, '10.1.0.8/32')?.groups, [4]);
  t.is(changes.length, 1);
});

test('a change of one route touches nothing else, and the same again nothing at all', (t) => {
  const { remote, networks, changes } = setUp(t);
  networks([BLUE]);
  const all = Array.from({ length: 100 }, (_, i) => inet('blue', `10.1.0.${i + 10}/32`));
  remote.onHosts([lease('a'), ...set('a', ...all)]);
  changes.length = 0;
  remote.onHosts(set('a', inet('blue', '10.1.0.10/32', { label: 99 })));
  t.is(changes.length, 1);
  remote.onHosts([lease('a'), ...set('a', inet('blue', '10.1.0.11/32'))]);
  networks([BLUE]);
  t.is(changes.length, 1);
});

test('an analyzer elsewhere is the one address a network has of the other, and what policies connect comes first', (t) => {
  const { remote, networks, route, tables } = setUp(t);
  const analyzers = [{ network: 'green', target: 'target:1:2', prefix: '10.2.0.9/32' }];
  networks([plan('blue', 1, { analyzers })]);
  remote.onHosts([
    lease('a'),
    ...set('a', inet('green', '10.2.0.9/32'), inet('green', '10.2.0.8/32'), inet('red', '10.2.0.9/32')),
  ]);
  t.like(route(1, '10.2.0.9/32'), { network: 2, label: 53 });
  t.is(route(1, '10.2.0.8/32'), undefined);
  networks([plan('blue', 1, { analyzers, imports: ['target:1:1', 'target:1:3'] })]);
  remote.onHosts(set('a', inet('red', '10.2.0.9/32', { targets: ['target:1:3'], label: 77 })));
  t.is(route(1, '10.2.0.9/32')?.label, 77);
  remote.onHosts([{ op: 'delete', host: 'a', key: 'inet red 10.2.0.9/32' }]);
  t.is(route(1, '10.2.0.9/32')?.label, 53);
  networks([plan('blue', 1)]);
  t.is(route(1, '10.2.0.9/32'), undefined);
  networks([plan('blue', 1, { analyzers })]);
  networks([]);
  t.deepEqual(
    [...(tables.vrfs[1]?.inet.records() ?? [])].filter(({ prefix }) => prefix === '10.2.0.9'),
    [],
  );
});

test('a connection to another host is used before an analyzer of this one with the same address', (t) => {
  const { remote, networks, route } = setUp(t);
  const analyzers = [{ network: 'green', target: 'target:1:2', prefix: '10.2.0.9/32' }];
  const spare = { vrf: 1, family: 'inet', prefix: '10.2.0.9', length: 32, nexthop: 99, label: -1, flags: 0 } as const;
  const reconcile = (): void =>
    networks([plan('blue', 1, { analyzers, imports: ['target:1:1', 'target:1:3'] })], new Map(), [
      { ...spare, stitchedMac: null, network: 2, groups: [] },
    ]);
  reconcile();
  t.is(route(1, '10.2.0.9/32')?.nexthop, 99);
  remote.onHosts([lease('a'), ...set('a', inet('red', '10.2.0.9/32', { targets: ['target:1:3'], label: 77 }))]);
  t.is(route(1, '10.2.0.9/32')?.label, 77);
  reconcile();
  t.is(route(1, '10.2.0.9/32')?.label, 77);
  remote.onHosts([{ op: 'delete', host: 'a', key: 'inet red 10.2.0.9/32' }]);
  t.is(route(1, '10.2.0.9/32')?.nexthop, 99);
});
