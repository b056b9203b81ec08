import test from 'ava';
import fc from 'fast-check';
import { addressBook, NETWORK_IDS } from '../control/store.js';
import { MemoryStore } from '../testing/memory-store.js';
import { Operator } from './operator.js';
import { isResting } from './resting-numbers.js';

const SCOPE = 'default-domain:default-project';

function network(name: string, spec: Record<string, unknown> = { subnets: [{ prefix: '5.5.5.0/24' }] }) {
  return { apiVersion: 'vrouter/v1', kind: 'VirtualNetwork', metadata: { name }, spec };
}

function port(name: string, spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) {
  return {
    apiVersion: 'vrouter/v1',
    kind: 'VirtualMachineInterface',
    metadata: { name, ...metadata },
    spec: { virtualNetwork: 'blue', ...spec },
  };
}

function setUp(host = 'h1', store = new MemoryStore()) {
  const operator = new Operator({ store, host, deviceProblem: () => undefined });
  return {
    store,
    operator,
    /** One line for each outcome. */
    apply: async (...documents: unknown[]): Promise<string[]> => {
      const outcomes = await operator.apply(documents, { dryRun: false, prune: false });
      return outcomes.map((o) => `${o.kind}/${o.name.replace(`${SCOPE}:`, '')} ${o.outcome}`);
    },
    refusal: async (...documents: unknown[]): Promise<string> => {
      const before = store.position;
      try {
        await operator.apply(documents, { dryRun: false, prune: false });
      } catch (error) {
        return store.position === before && error instanceof Error ? error.message : 'something changed';
      }
      return 'accepted';
    },
    status: (name: string) => store.get('VirtualMachineInterface', `${SCOPE}:${name}`)?.status,
    addresses: (name: string) => store.get('VirtualMachineInterface', `${SCOPE}:${name}`)?.status.addresses,
    networkId: (name: string) => store.get('VirtualNetwork', `${SCOPE}:${name}`)?.status.networkId,
    book: async (prefix = '5.5.5.0/24') => [...(await store.reservations(addressBook(`${SCOPE}:blue`, prefix)))],
  };
}

test('documents in any order become objects with numbers, addresses, MAC and device', async (t) => {
  const { apply, operator, book, store } = setUp();
  t.deepEqual(
    await apply(port('vm1', {}, { uuid: 'f8659136-1178-4a5c-9d3e-0c1b2a394857' }), port('vm2'), network('blue')),
    ['VirtualMachineInterface/vm1 created', 'VirtualMachineInterface/vm2 created', 'VirtualNetwork/blue created'],
  );
  t.deepEqual(operator.objects('VirtualMachineInterface', 'vm1'), [
    {
      apiVersion: 'vrouter/v1',
      kind: 'VirtualMachineInterface',
      metadata: {
        name: 'vm1',
        project: 'default-project',
        domain: 'default-domain',
        labels: {},
        uuid: 'f8659136-1178-4a5c-9d3e-0c1b2a394857',
      },
      spec: {
        virtualNetwork: `${SCOPE}:blue`,
        host: 'h1',
        attach: { type: 'tap', offloads: true },
        securityGroups: [],
        packetMode: false,
        fatFlows: [],
        mirrors: [],
      },
      status: { device: 'tapf8659136-11', mac: '02:f8:65:91:36:11', addresses: ['5.5.5.3'] },
    },
  ]);
  t.deepEqual(await book(), [
    ['5.5.5.3', `${SCOPE}:vm1`],
    ['5.5.5.4', `${SCOPE}:vm2`],
  ]);
  t.deepEqual([...(await store.reservations(NETWORK_IDS))], [['1', `${SCOPE}:blue`]]);
});

test('what is printed is unchanged when it is applied again, here and in an empty store', async (t) => {
  const { apply, operator } = setUp();
  const documents = [network('blue'), port('vm1'), port('vm2', { attach: { type: 'netns', netns: 'g2' } })];
  await apply(...documents);
  t.true((await apply(...documents)).every((line) => line.endsWith(' unchanged')));
  t.true((await apply(...operator.objects())).every((line) => line.endsWith(' unchanged')));

  const other = setUp('h2');
  await other.apply(...operator.objects());
  t.deepEqual(other.operator.objects(), operator.objects());
});

test('deleting and applying again gives the same device, MAC and address', async (t) => {
  const { apply, operator, status, book } = setUp();
  await apply(network('blue'), port('vm1'));
  const before = status('vm1');
  await operator.remove([port('vm1')]);
  t.deepEqual(await book(), []);
  await apply(port('vm1'));
  t.deepEqual(status('vm1'), before);
});

test('a dry run tells the fields that would change and changes nothing', async (t) => {
  const { apply, operator, store } = setUp();
  await apply(network('blue'));
  const { position } = store;
  const outcomes = await operator.apply(
    [network('blue', { subnets: [{ prefix: '5.5.5.0/24', dnsServers: ['9.9.9.9'] }], mtu: 1400 })],
    { dryRun: true, prune: false },
  );
  t.deepEqual(outcomes, [
    {
      kind: 'VirtualNetwork',
      name: `${SCOPE}:blue`,
      outcome: 'changed',
      changes: [
        { path: 'spec.subnets[0].dnsServers[0]', from: null, to: '9.9.9.9' },
        { path: 'spec.mtu', from: null, to: 1400 },
      ],
    },
  ]);
  t.is(store.position, position);
  const [created] = await operator.apply([port('vm1')], { dryRun: true, prune: false });
  t.deepEqual(
    created.changes?.find(({ path }) => path === 'status.addresses'),
    undefined,
  );
  t.deepEqual(
    created.changes?.find(({ path }) => path === 'status.addresses[0]'),
    {
      path: 'status.addresses[0]',
      from: null,
      to: '5.5.5.3',
    },
  );
});

test('prune deletes what is not in the file, users before what they use', async (t) => {
  const { apply, operator, store } = setUp();
  await apply(network('blue'), network('red', {}), port('vm1'), port('vm2'));
  const outcomes = await operator.apply([network('red', {})], { dryRun: false, prune: true });
  t.deepEqual(
    outcomes.map(({ kind, name, outcome }) => `${kind} ${name.replace(`${SCOPE}:`, '')} ${outcome}`),
    [
      'VirtualNetwork red unchanged',
      'VirtualMachineInterface vm1 deleted',
      'VirtualMachineInterface vm2 deleted',
      'VirtualNetwork blue deleted',
    ],
  );
  t.is(store.list('VirtualNetwork').length, 1);
  const numbers = [...(await store.reservations(NETWORK_IDS))];
  t.deepEqual(
    numbers.filter(([, owner]) => !isResting(owner)),
    [['2', `${SCOPE}:red`]],
  );
  t.is(numbers.length, 2, 'the number of what was deleted rests');
});

test('a tunnel endpoint needs its networks, which stay as long, and an address nobody else has', async (t) => {
  const { apply, refusal, operator } = setUp();
  const endpoint = (name: string, address: string) => ({
    apiVersion: 'vrouter/v1',
    kind: 'TunnelEndpoint',
    metadata: { name },
    spec: { address, encapsulations: ['VXLAN'], networks: [{ virtualNetwork: 'blue' }] },
  });
  t.is(
    await refusal(endpoint('vtep', '192.0.2.1')),
    'TunnelEndpoint/vtep: spec.networks[0].virtualNetwork: VirtualNetwork/blue does not exist; apply it first, or in the same file',
  );
  await apply(network('blue'), endpoint('vtep', '192.0.2.1'));
  await t.throwsAsync(operator.remove([network('blue')]), {
    message: 'VirtualNetwork/blue is still used by TunnelEndpoint/vtep; delete what uses it first',
  });
  t.is(
    await refusal(endpoint('other', '192.0.2.1')),
    'TunnelEndpoint/other: spec.address: "192.0.2.1" is already that of TunnelEndpoint/vtep; use another',
  );
  await operator.remove([network('blue'), endpoint('vtep', '192.0.2.1')]);
});

test('a network in use is not deleted, and its users are named', async (t) => {
  const { apply, operator } = setUp();
  await apply(network('blue'), ...[1, 2, 3, 4, 5, 6, 7].map((n) => port(`vm${n}`)));
  const vms = [1, 2, 3, 4, 5].map((n) => `VirtualMachineInterface/vm${n}`).join(', ');
  const message = `VirtualNetwork/blue is still used by ${vms} and 2 more; delete what uses it first`;
  await t.throwsAsync(operator.remove([network('blue')]), { code: 'inUse', message });
  await t.throwsAsync(operator.apply([port('vm1')], { dryRun: false, prune: true }), { code: 'inUse' });
  await operator.remove([network('blue'), ...[1, 2, 3, 4, 5, 6, 7].map((n) => port(`vm${n}`))]);
  await t.throwsAsync(operator.remove([network('blue')]), {
    code: 'notFound',
    message: 'VirtualNetwork/blue does not exist',
  });
});

const policy = (name: string, spec: unknown = {}) => ({
  apiVersion: 'vrouter/v1',
  kind: 'NetworkPolicy',
  metadata: { name },
  spec,
});
const group = (name: string, spec: unknown = {}) => ({ ...policy(name, spec), kind: 'SecurityGroup' });

test('policies and security groups are applied and deleted with what uses them, in any order', async (t) => {
  const { apply, operator } = setUp();
  const documents = [
    port('vm1', { securityGroups: ['web'] }),
    network('blue', { subnets: [{ prefix: '5.5.5.0/24' }], policies: ['open'] }),
    group('web', { ingress: [{ remoteGroup: 'db' }] }),
    group('db', { ingress: [{ remoteGroup: 'web' }, { remoteGroup: 'self' }] }),
    policy('open', { rules: [{ source: { virtualNetwork: 'not-there' } }] }),
  ];
  t.true((await apply(...documents)).every((line) => line.endsWith(' created')));
  t.true((await apply(...operator.objects())).every((line) => line.endsWith(' unchanged')));
  t.is((await operator.remove(documents)).length, 5);
  t.deepEqual(operator.objects(), []);
});

test('a policy or group that is not there is refused, and one in use is not deleted', async (t) => {
  const { apply, refusal, operator } = setUp();
  const blue = { subnets: [{ prefix: '5.5.5.0/24' }] };
  t.is(
    await refusal(network('blue', { ...blue, policies: ['open'] })),
    'VirtualNetwork/blue: spec.policies[0]: NetworkPolicy/open does not exist; apply it first, or in the same file',
  );
  t.is(
    await refusal(network('blue'), port('vm1', { securityGroups: ['web'] })),
    'VirtualMachineInterface/vm1: spec.securityGroups[0]: SecurityGroup/web does not exist; apply it first, or in the same file',
  );
  t.is(
    await refusal(group('web', { egress: [{}, { remoteGroup: 'db' }] })),
    'SecurityGroup/web: spec.egress[1].remoteGroup: SecurityGroup/db does not exist; apply it first, or in the same file',
  );
  await apply(policy('open'), group('web'), network('blue', { ...blue, policies: ['open'] }));
  await apply(port('vm1', { securityGroups: ['web'] }), group('db', { ingress: [{ remoteGroup: 'web' }] }));
  await t.throwsAsync(operator.remove([policy('open')]), {
    message: 'NetworkPolicy/open is still used by VirtualNetwork/blue; delete what uses it first',
  });
  await t.throwsAsync(operator.remove([group('web')]), {
    message:
      'SecurityGroup/web is still used by SecurityGroup/db, VirtualMachineInterface/vm1; delete what uses it first',
  });
  await operator.remove([group('db'), port('vm1')]);
  t.is((await operator.remove([group('web')])).length, 1);
});

test('more rules than an access list can have are refused', async (t) => {
  const { apply, refusal } = setUp();
  const rules = (count: number, direction: string): object[] =>
    Array.from({ length: count }, () => ({ action: 'pass', protocol: 'tcp', direction, source: {}, destination: {} }));
  const [many, more] = [{ rules: rules(32_767, '<>') }, { rules: rules(2, '>') }];
  const blue = (...policies: string[]) => network('blue', { subnets: [{ prefix: '5.5.5.0/24' }], policies });
  await apply(policy('many', many), policy('more', more), blue('many'));
  t.is(
    await refusal(blue('many', 'more')),
    'VirtualNetwork/blue: spec.policies: have 65536 rules together, a rule for both directions counting twice; 65535 are possible, join some',
  );
  const ingress = Array.from({ length: 65_536 }, () => ({ protocol: 'tcp' }));
  await apply(group('web', { ingress }));
  t.is(
    await refusal(port('vm1', { securityGroups: ['web'] })),
    'VirtualMachineInterface/vm1: spec.securityGroups: have 65536 rules together, a rule for both directions counting twice; 65535 are possible, join some',
  );
});

test('an interface and its network that fold the same sessions in two ways are refused', async (t) => {
  const { apply, refusal } = setUp();
  const ssh = { protocol: 'tcp', port: 22, ignoreAddress: 'source' };
  const blue = (...fatFlows: object[]) => network('blue', { subnets: [{ prefix: '5.5.5.0/24' }], fatFlows });
  await apply(blue({ protocol: 'udp' }, ssh), port('vm1', { fatFlows: [ssh, { protocol: 'tcp' }] }));
  t.is(
    await refusal(port('vm1', { fatFlows: [{ protocol: 'tcp' }, { ...ssh, ignoreAddress: 'none' }] })),
    'VirtualMachineInterface/vm1: spec.fatFlows[1]: is about tcp port 22, which spec.fatFlows[1] of VirtualNetwork/blue folds in another way; make them equal or keep one',
  );
  t.is(
    await refusal(blue({ protocol: 'tcp', ignoreAddress: 'source' })),
    'VirtualNetwork/blue: spec.fatFlows[0]: is about tcp, all ports, which spec.fatFlows[1] of VirtualMachineInterface/vm1 folds in another way; make them equal or keep one',
  );
});

test('a policy that goes leaves the number of the network of its name alone', async (t) => {
  const { apply, operator, networkId } = setUp();
  await apply(policy('blue'), network('blue'));
  await operator.apply([network('blue'), network('green', { subnets: [] })], { dryRun: false, prune: true });
  t.deepEqual([networkId('blue'), networkId('green')], [1, 2]);
});

test('one of each family is given, of the first subnet with room; an explicit list is taken as it is', async (t) => {
  const { apply, addresses } = setUp();
  const subnets = [{ prefix: '5.5.5.0/30' }, { prefix: 'fd00:5::/64' }, { prefix: '6.6.6.0/24' }];
  await apply(
    network('blue', { subnets }),
    port('vm1'),
    port('vm2', { addresses: ['fd00:5::9', '6.6.6.3'] }),
    port('vm3'),
  );
  t.deepEqual(addresses('vm1'), ['6.6.6.4', 'fd00:5::3']);
  t.deepEqual(addresses('vm2'), ['fd00:5::9', '6.6.6.3']);
  t.deepEqual(addresses('vm3'), ['6.6.6.5', 'fd00:5::4']);
});

test('addresses asked for are set aside before any is given', async (t) => {
  const { apply, addresses } = setUp();
  await apply(port('vm1'), port('vm2', { addresses: ['5.5.5.3'] }), network('blue'));
  t.deepEqual(addresses('vm1'), ['5.5.5.4']);
});

test('an address stays over changes, and goes when another is asked for', async (t) => {
  const { apply, addresses, book } = setUp();
  await apply(network('blue'), port('vm1'), port('vm2'));
  t.deepEqual(await apply(port('vm2', { hostName: 'two' })), ['VirtualMachineInterface/vm2 changed']);
  t.deepEqual(addresses('vm2'), ['5.5.5.4']);

  await apply(port('vm2', { addresses: ['5.5.5.9'] }));
  t.deepEqual(await book(), [
    ['5.5.5.3', `${SCOPE}:vm1`],
    ['5.5.5.9', `${SCOPE}:vm2`],
  ]);
  await apply(port('vm2'));
  t.deepEqual(addresses('vm2'), ['5.5.5.9']);
  // Released addresses come back.
  await apply(port('vm3'));
  t.deepEqual(addresses('vm3'), ['5.5.5.4']);
});

test('two interfaces exchange their addresses in one apply', async (t) => {
  const { apply, book } = setUp();
  await apply(network('blue'), port('vm1', { addresses: ['5.5.5.8'] }), port('vm2', { addresses: ['5.5.5.9'] }));
  await apply(port('vm1', { addresses: ['5.5.5.9'] }), port('vm2', { addresses: ['5.5.5.8'] }));
  t.deepEqual(Object.fromEntries(await book()), { '5.5.5.8': `${SCOPE}:vm2`, '5.5.5.9': `${SCOPE}:vm1` });
});

test('a subnet of another family that is added gives its interfaces an address, which is told', async (t) => {
  const { apply, addresses } = setUp();
  await apply(network('blue'), port('vm1'), port('vm2', { addresses: ['5.5.5.9'] }));
  t.deepEqual(await apply(network('blue', { subnets: [{ prefix: 'fd00:5::/64' }, { prefix: '5.5.5.0/24' }] })), [
    'VirtualNetwork/blue changed',
    'VirtualMachineInterface/vm1 changed',
  ]);
  t.deepEqual(addresses('vm1'), ['5.5.5.3', 'fd00:5::3']);
  t.deepEqual(addresses('vm2'), ['5.5.5.9']);
});

test('a subnet may grow around the addresses in use; their entries move with it', async (t) => {
  const { apply, book } = setUp();
  await apply(network('blue'), port('vm1'));
  t.deepEqual(await apply(network('blue', { subnets: [{ prefix: '5.5.4.0/23' }] })), ['VirtualNetwork/blue changed']);
  t.deepEqual(await book(), []);
  t.deepEqual(await book('5.5.4.0/23'), [['5.5.5.3', `${SCOPE}:vm1`]]);
});

test('a network without subnets gives no addresses', async (t) => {
  const { apply, addresses, refusal } = setUp();
  await apply(network('blue', { forwardingMode: 'l2' }), port('vm1'));
  t.deepEqual(addresses('vm1'), []);
  t.is(
    await refusal(port('vm2', { addresses: ['5.5.5.5'] })),
    'VirtualMachineInterface/vm2: spec.addresses[0]: "5.5.5.5" is in no subnet, as VirtualNetwork/blue has none; use another',
  );
});

test('networks get the smallest free number unless they ask for one', async (t) => {
  const { apply, operator, networkId, refusal } = setUp();
  await apply(network('a', {}), network('b', { vxlanId: 1 }), network('c', {}), network('d', { vxlanId: 3333 }));
  t.deepEqual(['a', 'b', 'c', 'd'].map(networkId), [2, 1, 3, 3333]);
  await operator.remove([network('a', {})]);
  await apply(network('e', {}));
  t.is(networkId('e'), 4, 'hosts that have not heard of it yet still send for "a" with 2');
  await operator.remove([network('e', {})]);
  await apply(network('e', { vxlanId: 2 }), network('h', {}));
  t.deepEqual(['e', 'h'].map(networkId), [2, 5], 'who asks for a number gets it');
  t.is(
    await refusal(network('f', { vxlanId: 3 })),
    'VirtualNetwork/f: spec.vxlanId: 3 is already the number of VirtualNetwork/c; use another',
  );
  t.is(
    await refusal(network('f', { vxlanId: 7 }), network('g', { vxlanId: 7 })),
    'VirtualNetwork/g: spec.vxlanId: 7 is already the number of VirtualNetwork/f; use another',
  );
  await apply(network('d', {}));
  t.is(networkId('d'), 3333, 'a number stays when it is no longer asked for');
  await apply(network('d', { vxlanId: 44 }));
  await apply(network('f', { vxlanId: 3333 }));
  t.deepEqual(['d', 'f'].map(networkId), [44, 3333]);
});

test('no network can be made that has the name of the underlay', async (t) => {
  const { refusal } = setUp();
  t.is(
    await refusal(network('ip-fabric', {})),
    'VirtualNetwork/ip-fabric: metadata.name: is the name of the underlay, a network that is always there; use another',
  );
  const elsewhere = network('ip-fabric', {});
  t.is(await refusal({ ...elsewhere, metadata: { name: 'ip-fabric', project: 'other' } }), 'accepted');
});

test('the host of an interface is fixed by the first apply, whoever applies it again', async (t) => {
  const { apply, store } = setUp('h1');
  await apply(network('blue'), port('vm1'));
  const second = setUp('h2', store);
  t.deepEqual(await second.apply(port('vm1')), ['VirtualMachineInterface/vm1 unchanged']);
  await second.apply(port('vm2'));
  t.deepEqual(
    store.list('VirtualMachineInterface').map(({ spec }) => spec.host),
    ['h1', 'h2'],
  );
});

test('what does not fit together is refused with field and reason, and nothing changes', async (t) => {
  const { apply, refusal } = setUp();
  await apply(network('blue'), network('red'), port('vm1', { mac: '02:00:00:00:00:01' }));
  const vm2 = 'VirtualMachineInterface/vm2';
  const uuid = 'f8659136-1178-4a5c-9d3e-0c1b2a394857';
  const cases: [unknown[], string][] = [
    [
      [port('vm2', { virtualNetwork: 'green' })],
      `${vm2}: spec.virtualNetwork: VirtualNetwork/green does not exist; apply it first, or in the same file`,
    ],
    [[port('vm2'), port('vm2')], `${vm2}: metadata.name: two documents are about this object; keep one`],
    [
      [network('green'), port('vm2', { addresses: ['5.5.6.3'] })],
      `${vm2}: spec.addresses[0]: "5.5.6.3" is in no subnet of VirtualNetwork/blue (5.5.5.0/24); use another`,
    ],
    [
      [port('vm2', { addresses: ['5.5.5.1'] })],
      `${vm2}: spec.addresses[0]: "5.5.5.1" is the gateway of 5.5.5.0/24; use another`,
    ],
    [
      [port('vm2', { addresses: ['5.5.5.2'] })],
      `${vm2}: spec.addresses[0]: "5.5.5.2" is the service address of 5.5.5.0/24; use another`,
    ],
    [
      [port('vm2', { addresses: ['5.5.5.255'] })],
      `${vm2}: spec.addresses[0]: "5.5.5.255" is the last address of 5.5.5.0/24; use another`,
    ],
    [
      [port('vm2', { addresses: ['5.5.5.3'] })],
      `${vm2}: spec.addresses[0]: "5.5.5.3" already belongs to VirtualMachineInterface/vm1; use another`,
    ],
    [[port('vm2', { addresses: ['5.5.5.7', '5.5.5.7'] })], `${vm2}: spec.addresses[1]: "5.5.5.7" is there twice`],
    [
      [port('vm3', { addresses: ['5.5.5.7'] }), port('vm2', { addresses: ['5.5.5.7'] })],
      `${vm2}: spec.addresses[0]: "5.5.5.7" already belongs to VirtualMachineInterface/vm3; use another`,
    ],
    [
      [port('vm2', { mac: '02:00:00:00:00:01' })],
      `${vm2}: spec.mac: "02:00:00:00:00:01" is already that of VirtualMachineInterface/vm1 of VirtualNetwork/blue; use another`,
    ],
    [
      [port('vm2', { mac: '00:00:5e:00:01:00' })],
      `${vm2}: spec.mac: "00:00:5e:00:01:00" is the gateway's; use another`,
    ],
    [
      [
        port('vm3', { attach: { type: 'tap', device: 'tap9' } }),
        port('vm2', { attach: { type: 'device', device: 'tap9' } }),
      ],
      `${vm2}: spec.attach.device: "tap9" is already that of VirtualMachineInterface/vm3 on host h1; use another`,
    ],
    [
      [
        port('vm3', { attach: { type: 'netns', netns: 'g' } }),
        port('vm2', { attach: { type: 'netns', netns: '/var/run/netns/g' } }),
      ],
      `${vm2}: spec.attach.ifName: "eth0" in namespace /var/run/netns/g is already that of VirtualMachineInterface/vm3 on host h1; use another`,
    ],
    [
      [port('vm3', {}, { uuid }), port('vm2', {}, { uuid })],
      `${vm2}: metadata.uuid: "${uuid}" is already that of VirtualMachineInterface/vm3; use another`,
    ],
    [
      [port('vm1', { virtualNetwork: 'red' })],
      `VirtualMachineInterface/vm1: spec.virtualNetwork: is "${SCOPE}:blue" and cannot change to "${SCOPE}:red"; delete the object first`,
    ],
    [
      [network('blue', { subnets: [{ prefix: '6.6.6.0/24' }] })],
      'VirtualNetwork/blue: spec.subnets: VirtualMachineInterface/vm1 has 5.5.5.3, which would be in no subnet of VirtualNetwork/blue (6.6.6.0/24); delete it first',
    ],
    [
      [network('blue', { subnets: [{ prefix: '5.5.5.0/24', gateway: '5.5.5.3' }] })],
      'VirtualNetwork/blue: spec.subnets: VirtualMachineInterface/vm1 has 5.5.5.3, which would be the gateway of 5.5.5.0/24; delete it first',
    ],
    [[network('blue'), network('bad', { mtu: 1 })], 'VirtualNetwork/bad: spec.mtu: 1 is too small; use 68 or more'],
  ];
  for (const [documents, message] of cases) t.is(await refusal(...documents), message);
});

test('the same MAC and address in two networks, and the same device on two hosts, are fine', async (t) => {
  const { apply } = setUp();
  const same = { mac: '02:00:00:00:00:01', addresses: ['5.5.5.9'] };
  const attach = { type: 'tap', device: 'tap9' };
  await apply(network('blue'), network('red'), port('vm1', { ...same, attach }));
  t.deepEqual(await apply(port('vm2', { ...same, attach, host: 'h2', virtualNetwork: 'red' })), [
    'VirtualMachineInterface/vm2 created',
  ]);
});

test('an address the book holds for somebody unknown is neither given nor granted', async (t) => {
  const { store, apply, addresses, refusal } = setUp();
  await apply(network('blue'));
  const held = { book: addressBook(`${SCOPE}:blue`, '5.5.5.0/24'), entry: '5.5.5.3', owner: 'somebody' };
  await store.commit({ basis: store.position, writes: [], deletes: [], release: [], reserve: [held] });
  await apply(port('vm1'));
  t.deepEqual(addresses('vm1'), ['5.5.5.4']);
  t.regex(
    await refusal(port('vm2', { addresses: ['5.5.5.3'] })),
    /already belongs to VirtualMachineInterface\/somebody/,
  );
});

test('when no address is left, that is said, and nothing of the file is applied', async (t) => {
  const { apply, refusal } = setUp();
  await apply(network('blue', { subnets: [{ prefix: '5.5.5.0/29' }] }), port('vm1'), port('vm2'), port('vm3'));
  t.is(
    await refusal(port('vm4'), port('vm5')),
    'VirtualMachineInterface/vm5: spec.addresses: no IPv4 address is left in VirtualNetwork/blue (5.5.5.0/29); ' +
      'add a subnet or delete an interface',
  );
  await apply(port('vm4'));
});

test('a device this host cannot attach is refused, on another host it is not our business', async (t) => {
  const store = new MemoryStore();
  const asked: string[] = [];
  const operator = new Operator({
    store,
    host: 'h1',
    deviceProblem: (device, attach) => {
      asked.push(`${attach.type} ${device}`);
      return device === 'eth0' ? 'the interface of somebody else; use another name' : undefined;
    },
  });
  const apply = (...documents: unknown[]) => operator.apply(documents, { dryRun: false, prune: false });
  const taken = { type: 'tap', device: 'eth0' };
  await t.throwsAsync(apply(network('blue'), port('vm1', { attach: taken })), {
    message:
      'VirtualMachineInterface/vm1: spec.attach.device: "eth0" is the interface of somebody else; use another name',
  });
  t.is(store.list('VirtualNetwork').length, 0);
  await apply(
    network('blue'),
    port('vm1', { attach: taken, host: 'h2' }),
    port('vm2', { attach: { type: 'tap', device: 'tap2' } }),
  );
  await apply(port('vm2', { attach: { type: 'tap', device: 'tap2' }, hostName: 'two' }));
  t.deepEqual(asked, ['tap eth0', 'tap tap2']);
});

test('a change that others overtake is worked out anew', async (t) => {
  const { store, apply, addresses } = setUp();
  await apply(network('blue'));
  const other = setUp('h2', store);
  let raced = false;
  store.beforeCommit = async () => {
    if (raced) return;
    raced = true;
    await other.apply(port('vm9'));
  };
  await apply(port('vm1'));
  t.deepEqual(addresses('vm9'), ['5.5.5.3']);
  t.deepEqual(addresses('vm1'), ['5.5.5.4']);
});

test('a change that is overtaken for ever is given up with a clear message', async (t) => {
  const { store, apply, operator } = setUp();
  await apply(network('blue'));
  const foreign = new Operator({ store, host: 'h2', deviceProblem: () => undefined });
  let mtu = 1000;
  let nested = false;
  store.beforeCommit = async () => {
    if (nested) return;
    nested = true;
    mtu += 1;
    await foreign.apply([network('red', { mtu })], { dryRun: false, prune: false });
    nested = false;
  };
  await t.throwsAsync(operator.apply([port('vm1')], { dryRun: false, prune: false }), { code: 'contended' });
});

test('two requests at once are carried out one after the other', async (t) => {
  const { apply } = setUp();
  const results = await Promise.all([apply(network('blue')), apply(port('vm1')), apply(port('vm2'), port('vm1'))]);
  t.deepEqual(
    results.flat().map((line) => line.split(' ')[1]),
    ['created', 'created', 'created', 'unchanged'],
  );
});

test('objects are shown by kind and name; what is not there is said', async (t) => {
  const { apply, operator } = setUp();
  await apply(network('blue'), port('vm1'));
  t.is(operator.objects().length, 2);
  t.is(operator.objects('VirtualNetwork').length, 1);
  t.throws(() => operator.objects('VirtualNetwork', 'red'), {
    code: 'notFound',
    message: 'VirtualNetwork/red does not exist',
  } as object);
  t.throws(() => operator.objects('Nothing'), { code: 'invalid' } as object);
});

test('whatever is applied and deleted, no address is held twice and the books are those of the objects', async (t) => {
  const step = fc.record({
    vm: fc.nat(9),
    op: fc.constantFrom('auto', 'fixed', 'delete', 'network'),
    address: fc.nat(15),
    wide: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const { operator, store } = setUp();
      const blue = (wide: boolean) => network('blue', { subnets: [{ prefix: wide ? '5.5.5.0/27' : '5.5.5.0/28' }] });
      const apply = (document: unknown) => operator.apply([document], { dryRun: false, prune: false });
      await apply(blue(false));
      for (const { vm, op, address, wide } of steps) {
        const name = `vm${vm}`;
        const action = {
          auto: () => apply(port(name)),
          fixed: () => apply(port(name, { addresses: [`5.5.5.${address}`] })),
          delete: () => operator.remove([port(name)]),
          network: () => apply(blue(wide)),
        }[op];
        // Refusals are as good as successes here.
        await action().catch(() => undefined);

        const held = store.list('VirtualMachineInterface').flatMap((o) => o.status.addresses.map((a) => [a, o.name]));
        t.is(new Set(held.map(([a]) => a)).size, held.length);
        const prefix = store.get('VirtualNetwork', `${SCOPE}:blue`)?.spec.subnets[0].prefix ?? '';
        const book = await store.reservations(addressBook(`${SCOPE}:blue`, prefix));
        t.deepEqual(Object.fromEntries(held), Object.fromEntries(book));
      }
    }),
    { numRuns: 60 },
  );
});

test('firewall policies whose exceptions multiply to more rules than an access list can have are refused', async (t) => {
  const { apply, refusal } = setUp();
  const firewall = (name: string, from: number, to: number) => {
    // Every other address: as many prefixes are left.
    const block = (net: number, count: number): object => ({
      ipBlock: {
        cidr: `10.${net}.0.0/16`,
        except: Array.from({ length: count }, (_, i) => `10.${net}.${i >> 7}.${(2 * i) & 255}/32`),
      },
    });
    const rules = [{ source: [block(1, from)], destination: [block(2, to)] }];
    return { apiVersion: 'vrouter/v1', kind: 'FirewallPolicy', metadata: { name }, spec: { rules } };
  };
  t.regex(
    await refusal(firewall('huge', 1_024, 1_024)),
    /^FirewallPolicy\/huge: spec\.rules: are at least \d+ rules, one for each source, destination and protocol; 65535 are possible, name fewer prefixes$/,
  );
  await apply(network('blue'), port('vm1'), firewall('one', 200, 200));
  t.regex(
    await refusal(firewall('two', 200, 200)),
    /^FirewallPolicy\/two: spec\.rules: FirewallPolicy\/one, FirewallPolicy\/two select VirtualMachineInterface\/vm1 and are \d+ rules together, /,
  );
  t.is(await refusal(firewall('two', 2, 2)), 'accepted');
});

test('what mirrors to a service instance or a destination is deleted with it, its networks and its guest in one go', async (t) => {
  const { apply, operator, store } = setUp();
  const document = (kind: string, name: string, spec: object, labels: object = {}) => {
    return { apiVersion: 'vrouter/v1', kind, metadata: { name, labels }, spec };
  };
  const all = [
    document('NetworkPolicy', 'tap', {
      rules: [{ mirror: { analyzerName: 'dpi' } }, { mirror: { destination: 'ids' } }],
    }),
    network('blue', { subnets: [{ prefix: '5.5.5.0/24' }], policies: ['tap'] }),
    port('left', { mirrors: [{ destination: 'ids' }] }),
    port('vm1', { mirrors: [{ analyzerName: 'dpi' }] }),
    document('ServiceTemplate', 'sniffer', { type: 'analyzer', mode: 'transparent', interfaces: ['left'] }),
    document('ServiceInstance', 'dpi', { template: 'sniffer', interfaces: { left: 'left' } }),
    document('MirrorDestination', 'ids', { externalAnalyzer: true, analyzerIp: '7.7.7.3' }),
    document('FirewallPolicy', 'web', { rules: [], secondaryActions: { mirrorTo: 'ids' } }),
  ];
  await apply(...all);
  t.is((await operator.remove(all)).length, all.length);
  await apply(...all);
  await operator.apply([network('red')], { dryRun: false, prune: true });
  t.deepEqual(
    [store.list('VirtualMachineInterface'), store.list('ServiceInstance'), store.list('NetworkPolicy')],
    [[], [], []],
  );
});
