import { type FirewallObject, groupsNamed, type Side } from './firewall.js';
import type { Ids } from './ids.js';

/** What sessions of an interface are filtered by. */
export interface Filters {
  /** Full names of its security groups; interfaces with the same ones share access lists. */
  readonly groups: readonly string[];
  readonly policies: readonly FirewallObject[];
}

/**
 * Keys the access lists of one side have their numbers under: the list that is asked first, null: none; and the one of firewall policies, which
 * is the first itself where there are no groups.
 */
export function listKeys(side: Side, { groups, policies }: Filters): { first: string | null; firewall: string | null } {
  const names = policies.map(({ name }) => name).join(' ');
  const firewall = policies.length > 0 ? `firewall ${side} ${names}` : null;
  if (groups.length === 0) return { first: firewall, firewall };
  return { first: `${side} ${groups.join(' ')}${firewall === null ? '' : ` | ${names}`}`, firewall };
}

/**
 * Gives the filters of an interface the numbers they need. Throws when none is left. `reserved`: filters that have them, for many interfaces
 * with the same ones.
 */
export function reserveFilters(filters: Filters, ids: Ids, reserved: Set<string>): void {
  const keys = (['egress', 'ingress'] as const).flatMap((side) => Object.values(listKeys(side, filters)));
  const all = keys.join('\n');
  if (reserved.has(all)) return;
  for (const key of keys) if (key !== null) ids.get('acl', key);
  for (const name of groupsNamed(filters.policies)) ids.get('group', name);
  reserved.add(all);
}
