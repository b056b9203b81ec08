import test from 'ava';
import { OPEN_NETWORK, UNRESTRICTED_PORT } from '../testing/plans.js';
import type { NetworkPlan } from './compile.js';
import { publishedRoutes } from './published-routes.js';

const plan = (changes: Partial<NetworkPlan> = {}): NetworkPlan => ({
  name: 'd:p:blue',
  vrf: 7,
  networkId: 10,
  mode: 'l2_l3',
  floodUnknownUnicast: false,
  ...OPEN_NETWORK,
  exports: ['target:64512:8000010'],
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
      device: 'tapa',
      mac: '02:aa:f0:88:f0:65',
      addresses: ['5.5.5.3'],
      dhcp: true,
      ...UNRESTRICTED_PORT,
      groupNames: ['d:p:web'],
    },
  ],
  ...changes,
});
const rank = { preference: 200, sequence: 0 };

test('an interface is published as its addresses, its MAC, and the flood of its network', (t) => {
  t.deepEqual(
    [...publishedRoutes([plan()])],
    [
      ['flood d:p:blue', { kind: 'flood', network: 'd:p:blue', label: 18, vni: 10 }],
      [
        'mac d:p:blue 02:aa:f0:88:f0:65',
        { kind: 'mac', network: 'd:p:blue', mac: '02:aa:f0:88:f0:65', label: 17, vni: 10, ...rank },
      ],
      [
        'inet d:p:blue 5.5.5.3/32',
        {
          kind: 'inet',
          network: 'd:p:blue',
          prefix: '5.5.5.3/32',
          mac: '02:aa:f0:88:f0:65',
          label: 16,
          vni: 10,
          targets: ['target:64512:8000010'],
          groups: ['d:p:web'],
          ...rank,
        },
      ],
    ],
  );
});

test('a layer-3 network publishes no MACs, a layer-2 network no addresses, one without interfaces nothing', (t) => {
  const l3 = [...publishedRoutes([plan({ mode: 'l3' })]).values()];
  t.deepEqual(
    l3.map(({ kind }) => kind),
    ['inet'],
  );
  t.like(l3[0], { mac: null });
  t.deepEqual(
    [...publishedRoutes([plan({ mode: 'l2' })]).keys()],
    ['flood d:p:blue', 'mac d:p:blue 02:aa:f0:88:f0:65'],
  );
  t.is(publishedRoutes([plan({ interfaces: [] })]).size, 0);
});

test('where there is IPv6, the link-local address of a guest is published as well', (t) => {
  const subnets = [{ family: 'inet6', prefix: 'fd00::', length: 64, gateway: null, service: null } as const];
  t.true(publishedRoutes([plan({ subnets })]).has('inet d:p:blue fe80::aa:f0ff:fe88:f065/128'));
});
