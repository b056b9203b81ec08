import type { FirewallPolicySpec } from '../control/firewall-policy.js';
import { RefusedError } from '../control/refused.js';
import { subject } from '../control/schema.js';
import type { Draft } from './draft.js';
import { Firewalls, ruleCount } from './firewall.js';

/** Rules of one access list: a flow entry keeps the number of the one that decided in 16 bits. One is for what stays inside. */
const MOST_RULES = 65_535;

/** Refuses networks and interfaces whose policies or security groups have more rules than an access list can. */
export function checkRuleCounts(draft: Draft): void {
  const { networks, interfaces, policies, groups } = draft;
  const policyRules = countOf((name) => {
    const rules = policies.get(name)?.spec.rules ?? [];
    return rules.length + rules.filter(({ direction }) => direction === '<>').length;
  });
  for (const network of networks.values()) refuseMany(network, 'spec.policies', policyRules(network.spec.policies));
  for (const side of ['ingress', 'egress'] as const) {
    const groupRules = countOf((name) => groups.get(name)?.spec[side].length ?? 0);
    for (const port of interfaces.values())
      refuseMany(port, 'spec.securityGroups', groupRules(port.spec.securityGroups));
  }
  checkFirewalls(draft);
}

/** Of firewall policies, what their rules become: one for each source, destination and protocol. */
const FIREWALL_COUNTS = new WeakMap<FirewallPolicySpec, number>();

function checkFirewalls({ interfaces, firewalls }: Draft): void {
  const countOfOne = ({ spec }: { readonly spec: FirewallPolicySpec }): number => {
    const count = FIREWALL_COUNTS.get(spec) ?? ruleCount(spec, MOST_RULES);
    FIREWALL_COUNTS.set(spec, count);
    return count;
  };
  const sumOf = (some: Iterable<{ readonly spec: FirewallPolicySpec }>): number =>
    [...some].reduce((sum, one) => sum + countOfOne(one), 0);
  const meaning = 'one for each source, destination and protocol';
  for (const one of firewalls.values()) {
    const count = countOfOne(one);
    if (count <= MOST_RULES) continue;
    const problem = `are at least ${count} rules, ${meaning}; ${MOST_RULES} are possible, name fewer prefixes`;
    throw RefusedError.field('exhausted', subject(one), 'spec.rules', problem);
  }
  if (sumOf(firewalls.values()) <= MOST_RULES) return;
  const rules = new Firewalls(firewalls.values());
  for (const port of interfaces.values()) {
    const own = port.spec.packetMode ? [] : rules.of(port);
    const count = sumOf(own);
    if (count <= MOST_RULES) continue;
    const blamed = own.find(({ name }) => firewalls.get(name)?.isWanted);
    const who = own.map((one) => subject(one)).join(', ');
    const problem = `${who} select ${subject(port)} and are ${count} rules together, ${meaning}; ${MOST_RULES} are possible`;
    throw RefusedError.field('exhausted', subject(blamed ?? port), blamed ? 'spec.rules' : 'metadata.labels', problem);
  }
}

/** Sums up what `rulesOf` says of several names. */
const countOf =
  (rulesOf: (name: string) => number) =>
  (names: readonly string[]): number =>
    names.reduce((sum, name) => sum + rulesOf(name), 0);

function refuseMany(object: Parameters<typeof subject>[0], path: string, count: number): void {
  if (count <= MOST_RULES) return;
  const problem = `have ${count} rules together, a rule for both directions counting twice; ${MOST_RULES} are possible`;
  throw RefusedError.field('exhausted', subject(object), path, `${problem}, join some`);
}
