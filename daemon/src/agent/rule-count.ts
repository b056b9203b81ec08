import { RefusedError } from '../control/refused.js';
import { subject } from '../control/schema.js';
import type { Draft } from './draft.js';

/** Rules of one access list: a flow entry keeps the number of the one that decided in 16 bits. One is for what stays inside. */
const MOST_RULES = 65_535;

/** Refuses networks and interfaces whose policies or security groups have more rules than an access list can. */
export function checkRuleCounts({ networks, interfaces, policies, groups }: Draft): void {
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
