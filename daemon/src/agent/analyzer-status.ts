import type { FirewallPolicyStatus } from '../control/firewall-policy.js';
import {
  ANALYZER_LABEL,
  INTERFACE_LABEL,
  isInternal,
  type MirrorDestinationStatus,
  SELECTOR_LABEL,
} from '../control/mirror-destination.js';
import { subject } from '../control/schema.js';
import type { DraftObject } from './draft.js';
import { isIpv6 } from '../wire/addr.js';

/** Most analyzers the packets of one rule are copied to: a flow entry has room for no more. */
export const RULE_MIRRORS_MAX = 2;

type Destination = Pick<DraftObject<'MirrorDestination'>, 'metadata' | 'spec' | 'before'>;
type Interface = Pick<DraftObject<'VirtualMachineInterface'>, 'name' | 'metadata'>;

/** Where copies for an interface go: its first IPv4 address, else its first IPv6 one; null: it has none. */
export function copyAddress(addresses: readonly string[]): string | null {
  return addresses.find((address) => !isIpv6(address)) ?? addresses.at(0) ?? null;
}

/**
 * What becomes of a destination. Of the interfaces of its project with the label, those marked as analyzer interface go first; the one it had it
 * keeps as long as that is among them, else the first by name is chosen. `addressOf`: see `copyAddress`.
 */
export function destinationStatus(
  { metadata, spec, before }: Destination,
  interfaces: ReadonlyMap<string, Interface>,
  addressOf: (name: string) => string | null,
): MirrorDestinationStatus {
  const chosen = { virtualMachineInterface: null, address: null };
  if (!isInternal(spec)) return { ...chosen, state: 'Success', observation: '', address: spec.analyzerIp ?? null };

  const label = metadata.labels[SELECTOR_LABEL];
  const labelled = [...interfaces.values()].filter(
    (one) =>
      one.metadata.labels[ANALYZER_LABEL] === label &&
      one.metadata.project === metadata.project &&
      one.metadata.domain === metadata.domain,
  );
  const marked = labelled.filter((one) => one.metadata.labels[INTERFACE_LABEL] === 'true');
  const names = (marked.length > 0 ? marked : labelled).map(({ name }) => name).sort();
  const had = before?.status.virtualMachineInterface ?? null;
  const name = had !== null && names.includes(had) ? had : names.at(0);
  if (name === undefined) {
    const observation = `no interface of project ${metadata.project} has the label ${ANALYZER_LABEL}: ${label}`;
    return { ...chosen, state: 'Pending', observation };
  }
  const address = addressOf(name);
  const choice = { virtualMachineInterface: name, address };
  if (address === null && spec.juniperHeader) {
    const observation = `${subject({ kind: 'VirtualMachineInterface', name })} has no address`;
    return { ...choice, state: 'Pending', observation };
  }
  return { ...choice, state: 'Success', observation: names.length > 1 ? `one of ${names.length} with the label` : '' };
}

/** What becomes of a policy's mirrors; `destinations`: the status of all there are, by full name. */
export function firewallStatus(
  { spec }: Pick<DraftObject<'FirewallPolicy'>, 'spec'>,
  destinations: ReadonlyMap<string, MirrorDestinationStatus>,
): FirewallPolicyStatus {
  const own = spec.rules.flatMap(({ secondaryActions }, i) => (secondaryActions === undefined ? [] : [i]));
  const lists = [
    { path: '', actions: own.length > 0 ? undefined : spec.secondaryActions },
    ...spec.rules.map(({ secondaryActions }, i) => ({ path: `rules[${i}].`, actions: secondaryActions })),
  ].flatMap(({ path, actions }) => (actions === undefined ? [] : [{ path, names: actions.mirrorTo }]));
  const observations: string[] = [];
  if (own.length > 0 && spec.secondaryActions !== undefined)
    observations.push(`secondaryActions do nothing, as rules[${own[0]}] has its own`);
  for (const { path, names } of lists) {
    for (const name of names.slice(RULE_MIRRORS_MAX)) {
      const what = subject({ kind: 'MirrorDestination', name });
      observations.push(`${path}secondaryActions: ${what} is left out, ${RULE_MIRRORS_MAX} are possible`);
    }
  }
  const used = new Set(lists.flatMap(({ names }) => names.slice(0, RULE_MIRRORS_MAX)));
  const missing = [...used].flatMap((name) => {
    const status = destinations.get(name);
    if (status?.state === 'Success') return [];
    const what = subject({ kind: 'MirrorDestination', name });
    return [status === undefined ? `${what} does not exist` : `${what}: ${status.observation}`];
  });
  return { state: missing.length > 0 ? 'Pending' : 'Success', observations: [...missing, ...observations] };
}
