import test from 'ava';
import { BridgeTable } from '../tables/bridge.js';
import type { TableChange } from '../tables/records.js';
import { snapshot, Tables } from '../tables/tables.js';
import { OPEN_NETWORK, UNRESTRICTED_PORT } from '../testing/plans.js';
import { compileNetwork, type InterfacePlan, type NetworkPlan } from './compile.js';
import { Reconciler } from './reconcile.js';

const guest = (vif: number): InterfacePlan => ({
  vif,
  l3Nexthop: 20 + vif,
  l2Nexthop: 40 + vif,
  device: `tap${vif}`,
  mac: `02:00:00:00:00:0${vif}`,
  addresses: [`5.5.5.${vif}`],
  dhcp: true,
  ...UNRESTRICTED_PORT,
  l3Label: 100 + vif,
  l2Label: 200 + vif,
});

const plan = (interfaces: readonly InterfacePlan[], changes: Partial<NetworkPlan> = {}): NetworkPlan => ({
  name: 'blue',
  vrf: 7,
  networkId: 10,
  mode: 'l2_l3',
  floodUnknownUnicast: false,
  ...OPEN_NETWORK,
  mtu: 1450,
  hostMac: '0c:c4:7a:59:62:5c',
  treeNexthop: 88,
  localTreeNexthop: 89,
  subnets: [{ family: 'inet', prefix: '5.5.5.0', length: 24, gateway: '5.5.5.1', service: '5.5.5.2' }],
  interfaces,
  ...changes,
});

function setUp(): { reconciler: Reconciler; tables: Tables; changes: TableChange[] } {
  const tables = new Tables(null, new BridgeTable(64, 16));
  const changes: TableChange[] = [];
  return { tables, changes, reconciler: new Reconciler(tables, (sent) => changes.push(...sent)) };
}

const names = (changes: readonly TableChange[]): string[] => changes.map(({ table, op }) => `${op} ${table}`);

test('the same plan again changes nothing', (t) => {
  const { reconciler, changes } = setUp();
  t.true(reconciler.reconcile('n', compileNetwork(plan([guest(3), guest(4)]))) > 0);
  const count = changes.length;
  t.is(reconciler.reconcile('n', compileNetwork(plan([guest(3), guest(4)]))), 0);
  t.is(changes.length, count);
});

test('one more guest touches only its own rows and the flood tree', (t) => {
  const { reconciler, changes } = setUp();
  reconciler.reconcile('n', compileNetwork(plan([guest(3)])));
  changes.length = 0;
  reconciler.reconcile('n', compileNetwork(plan([guest(3), guest(4)])));
  t.deepEqual(names(changes), [
    ...['set nexthop', 'set nexthop', 'set nexthop', 'set bridge', 'set route', 'set vif'],
    ...['set label', 'set label'],
  ]);
});

test('a guest that leaves takes its rows along: first nobody gets there, then it is gone', (t) => {
  const { reconciler, changes, tables } = setUp();
  reconciler.reconcile('n', compileNetwork(plan([guest(3), guest(4)])));
  changes.length = 0;
  reconciler.reconcile('n', compileNetwork(plan([guest(3)])));
  t.deepEqual(names(changes), [
    'delete route',
    'set nexthop',
    'delete label',
    'delete label',
    'delete vif',
    'delete bridge',
    'delete nexthop',
    'delete nexthop',
  ]);
  t.is(tables.vifs.get(4), undefined);
});

test('a network that is gone leaves the tables as they were', (t) => {
  const { reconciler, tables } = setUp();
  const before = JSON.stringify(snapshot(tables));
  reconciler.reconcile('n', compileNetwork(plan([guest(3)])));
  reconciler.reconcile('n', null);
  t.is(JSON.stringify(snapshot(tables)), before);
});

test('a route is stitched to the slot its MAC has in the bridge table', (t) => {
  const { reconciler, tables } = setUp();
  reconciler.reconcile('n', compileNetwork(plan([guest(3)])));
  const route = [...(tables.vrfs[7]?.inet.records() ?? [])].find(({ prefix }) => prefix === '5.5.5.3');
  const entry = [...tables.bridge.entries(7)].find(({ mac }) => mac[5] === 3);
  t.is(route?.stitchedIndex, entry?.index);
  t.true((entry?.index ?? -1) >= 0);
});

test('tables built from a snapshot equal the ones it was taken of, slots included', (t) => {
  const { reconciler, tables } = setUp();
  reconciler.reconcile('n', compileNetwork(plan([3, 4, 5, 6, 7].map(guest))));
  reconciler.reconcile('n', compileNetwork(plan([3, 5, 7].map(guest))));
  const replica = new Tables(null, new BridgeTable(64, 16));
  for (const change of snapshot(tables)) replica.apply(change);
  const text = (changes: readonly TableChange[]): string[] => changes.map((change) => JSON.stringify(change)).sort();
  t.deepEqual(text(snapshot(replica)), text(snapshot(tables)));
});
