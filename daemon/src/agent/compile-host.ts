import type { StoredObject } from '../control/store.js';
import type { NetworkNameRecord } from '../tables/records.js';
import { type Compiled, compileNetwork, EMPTY, FABRIC, type NetworkPlan } from './compile.js';
import { type FabricPrefix, fabricRoutes } from './fabric.js';
import type { Ids } from './ids.js';
import { type FirewallObject, type Firewalls, groupsNamed } from './firewall.js';
import { hostAcls } from './host-acls.js';
import { mirrorId, mirrorKey, type MirrorUse, mirrorUses } from './mirror-uses.js';
import {
  filteringGroupsOf,
  type HostPlan,
  type InterfaceObject,
  type NetworkObject,
  networkPlan,
  type Rules,
} from './plan.js';
import type { AclCache } from './acl-cache.js';
import { connections, names } from './connections.js';
import { exportTargets, importTargets } from './exchange.js';
import type { GroupObject, PolicyObject } from './policy.js';

/** The configuration forwarding follows, by full name. */
export interface Configuration {
  readonly VirtualNetwork: ReadonlyMap<string, NetworkObject>;
  readonly NetworkPolicy: ReadonlyMap<string, PolicyObject>;
  readonly SecurityGroup: ReadonlyMap<string, GroupObject>;
  readonly VirtualMachineInterface: ReadonlyMap<string, InterfaceObject>;
  readonly ServiceInstance: ReadonlyMap<string, StoredObject<'ServiceInstance'>>;
  readonly MirrorDestination: ReadonlyMap<string, StoredObject<'MirrorDestination'>>;
  readonly FirewallPolicy: ReadonlyMap<string, FirewallObject>;
}

/** A network this host has interfaces of, and these; or none, where it only has to know its MACs. */
export interface PresentNetwork {
  readonly network: NetworkObject;
  readonly interfaces: readonly InterfaceObject[];
}

/** What forwarding state depends on besides configuration. */
export interface HostState {
  readonly ids: Ids;
  readonly host: HostPlan;
  readonly cache: AclCache;
  /** Whether an interface has its port. */
  readonly isOpen: (vmi: InterfaceObject) => boolean;
  /** Prefixes of the underlay. */
  readonly fabric: readonly FabricPrefix[];
  /** Whether another host has the network as well. */
  readonly isElsewhere: (network: string) => boolean;
}

/** Forwarding state of this host, and what it was made of. */
export interface CompiledHost {
  readonly tables: Compiled;
  readonly networks: readonly NetworkPlan[];
  /** Those of them that a policy connects with the underlay. */
  readonly onFabric: readonly NetworkPlan[];
  /** Numbers of the security groups that rules name, by full name. */
  readonly groups: ReadonlyMap<string, number>;
  /** Who has packets copied to whom; their indices are given. */
  readonly mirrors: readonly MirrorUse[];
  /** Whether a mirror has no index although some were given back: it gets one the next time. */
  readonly isShort: boolean;
}

/**
 * Forwarding state of all networks of this host, with what connects and restricts them. Numbers of access lists and security
 * groups that nothing uses any more are given back.
 */
export function compileHost(
  present: readonly PresentNetwork[],
  configuration: Configuration,
  { firewalls, leaks }: Rules,
  { ids, host, cache, isOpen, fabric, isElsewhere }: HostState,
): CompiledHost {
  const used = { acl: new Set<string>(), group: new Set<string>(), mirror: new Set<string>() };
  const idOf = (kind: 'acl' | 'group' | 'mirror', key: string): number => {
    used[kind].add(key);
    return kind === 'mirror' ? mirrorId(ids, key) : ids.get(kind, key);
  };
  const mirrors = mirrorUses(present, configuration, firewalls);
  for (const { to, network } of mirrors) idOf('mirror', mirrorKey(to, network));
  const acls = hostAcls(present, configuration, { firewalls, leaks, cache, idOf });
  cache.forgetUnused();
  const connected = connections(
    present.map(({ network }) => network),
    configuration.VirtualNetwork.values(),
    configuration.NetworkPolicy,
  );
  const labelGroups = namedGroups(present, firewalls);
  const context = { ids, idOf, firewalls, leaks, labelGroups, analyzers: configuration };
  const plans = present.map(({ network, interfaces }) => {
    const exchange = {
      isElsewhere: isElsewhere(network.name),
      imports: importTargets(network, connected.get(network.name) ?? []),
      exports: exportTargets(network),
    };
    return networkPlan(network, interfaces.filter(isOpen), exchange, context, host);
  });
  const onFabric = plans.filter(
    ({ mode }, i) => mode !== 'l2' && names(present[i].network, FABRIC.name, configuration.NetworkPolicy),
  );
  const networks = plans.map((plan) => compileNetwork(plan, exportersTo(plan, plans), plans));
  const released = ids.keys('mirror').some((key) => !used.mirror.has(key));
  for (const kind of ['acl', 'group', 'mirror'] as const) {
    for (const key of ids.keys(kind)) if (!used[kind].has(key)) ids.release(kind, key);
  }
  const tables = {
    ...EMPTY,
    acls,
    vrfs: networks.flatMap(({ vrfs }) => vrfs),
    vifs: networks.flatMap(({ vifs }) => vifs),
    nexthops: networks.flatMap(({ nexthops }) => nexthops),
    routes: [...networks.flatMap(({ routes }) => routes), ...fabricRoutes(fabric, onFabric)],
    spareRoutes: networks.flatMap(({ spareRoutes }) => spareRoutes),
    bridge: networks.flatMap(({ bridge }) => bridge),
    labels: networks.flatMap(({ labels }) => labels),
    vnis: networks.flatMap(({ vnis }) => vnis),
    networks: mirrors.length > 0 ? networkNames(configuration.VirtualNetwork) : [],
  };
  const isShort = released && [...used.mirror].some((key) => ids.find('mirror', key) === undefined);
  const groups = groupNumbers(present, configuration, labelGroups, ids);
  return { tables, networks: plans, onFabric, groups, mirrors, isShort };
}

/** Groups that firewall policies name for interfaces of this host. */
function namedGroups(present: readonly PresentNetwork[], firewalls: Firewalls): Set<string> {
  const policies = present.flatMap(({ interfaces }) =>
    interfaces.flatMap((vmi) => (vmi.spec.packetMode ? [] : firewalls.of(vmi))),
  );
  return new Set(groupsNamed([...new Set(policies)]));
}

/** The names copies tell where packets are from and go to. */
function networkNames(networks: ReadonlyMap<string, NetworkObject>): NetworkNameRecord[] {
  const names = [...networks.values()].map(({ name, status }) => ({ number: status.networkId, name }));
  return [...names, { number: FABRIC.network, name: FABRIC.name }];
}

/** The other networks whose routes a network takes. Those of layer 2 have none, and take none. */
function exportersTo({ name, mode, imports }: NetworkPlan, networks: readonly NetworkPlan[]): NetworkPlan[] {
  if (mode === 'l2') return [];
  return networks.filter(
    (other) => other.name !== name && other.mode !== 'l2' && other.exports.some((target) => imports.includes(target)),
  );
}

/** Numbers of the groups that rules for interfaces of this host name: what addresses elsewhere are looked at for. */
function groupNumbers(
  present: readonly PresentNetwork[],
  { SecurityGroup }: Configuration,
  labelGroups: ReadonlySet<string>,
  ids: Ids,
): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const name of labelGroups) numbers.set(name, ids.get('group', name));
  const filtering = present.flatMap(({ network, interfaces }) =>
    interfaces.flatMap((vmi) => filteringGroupsOf(network, vmi)),
  );
  for (const name of new Set(filtering)) {
    const spec = SecurityGroup.get(name)?.spec;
    for (const { remoteGroup } of spec ? [...spec.egress, ...spec.ingress] : []) {
      const number = remoteGroup === undefined ? undefined : ids.find('group', remoteGroup);
      if (remoteGroup !== undefined && number !== undefined) numbers.set(remoteGroup, number);
    }
  }
  return numbers;
}
