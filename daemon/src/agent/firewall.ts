import { createHash } from 'node:crypto';
import type { FirewallEndpoint, FirewallRule } from '../control/firewall-policy.js';
import { selects } from '../control/label-selector.js';
import { formatPrefix, parsePrefix, withoutPrefixes } from '../control/prefix.js';
import { subject } from '../control/schema.js';
import type { StoredObject } from '../control/store.js';
import type { AclPeer, AclRecord, AclRuleRecord, PortRange, RuleMirrorRecord } from '../tables/records.js';
import { RULE_MIRRORS_MAX } from './analyzer-status.js';
import { ANY_PROTOCOL, ANYBODY, protocolNumber } from './policy.js';
import { isIpv6 } from '../wire/addr.js';

export type FirewallObject = StoredObject<'FirewallPolicy'>;
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

/**
 * The firewall policies there are. Interfaces that an endpoint of a rule means are a group: its name is the same on every host, and goes with
 * their addresses.
 */
export class Firewalls {
  /** By project, in the order of their names. */
  readonly #byProject = new Map<string, FirewallObject[]>();
  readonly #groups = new Map<string, Members>();

  constructor(policies: Iterable<FirewallObject>) {
    for (const policy of [...policies].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const project = projectOf(policy);
      const known = this.#byProject.get(project);
      if (known) known.push(policy);
      else this.#byProject.set(project, [policy]);
      for (const { source, destination } of policy.spec.rules)
        for (const endpoint of [...source, ...destination])
          if (endpoint.ipBlock === undefined)
            this.#groups.set(groupName(endpoint, policy), membersOf(endpoint, policy));
    }
  }

  /** The policies that apply to an interface, in the order in which they are asked. */
  of(vmi: Labelled): readonly FirewallObject[] {
    const policies = this.#byProject.get(projectOf(vmi)) ?? [];
    return policies.filter(
      ({ spec }) => spec.selectors.length === 0 || spec.selectors.some((one) => selects(one, vmi.metadata.labels)),
    );
  }

  /** The groups an interface is in. */
  groupsOf({ metadata }: Labelled): string[] {
    return [...this.#groups].flatMap(([name, { domain, projects, selector }]) => {
      const isThere = domain === metadata.domain && (projects === null || projects.includes(metadata.project));
      return isThere && selects(selector, metadata.labels) ? [name] : [];
    });
  }
}

const projectOf = ({ metadata }: Labelled): string => `${metadata.domain}:${metadata.project}`;

function membersOf({ selector, projects }: FirewallEndpoint, { metadata }: Labelled): Members {
  const { domain, project } = metadata;
  const names = projects === 'all' ? null : [...new Set(projects ?? [project])].sort();
  return { domain, projects: names, selector: selector ?? { matchLabels: {}, matchExpressions: [] } };
}

/** Digits of a group's name: enough that no two are the same. */
const DIGITS = 32;

/** Name of the group of an endpoint; no security group can have such a one. */
function groupName(endpoint: FirewallEndpoint, policy: Labelled): string {
  const { domain, projects, selector } = membersOf(endpoint, policy);
  const { matchLabels, matchExpressions } = selector;
  const labels = Object.entries(matchLabels).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = matchExpressions.map(({ key, operator, values }) => [key, operator, [...values].sort()]);
  const text = JSON.stringify([domain, projects, labels, expressions]);
  return `labels/${createHash('sha256').update(text).digest('hex').slice(0, DIGITS)}`;
}

/** Names of the groups the rules of policies are about. */
export function groupsNamed(policies: readonly FirewallObject[]): string[] {
  const endpoints = policies.flatMap((policy) =>
    policy.spec.rules.flatMap(({ source, destination }) =>
      [...source, ...destination].flatMap((one) => (one.ipBlock === undefined ? [groupName(one, policy)] : [])),
    ),
  );
  return [...new Set(endpoints)];
}

/** Full names of the mirror destinations of a rule: its own; where no rule of the policy has any, those of the policy. */
export function destinationsOf({ spec }: Pick<FirewallObject, 'spec'>, rule: FirewallRule): readonly string[] {
  const isByRule = spec.rules.some(({ secondaryActions }) => secondaryActions !== undefined);
  const actions = isByRule ? rule.secondaryActions : spec.secondaryActions;
  return actions?.mirrorTo.slice(0, RULE_MIRRORS_MAX) ?? [];
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
  const rest = { ...NOTHING, name: `${names.join(', ')}: no rule matches`, action: 'deny' } as const;
  return { id, name: `${names.join(', ')} ${side}`, rules: [...rules, rest], otherwise: 'deny' };
}

const NOTHING: Omit<AclRuleRecord, 'name' | 'action'> = {
  protocol: ANY_PROTOCOL,
  source: ANYBODY,
  destination: ANYBODY,
  sourcePorts: [],
  destinationPorts: [],
  log: false,
  mirrors: [],
};

function policyRules(policy: FirewallObject, side: Side, numbers: FirewallNumbers): AclRuleRecord[] {
  return policy.spec.rules.flatMap((rule, i) => {
    const mirrors = destinationsOf(policy, rule).flatMap((name) => numbers.mirrorOf(name, side) ?? []);
    const common = { ...NOTHING, name: `${subject(policy)} rules[${i}]`, action: policy.spec.action, mirrors };
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
  return ends.flatMap((end): AclPeer[] => {
    if (end.ipBlock === undefined) return [{ ...ANYBODY, group: groupOf(groupName(end, policy)) }];
    const { cidr, except } = end.ipBlock;
    const left = withoutPrefixes(parsePrefix(cidr), except.map(parsePrefix));
    return left.map((prefix): AclPeer => ({ ...ANYBODY, prefix: formatPrefix(prefix) }));
  });
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
