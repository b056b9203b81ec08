import type { AclRecord } from '../tables/records.js';
import { type Compiled, compileNetwork } from './compile.js';
import type { Ids } from './ids.js';
import {
  aclKeysOf,
  filteringGroupsOf,
  type HostPlan,
  type InterfaceObject,
  type NetworkObject,
  networkPlan,
} from './plan.js';
import { connections, groupAcl, type GroupObject, networkAcl, type PolicyObject } from './policy.js';

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
  ids: Ids,
  host: HostPlan,
): Compiled {
  const used = { acl: new Set<string>(), group: new Set<string>() };
  const idOf = (kind: 'acl' | 'group', key: string): number => {
    used[kind].add(key);
    return ids.get(kind, key);
  };
  const acls = aclsOf(present, configuration, idOf);
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
    acls,
    vrfs: networks.flatMap(({ vrfs }) => vrfs),
    vifs: networks.flatMap(({ vifs }) => vifs),
    nexthops: networks.flatMap(({ nexthops }) => nexthops),
    routes: networks.flatMap(({ routes }) => routes),
    bridge: networks.flatMap(({ bridge }) => bridge),
  };
}

type IdOf = (kind: 'acl' | 'group', key: string) => number;

function aclsOf(present: readonly PresentNetwork[], configuration: Configuration, idOf: IdOf): AclRecord[] {
  const { VirtualNetwork: networks, NetworkPolicy: policies, SecurityGroup: groups } = configuration;
  const acls = new Map<string, AclRecord>();
  for (const { network, interfaces } of present) {
    const key = aclKeysOf.network(network);
    if (key !== null) acls.set(key, networkAcl(idOf('acl', key), network, policies, networks));
    for (const vmi of interfaces) {
      const names = filteringGroupsOf(network, vmi);
      for (const side of ['egress', 'ingress'] as const) {
        const key = aclKeysOf[side](names);
        if (key === null || acls.has(key)) continue;
        acls.set(
          key,
          groupAcl(idOf('acl', key), side, names, groups, (name) => idOf('group', name)),
        );
      }
    }
  }
  return [...acls.values()];
}
