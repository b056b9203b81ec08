import test from 'ava';
import type { StoredObject } from '../control/store.js';
import { NH_ID, type RouteRecord } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import { destinationObject, byName, interfaceObject, networkObject, policyObject } from '../testing/objects.js';
import { Firewalls } from './firewall.js';
import { MirrorStates } from './mirror-states.js';
import { mirrorUses } from './mirror-uses.js';
import type { InterfaceObject, NetworkObject } from './plan.js';

const SCOPE = 'default-domain:default-project';
const DPI = interfaceObject('dpi', 3, '7.7.7.3', { virtualNetwork: 'dpi-net' });
const HEADER = { analyzerName: 'DPI', analyzerIp: '7.7.7.3' };
const RAW = { analyzerName: 'tap', juniperHeader: false, analyzerMac: '02:00:00:00:00:03', routingInstance: 'dpi-net' };
const VXLAN = {
  analyzerName: 'vtep',
  juniperHeader: false,
  nhMode: 'static',
  staticNhHeader: { vtepDstIp: '192.0.2.40', vni: 7040 },
};

interface Situation {
  /** What the networks say besides their subnets. */
  readonly blue?: object;
  readonly dpiNet?: object;
  readonly policies?: readonly StoredObject<'NetworkPolicy'>[];
  /** Nexthops of routes of network blue, by address. */
  readonly routes?: Readonly<Record<string, number>>;
  /** MACs of network dpi-net, of interfaces that are up. */
  readonly macs?: readonly string[];
  readonly rewrite?: string | null;
  readonly others?: readonly InterfaceObject[];
  readonly index?: number;
  /** Host behind which the MAC of the analyzer is, through VXLAN. */
  readonly vxlanHost?: string;
  readonly destinations?: readonly StoredObject<'MirrorDestination'>[];
}

/** The mirror of an interface of network blue, as its operator is told. */
function statesOf(mirror: object, situation: Situation = {}): MirrorStates {
  const blue = networkObject('blue', 1, { subnets: [{ prefix: '4.4.4.0/24' }], ...situation.blue });
  const dpiNet = networkObject('dpi-net', 2, { subnets: [{ prefix: '7.7.7.0/24' }], ...situation.dpiNet });
  const vnf = interfaceObject('vnf', 4, '4.4.4.3', { virtualNetwork: 'blue', mirrors: [mirror] });
  const objects: Partial<Record<string, ReadonlyMap<string, unknown>>> = {
    VirtualNetwork: byName<NetworkObject>(blue, dpiNet),
    VirtualMachineInterface: byName(vnf, DPI, ...(situation.others ?? [])),
    NetworkPolicy: byName(...(situation.policies ?? [])),
    MirrorDestination: byName(...(situation.destinations ?? [])),
  };
  const tables = new Tables();
  const vrf = { id: 1, name: blue.name, network: 1, acl: -1, rpf: true, floodUnknownUnicast: false };
  tables.apply({ table: 'vrf', op: 'set', record: vrf });
  for (const [prefix, nexthop] of Object.entries(situation.routes ?? {})) {
    const row = { vrf: 1, family: 'inet', prefix, length: 32, nexthop, label: -1, flags: 0, network: 2 } as const;
    const record: RouteRecord = { ...row, stitchedMac: null, stitchedIndex: -1, groups: [] };
    tables.apply({ table: 'route', op: 'set', record });
  }
  const none = new Map<string, never>();
  const config = { NetworkPolicy: none, VirtualMachineInterface: none, ServiceInstance: none, MirrorDestination: none };
  const uses = mirrorUses([{ network: blue, interfaces: [vnf] }], config, new Firewalls([]));
  const { rewrite = null } = situation;
  return new MirrorStates({
    tables,
    store: {
      list: (kind: string) => [...(objects[kind]?.values() ?? [])] as never,
      get: (kind: string, name: string) => objects[kind]?.get(name) as never,
    },
    underlay: { wayTo: () => (rewrite === null ? null : { source: '192.0.2.1', rewrite, mtu: 1500 }) },
    mirrors: {
      all: [{ key: 'x', id: situation.index ?? 0, uses }],
      vrfOf: (name) => (name === blue.name ? 1 : 2),
      vxlanHostOf: () => situation.vxlanHost ?? null,
      targetOf: (_, mac) => (situation.macs?.includes(mac) === true ? { nexthop: 30, label: -1 } : undefined),
    },
  });
}

const reasonOf = (mirror: object, situation?: Situation): string => statesOf(mirror, situation).list()[0].reason;

const CONNECTED = {
  blue: { policies: ['p'] },
  policies: [policyObject('p', { source: { virtualNetwork: 'blue' }, destination: { virtualNetwork: 'dpi-net' } })],
};

test('a mirror without a route to its analyzer says which policy is missing', (t) => {
  const states = statesOf(HEADER);
  const reason =
    'no route from VirtualNetwork/blue to 7.7.7.3: a policy between VirtualNetwork/blue and VirtualNetwork/dpi-net, ' +
    'which has it, is missing, or a route target both have';
  t.deepEqual(states.list(), [
    { index: 0, analyzerName: 'DPI', state: 'unresolved', reason, users: ['VirtualMachineInterface/vnf'] },
  ]);
  t.deepEqual(states.warnings(), [`VirtualMachineInterface/vnf: mirror to "DPI": ${reason}`]);
  t.deepEqual(states.ofInterface(`${SCOPE}:vnf`), [{ analyzerName: 'DPI', index: 0, state: 'unresolved', reason }]);
  t.deepEqual(states.ofInterface(`${SCOPE}:dpi`), []);
});

test('with a route a mirror is resolved, whether or not anybody listens', (t) => {
  const states = statesOf(HEADER, { routes: { '7.7.7.3': 40 } });
  t.like(states.list()[0], { state: 'resolved', reason: '' });
  t.deepEqual(states.warnings(), []);
});

test('where a policy connects the networks the reason is another one', (t) => {
  t.regex(reasonOf(HEADER, CONNECTED), /VirtualMachineInterface\/dpi, which has it, is not up$/);
  const targets = { routeTargets: ['target:65500:1'] };
  t.regex(reasonOf(HEADER, { blue: targets, dpiNet: targets }), /is not up$/);
  t.regex(reasonOf({ ...HEADER, analyzerIp: '7.7.7.9' }, CONNECTED), /no interface of VirtualNetwork\/dpi-net has it$/);
  t.regex(reasonOf({ ...HEADER, analyzerIp: '4.4.4.9' }), /no interface of VirtualNetwork\/blue has it$/);
  const toGateway = { routes: { '4.4.4.1': NH_ID.agent } };
  t.is(
    reasonOf({ ...HEADER, analyzerIp: '4.4.4.1' }, toGateway),
    '4.4.4.1 is an address of the gateway of VirtualNetwork/blue',
  );
});

test('an address no network has may be on the underlay, which a policy makes known', (t) => {
  const external = { ...HEADER, analyzerIp: '10.87.88.88' };
  t.regex(reasonOf(external), /no network has it; .*policy between VirtualNetwork\/blue and ip-fabric is missing$/);
  const rule = { source: { virtualNetwork: 'blue' }, destination: { virtualNetwork: 'ip-fabric' } };
  const policies = [policyObject('p', rule)];
  t.regex(reasonOf(external, { blue: { policies: ['p'] }, policies }), /no prefix of the underlay$/);
  t.is(reasonOf(external, { routes: { '10.87.88.88': NH_ID.host } }), '');
});

test('what cannot work in a network of that mode is said', (t) => {
  t.regex(
    reasonOf(HEADER, { blue: { forwardingMode: 'l2' } }),
    /VirtualNetwork\/blue is of layer 2 and routes nothing/,
  );
  t.regex(reasonOf(RAW, { dpiNet: { forwardingMode: 'l3' } }), /VirtualNetwork\/dpi-net knows no MACs/);
});

test('a raw mirror says where its MAC is not known', (t) => {
  t.regex(reasonOf(RAW), /^MAC 02:00:00:00:00:03 not known in VirtualNetwork\/dpi-net/);
  t.is(reasonOf(RAW, { macs: ['02:00:00:00:00:03'] }), '');
  t.regex(reasonOf(RAW, { vxlanHost: 'h2' }), /^host h2 is reached by VXLAN/);
  t.regex(reasonOf({ ...RAW, routingInstance: 'nowhere' }), /^routing instance nowhere is not known/);
  t.regex(reasonOf({ ...RAW, routingInstance: 'ip-fabric' }), /^the underlay has no MACs/);
});

test('a static mirror says whether its end can be reached', (t) => {
  t.regex(reasonOf(VXLAN), /^no way to 192\.0\.2\.40/);
  t.regex(reasonOf(VXLAN, { rewrite: '' }), /^the next hop to 192\.0\.2\.40 does not answer/);
  t.is(reasonOf(VXLAN, { rewrite: '00' }), '');
});

test('a mirror onto the interface itself works, and is noted', (t) => {
  const states = statesOf({ ...HEADER, analyzerIp: '4.4.4.3' }, { routes: { '4.4.4.3': 40 } });
  t.like(states.list()[0], { state: 'resolved', reason: 'the analyzer is the interface itself' });
  t.is(states.warnings().length, 1);
});

test('a mirror that nothing is known of, or has no index, says so', (t) => {
  t.regex(reasonOf({ analyzerName: 'ids' }), /^its address is not known: no service instance "ids"/);
  t.regex(reasonOf(HEADER, { index: -1 }), /^every mirror index of this host is in use/);
  const nic = { analyzerName: 'nic', nicAssistedMirroring: true, nicAssistedVlan: 7 };
  t.is(reasonOf(nic), '');
});

test('a mirror destination whose interface has no address is not called a service instance', (t) => {
  const states = statesOf({ analyzerName: 'default-project/ids' }, { destinations: [destinationObject('ids', {})] });
  t.is(states.list()[0].reason, 'its address is not known: the interface of MirrorDestination/ids has none');
});
