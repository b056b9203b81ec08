import { subject } from '../control/schema.js';
import type { FirewallObject } from './firewall.js';
import { type InterfaceObject, hasPortSecurity, type NetworkObject } from './plan.js';
import type { PolicyObject } from './policy.js';

/**
 * What is configured for an interface and does nothing, as one line for the operator; undefined: everything does something.
 * Without flows (in packet mode, or in a network of layer 2) nothing is filtered, counted or checked by session; without port
 * security there are no security groups. `firewalls`: the firewall policies that select it.
 */
export function ineffective(
  vmi: InterfaceObject,
  network: NetworkObject,
  policies: { get(name: string): PolicyObject | undefined },
  firewalls: readonly FirewallObject[],
): string | undefined {
  const { packetMode, securityGroups, fatFlows, maxFlows = 0 } = vmi.spec;
  const groups = securityGroups.map((name) => subject({ kind: 'SecurityGroup', name }));
  const isProtected = hasPortSecurity(network, vmi);
  const isLayer2 = network.spec.forwardingMode === 'l2';
  if (!packetMode && !isLayer2) {
    if (isProtected || groups.length === 0) return undefined;
    return lineOf(vmi, 'without portSecurity', groups, 'set portSecurity: true');
  }

  const filters = network.spec.policies.flatMap((name) => {
    const policy = policies.get(name);
    return policy !== undefined && isFilter(policy) ? [`the filters of ${subject(policy)}`] : [];
  });
  const mirrors = network.spec.policies.flatMap((name) => {
    const isMirror = policies.get(name)?.spec.rules.some(({ mirror }) => mirror !== undefined) ?? false;
    return isMirror ? [`mirroring by ${subject({ kind: 'NetworkPolicy', name })}`] : [];
  });
  const rest = {
    fatFlows: fatFlows.length + network.spec.fatFlows.length > 0,
    maxFlows: maxFlows > 0,
    // A network of layer 2 never looks at addresses, and nobody expects it to.
    portSecurity: !isLayer2 && isProtected,
    rpf: !isLayer2 && isProtected && network.spec.rpf === 'enable',
  };
  const items = [
    ...groups,
    ...filters,
    ...firewalls.map((one) => subject(one)),
    ...mirrors,
    ...Object.entries(rest).flatMap(([field, is]) => (is ? [field] : [])),
  ];
  if (items.length === 0) return undefined;
  return isLayer2
    ? lineOf(vmi, `in ${subject(network)}, which is of layer 2,`, items, 'use forwardingMode l2_l3')
    : lineOf(vmi, 'in packet mode', items, 'set packetMode: false', rest.portSecurity ? ' (portSecurity: false)' : '');
}

function lineOf(vmi: InterfaceObject, where: string, items: readonly string[], remedy: string, how = ''): string {
  const [last, ...before] = [...items].reverse();
  const listed = before.length === 0 ? last : `${before.reverse().join(', ')} and ${last}`;
  const rest = items.length === 1 ? 'it' : 'them';
  return `${subject(vmi)}: ${where} ${listed} ${items.length === 1 ? 'does' : 'do'} nothing; ${remedy}, or remove ${rest}${how}`;
}

/** Whether a policy does more than make networks known to each other. */
function isFilter({ spec }: PolicyObject): boolean {
  return spec.rules.some(
    ({ action, protocol, direction, source, destination }) =>
      action === 'deny' ||
      protocol !== 'any' ||
      direction === '>' ||
      [source, destination].some(({ subnet, ports }) => subnet !== undefined || ports !== 'any'),
  );
}
