import type { AclPeer, AclRecord, AclRuleRecord } from '../tables/records.js';

/** Either end of a session, whoever it is. */
export const ANYBODY: AclPeer = { network: null, prefix: null, group: null };

/** A rule that lets everything pass, but for these changes. */
export const aclRule = (changes: Partial<AclRuleRecord>): AclRuleRecord => ({
  name: 'rule',
  action: 'pass',
  protocol: -1,
  source: ANYBODY,
  destination: ANYBODY,
  sourcePorts: [],
  destinationPorts: [],
  log: false,
  mirrors: [],
  ...changes,
});

/** A list that denies what no rule matches. */
export const aclOf = (id: number, ...rules: readonly AclRuleRecord[]): AclRecord => ({
  id,
  name: 'acl',
  rules,
  otherwise: 'deny',
});
