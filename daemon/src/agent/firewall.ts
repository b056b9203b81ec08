import { createHash } from 'node:crypto';
import type { FirewallEndpoint, FirewallRule } from '../control/firewall-policy.js';
import { selects } from '../control/label-selector.js';
import { formatPrefix, parsePrefix, withoutPrefixes } from '../control/prefix.js';
import { subject } from '../control/schema.js';
import type { StoredObject } from '../control/store.js';
import type { AclPeer, AclRecord, AclRuleRecord, PortRange, RuleMirrorRecord } from '../tables/records.js';
import { RULE_MIRRORS_MAX } from './analyzer-status.js';
import { ANY_PROTOCOL, ANYBODY, protocolNumber, ruleOf } from './policy.js';
import { isIpv6 } from '../wire/addr.js';

/** A policy, stored or about to be. */
export type FirewallObject = Pick<StoredObject<'FirewallPolicy'>, 'kind' | 'name' | 'metadata' | 'spec'>;
type Labelled = Pick<StoredObject<'VirtualMachineInterface'>, 'metadata'>;

/** Which direction of a session an interface sees first: what it sends, or what it is sent. */
export type Side = 'egress' | 'ingress';

/** Interfaces an endpoint means. */
interface Members {
  readonly domain: string;
  /** null: all. */
  readonly projects: readonly string[] | null;
  readonly selector: NonNullable<FirewallEndpoint['selector']>;
}

/** What is worked out of a policy once, as the same object comes with every run. */
interface Digest {
  /** Names of the groups of endpoints. */
  readonly names: ReadonlyMap<FirewallEndpoint, string>;
  readonly members: ReadonlyMap<string, Members>;
  /** Full names of mirror destinations, by rule, and of all rules. */
  readonly destinations: readonly (readonly string[])[];
  readonly allDestinations: readonly string[];
}

const DIGESTS = new WeakMap<FirewallObject, Digest>();

function digestOf(policy: FirewallObject): Digest {
  const known = DIGESTS.get(policy);
  if (known) return known;
  const names = new Map<FirewallEndpoint, string>();
  const members = new Map<string, Members>();
  for (const { source, destination } of policy.spec.rules)
    for (const endpoint of [...source, ...destination]) {
      if (endpoint.ipBlock !== undefined) continue;
      const own = membersOf(endpoint, policy);
      const name = groupName(own);
      names.set(endpoint, name);
      members.set(name, own);
    }
  const destinations = destinationsByRule(policy);
  const digest = { names, members, destinations, allDestinations: [...new Set(destinations.flat())] };
  DIGESTS.set(policy, digest);
  return digest;
}

/** Groups by a label their interfaces need to have; those that need none are under null. */
type GroupIndex = ReadonlyMap<string | null, readonly (readonly [string, Members])[]>;

/**
 * The firewall policies there are. Interfaces that an endpoint of a rule means are a group: its name is the same on every host, and goes with
 * their addresses. What is asked about an interface is worked out once.
 */
export class Firewalls {
  /** By project, in the order of their names. */
  readonly #byProject = new Map<string, FirewallObject[]>();
  readonly #policiesOf = new WeakMap<Labelled, readonly FirewallObject[]>();
  readonly #groupsOf = new WeakMap<Labelled, readonly string[]>();
  #index: GroupIndex | null = null;

  constructor(policies: Iterable<FirewallObject>) {
    for (const policy of [...policies].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const project = projectOf(policy);
      const known = this.#byProject.get(project);
      if (known) known.push(policy);
      else this.#byProject.set(project, [policy]);
    }
  }

  /** The policies that apply to an interface, in the order in which they are asked. */
  of(vmi: Labelled): readonly FirewallObject[] {
    return once(this.#policiesOf, vmi, () => {
      const policies = this.#byProject.get(projectOf(vmi)) ?? [];
      return policies.filter(
        ({ spec }) => spec.selectors.length === 0 || spec.selectors.some((one) => selects(one, vmi.metadata.labels)),
      );
    });
  }

  /** The groups an interface is in. */
  groupsOf(vmi: Labelled): readonly string[] {
    return once(this.#groupsOf, vmi, () => {
      const index = (this.#index ??= indexOf([...this.#byProject.values()].flat()));
      const { domain, project, labels } = vmi.metadata;
      return [null, ...Object.entries(labels).map(([key, value]) => labelText(key, value))]
        .flatMap((label) => index.get(label) ?? [])
        .filter(([, one]) => one.domain === domain && (one.projects === null || one.projects.includes(project)))
        .flatMap(([name, { selector }]) => (selects(selector, labels) ? [name] : []))
        .sort();
    });
  }
}

/** What `make` says of an object, the same as last time. */
function once<T>(known: WeakMap<Labelled, T>, object: Labelled, make: () => T): T {
  const value = known.get(object) ?? make();
  known.set(object, value);
  return value;
}

const labelText = (key: string, value: string): string => `${key}=${value}`;

function indexOf(policies: readonly FirewallObject[]): GroupIndex {
  const groups = new Map(policies.flatMap((policy) => [...digestOf(policy).members]));
  const index = new Map<string | null, [string, Members][]>();
  for (const group of groups) {
    const label = Object.entries(group[1].selector.matchLabels).at(0);
    const key = label === undefined ? null : labelText(...label);
    const known = index.get(key);
    if (known) known.push(group);
    else index.set(key, [group]);
  }
  return index;
}

const projectOf = ({ metadata }: Labelled): string => `${metadata.domain}:${metadata.project}`;

function membersOf({ selector, projects }: FirewallEndpoint, { metadata }: Labelled): Members {
  const { domain, project } = metadata;
  const names = projects === 'all' ? null : [...new Set(projects ?? [project])].sort();
  return { domain, projects: names, selector: selector ?? { matchLabels: {}, matchExpressions: [] } };
}

/** Digits of a group's name: enough that no two are the same. */
const DIGITS = 32;

/** Name of a group; no security group can have such a one. */
function groupName({ domain, projects, selector }: Members): string {
  const { matchLabels, matchExpressions } = selector;
  const labels = Object.entries(matchLabels).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = matchExpressions.map(({ key, operator, values }) => [key, operator, [...values].sort()]);
  const text = JSON.stringify([domain, projects, labels, expressions]);
  return `labels/${createHash('sha256').update(text).digest('hex').slice(0, DIGITS)}`;
}

/** Names of the groups the rules of policies are about. */
export function groupsNamed(policies: readonly FirewallObject[]): string[] {
  return [...new Set(policies.flatMap((policy) => [...digestOf(policy).members.keys()]))];
}

/** Full names of the mirror destinations of a policy's rules, each once. */
export function destinationsOf(policy: FirewallObject): readonly string[] {
  return digestOf(policy).allDestinations;
}

/** Those of each rule: its own; where no rule of the policy has any, those of the policy. */
function destinationsByRule({ spec }: FirewallObject): readonly (readonly string[])[] {
  const isByRule = spec.rules.some(({ secondaryActions }) => secondaryActions !== undefined);
  return spec.rules.map((rule) => {
    const actions = isByRule ? rule.secondaryActions : spec.secondaryActions;
    return actions?.mirrorTo.slice(0, RULE_MIRRORS_MAX) ?? [];
  });
}

/** What rules become numbers by. */
export interface FirewallNumbers {
  readonly groupOf: (name: string) => number;
  /** Copies for a mirror destination, of sessions seen from this side; null: nobody is it. */
  readonly mirrorOf: (destination: string, side: Side) => RuleMirrorRecord | null;
}

/**
 * The access list of an interface that these policies apply to: their rules one after the other; what none matches is denied by the last, so
 * that it says why.
 */
export function firewallAcl(
  id: number,
  side: Side,
  policies: readonly FirewallObject[],
  numbers: FirewallNumbers,
): AclRecord {
  const names = policies.map((policy) => subject(policy));
  const rules = policies.flatMap((policy) => policyRules(policy, side, numbers));
  const rest = { ...anything(`${names.join(', ')}: no rule matches`), action: 'deny' } as const;
  return { id, name: `${names.join(', ')} ${side}`, rules: [...rules, rest], otherwise: 'deny' };
}

const anything = (name: string): AclRuleRecord => ruleOf(name, ANY_PROTOCOL, { source: ANYBODY, destination: ANYBODY });

function policyRules(policy: FirewallObject, side: Side, numbers: FirewallNumbers): AclRuleRecord[] {
  const { destinations: mirrorNames } = digestOf(policy);
  return policy.spec.rules.flatMap((rule, i) => {
    const mirrors = mirrorNames[i].flatMap((name) => numbers.mirrorOf(name, side) ?? []);
    const common = { ...anything(`${subject(policy)} rules[${i}]`), action: policy.spec.action, mirrors };
    const [sources, destinations] = [rule.source, rule.destination].map((ends) => peersOf(ends, policy, numbers));
    return sources.flatMap((source) =>
      destinations
        .filter((destination) => isOneFamily(source, destination))
        .flatMap((destination) => services(rule).map((service) => ({ ...common, ...service, source, destination }))),
    );
  });
}

const isOneFamily = ({ prefix: a }: AclPeer, { prefix: b }: AclPeer): boolean =>
  a === null || b === null || isIpv6(a) === isIpv6(b);

function peersOf(ends: readonly FirewallEndpoint[], policy: FirewallObject, { groupOf }: FirewallNumbers): AclPeer[] {
  if (ends.length === 0) return [ANYBODY];
  const { names } = digestOf(policy);
  return ends.flatMap((end): AclPeer[] => {
    if (end.ipBlock === undefined) return [{ ...ANYBODY, group: groupOf(names.get(end) ?? '') }];
    const { cidr, except } = end.ipBlock;
    const left = withoutPrefixes(parsePrefix(cidr), except.map(parsePrefix));
    return [...left].map((prefix): AclPeer => ({ ...ANYBODY, prefix: formatPrefix(prefix) }));
  });
}

/**
 * How many rules of an access list a policy becomes. Of each endpoint no more prefixes are counted than one beyond `most`: the sum says
 * whether there are more, and at least how many.
 */
export function ruleCount({ rules }: FirewallObject['spec'], most: number): number {
  return rules.reduce((sum, rule) => {
    const [from, to] = [rule.source, rule.destination].map((ends) => peerCount(ends, most));
    const pairs = from.any * to.all + from.inet * (to.any + to.inet) + from.inet6 * (to.any + to.inet6);
    return sum + pairs * services(rule).length;
  }, 0);
}

/** Peers of one end of a rule: of whatever family, of each, and all. */
type PeerCount = Record<'any' | 'inet' | 'inet6' | 'all', number>;

function peerCount(ends: readonly FirewallEndpoint[], most: number): PeerCount {
  if (ends.length === 0) return { any: 1, inet: 0, inet6: 0, all: 1 };
  const count = { any: 0, inet: 0, inet6: 0, all: 0 };
  for (const { ipBlock } of ends) {
    const cidr = ipBlock && parsePrefix(ipBlock.cidr);
    const family = cidr === undefined ? 'any' : cidr.family === 4 ? 'inet' : 'inet6';
    const left = cidr === undefined ? [cidr] : withoutPrefixes(cidr, ipBlock?.except.map(parsePrefix) ?? []);
    const peers = lengthOf(left, most);
    count[family] += peers;
    count.all += peers;
  }
  return count;
}

/** How many there are, or one more than `most`. */
function lengthOf(some: Iterable<unknown>, most: number): number {
  const iterator = some[Symbol.iterator]();
  let count = 0;
  while (count <= most && iterator.next().done !== true) count++;
  return count;
}

/** Protocols of a rule, each with its ports. */
function services({ ports }: FirewallRule): Pick<AclRuleRecord, 'protocol' | 'destinationPorts'>[] {
  if (ports.length === 0) return [{ protocol: ANY_PROTOCOL, destinationPorts: [] }];
  return [...new Set(ports.map(({ protocol }) => protocol))].map((protocol) => {
    const own = ports.filter((one) => one.protocol === protocol);
    const ranges = own.flatMap(({ port, endPort }): PortRange[] => {
      return port === undefined ? [] : [[port, endPort ?? port]];
    });
    const isAny = own.some(({ port }) => port === undefined);
    return { protocol: protocolNumber(protocol), destinationPorts: isAny ? [] : ranges };
  });
}
