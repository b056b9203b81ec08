import test from 'ava';
import { BRIDGE_FLAG, NH_FLAG, NH_ID, ROUTE_FLAG, VIF_FLAG } from '../tables/records.js';
import { OPEN_NETWORK, UNRESTRICTED_PORT } from '../testing/plans.js';
import { compileNetwork, type NetworkPlan } from './compile.js';

const plan = (changes: Partial<NetworkPlan> = {}): NetworkPlan => ({
  name: 'default-domain:default-project:blue',
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
  interfaces: [
    {
      vif: 8,
      l3Nexthop: 81,
      l2Nexthop: 85,
      device: 'tapaaf088f0-65',
      mac: '02:aa:f0:88:f0:65',
      addresses: ['5.5.5.3'],
      dhcp: true,
      ...UNRESTRICTED_PORT,
    },
  ],
  ...changes,
});

test('an address leads to its interface, stitched to its MAC; the subnet is flooded and trapped', (t) => {
  const { routes } = compileNetwork(plan());
  t.deepEqual(
    routes.map(({ prefix, length, nexthop, flags, stitchedMac }) => [prefix, length, nexthop, flags, stitchedMac]),
    [
      ['5.5.5.0', 24, NH_ID.drop, ROUTE_FLAG.trap | ROUTE_FLAG.flood, null],
      ['5.5.5.1', 32, NH_ID.agent, ROUTE_FLAG.proxy, null],
      ['5.5.5.2', 32, NH_ID.agent, ROUTE_FLAG.proxy, null],
      ['5.5.5.3', 32, 81, ROUTE_FLAG.proxy, '02:aa:f0:88:f0:65'],
    ],
  );
});

test('the bridge table knows the gateway, the host, everybody and the guest', (t) => {
  const { bridge } = compileNetwork(plan());
  t.deepEqual(
    bridge.map(({ mac, nexthop, label, flags }) => [mac, nexthop, label, flags]),
    [
      ['00:00:5e:00:01:00', NH_ID.l2Receive, -1, BRIDGE_FLAG.dhcpFlood],
      ['0c:c4:7a:59:62:5c', NH_ID.l2Receive, -1, BRIDGE_FLAG.dhcpFlood],
      ['ff:ff:ff:ff:ff:ff', 88, 10, BRIDGE_FLAG.label | BRIDGE_FLAG.dhcpFlood],
      ['02:aa:f0:88:f0:65', 85, -1, 0],
    ],
  );
});

test('nexthops of an interface carry the header a routed packet gets', (t) => {
  const { nexthops } = compileNetwork(plan());
  t.deepEqual(
    nexthops.map(({ id, family, oif, rewrite, members }) => [id, family, oif, rewrite, members.map((m) => m.nexthop)]),
    [
      [81, 'inet', 8, '02aaf088f06500005e0001000800', []],
      [85, 'bridge', 8, '02aaf088f06500005e0001000800', []],
      [89, 'bridge', -1, '', [85]],
      [88, 'bridge', -1, '', [89]],
      [90, 'bridge', -1, '', []],
    ],
  );
});

test('the flags of an interface follow the network', (t) => {
  const flags = (changes: Partial<NetworkPlan>): number => compileNetwork(plan(changes)).vifs[0].flags;
  const { policy, l2, l3, dhcp, unknownUnicastFlood, etreeRoot } = VIF_FLAG;
  t.is(flags({}), policy | l3 | l2 | dhcp | etreeRoot);
  t.is(flags({ mode: 'l2' }), l2 | dhcp | etreeRoot);
  t.is(flags({ mode: 'l3' }), policy | l3 | dhcp | etreeRoot);
  t.is(flags({ floodUnknownUnicast: true }), policy | l3 | l2 | dhcp | unknownUnicastFlood | etreeRoot);
  t.is(flags({ interfaces: [{ ...plan().interfaces[0], dhcp: false }] }), policy | l3 | l2 | etreeRoot);
  t.is(flags({ interfaces: [{ ...plan().interfaces[0], packetMode: true }] }), l3 | l2 | dhcp | etreeRoot);
});

test('what is delivered to an interface with flows is looked up, in packet mode and in layer 2 it is not', (t) => {
  const withPolicy = (changes: Partial<NetworkPlan>): readonly number[] =>
    compileNetwork(plan(changes))
      .nexthops.filter(({ flags }) => (flags & NH_FLAG.policy) !== 0)
      .map(({ id }) => id);
  t.deepEqual(withPolicy({}), [81, 85]);
  t.deepEqual(withPolicy({ mode: 'l2' }), []);
  t.deepEqual(withPolicy({ interfaces: [{ ...plan().interfaces[0], packetMode: true }] }), []);
});

test('a network of layer 2 has no routes, one of layer 3 stitches and bridges nothing', (t) => {
  t.deepEqual(compileNetwork(plan({ mode: 'l2' })).routes, []);
  const { routes, bridge } = compileNetwork(plan({ mode: 'l3' }));
  t.true(routes.every(({ stitchedMac }) => stitchedMac === null));
  t.is(bridge.length, 3);
});

test('the flood tree is the same in whatever order interfaces become known', (t) => {
  const [first] = plan().interfaces;
  const second = { ...first, vif: 9, l3Nexthop: 82, l2Nexthop: 86, mac: '02:00:00:00:00:09', addresses: ['5.5.5.4'] };
  const tree = (interfaces: NetworkPlan['interfaces']): unknown =>
    compileNetwork(plan({ interfaces })).nexthops.find(({ id }) => id === 89)?.members;
  t.deepEqual(tree([second, first]), tree([first, second]));
});

test('a network with IPv6 has a gateway with a link-local address, and so have its guests', (t) => {
  const { routes } = compileNetwork(
    plan({
      subnets: [{ family: 'inet6', prefix: 'fd00:5::', length: 64, gateway: null, service: 'fd00:5::2' }],
    }),
  );
  t.true(routes.some(({ prefix, length }) => prefix === 'fe80::200:5eff:fe00:100' && length === 128));
  t.false(routes.some(({ prefix }) => prefix === 'fd00:5::1'));
  const own = routes.find(({ prefix }) => prefix === 'fe80::aa:f0ff:fe88:f065');
  t.like(own, { family: 'inet6', length: 128, nexthop: 81, stitchedMac: '02:aa:f0:88:f0:65' });
});
