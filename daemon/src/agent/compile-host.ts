import type { PolicyRule } from '../control/network-policy.js';
import type { AclRecord } from '../tables/records.js';
import { type Compiled, compileNetwork, EMPTY } from './compile.js';
import type { Ids } from './ids.js';
import {
  aclKeysOf,
  filteringGroupsOf,
  type HostPlan,
  type InterfaceObject,
  type NetworkObject,
  networkPlan,
} from './plan.js';
import type { AclCache } from './acl-cache.js';
import { connections } from './connections.js';
import { groupAcl, type GroupObject, networkAcl, type PolicyObject } from './policy.js';

/** The configuration forwarding follows, by full name. */
export interface Configuration {
  readonly VirtualNetwork: ReadonlyMap<string, NetworkObject>;
  readonly NetworkPolicy: ReadonlyMap<string, PolicyObject>;
  readonly SecurityGroup: ReadonlyMap<string, GroupObject>;
}

/** A network this host has interfaces of, and these. */
export interface PresentNetwork {
  readonly network: NetworkObject;
  readonly interfaces: readonly InterfaceObject[];
}

/**
 * Forwarding state of all networks of this host, with what connects and restricts them; `isOpen`: whether an interface has its
 * port. Numbers of access lists and security groups that nothing uses any more are given back.
 */
export function compileHost(
  present: readonly PresentNetwork[],
  isOpen: (vmi: InterfaceObject) => boolean,
  configuration: Configuration,
  { ids, host, cache }: { readonly ids: Ids; readonly host: HostPlan; readonly cache: AclCache },
): Compiled {
  const used = { acl: new Set<string>(), group: new Set<string>() };
  const idOf = (kind: 'acl' | 'group', key: string): number => {
    used[kind].add(key);
    return ids.get(kind, key);
  };
  const acls = aclsOf(present, configuration, idOf, cache);
  cache.forgetUnused();
  const plans = new Map(
    present.map(({ network, interfaces }) => [
      network.name,
      networkPlan(network, interfaces.filter(isOpen), idOf, ids, host),
    ]),
  );
  const neighbours = connections(
    present.map(({ network }) => network),
    configuration.NetworkPolicy,
  );
  const networks = [...plans].map(([name, plan]) =>
    compileNetwork(
      plan,
      (neighbours.get(name) ?? []).flatMap((other) => plans.get(other.name) ?? []),
    ),
  );
  for (const kind of ['acl', 'group'] as const) {
    for (const key of ids.keys(kind)) if (!used[kind].has(key)) ids.release(kind, key);
  }
  return {
    ...EMPTY,
    acls,
    vrfs: networks.flatMap(({ vrfs }) => vrfs),
    vifs: networks.flatMap(({ vifs }) => vifs),
    nexthops: networks.flatMap(({ nexthops }) => nexthops),
    routes: networks.flatMap(({ routes }) => routes),
    bridge: networks.flatMap(({ bridge }) => bridge),
  };
}

type IdOf = (kind: 'acl' | 'group', key: string) => number;

function aclsOf(
  present: readonly PresentNetwork[],
  { VirtualNetwork, NetworkPolicy, SecurityGroup }: Configuration,
  idOf: IdOf,
  cache: AclCache,
): AclRecord[] {
  const acls = new Map<string, AclRecord>();
  const add = (key: string, inputs: readonly unknown[], make: (id: number) => AclRecord): void => {
    const id = idOf('acl', key);
    acls.set(
      key,
      cache.get(key, [id, ...inputs], () => make(id)),
    );
  };
  for (const { network, interfaces } of present) {
    const key = aclKeysOf.network(network);
    if (key !== null) {
      const policies = network.spec.policies.map((name) => NetworkPolicy.get(name));
      const named = policies.flatMap((policy) => policy?.spec.rules ?? []).flatMap(networksOf);
      const numbers = named.map((name) => VirtualNetwork.get(name)?.status.networkId);
      add(key, [network.name, network.status.networkId, ...policies, ...numbers], (id) =>
        networkAcl(id, network, NetworkPolicy, VirtualNetwork),
      );
    }
    for (const vmi of interfaces) {
      const names = filteringGroupsOf(network, vmi);
      const groups = names.map((name) => SecurityGroup.get(name));
      for (const side of ['egress', 'ingress'] as const) {
        const key = aclKeysOf[side](names);
        if (key === null || acls.has(key)) continue;
        const remote = groups.flatMap(
          (group) => group?.spec[side].flatMap(({ remoteGroup = [] }) => remoteGroup) ?? [],
        );
        const numbers = remote.map((name) => idOf('group', name));
        add(key, [...groups, ...numbers], (id) =>
          groupAcl(id, side, names, SecurityGroup, (name) => idOf('group', name)),
        );
      }
    }
  }
  return [...acls.values()];
}

const networksOf = ({ source, destination }: PolicyRule): string[] =>
  [source.virtualNetwork, destination.virtualNetwork].filter((name) => name !== undefined);
