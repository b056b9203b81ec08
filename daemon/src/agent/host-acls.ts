import type { PolicyRule } from '../control/network-policy.js';
import type { RuleMirror } from '../control/mirror-to.js';
import type { Scope } from '../control/names.js';
import type { AclRecord, RuleMirrorRecord } from '../tables/records.js';
import type { AclCache } from './acl-cache.js';
import type { AnalyzerLeaks } from './analyzer-leaks.js';
import { resolveAnalyzer } from './analyzers.js';
import { importTargets } from './exchange.js';
import type { Configuration, PresentNetwork } from './compile-host.js';
import { listKeys } from './filters.js';
import {
  destinationsOf,
  firewallAcl,
  type FirewallObject,
  type Firewalls,
  groupsNamed,
  type Side,
} from './firewall.js';
import { mirrorKey } from './mirror-uses.js';
import { aclKeysOf, filtersOf, type InterfaceObject, type NetworkObject } from './plan.js';
import { groupAcl, networkAcl } from './policy.js';

/** What access lists are numbered and kept by. */
export interface AclParts {
  readonly firewalls: Firewalls;
  readonly leaks: AnalyzerLeaks;
  readonly cache: AclCache;
  /** Of mirrors -1 where none is left. */
  readonly idOf: (kind: 'acl' | 'group' | 'mirror', key: string) => number;
}

/** All access lists of a host: those of its networks, and of the interfaces it has in them. */
export function hostAcls(
  present: readonly PresentNetwork[],
  configuration: Configuration,
  parts: AclParts,
): AclRecord[] {
  const lists = new HostAcls(configuration, parts);
  for (const { network, interfaces } of present) {
    lists.addNetwork(network);
    for (const vmi of interfaces) lists.addInterface(network, vmi);
  }
  return [...lists.records.values()];
}

class HostAcls {
  readonly records = new Map<string, AclRecord>();
  readonly #configuration: Configuration;
  readonly #parts: AclParts;

  constructor(configuration: Configuration, parts: AclParts) {
    this.#configuration = configuration;
    this.#parts = parts;
  }

  addNetwork(network: NetworkObject): void {
    const { VirtualNetwork, NetworkPolicy } = this.#configuration;
    const { leaks } = this.#parts;
    const key = aclKeysOf.network(network, leaks);
    if (key === null) return;
    const policies = network.spec.policies.map((name) => NetworkPolicy.get(name));
    const rules = policies.flatMap((policy) => policy?.spec.rules ?? []);
    const numbers = rules.flatMap(networksOf).map((name) => VirtualNetwork.get(name)?.status.networkId);
    const mirrorsOf = (mirror: RuleMirror, scope: Scope) => this.#ruleMirror(mirror, scope, network.name);
    const mirrors = policies.flatMap((policy) =>
      (policy?.spec.rules ?? []).flatMap(({ mirror }) => {
        return mirror === undefined || policy === undefined ? [] : mirrorText(mirrorsOf(mirror, policy.metadata));
      }),
    );
    const inputs = [network.name, network.status.networkId, ...policies, ...numbers, ...mirrors];
    this.#add(key, [...inputs, leaks.textOf(network), String(importTargets(network, []))], (id) =>
      networkAcl(id, network, NetworkPolicy, VirtualNetwork, mirrorsOf, {
        copies: leaks.copyRules(network),
        strangers: leaks.strangersTo(network),
        like: (rule) => leaks.rulesLike(rule, network),
      }),
    );
  }

  addInterface(network: NetworkObject, vmi: InterfaceObject): void {
    const { idOf, firewalls } = this.#parts;
    const filters = filtersOf(network, vmi, firewalls);
    for (const side of ['egress', 'ingress'] as const) {
      const { first, firewall } = listKeys(side, filters);
      if (firewall !== null) this.#addFirewall(firewall, side, filters.policies);
      if (first === null || first === firewall) continue;
      this.#addGroups(first, side, filters.groups, firewall === null ? undefined : idOf('acl', firewall));
    }
  }

  #addGroups(key: string, side: Side, names: readonly string[], next: number | undefined): void {
    const { idOf } = this.#parts;
    const { SecurityGroup } = this.#configuration;
    if (this.records.has(key)) return;
    const groups = names.map((name) => SecurityGroup.get(name));
    const remote = groups.flatMap((group) => group?.spec[side].flatMap(({ remoteGroup = [] }) => remoteGroup) ?? []);
    const numbers = remote.map((name) => idOf('group', name));
    this.#add(key, [...groups, ...numbers, next], (id) => ({
      ...groupAcl(id, side, names, SecurityGroup, (name) => idOf('group', name)),
      ...(next === undefined ? {} : { next }),
    }));
  }

  #addFirewall(key: string, side: Side, policies: readonly FirewallObject[]): void {
    const { idOf } = this.#parts;
    if (this.records.has(key)) return;
    const mirrorOf = (name: string): RuleMirrorRecord | null => this.#destinationMirror(name, side);
    const named = policies.flatMap(destinationsOf);
    const numbers = groupsNamed(policies).map((name) => idOf('group', name));
    const mirrors = [...new Set(named)].flatMap((name) => mirrorText(mirrorOf(name)));
    this.#add(key, [...policies, ...numbers, ...mirrors], (id) =>
      firewallAcl(id, side, policies, { groupOf: (name) => idOf('group', name), mirrorOf }),
    );
  }

  #add(key: string, inputs: readonly unknown[], make: (id: number) => AclRecord): void {
    const { idOf, cache } = this.#parts;
    const id = idOf('acl', key);
    this.records.set(
      key,
      cache.get(key, [id, ...inputs], () => make(id)),
    );
  }

  /** What a rule of a network's policies has copied: both directions of its sessions. */
  #ruleMirror(mirror: RuleMirror, scope: Scope, network: string): RuleMirrorRecord | null {
    const resolved = resolveAnalyzer(mirror, scope, this.#configuration);
    const id = resolved === null ? -1 : this.#parts.idOf('mirror', mirrorKey(resolved.to, network));
    return id < 0 ? null : { mirror: id, forward: true, reverse: true };
  }

  /** Copies for a mirror destination; what an interface sends is forward where it begins the session. */
  #destinationMirror(destination: string, side: Side): RuleMirrorRecord | null {
    const resolved = resolveAnalyzer({ destination }, { domain: '', project: '' }, this.#configuration);
    const id = resolved === null ? -1 : this.#parts.idOf('mirror', mirrorKey(resolved.to, ''));
    if (resolved === null || id < 0) return null;
    const { direction } = resolved;
    const [sent, received] = [direction !== 'egress', direction !== 'ingress'];
    return { mirror: id, forward: side === 'egress' ? sent : received, reverse: side === 'egress' ? received : sent };
  }
}

const mirrorText = (mirror: RuleMirrorRecord | null): string[] => (mirror === null ? [] : [JSON.stringify(mirror)]);

const networksOf = ({ source, destination }: PolicyRule): string[] =>
  [source.virtualNetwork, destination.virtualNetwork].filter((name) => name !== undefined);
