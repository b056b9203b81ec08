import test from 'ava';
import { RefusedError } from './refused.js';
import { namedObject, parseDocument, parseReference, subject } from './schema.js';

const network = (spec: unknown = {}, metadata: unknown = { name: 'blue' }) => ({
  apiVersion: 'vrouter/v1',
  kind: 'VirtualNetwork',
  metadata,
  spec,
});

const port = (spec: unknown = { virtualNetwork: 'blue' }, metadata: unknown = { name: 'vm1' }) => ({
  apiVersion: 'vrouter/v1',
  kind: 'VirtualMachineInterface',
  metadata,
  spec,
});

/** The message a document is refused with. */
function refusal(raw: unknown): string {
  try {
    parseDocument(raw);
  } catch (error) {
    if (error instanceof RefusedError) return error.message;
    throw error;
  }
  return 'accepted';
}

test('a field, a label or a name of ten thousand characters is refused in a short line', (t) => {
  const long = 'x'.repeat(10_000);
  const documents = [
    network({ [long]: 1 }),
    network({}, { name: 'blue', [long]: 1 }),
    network({}, { name: long }),
    network({}, { name: 'blue', labels: { [long]: 1 } }),
    network({ forwardingMode: long }),
    { ...network(), kind: long },
  ];
  for (const document of documents) t.regex(refusal(document), /^.{20,600}$/);
});

test('a network gets its defaults and canonical text', (t) => {
  const given = network({
    subnets: [
      { prefix: 'FD00:5:0::/64', gateway: 'fd00:5::0001', dnsServers: ['FD00::53'] },
      { prefix: '5.5.5.0/24', hostRoutes: [{ prefix: '9.0.0.0/8', nextHop: '5.5.5.9' }], domainName: 'example.net' },
    ],
  });
  const subnet = { enableDhcp: true, addrFromStart: true, allocationPools: [], hostRoutes: [], dnsServers: [] };
  t.deepEqual(parseDocument(given), {
    apiVersion: 'vrouter/v1',
    kind: 'VirtualNetwork',
    metadata: { domain: 'default-domain', project: 'default-project', name: 'blue', labels: {} },
    spec: {
      forwardingMode: 'l2_l3',
      floodUnknownUnicast: false,
      policies: [],
      routeTargets: [],
      importRouteTargets: [],
      exportRouteTargets: [],
      rpf: 'enable',
      portSecurity: true,
      fatFlows: [],
      subnets: [
        { ...subnet, prefix: 'fd00:5::/64', gateway: 'fd00:5::1', dnsServers: ['fd00::53'] },
        {
          ...subnet,
          prefix: '5.5.5.0/24',
          hostRoutes: [{ prefix: '9.0.0.0/8', nextHop: '5.5.5.9' }],
          domainName: 'example.net',
        },
      ],
    },
  });
});

test('an interface gets its defaults, and its reference the scope of the document', (t) => {
  const given = port(
    { virtualNetwork: 'blue', mac: '02:0A:0b:00:00:01', addresses: ['FD00::0'] },
    { name: 'vm1', project: 'p', uuid: 'F8659136-1178-4A5C-9D3E-0C1B2A394857', labels: { tier: 'web' } },
  );
  t.deepEqual(parseDocument(given), {
    apiVersion: 'vrouter/v1',
    kind: 'VirtualMachineInterface',
    metadata: {
      domain: 'default-domain',
      project: 'p',
      name: 'vm1',
      labels: { tier: 'web' },
      uuid: 'f8659136-1178-4a5c-9d3e-0c1b2a394857',
    },
    spec: {
      virtualNetwork: 'default-domain:p:blue',
      mac: '02:0a:0b:00:00:01',
      addresses: ['fd00::'],
      attach: { type: 'tap', offloads: true },
      securityGroups: [],
      packetMode: false,
      fatFlows: [],
      mirrors: [],
    },
  });
});

test('a namespace port gets its defaults', (t) => {
  const { spec } = parseDocument(port({ virtualNetwork: 'd:p:blue', attach: { type: 'netns', netns: 'guest1' } }));
  t.deepEqual(spec, {
    virtualNetwork: 'd:p:blue',
    attach: { type: 'netns', netns: 'guest1', ifName: 'eth0', port: 'veth', configure: true, offloads: true },
    securityGroups: [],
    packetMode: false,
    fatFlows: [],
    mirrors: [],
  });
});

test('what parseDocument returns is accepted again and stays the same', (t) => {
  for (const given of [network({ subnets: [{ prefix: '5.5.5.0/24' }], vxlanId: 7, mtu: 1400 }), port()]) {
    const once = parseDocument(given);
    t.deepEqual(parseDocument({ ...once, status: { device: 'tap0' } }), once);
  }
});

test('a full name may be given as the name, and must not contradict domain and project', (t) => {
  t.is(parseDocument(network({}, { name: 'd:p:blue' })).metadata.domain, 'd');
  t.is(parseDocument(network({}, { name: 'd:p:blue', project: 'p' })).metadata.name, 'blue');
  t.is(
    refusal(network({}, { name: 'd:p:blue', project: 'q' })),
    'VirtualNetwork/d:p:blue: metadata.project: "q" is not that of the name, d:p:blue',
  );
});

test('every refusal is one line with object, path, value and what to write', (t) => {
  const cases: [unknown, string][] = [
    [null, 'document 1: is not a resource; write apiVersion, kind, metadata and spec'],
    [[], 'document 1: is not a resource; write apiVersion, kind, metadata and spec'],
    [
      {},
      'document 1: kind: is missing; use one of NetworkPolicy, SecurityGroup, VirtualNetwork, VirtualMachineInterface, TunnelEndpoint, ServiceTemplate, ServiceInstance, MirrorDestination, FirewallPolicy',
    ],
    [
      { kind: 'Network' },
      'document 1: kind: "Network" is not a kind; use one of NetworkPolicy, SecurityGroup, VirtualNetwork, VirtualMachineInterface, TunnelEndpoint, ServiceTemplate, ServiceInstance, MirrorDestination, FirewallPolicy',
    ],
    [{ kind: 'VirtualNetwork', metadata: 5 }, 'document 1 (VirtualNetwork): apiVersion: is missing'],
    [
      { ...network(), apiVersion: 'vrouter/v2' },
      'VirtualNetwork/blue: apiVersion: "vrouter/v2" is not known; use vrouter/v1',
    ],
    [{ ...network(), extra: 1 }, 'VirtualNetwork/blue: extra: is not a field here'],
    [network({}, {}), 'document 1 (VirtualNetwork): metadata.name: is missing'],
    [
      network({}, { name: 'a b' }),
      'VirtualNetwork/a b: metadata.name: "a b" is not a name (NAME or DOMAIN:PROJECT:NAME); use e.g. blue',
    ],
    [
      network({ forwardingMode: 'l4' }),
      'VirtualNetwork/blue: spec.forwardingMode: "l4" is not known; use l2_l3, l3, l2',
    ],
    [network({ vxlanId: 0 }), 'VirtualNetwork/blue: spec.vxlanId: 0 is too small; use 1 or more'],
    [network({ vxlanId: 16777216 }), 'VirtualNetwork/blue: spec.vxlanId: 16777216 is too large; use 16777215 or less'],
    [network({ vxlanId: '7' }), 'VirtualNetwork/blue: spec.vxlanId: "7" is not a number'],
    [network({ vxlanId: 1.5 }), 'VirtualNetwork/blue: spec.vxlanId: 1.5 is not a whole number'],
    [
      network({ subnets: [{ prefix: '5.5.5.0/24', gatway: '5.5.5.1' }] }),
      'VirtualNetwork/blue: spec.subnets[0].gatway: is not a field here',
    ],
    [
      network({ subnets: [{ prefix: 5 }] }),
      'VirtualNetwork/blue: spec.subnets[0].prefix: 5 is not text; put it in quotes',
    ],
    [network({ subnets: 'all' }), 'VirtualNetwork/blue: spec.subnets: "all" is not a list'],
    [port({}), 'VirtualMachineInterface/vm1: spec.virtualNetwork: is missing'],
    [
      port({ virtualNetwork: 'blue', addresses: [] }),
      'VirtualMachineInterface/vm1: spec.addresses: is empty; name at least one or leave it out',
    ],
    [
      port({ virtualNetwork: 'blue', attach: { type: 'vhost' } }),
      'VirtualMachineInterface/vm1: spec.attach.type: "vhost" is not known; use tap, netns, device',
    ],
    [
      port({ virtualNetwork: 'blue', attach: { type: 'device', device: 'veth0', offloads: true } }),
      'VirtualMachineInterface/vm1: spec.attach.offloads: is not a field here',
    ],
    [
      port({ virtualNetwork: 'blue', attach: { type: 'tap', device: 'tap0123456789abc' } }),
      'VirtualMachineInterface/vm1: spec.attach.device: "tap0123456789abc" is not a device name (1 to 15 characters, no blanks, no `/`, `:` or `%`); use e.g. tapf8659136-11',
    ],
    [
      port({ virtualNetwork: 'blue', attach: { type: 'tap', owner: 'a b' } }),
      'VirtualMachineInterface/vm1: spec.attach.owner: "a b" is not an account; use e.g. libvirt-qemu',
    ],
    [
      port({ virtualNetwork: 'blue', mac: '01:00:5e:00:00:01' }),
      'VirtualMachineInterface/vm1: spec.mac: "01:00:5e:00:00:01" is not the MAC address of a station; use e.g. 02:00:00:00:00:01',
    ],
    [
      port({ virtualNetwork: 'blue', addresses: ['5.5.5'] }),
      'VirtualMachineInterface/vm1: spec.addresses[0]: "5.5.5" is not an IP address; use e.g. 5.5.5.1',
    ],
  ];
  for (const [given, message] of cases) t.is(refusal(given), message);
});

test('what is wrong with a subnet is told at its field', (t) => {
  const v4 = '5.5.5.0/24';
  const cases: [Record<string, unknown>, string][] = [
    [{ prefix: '5.5.5.0/33' }, 'prefix: "5.5.5.0/33" is not a prefix; use e.g. 5.5.5.0/24'],
    [{ prefix: '5.5.5.1/24' }, 'prefix: "5.5.5.1/24" has bits set behind its length; use e.g. 5.5.5.0/24'],
    [{ prefix: '5.5.5.0/31' }, 'prefix: "5.5.5.0/31" is too small; use a length of 8 to 30'],
    [{ prefix: '0.0.0.0/0' }, 'prefix: "0.0.0.0/0" is too large; use a length of 8 to 30'],
    [
      { prefix: '224.0.0.0/8' },
      'prefix: "224.0.0.0/8" is not a range for guests; use a unicast range such as 10.1.0.0/24',
    ],
    [{ prefix: 'fe80::/64' }, 'prefix: "fe80::/64" is not a range for guests; use a unicast range such as 10.1.0.0/24'],
    [{ prefix: v4, gateway: '5.5.6.1' }, 'gateway: "5.5.6.1" is not in 5.5.5.0/24; use an address of the subnet'],
    [{ prefix: v4, gateway: '::' }, 'gateway: "::" is not in 5.5.5.0/24; use an address of the subnet'],
    [{ prefix: v4, gateway: '0.0.0.0' }, 'accepted'],
    [
      { prefix: v4, serviceAddress: '5.5.5.255' },
      'serviceAddress: "5.5.5.255" is the last address of the subnet, which stays reserved; use another',
    ],
    [
      { prefix: v4, serviceAddress: '0.0.0.0' },
      'serviceAddress: "0.0.0.0" is not in 5.5.5.0/24; use an address of the subnet',
    ],
    [
      { prefix: v4, allocationPools: [{ start: '5.5.5.20', end: '5.5.5.10' }] },
      'allocationPools[0].end: "5.5.5.10" comes before the start of the pool',
    ],
    [
      { prefix: v4, allocationPools: [{ start: '5.5.4.20', end: '5.5.5.10' }] },
      'allocationPools[0].start: "5.5.4.20" is not in 5.5.5.0/24',
    ],
    [
      { prefix: v4, allocationPools: [{ start: '5.5.5.20', end: '5.5.6.10' }] },
      'allocationPools[0].end: "5.5.6.10" is not in 5.5.5.0/24',
    ],
    [
      {
        prefix: v4,
        allocationPools: [
          { start: '5.5.5.20', end: '5.5.5.30' },
          { start: '5.5.5.30', end: '5.5.5.40' },
        ],
      },
      'allocationPools[1]: overlaps with allocationPools[0]',
    ],
    [{ prefix: v4, dnsServers: ['fd00::1'] }, 'dnsServers[0]: "fd00::1" is not IPv4, as 5.5.5.0/24 is'],
    [
      { prefix: v4, hostRoutes: [{ prefix: '::/0', nextHop: '5.5.5.9' }] },
      'hostRoutes[0].prefix: "::/0" is not IPv4, as 5.5.5.0/24 is',
    ],
    [
      { prefix: v4, hostRoutes: [{ prefix: '0.0.0.0/0', nextHop: '::1' }] },
      'hostRoutes[0].nextHop: "::1" is not IPv4, as 5.5.5.0/24 is',
    ],
  ];
  for (const [subnet, expected] of cases) {
    const message = refusal(network({ subnets: [subnet] }));
    t.is(message.replace('VirtualNetwork/blue: spec.subnets[0].', ''), expected);
  }
});

test('subnets of one network do not overlap, and IPv6 needs its smallest MTU', (t) => {
  t.is(
    refusal(network({ subnets: [{ prefix: '5.5.0.0/16' }, { prefix: 'fd00::/64' }, { prefix: '5.5.5.0/24' }] })),
    'VirtualNetwork/blue: spec.subnets[2].prefix: "5.5.5.0/24" overlaps with subnets[0], 5.5.0.0/16',
  );
  t.is(
    refusal(network({ mtu: 1279, subnets: [{ prefix: 'fd00::/64' }] })),
    'VirtualNetwork/blue: spec.mtu: 1279 is too small for IPv6; use 1280 or more',
  );
});

test('a refusal carries code and path for programs', (t) => {
  const error = t.throws(() => parseDocument(network({ subnets: [{ prefix: 'x' }] })), { instanceOf: RefusedError });
  t.is(error.code, 'invalid');
  t.is(error.path, 'spec.subnets[0].prefix');
});

test('an object is named by its document, whatever the spec, or by kind and name', (t) => {
  const ref = { kind: 'VirtualNetwork', name: 'default-domain:default-project:blue' } as const;
  t.deepEqual(parseReference(network({ forwardingMode: 'l4' })), ref);
  t.deepEqual(namedObject('VirtualNetwork', 'blue'), ref);
  t.is(subject(ref), 'VirtualNetwork/blue');
  t.is(subject({ kind: 'VirtualNetwork', name: 'd:p:blue' }), 'VirtualNetwork/d:p:blue');
  t.throws(() => parseReference(network({}, { name: 'a b' })), { code: 'invalid' });
  t.throws(() => namedObject('Network', 'blue'), { message: /^"Network" is not a kind/ });
  t.throws(() => namedObject('VirtualNetwork', 'a b'), { message: /^"a b" is not a name/ });
});
