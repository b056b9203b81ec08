import test from 'ava';
import fc from 'fast-check';
import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import { Acl, AclQuery } from '../tables/acl.js';
import { addressWords } from '../tables/address-words.js';
import type { AclRecord } from '../tables/records.js';
import { firewallObject, interfaceObject } from '../testing/objects.js';
import {
  destinationsOf,
  firewallAcl,
  type FirewallObject,
  Firewalls,
  groupsNamed,
  ruleCount,
  type Side,
} from './firewall.js';
import type { InterfaceObject } from './plan.js';

const SCOPE = 'default-domain:default-project';
const NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1 };
/** Destinations by name: their index, and what they want of an interface's packets. */
const DESTINATIONS: Readonly<Record<string, { readonly mirror: number; readonly direction: string }>> = {
  both: { mirror: 0, direction: 'both' },
  sent: { mirror: 1, direction: 'ingress' },
  received: { mirror: 2, direction: 'egress' },
};

const guest = (number: number, labels: object): InterfaceObject =>
  interfaceObject(`g${number}`, number, `10.0.0.${number}`, { virtualNetwork: 'blue' }, labels);
const GUESTS = [
  guest(1, { app: 'web' }),
  guest(2, { app: 'web', tier: 'test' }),
  guest(3, { app: 'db', tier: 'live' }),
  guest(4, {}),
];

/** What YAML says of labels. */
interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: string[];
  }[];
}
interface Endpoint {
  readonly selector?: Selector;
  readonly projects?: 'all' | readonly string[];
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}
interface Port {
  readonly protocol?: string;
  readonly port?: number;
  readonly endPort?: number;
}
interface Actions {
  readonly mirrorTo: string | readonly string[];
}
interface Policy {
  readonly selectors?: readonly Selector[];
  readonly action: 'pass' | 'deny';
  readonly rules: readonly {
    readonly source: readonly Endpoint[];
    readonly destination: readonly Endpoint[];
    readonly ports: readonly Port[];
    readonly secondaryActions?: Actions;
  }[];
  readonly secondaryActions?: Actions;
}

const selector: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: fc.constantFrom({ app: 'web' }, { app: 'db' }, { app: 'web', tier: 'test' }) }),
  fc.record({
    matchExpressions: fc.subarray(
      [
        { key: 'app', operator: 'In', values: ['web', 'ids'] },
        { key: 'tier', operator: 'NotIn', values: ['test'] },
        { key: 'tier', operator: 'Exists' },
        { key: 'app', operator: 'DoesNotExist' },
      ],
      { minLength: 1, maxLength: 2 },
    ),
  }),
);
const endpoint: fc.Arbitrary<Endpoint> = fc.oneof(
  fc.record({ selector }),
  fc.record({ projects: fc.constantFrom<NonNullable<Endpoint['projects']>>('all', ['default-project'], ['other']) }),
  fc.record({
    selector,
    projects: fc.constantFrom<NonNullable<Endpoint['projects']>>('all', ['other', 'default-project']),
  }),
  fc.constantFrom<Endpoint>(
    { ipBlock: { cidr: '10.0.0.0/29', except: ['10.0.0.2/31'] } },
    { ipBlock: { cidr: '198.51.100.0/24', except: ['198.51.100.128/25', '198.51.100.7/32'] } },
    { ipBlock: { cidr: '0.0.0.0/0' } },
    { ipBlock: { cidr: '::/0' } },
  ),
);
const actions: fc.Arbitrary<Actions> = fc.record({
  mirrorTo: fc.oneof(
    fc.constantFrom(...Object.keys(DESTINATIONS), 'nobody'),
    fc.shuffledSubarray([...Object.keys(DESTINATIONS), 'nobody'], { minLength: 1 }),
  ),
});
const ports: fc.Arbitrary<readonly Port[]> = fc.oneof(
  fc.constant([]),
  fc.array(
    fc.constantFrom<Port>(
      { port: 80 },
      { protocol: 'TCP', port: 8000, endPort: 8080 },
      { protocol: 'UDP', port: 53 },
      { protocol: 'UDP' },
      { protocol: 'icmp' },
    ),
    { minLength: 1, maxLength: 3 },
  ),
);
const maybe = <T>(of: fc.Arbitrary<T>, key: string): fc.Arbitrary<object> =>
  fc.oneof(
    fc.constant({}),
    of.map((value) => ({ [key]: value })),
  );
const ends = fc.array(endpoint, { maxLength: 2 });
const rule = fc
  .tuple(fc.record({ source: ends, destination: ends, ports }), maybe(actions, 'secondaryActions'))
  .map(([fields, extra]) => ({ ...fields, ...extra }));
const policy = fc
  .tuple(
    fc.record({ action: fc.constantFrom('pass', 'deny'), rules: fc.array(rule, { maxLength: 4 }) }),
    maybe(actions, 'secondaryActions'),
    maybe(fc.array(selector, { minLength: 1, maxLength: 2 }), 'selectors'),
  )
  .map((parts): Policy => Object.assign({}, ...parts) as Policy);

/** One end of a session: a guest, or nobody's address. */
interface End {
  readonly guest?: InterfaceObject;
  readonly address: string;
}
const end: fc.Arbitrary<End> = fc.oneof(
  fc.constantFrom(...GUESTS).map((one) => ({ guest: one, address: one.status.addresses[0] })),
  fc.constantFrom('10.0.0.5', '198.51.100.1', '198.51.100.7', '198.51.100.200').map((address) => ({ address })),
);
const session = fc.record({
  source: end,
  destination: end,
  protocol: fc.constantFrom('tcp', 'udp', 'sctp', 'icmp'),
  port: fc.constantFrom(0, 53, 80, 8000, 8040, 8081),
});
type Session = typeof session extends fc.Arbitrary<infer S> ? S : never;

function hasLabels(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Record<string, string | undefined>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      return (value !== undefined && values.includes(value)) === (operator === 'In');
    })
  );
}

/** The obvious reading of an endpoint. */
function isMeant(
  { selector: labels, projects = ['default-project'], ipBlock }: Endpoint,
  { guest: vmi, address }: End,
) {
  if (ipBlock !== undefined) {
    const parsed = parseAddress(address);
    const isIn = (text: string): boolean => contains(parsePrefix(text), parsed);
    return isIn(ipBlock.cidr) && !(ipBlock.except ?? []).some(isIn);
  }
  if (vmi === undefined) return false;
  return (projects === 'all' || projects.includes('default-project')) && hasLabels(labels ?? {}, vmi.metadata.labels);
}

/** What happens to a session at an interface: whether it passes, and whom its packets are copied to in each direction. */
function outcome(policies: readonly Policy[], vmi: InterfaceObject, side: Side, asked: Session): unknown {
  const isAbout = (given: readonly Endpoint[], one: End): boolean =>
    given.length === 0 || given.some((endpoints) => isMeant(endpoints, one));
  const isPort = ({ protocol = 'tcp', port, endPort }: Port): boolean =>
    protocol.toLowerCase() === asked.protocol &&
    (port === undefined || (port <= asked.port && asked.port <= (endPort ?? port)));
  for (const { selectors, rules, action, secondaryActions } of policies) {
    if (selectors !== undefined && !selectors.some((one) => hasLabels(one, vmi.metadata.labels))) continue;
    for (const one of rules) {
      if (!isAbout(one.source, asked.source) || !isAbout(one.destination, asked.destination)) continue;
      if (one.ports.length > 0 && !one.ports.some(isPort)) continue;
      const byRule = rules.some((any) => any.secondaryActions !== undefined);
      const names = [(byRule ? one.secondaryActions : secondaryActions)?.mirrorTo ?? []].flat().slice(0, 2);
      const known = names.flatMap((name) => DESTINATIONS[name] ?? []);
      const copies = (kind: string): number[] =>
        known.filter(({ direction }) => direction === 'both' || direction === kind).map(({ mirror }) => mirror);
      const [sent, received] = [copies('ingress'), copies('egress')];
      return side === 'egress' ? [action, sent, received] : [action, received, sent];
    }
  }
  return ['deny', [], []];
}

/** The same of the compiled list. */
function decided(
  record: AclRecord,
  groupsOf: (one: End) => number[],
  { source, destination, ...asked }: Session,
): unknown {
  const query = new AclQuery();
  query.protocol = NUMBERS[asked.protocol];
  if (asked.protocol !== 'icmp') query.destinationPort = asked.port;
  query.source.set(addressWords(source.address));
  query.destination.set(addressWords(destination.address));
  query.sourceGroups = groupsOf(source);
  query.destinationGroups = groupsOf(destination);
  const { action, mirrors } = record.rules[new Acl(record).match(query)];
  const of = (direction: 'forward' | 'reverse'): number[] =>
    mirrors.filter((one) => one[direction]).map(({ mirror }) => mirror);
  return [action, of('forward'), of('reverse')];
}

test('compiled firewall policies decide and mirror as reading the documents rule by rule does', (t) => {
  const property = fc.property(
    fc.array(policy, { minLength: 1, maxLength: 3 }),
    fc.constantFrom(...GUESTS),
    fc.constantFrom<Side>('egress', 'ingress'),
    fc.array(session, { minLength: 20, maxLength: 20 }),
    (documents, vmi, side, sessions) => {
      const firewalls = new Firewalls(documents.map((one, i) => firewallObject(`p${i}`, one)).reverse());
      const applied = firewalls.of(vmi);
      const names: string[] = [];
      const groupOf = (name: string): number => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1) + 1;
      const record = firewallAcl(1, side, applied, { groupOf, mirrorOf });
      const groupsOf = ({ guest: one }: End): number[] =>
        one === undefined ? [] : firewalls.groupsOf(one).map(groupOf);
      const counts = firewalls.of(vmi).map(({ spec }) => ruleCount(spec, 1_000));
      const expected = record.rules.length - 1;
      t.is(
        counts.reduce((sum, count) => sum + count, 0),
        expected,
        'rules are counted as they are made',
      );
      for (const one of sessions) t.deepEqual(decided(record, groupsOf, one), outcome(documents, vmi, side, one));
    },
  );
  t.notThrows(() => {
    fc.assert(property, { numRuns: 200 });
  });
});

function mirrorOf(name: string, side: Side): { mirror: number; forward: boolean; reverse: boolean } | null {
  const found = Object.entries(DESTINATIONS).find(([short]) => name === `${SCOPE}:${short}`)?.[1];
  if (found === undefined) return null;
  const [sent, received] = [found.direction !== 'egress', found.direction !== 'ingress'];
  const [forward, reverse] = side === 'egress' ? [sent, received] : [received, sent];
  return { mirror: found.mirror, forward, reverse };
}

test('interfaces of other projects have other policies, and groups of endpoints are told apart by project', (t) => {
  const all: FirewallObject = firewallObject('a', { rules: [{ source: [{ selector: {} }] }] });
  const elsewhere = { ...GUESTS[0], metadata: { ...GUESTS[0].metadata, project: 'other' } };
  const firewalls = new Firewalls([all]);
  t.deepEqual([firewalls.of(GUESTS[0]), firewalls.of(elsewhere)], [[all], []]);
  t.is(firewalls.groupsOf(GUESTS[0]).length, 1);
  t.deepEqual(firewalls.groupsOf(elsewhere), []);
});

test('what no rule matches is denied by a rule that says so', (t) => {
  const one = firewallObject('web', { rules: [] });
  const { rules } = firewallAcl(3, 'ingress', [one], { groupOf: () => 1, mirrorOf: () => null });
  t.like(rules.at(-1), { name: 'FirewallPolicy/web: no rule matches', action: 'deny' });
});

test('the rules of a policy are gone through once, however many interfaces it is asked for', (t) => {
  const policy = firewallObject('p', { rules: [{ source: [{ selector: { matchLabels: { app: 'web' } } }] }] });
  let reads = 0;
  const counted: FirewallObject = {
    ...policy,
    get spec() {
      reads++;
      return policy.spec;
    },
  };
  const ask = (): void => {
    t.is(groupsNamed([counted]).length, 1);
    t.is(destinationsOf(counted).length, 0);
    t.is(new Firewalls([counted]).groupsOf(GUESTS[0]).length, 1);
  };
  ask();
  const before = reads;
  for (let i = 0; i < 10; i++) ask();
  t.is(reads, before);
});
