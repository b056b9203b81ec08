import test from 'ava';
import type { HostChange } from '../control/host-route.js';
import type { StoredObject } from '../control/store.js';
import { endpointObject, networkObject } from '../testing/objects.js';
import { TunnelEndpoints } from './tunnel-endpoints.js';

/** What is told after each change, in words. */
function setUp() {
  const told: HostChange[] = [];
  const endpoints = new TunnelEndpoints((changes) => told.push(...changes));
  const take = (): HostChange[] => {
    endpoints.flush();
    return told.splice(0);
  };
  const set = (object: StoredObject): HostChange[] => {
    endpoints.onChange({ op: 'set', kind: object.kind, name: object.name, object });
    return take();
  };
  const remove = ({ kind, name }: StoredObject): HostChange[] => {
    endpoints.onChange({ op: 'delete', kind, name });
    return take();
  };
  return { set, remove };
}

const name = 'default-domain:default-project:blue';
const blue = (spec: object = {}): StoredObject => networkObject('blue', 7, spec);
const vtep = (network: object, spec: object = {}): StoredObject =>
  endpointObject('vtep', {
    address: '192.0.2.9',
    encapsulations: ['VXLAN'],
    networks: [{ virtualNetwork: 'blue', ...network }],
    ...spec,
  });
const rank = { preference: 200, sequence: 0 };
const MAC = '02:00:00:00:00:01';

const words = (changes: readonly HostChange[]): string[] =>
  changes.map((change) => {
    switch (change.op) {
      case 'host':
        return `host ${change.host.tunnelAddress}`;
      case 'gone':
        return 'gone';
      case 'delete':
        return `delete ${change.key}`;
      case 'set':
        return `set ${change.route.kind} ${change.route.label}/${change.route.vni}`;
    }
  });

test('an endpoint is a host whose routes are those of its networks, with their targets', (t) => {
  const { set } = setUp();
  set(blue({ routeTargets: ['target:1:1'], exportRouteTargets: ['target:1:2'], importRouteTargets: ['target:1:3'] }));
  const host = 'TunnelEndpoint/vtep';
  t.deepEqual(set(vtep({ macs: [{ mac: MAC, addresses: ['10.1.0.9'] }], prefixes: [{ prefix: '10.9.0.0/16' }] })), [
    {
      op: 'host',
      host: { name: host, tunnelAddress: '192.0.2.9', encapsulations: ['VXLAN'], version: '', incarnation: '' },
    },
    ...[
      { kind: 'flood', network: name, label: 0, vni: 7 } as const,
      { kind: 'mac', mac: MAC, network: name, label: 0, vni: 7, ...rank } as const,
      ...[
        { prefix: '10.1.0.9/32', mac: MAC },
        { prefix: '10.9.0.0/16', mac: null },
      ].map((route) => ({
        kind: 'inet' as const,
        ...{ network: name, label: 0, vni: 7, groups: [], ...rank },
        targets: ['target:64512:8000007', 'target:1:1', 'target:1:2'],
        ...route,
      })),
    ].map((route) => ({ op: 'set' as const, host, route })),
  ]);
});

test('labels are those given, or that of the network; so is the identifier', (t) => {
  const { set } = setUp();
  set(blue());
  const mpls = { encapsulations: ['MPLSoGRE'] };
  const macs = [{ mac: MAC, label: 20 }, { mac: '02:00:00:00:00:02' }];
  t.deepEqual(words(set(vtep({ vni: 99, label: 16, macs }, mpls))), [
    ...['host 192.0.2.9', 'set flood 16/99', 'set mac 20/99', 'set mac 16/99'],
  ]);
});

test('only what changed is told again; what is gone is deleted, and an endpoint that is deleted is gone', (t) => {
  const { set, remove } = setUp();
  set(blue());
  const both = { macs: [{ mac: MAC }], flood: true };
  set(vtep(both));
  t.deepEqual(words(set(vtep(both))), []);
  t.deepEqual(words(set(vtep({ ...both, flood: false }))), [`delete flood ${name}`]);
  t.deepEqual(words(set(vtep({ ...both, flood: false }, { address: '192.0.2.10' }))), ['host 192.0.2.10']);
  t.deepEqual(words(remove(vtep({}))), ['gone']);
  t.deepEqual(words(remove(vtep({}))), []);
});

test('an endpoint follows its network: it may come later, change its mode, and get another number', (t) => {
  const { set } = setUp();
  const all = { macs: [{ mac: MAC, addresses: ['10.1.0.9'] }] };
  t.deepEqual(words(set(vtep(all))), ['host 192.0.2.9']);
  t.deepEqual(words(set(blue())), ['set flood 0/7', 'set mac 0/7', 'set inet 0/7']);
  t.deepEqual(words(set(blue({ forwardingMode: 'l3' }))), [`delete flood ${name}`, `delete mac ${name} ${MAC}`]);
  t.deepEqual(words(set(networkObject('blue', 8, { forwardingMode: 'l3' }))), ['set inet 0/8']);
  t.deepEqual(words(set(networkObject('blue', 8, { forwardingMode: 'l2' }))), [
    `delete inet ${name} 10.1.0.9/32`,
    'set flood 0/8',
    'set mac 0/8',
  ]);
});
