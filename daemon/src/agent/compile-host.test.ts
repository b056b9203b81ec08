import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { StoredObject } from '../control/store.js';
import { BridgeTable } from '../tables/bridge.js';
import { ROUTE_FLAG, type TableChange } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import {
  byName,
  destinationObject,
  firewallObject,
  groupObject,
  instanceObject,
  interfaceObject,
  networkObject,
  policyObject,
} from '../testing/objects.js';
import { ID_RANGES } from '../testing/plans.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { AclCache } from './acl-cache.js';
import { AnalyzerLeaks } from './analyzer-leaks.js';
import { FABRIC, FIXED } from './compile.js';
import { compileHost, type PresentNetwork } from './compile-host.js';
import { Firewalls } from './firewall.js';
import { Ids } from './ids.js';
import type { InterfaceObject, NetworkObject } from './plan.js';
import type { GroupObject, PolicyObject } from './policy.js';
import { Reconciler } from './reconcile.js';

interface Objects {
  readonly networks: readonly NetworkObject[];
  readonly interfaces: readonly InterfaceObject[];
  readonly policies?: readonly PolicyObject[];
  readonly groups?: readonly GroupObject[];
  readonly instances?: readonly StoredObject<'ServiceInstance'>[];
  readonly destinations?: readonly StoredObject<'MirrorDestination'>[];
  readonly firewalls?: readonly StoredObject<'FirewallPolicy'>[];
  /** Interfaces without a port. */
  readonly closed?: readonly string[];
}

/** A host whose tables follow the objects given to `apply`, which returns the changes that were sent. */
function setUp(t: ExecutionContext) {
  const ids = new Ids(join(temporaryFolder(t), 'ids'), ID_RANGES);
  const cache = new AclCache();
  const tables = new Tables(null, new BridgeTable(64, 16));
  const changes: TableChange[] = [];
  const reconciler = new Reconciler(tables, (sent) => changes.push(...sent));
  const apply = (objects: Objects): TableChange[] => {
    const { networks, interfaces, policies = [], groups = [], closed = [] } = objects;
    const { instances = [], destinations = [], firewalls = [] } = objects;
    const present = networks
      .map((network): PresentNetwork => {
        const own = interfaces.filter(({ spec }) => spec.virtualNetwork === network.name);
        return { network, interfaces: own };
      })
      .filter((one) => one.interfaces.length > 0);
    const configuration = {
      VirtualNetwork: byName(...networks),
      NetworkPolicy: byName(...policies),
      SecurityGroup: byName(...groups),
      VirtualMachineInterface: byName(...interfaces),
      ServiceInstance: byName(...instances),
      MirrorDestination: byName(...destinations),
      FirewallPolicy: byName(...firewalls),
    };
    const isOpen = ({ uuid }: InterfaceObject): boolean => !closed.includes(uuid);
    const host = { networkMtu: 1450, mac: '0c:c4:7a:59:62:5c' };
    const isElsewhere = (): boolean => false;
    const fabric = [{ family: 'inet', prefix: '192.0.2.0', length: 24 }] as const;
    const rules = {
      firewalls: new Firewalls(configuration.FirewallPolicy.values()),
      leaks: new AnalyzerLeaks(configuration),
    };
    const compiled = compileHost(present, configuration, rules, { ids, host, cache, isOpen, fabric, isElsewhere });
    reconciler.reconcile('networks', compiled.tables);
    return changes.splice(0);
  };
  /** Routes of a network beyond its own, as `address > network number`. */
  const leaked = (name: string): string[] => {
    const own = tables.vrfs.find((vrf) => vrf?.record.name.endsWith(`:${name}`));
    const routes = own ? [...own.inet.records(), ...own.inet6.records()] : [];
    return routes
      .filter(({ network }) => network !== own?.record.network)
      .map(({ prefix, length, network }) => `${prefix}/${length} > ${network}`)
      .sort();
  };
  return { ids, tables, reconciler, apply, leaked };
}

const kinds = (changes: readonly TableChange[]): string[] => changes.map(({ table, op }) => `${op} ${table}`);

const blue = (spec: object = {}): NetworkObject =>
  networkObject('blue', 1, { subnets: [{ prefix: '10.1.0.0/24' }], policies: ['p'], ...spec });
const green = (spec: object = {}): NetworkObject =>
  networkObject('green', 2, { subnets: [{ prefix: '10.2.0.0/24' }], policies: ['p'], ...spec });
const A = interfaceObject('a', 1, '10.1.0.3', { virtualNetwork: 'blue' });
const B = interfaceObject('b', 2, '10.2.0.3', { virtualNetwork: 'green' });
const BETWEEN = policyObject('p', {
  protocol: 'icmp',
  source: { virtualNetwork: 'blue' },
  destination: { virtualNetwork: 'green' },
});

test('networks a policy connects have each other’s interfaces as routes, which are answered and not stitched', (t) => {
  const { apply, leaked, tables } = setUp(t);
  apply({ networks: [blue(), green()], interfaces: [A, B], policies: [BETWEEN] });
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 2']);
  t.deepEqual(leaked('green'), ['10.1.0.3/32 > 1']);
  const own = [...(tables.vrfs[2]?.inet.records() ?? [])].find(({ prefix }) => prefix === '10.2.0.3');
  const route = [...(tables.vrfs[1]?.inet.records() ?? [])].find(({ prefix }) => prefix === '10.2.0.3');
  t.like(route, { nexthop: own?.nexthop, flags: ROUTE_FLAG.proxy, stitchedMac: null, label: -1 });
});

test('leaked routes come and go with the interfaces behind them, and the nexthop is there as long', (t) => {
  const { apply, leaked } = setUp(t);
  const networks = [blue(), green()];
  apply({ networks, interfaces: [A], policies: [BETWEEN] });
  t.deepEqual(leaked('blue'), []);
  const coming = kinds(apply({ networks, interfaces: [A, B], policies: [BETWEEN] }));
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 2']);
  t.true(coming.lastIndexOf('set nexthop') < coming.indexOf('set route'));
  const going = kinds(apply({ networks, interfaces: [A, B], policies: [BETWEEN], closed: ['b'] }));
  t.deepEqual(leaked('blue'), []);
  t.true(going.lastIndexOf('delete route') < going.indexOf('delete nexthop'));
});

test('a policy on one side only tells that side', (t) => {
  const { apply, leaked, tables } = setUp(t);
  apply({ networks: [blue(), green({ policies: [] })], interfaces: [A, B], policies: [BETWEEN] });
  t.deepEqual([leaked('blue'), leaked('green')], [['10.2.0.3/32 > 2'], []]);
  t.deepEqual(
    tables.vrfs.map((vrf) => vrf?.record.acl),
    [undefined, 1, -1],
  );
});

test('what overlaps with subnets of its own a network keeps to itself', (t) => {
  const { apply, leaked } = setUp(t);
  const wide = green({ subnets: [{ prefix: '10.0.0.0/8' }, { prefix: 'fd00::/64' }] });
  const six = interfaceObject('c', 3, 'fd00::3', { virtualNetwork: 'green' });
  const outside = { networks: [blue(), wide], interfaces: [A, B, six], policies: [BETWEEN] };
  apply(outside);
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 2', 'fd00::3/128 > 2']);
  t.deepEqual(leaked('green'), []);
});

test('an address two networks have is that of the one with the smaller number', (t) => {
  const { apply, leaked, tables } = setUp(t);
  const red = networkObject('red', 3, { subnets: [{ prefix: '10.2.0.0/24' }], policies: ['p'] });
  const c = interfaceObject('c', 3, '10.2.0.3', { virtualNetwork: 'red' });
  const all = { networks: [red, green(), blue()], policies: [policyObject('p', {})] };
  apply({ ...all, interfaces: [c, B, A] });
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 2']);
  apply({ ...all, interfaces: [c, A] });
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 3']);
  const nexthop = [...(tables.vrfs.find((vrf) => vrf?.record.network === 1)?.inet.records() ?? [])].find(
    ({ network }) => network === 3,
  )?.nexthop;
  t.is(tables.nexthops.get(nexthop ?? -1)?.record.oif, 3);
});

test('a changed rule sends its access list and nothing else; the same objects send nothing', (t) => {
  const { apply } = setUp(t);
  const objects = { networks: [blue(), green()], interfaces: [A, B] };
  apply({ ...objects, policies: [BETWEEN] });
  t.deepEqual(apply({ ...objects, policies: [BETWEEN] }), []);
  const tcp = policyObject('p', { ...BETWEEN.spec.rules[0], protocol: 'tcp' });
  t.deepEqual(kinds(apply({ ...objects, policies: [tcp] })), ['set acl', 'set acl']);
});

test('a rule about a network that comes later begins to work with it, a group as well', (t) => {
  const { apply, tables } = setUp(t);
  const rules = (): number[] => tables.acls.flatMap((acl) => acl?.record.rules.length ?? []);
  const member = interfaceObject('m', 4, '10.1.0.4', { virtualNetwork: 'blue', securityGroups: ['web'] });
  const objects = { interfaces: [A, member], policies: [BETWEEN] };
  apply({ networks: [blue()], ...objects });
  t.deepEqual(rules(), [1, 0, 0], 'a group that is missing allows nothing');
  apply({ networks: [blue(), green()], ...objects, groups: [groupObject('web')] });
  t.deepEqual(rules(), [3, 1, 1]);
});

test('an access list is there before what uses it, and goes after it', (t) => {
  const { apply, ids } = setUp(t);
  const objects = { interfaces: [A], policies: [BETWEEN] };
  t.is(kinds(apply({ networks: [blue()], ...objects }))[0], 'set acl');
  const gone = apply({ networks: [blue({ policies: [] })], ...objects });
  t.deepEqual(kinds(gone), ['set vrf', 'delete acl']);
  t.deepEqual(ids.keys('acl'), []);
});

test('routes go before the filters of the policy that leaked them', (t) => {
  const { apply } = setUp(t);
  const interfaces = [A, B];
  apply({ networks: [blue(), green()], interfaces, policies: [BETWEEN] });
  const gone = apply({ networks: [blue({ policies: [] }), green({ policies: [] })], interfaces, policies: [BETWEEN] });
  t.deepEqual(kinds(gone), ['delete route', 'delete route', 'set vrf', 'set vrf', 'delete acl', 'delete acl']);
});

test('interfaces with the same groups share two access lists, in whatever order they name them', (t) => {
  const { apply, tables, ids } = setUp(t);
  const groups = [groupObject('web'), groupObject('db')];
  const member = (name: string, number: number, securityGroups: string[], more: object = {}): InterfaceObject =>
    interfaceObject(name, number, `10.1.0.${number}`, { virtualNetwork: 'blue', securityGroups, ...more });
  const interfaces = [
    member('a', 3, ['web', 'db']),
    member('b', 4, ['db', 'web']),
    member('c', 5, ['web']),
    member('d', 6, ['web'], { portSecurity: false }),
    member('e', 7, ['web'], { packetMode: true }),
    member('f', 8, []),
  ];
  apply({ networks: [blue({ policies: [] })], interfaces, groups });
  const lists = [...tables.vifs.entries()].map(({ record }) => [record.egressAcl, record.ingressAcl]);
  t.deepEqual(lists[0], lists[1]);
  t.notDeepEqual(lists[0], lists[2]);
  t.true([...lists[0], ...lists[2]].every((acl) => tables.acls[acl] !== undefined));
  t.deepEqual(lists.slice(3), Array(3).fill([-1, -1]));
  const groupsOf = new Map([...(tables.vrfs[1]?.inet.records() ?? [])].map(({ prefix, groups: g }) => [prefix, g]));
  t.is(groupsOf.get('10.1.0.3')?.length, 2);
  t.deepEqual(groupsOf.get('10.1.0.6'), []);
  t.deepEqual(groupsOf.get('10.1.0.7'), groupsOf.get('10.1.0.5'));
  apply({ networks: [blue({ policies: [] })], interfaces: interfaces.slice(5), groups });
  t.deepEqual([ids.keys('acl'), ids.keys('group')], [[], []]);
});

test('fat flows are those of the network and of the interface, with what they leave alone', (t) => {
  const { apply, tables } = setUp(t);
  const port = (name: string, number: number, spec: object): InterfaceObject =>
    interfaceObject(name, number, `10.1.0.${number}`, { virtualNetwork: 'blue', ...spec });
  const interfaces = [
    port('a', 3, { fatFlows: [{ protocol: 'tcp', port: 22, ignoreAddress: 'source' }] }),
    port('b', 4, {}),
  ];
  const shown = (): unknown[] =>
    [...tables.vifs.entries()].map(({ record }) => [record.fatFlows.length, record.fatFlowExclude]);
  apply({ networks: [blue()], interfaces });
  const exclude = ['10.1.0.1/32', '10.1.0.2/32', '169.254.0.0/16', 'fe80::/10'];
  t.deepEqual(shown(), [
    [1, exclude],
    [0, []],
  ]);
  apply({ networks: [blue({ fatFlows: [{ protocol: 'udp' }] })], interfaces });
  t.deepEqual(shown(), [
    [2, exclude],
    [1, exclude],
  ]);
});

test('an interface in packet mode is held to nothing; the others to what network and interface say', (t) => {
  const { apply, tables } = setUp(t);
  const port = (name: string, number: number, spec: object): InterfaceObject =>
    interfaceObject(name, number, `10.1.0.${number}`, { virtualNetwork: 'blue', maxFlows: 100, ...spec });
  const interfaces = [port('a', 3, {}), port('b', 4, { packetMode: true }), port('c', 5, { portSecurity: true })];
  const restrictions = (): unknown[] =>
    [...tables.vifs.entries()].map(({ record }) => [record.macs[0], record.portSecurity, record.maxFlows]);
  apply({ networks: [blue()], interfaces });
  t.deepEqual(restrictions(), [
    ['02:00:00:00:00:03', true, 100],
    ['02:00:00:00:00:04', false, 0],
    ['02:00:00:00:00:05', true, 100],
  ]);
  apply({ networks: [blue({ portSecurity: false, rpf: 'disable' })], interfaces });
  t.deepEqual(
    [...tables.vifs.entries()].map(({ record }) => record.portSecurity),
    [false, false, true],
  );
  t.false(tables.vrfs[1]?.record.rpf);
});

const ON_FABRIC = policyObject('p', {
  protocol: 'tcp',
  source: { virtualNetwork: 'blue' },
  destination: { virtualNetwork: FABRIC.name },
});

test('a network whose policy names ip-fabric has routes to the underlay, whose VRF has routes to its guests', (t) => {
  const { apply, leaked, reconciler, tables } = setUp(t);
  reconciler.reconcile('host', FIXED);
  apply({ networks: [blue(), green({ policies: [] })], interfaces: [A, B], policies: [ON_FABRIC] });
  t.deepEqual(leaked('blue'), [`192.0.2.0/24 > ${FABRIC.network}`]);
  t.deepEqual(leaked('green'), []);
  const own = [...(tables.vrfs[1]?.inet.records() ?? [])].find(({ prefix }) => prefix === '10.1.0.3');
  const guests = [...(tables.vrfs[FABRIC.vrf]?.inet.records() ?? [])].filter(({ length }) => length === 32);
  t.deepEqual(
    guests.map(({ prefix, network, nexthop }) => [prefix, network, nexthop]),
    [['10.1.0.3', 1, own?.nexthop]],
  );
  const rules = tables.acls[1]?.record.rules ?? [];
  t.like(rules[0], { protocol: 6, source: { network: 1 }, destination: { network: FABRIC.network } });

  apply({ networks: [blue({ policies: [] }), green({ policies: [] })], interfaces: [A, B] });
  t.deepEqual(leaked('blue'), []);
  t.deepEqual(
    [...(tables.vrfs[FABRIC.vrf]?.inet.records() ?? [])].map(({ prefix }) => prefix),
    ['192.0.2.0'],
  );
});

test('copies for a service instance have a route there and a way in, and nothing else passes because of them', (t) => {
  const { apply, leaked, tables } = setUp(t);
  const mirrored = policyObject('p', { mirror: { analyzerName: 'dpi' } });
  const all = { interfaces: [A, B], policies: [mirrored], instances: [instanceObject('dpi', 'b')] };
  apply({ networks: [blue(), green({ policies: [] })], ...all });
  t.deepEqual([leaked('blue'), leaked('green')], [['10.2.0.3/32 > 2'], []]);
  const list = tables.acls[tables.vrfs[2]?.record.acl ?? -1]?.record;
  t.deepEqual(
    list?.rules.map(({ action, protocol }) => [action, protocol]),
    [
      ['pass', 17],
      ['deny', -1],
      ['deny', -1],
      ['deny', -1],
    ],
  );
  t.is(list?.otherwise, 'pass');
  t.deepEqual(tables.acls[tables.vrfs[1]?.record.acl ?? -1]?.record.rules[0].mirrors, [
    { mirror: 0, forward: true, reverse: true },
  ]);
  apply({ networks: [blue(), green({ policies: [] })], ...all, instances: [] });
  t.deepEqual([leaked('blue'), leaked('green')], [[], []]);
  t.is(tables.vrfs[2]?.record.acl, -1);
});

test('the route to a service instance takes no address away from a network that a policy connects', (t) => {
  const { apply, leaked } = setUp(t);
  const twin = interfaceObject('c', 3, '10.2.0.3', { virtualNetwork: 'red' });
  const red = networkObject('red', 9, { subnets: [{ prefix: '10.2.0.0/24' }] });
  const connect = policyObject('p', {
    source: { virtualNetwork: 'blue' },
    destination: { virtualNetwork: 'red' },
    mirror: { analyzerName: 'dpi' },
  });
  const all = { policies: [connect], instances: [instanceObject('dpi', 'b')] };
  const networks = [blue(), green({ policies: [] }), red];
  apply({ networks, interfaces: [A, B, twin], ...all });
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 9']);
  apply({ networks, interfaces: [A, B], ...all });
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 2']);
  apply({ networks, interfaces: [A, B, twin], ...all });
  t.deepEqual(leaked('blue'), ['10.2.0.3/32 > 9']);
});

test('a firewall policy stands behind the security groups of an interface, and its groups go with addresses', (t) => {
  const { apply, tables } = setUp(t);
  const web = interfaceObject('a', 1, '10.1.0.3', { virtualNetwork: 'blue', securityGroups: ['g'] }, { app: 'web' });
  const firewall = firewallObject('f', {
    selectors: [{ matchLabels: { app: 'web' } }],
    rules: [{ destination: [{ selector: { matchLabels: { app: 'db' } } }], secondaryActions: { mirrorTo: 'ids' } }],
  });
  const db = interfaceObject('b', 2, '10.2.0.3', { virtualNetwork: 'green' }, { app: 'db' });
  const destinations = [destinationObject('ids', { trafficDirection: 'ingress' }, db.name)];
  const networks = [blue({ policies: [] }), green({ policies: [] })];
  const all = { networks, interfaces: [web, db], groups: [groupObject('g')], destinations };
  apply({ ...all, firewalls: [firewall] });
  const [first, second] = [3, 4].map((id) => tables.vifs.get(id)?.record);
  t.deepEqual([second?.egressAcl, second?.ingressAcl], [-1, -1], 'the other one is not selected');
  const groups = tables.acls[first?.egressAcl ?? -1]?.record;
  t.is(groups?.name, 'default-domain:default-project:g egress');
  const list = tables.acls[groups?.next ?? -1]?.record;
  t.deepEqual(list?.rules[0].mirrors, [{ mirror: 0, forward: true, reverse: false }]);
  const [route] = [...(tables.vrfs[2]?.inet.records() ?? [])].filter(({ prefix }) => prefix === '10.2.0.3');
  t.deepEqual(route.groups, [list?.rules[0].destination.group ?? -1]);
  const ingress = tables.acls[tables.acls[first?.ingressAcl ?? -1]?.next ?? -1]?.record;
  t.deepEqual(ingress?.rules[0].mirrors, [{ mirror: 0, forward: false, reverse: true }]);
  apply({ ...all, firewalls: [] });
  t.is(tables.acls[tables.vifs.get(3)?.egressAcl ?? -1]?.next, -1);
  t.is(tables.acls.filter((acl) => acl !== undefined).length, 2);
});
