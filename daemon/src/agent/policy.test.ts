import test from 'ava';
import fc from 'fast-check';
import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import { Acl, AclQuery } from '../tables/acl.js';
import { addressWords } from '../tables/address-words.js';
import type { AclRecord } from '../tables/records.js';
import { byName, groupObject, networkObject, policyObject } from '../testing/objects.js';
import { groupAcl, networkAcl } from './policy.js';

const SCOPE = 'default-domain:default-project';
const BLUE = networkObject('blue', 1, { subnets: [{ prefix: '10.1.0.0/24' }], policies: ['web'] });
const GREEN = networkObject('green', 2, { subnets: [{ prefix: '10.2.0.0/24' }], policies: ['web'] });
const NETWORKS = byName(BLUE, GREEN);

const NO_MIRROR = (): null => null;
const aclOfBlue = (...rules: object[]): AclRecord =>
  networkAcl(7, BLUE, byName(policyObject('web', ...rules)), NETWORKS, NO_MIRROR);

test('a rule of both directions becomes two, ends and ports exchanged; then the network itself, then nothing', (t) => {
  const rule = { protocol: 'tcp', source: { virtualNetwork: 'blue' }, destination: { subnet: '9.0.0.0/8', ports: 80 } };
  const { id, name, rules, otherwise } = aclOfBlue({ ...rule, action: 'deny', log: true });
  t.deepEqual([id, name, otherwise], [7, `${SCOPE}:blue`, 'deny']);
  const any = { network: null, prefix: null, group: null };
  const common = { name: 'NetworkPolicy/web rules[0]', action: 'deny', protocol: 6, log: true, mirrors: [] };
  const [blue, nine] = [
    { ...any, network: 1 },
    { ...any, prefix: '9.0.0.0/8' },
  ];
  t.deepEqual(rules as unknown, [
    { ...common, source: blue, destination: nine, sourcePorts: [], destinationPorts: [[80, 80]] },
    { ...common, source: nine, destination: blue, sourcePorts: [[80, 80]], destinationPorts: [] },
    {
      name: 'VirtualNetwork/blue itself',
      action: 'pass',
      protocol: -1,
      source: blue,
      destination: blue,
      sourcePorts: [],
      destinationPorts: [],
      log: false,
      mirrors: [],
    },
  ]);
  t.is(aclOfBlue({ ...rule, direction: '>' }).rules.length, 2);
  t.is(aclOfBlue({}).rules.length, 2, 'a rule that is the same in both directions is there once');
});

test('a rule about a network that does not exist, and a policy that is missing, do nothing', (t) => {
  t.is(aclOfBlue({ destination: { virtualNetwork: 'nowhere' } }).rules.length, 1);
  t.is(networkAcl(7, BLUE, new Map(), NETWORKS, NO_MIRROR).rules.length, 1);
});

test('rules of several policies stand in the order in which the network names them', (t) => {
  const network = networkObject('blue', 1, { policies: ['b', 'a'] });
  const policies = byName(policyObject('a', { direction: '>' }), policyObject('b', { direction: '>' }, {}));
  t.deepEqual(
    networkAcl(7, network, policies, NETWORKS, NO_MIRROR).rules.map(({ name }) => name),
    ['NetworkPolicy/b rules[0]', 'NetworkPolicy/b rules[1]', 'NetworkPolicy/a rules[0]', 'VirtualNetwork/blue itself'],
  );
});

test('rules of security groups name the other end of what is sent, and of what is received', (t) => {
  const groups = byName(
    groupObject('web', {
      ingress: [{ protocol: 'tcp', ports: [80, '8000-8080'], remotePrefix: '10.0.0.0/8' }, { remoteGroup: 'self' }],
      egress: [{ protocol: 'icmp', icmpType: 8, icmpCode: 0 }],
    }),
    groupObject('db', { egress: [{ protocol: 'icmp6', icmpType: 128 }] }),
  );
  const numbers = new Map([[`${SCOPE}:web`, 5]]);
  const acl = (side: 'ingress' | 'egress'): AclRecord =>
    groupAcl(9, side, [`${SCOPE}:db`, `${SCOPE}:web`], groups, (name) => numbers.get(name) ?? 6);
  const anybody = { network: null, prefix: null, group: null };
  const allow = { action: 'pass', protocol: -1, log: false, mirrors: [], source: anybody, destination: anybody };
  t.deepEqual(acl('ingress').rules as unknown, [
    {
      ...allow,
      name: 'SecurityGroup/db ingress[0]',
      source: { ...anybody, group: 6 },
      sourcePorts: [],
      destinationPorts: [],
    },
    {
      ...allow,
      name: 'SecurityGroup/web ingress[0]',
      protocol: 6,
      source: { ...anybody, prefix: '10.0.0.0/8' },
      sourcePorts: [],
      destinationPorts: [
        [80, 80],
        [8000, 8080],
      ],
    },
    {
      ...allow,
      name: 'SecurityGroup/web ingress[1]',
      source: { ...anybody, group: 5 },
      sourcePorts: [],
      destinationPorts: [],
    },
  ]);
  t.deepEqual(acl('egress').rules as unknown, [
    { ...allow, name: 'SecurityGroup/db egress[0]', protocol: 58, sourcePorts: [[128, 128]], destinationPorts: [] },
    { ...allow, name: 'SecurityGroup/web egress[0]', protocol: 1, sourcePorts: [[8, 8]], destinationPorts: [[0, 0]] },
  ]);
  t.is(acl('egress').otherwise, 'deny');
});

test('a group that is missing allows nothing', (t) => {
  t.deepEqual(groupAcl(9, 'egress', [`${SCOPE}:gone`], new Map(), () => 1).rules, []);
});

/** What is asked of a list: a first packet, each end with its network and groups. */
interface End {
  readonly address: string;
  readonly port: number;
  readonly network: string | null;
  readonly groups: readonly string[];
}
interface Session {
  readonly protocol: string;
  readonly source: End;
  readonly destination: End;
}

const NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1, icmp6: 58, sctp: 132, gre: 47 };
const NETWORK_NAMES = ['blue', 'green', 'red'];
const GROUP_NAMES = ['web', 'db', 'ops'];
const ADDRESSES = ['10.1.0.3', '10.1.0.130', '10.2.0.3', 'fd00:1::3', 'fd00:2::3'];
const PREFIXES = ['10.0.0.0/8', '10.1.0.128/25', '10.2.0.3/32', 'fd00:1::/64', '0.0.0.0/0', '::/0'];
const PORTS = [0, 8, 80, 443, 8000, 8080, 65535];

const query = new AclQuery();
function passes(record: AclRecord, { protocol, source, destination }: Session): boolean {
  const list = new Acl(record);
  const networkNumber = (name: string | null): number => NETWORK_NAMES.indexOf(name ?? '') + 1;
  query.family = source.address.includes(':') ? 6 : 4;
  query.protocol = NUMBERS[protocol];
  query.sourcePort = source.port;
  query.destinationPort = destination.port;
  query.source.set(addressWords(source.address));
  query.destination.set(addressWords(destination.address));
  query.sourceNetwork = networkNumber(source.network);
  query.destinationNetwork = networkNumber(destination.network);
  query.sourceGroups = source.groups.map((name) => GROUP_NAMES.indexOf(name) + 1);
  query.destinationGroups = destination.groups.map((name) => GROUP_NAMES.indexOf(name) + 1);
  return list.passes(list.match(query));
}

const end = fc.record({
  port: fc.constantFrom(...PORTS),
  network: fc.constantFrom(null, ...NETWORK_NAMES),
  groups: fc.subarray(GROUP_NAMES),
});
const session: fc.Arbitrary<Session> = fc
  .record({
    protocol: fc.constantFrom(...Object.keys(NUMBERS)),
    addresses: fc.constantFrom(ADDRESSES.slice(0, 3), ADDRESSES.slice(3)).chain((family) => {
      const one = fc.constantFrom(...family);
      return fc.tuple(one, one);
    }),
    ends: fc.tuple(end, end),
  })
  .map(({ protocol, addresses, ends }) => {
    const [from, to] = hasPorts(protocol)
      ? ends.map(({ port }) => port)
      : isIcmp(protocol)
        ? typeAndCode(ends)
        : [0, 0];
    return {
      protocol,
      source: { ...ends[0], address: addresses[0], port: from },
      destination: { ...ends[1], address: addresses[1], port: to },
    };
  });

const typeAndCode = ([type, code]: readonly { readonly port: number }[]): number[] => [type.port & 0xff, code.port & 1];
const hasPorts = (protocol: string): boolean => ['tcp', 'udp', 'sctp'].includes(protocol);
const isIcmp = (protocol: string): boolean => ['icmp', 'icmp6'].includes(protocol);
const yamlPorts = fc.oneof(
  fc.constant('any'),
  fc.array(fc.constantFrom(80, 8, '443', '0-100', '8000-8080', '1-65535'), { minLength: 1, maxLength: 3 }),
);

/** Whether a list of ports in a document names this one. */
const named = (ports: unknown, port: number): boolean =>
  ports === 'any' ||
  (ports as (number | string)[]).some((text) => {
    const [first, last = first] = String(text).split('-').map(Number);
    return first <= port && port <= last;
  });

interface YamlPeer {
  readonly virtualNetwork?: string;
  readonly subnet?: string;
  readonly ports: unknown;
}
interface YamlRule {
  readonly action: 'pass' | 'deny';
  readonly protocol: string;
  readonly direction: '<>' | '>';
  readonly source: YamlPeer;
  readonly destination: YamlPeer;
}

const isFamilyMixed = ({ source, destination }: YamlRule): boolean =>
  source.subnet !== undefined &&
  destination.subnet !== undefined &&
  source.subnet.includes(':') !== destination.subnet.includes(':');
const yamlPeer: fc.Arbitrary<YamlPeer> = fc.oneof(
  fc.record({ ports: yamlPorts }),
  fc.record({ virtualNetwork: fc.constantFrom(...NETWORK_NAMES, 'nowhere'), ports: yamlPorts }),
  fc.record({ subnet: fc.constantFrom(...PREFIXES), ports: yamlPorts }),
);
const yamlRule: fc.Arbitrary<YamlRule> = fc
  .record({
    action: fc.constantFrom('pass', 'deny'),
    protocol: fc.constantFrom('any', 'tcp', 'udp', 'icmp', 'icmp6', 'sctp', '47'),
    direction: fc.constantFrom('<>', '>'),
    source: yamlPeer,
    destination: yamlPeer,
  })
  .map((rule) =>
    rule.protocol === 'any' || hasPorts(rule.protocol)
      ? rule
      : { ...rule, source: { ...rule.source, ports: 'any' }, destination: { ...rule.destination, ports: 'any' } },
  )
  .filter((rule) => !isFamilyMixed(rule));

const isOf = (protocol: string, asked: string): boolean =>
  protocol === 'any' || NUMBERS[asked] === (NUMBERS[protocol] ?? 47);

/** The obvious reading of a policy: rule by rule, in either direction where the rule says so. */
function policyPasses(rules: readonly YamlRule[], own: string, { protocol, source, destination }: Session): boolean {
  const isPeer = (peer: YamlPeer, { address, network, port }: End): boolean =>
    (peer.virtualNetwork === undefined || (peer.virtualNetwork === network && network !== 'nowhere')) &&
    (peer.subnet === undefined || contains(parsePrefix(peer.subnet), parseAddress(address))) &&
    (peer.ports === 'any' || (hasPorts(protocol) && named(peer.ports, port)));
  const decides = (rule: YamlRule): boolean =>
    isOf(rule.protocol, protocol) &&
    ((isPeer(rule.source, source) && isPeer(rule.destination, destination)) ||
      (rule.direction === '<>' && isPeer(rule.source, destination) && isPeer(rule.destination, source)));
  const rule = rules.find(decides);
  return rule === undefined ? source.network === own && destination.network === own : rule.action === 'pass';
}

test('compiled policies decide as reading the documents rule by rule does', (t) => {
  const networks = byName(...NETWORK_NAMES.map((name, i) => networkObject(name, i + 1, { policies: ['a', 'b'] })));
  const property = fc.property(
    fc.array(yamlRule, { maxLength: 8 }),
    fc.array(yamlRule, { maxLength: 8 }),
    fc.constantFrom(...NETWORK_NAMES),
    fc.array(session, { minLength: 20, maxLength: 20 }),
    (a, b, own, sessions) => {
      const policies = byName(policyObject('a', ...a), policyObject('b', ...b));
      const network = networks.get(`${SCOPE}:${own}`);
      if (network === undefined) throw new Error(own);
      const record = networkAcl(1, network, policies, networks, NO_MIRROR);
      for (const one of sessions) if (passes(record, one) !== policyPasses([...a, ...b], own, one)) return false;
      return true;
    },
  );
  t.notThrows(() => {
    fc.assert(property, { numRuns: 300 });
  });
});

interface YamlGroupRule {
  readonly protocol: string;
  readonly ports?: unknown;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly remotePrefix?: string;
  readonly remoteGroup?: string;
}

const remote = fc.oneof(
  fc.constant({}),
  fc.record({ remotePrefix: fc.constantFrom(...PREFIXES) }),
  fc.record({ remoteGroup: fc.constantFrom('self', ...GROUP_NAMES) }),
);
const traffic = fc.oneof(
  fc.record({ protocol: fc.constantFrom('any', 'tcp', 'udp', 'sctp'), ports: yamlPorts }),
  fc.record({ protocol: fc.constantFrom('icmp', 'icmp6', '47') }),
  fc.record({ protocol: fc.constantFrom('icmp', 'icmp6'), icmpType: fc.constantFrom(0, 8, 80, 255) }),
  fc.record({ protocol: fc.constant('icmp'), icmpType: fc.constantFrom(8, 0), icmpCode: fc.constantFrom(0, 1) }),
);
const groupRules = fc.array(
  fc.tuple(traffic, remote).map(([what, whom]): YamlGroupRule => ({ ...what, ...whom })),
  { maxLength: 6 },
);

/** The obvious reading of a group: any rule that allows the session will do. */
function groupPasses(rules: readonly YamlGroupRule[], own: string, ingress: boolean, asked: Session): boolean {
  const other = ingress ? asked.source : asked.destination;
  return rules.some(
    ({ protocol, ports = 'any', icmpType, icmpCode, remotePrefix, remoteGroup }) =>
      isOf(protocol, asked.protocol) &&
      (ports === 'any' || (hasPorts(asked.protocol) && named(ports, asked.destination.port))) &&
      (icmpType === undefined || icmpType === asked.source.port) &&
      (icmpCode === undefined || icmpCode === asked.destination.port) &&
      (remotePrefix === undefined || contains(parsePrefix(remotePrefix), parseAddress(other.address))) &&
      (remoteGroup === undefined || other.groups.includes(remoteGroup === 'self' ? own : remoteGroup)),
  );
}

test('compiled security groups decide as reading the documents rule by rule does', (t) => {
  const property = fc.property(
    fc.tuple(groupRules, groupRules, groupRules),
    fc.subarray(GROUP_NAMES, { minLength: 1 }),
    fc.boolean(),
    fc.array(session, { minLength: 20, maxLength: 20 }),
    (rules, members, ingress, sessions) => {
      const side = ingress ? 'ingress' : 'egress';
      const groups = byName(...GROUP_NAMES.map((name, i) => groupObject(name, { [side]: rules[i] })));
      const numberOf = (name: string): number => GROUP_NAMES.indexOf(name.slice(SCOPE.length + 1)) + 1;
      const full = members.map((name) => `${SCOPE}:${name}`);
      const record = groupAcl(1, side, full, groups, numberOf);
      return sessions.every((one) => {
        const expected = members.some((name) => groupPasses(rules[GROUP_NAMES.indexOf(name)], name, ingress, one));
        return passes(record, one) === expected;
      });
    },
  );
  t.notThrows(() => {
    fc.assert(property, { numRuns: 300 });
  });
});
