import { contains, parseAddress, parsePrefix } from '../control/prefix.js';
import type { StoredObject } from '../control/store.js';
import { automaticTarget } from '../control/route-target.js';
import { IP_PROTOCOL } from '../wire/ip-protocol.js';
import { hostLength } from '../wire/addr.js';
import type { AclPeer, AclRuleRecord } from '../tables/records.js';
import { type Analyzers, interfaceMirrors, type ResolvedMirror, resolveAnalyzer } from './analyzers.js';
import type { AnalyzerRoute } from './analyzer-routes.js';
import { FABRIC } from './compile.js';
import { exportTargets, importTargets } from './exchange.js';
import { destinationsOf, type FirewallObject, Firewalls } from './firewall.js';
import type { InterfaceObject, NetworkObject } from './plan.js';
import { ANY_PROTOCOL, ANYBODY, type PolicyObject, ruleOf } from './policy.js';

/** The configuration leaks follow, by full name. */
interface Objects extends Analyzers {
  readonly VirtualNetwork: ReadonlyMap<string, NetworkObject>;
  readonly VirtualMachineInterface: ReadonlyMap<string, InterfaceObject>;
  readonly NetworkPolicy: { get(name: string): PolicyObject | undefined };
  readonly ServiceInstance: ReadonlyMap<string, StoredObject<'ServiceInstance'>>;
  readonly FirewallPolicy: ReadonlyMap<string, FirewallObject>;
}

/** An analyzer that is a guest, and a network whose packets it gets in UDP. */
interface Copies {
  /** Whose packets are copied. */
  readonly from: NetworkObject;
  /** Where the analyzer is. */
  readonly to: NetworkObject;
  readonly address: string;
  readonly port: number;
  /** Whether it is a service instance: then routes and rules come by themselves. */
  readonly isService: boolean;
}

/**
 * What copies for analyzers need that no policy says: a network whose policies or interfaces mirror to a service instance has a route to it
 * and to nothing else of its network, which gets no route back; and the network of an analyzer lets hosts send copies to it. Nothing but copies
 * passes because of that: where the two are not connected otherwise, a network that filters nothing gets a list that keeps them apart.
 */
export class AnalyzerLeaks {
  /** By the name of the network whose packets are copied, and of that the analyzer is in. */
  readonly #from = new Map<string, Copies[]>();
  readonly #to = new Map<string, Copies[]>();

  constructor(objects: Objects) {
    const keys = new Set<string>();
    for (const copies of copiesOf(objects)) {
      const { from, to, address, port, isService } = copies;
      const key = JSON.stringify([from.name, to.name, address, port, isService]);
      if (keys.has(key)) continue;
      keys.add(key);
      this.#from.set(from.name, [...(this.#from.get(from.name) ?? []), copies]);
      this.#to.set(to.name, [...(this.#to.get(to.name) ?? []), copies]);
    }
  }

  /** The routes a network has for copies alone. */
  routesOf({ name }: Pick<NetworkObject, 'name'>): AnalyzerRoute[] {
    const leaks = this.#ofNetwork(this.#from, name).filter(({ from, to, isService }) => isService && to !== from);
    const routes = leaks.map(({ to, address }) => ({
      network: to.name,
      target: automaticTarget(to.status.networkId),
      prefix: `${address}/${hostLength(address)}`,
    }));
    return distinct(routes);
  }

  /**
   * Rules that let copies into a network, which hosts send as themselves, to be asked after those of its policies. They are for service
   * instances, for analyzers of packets of the network itself, and for all where the network filters nothing.
   */
  copyRules(network: Pick<NetworkObject, 'name' | 'spec'>): AclRuleRecord[] {
    const isOpen = network.spec.policies.length === 0;
    const copies = this.#ofNetwork(this.#to, network.name).filter(
      ({ from, to, isService }) => isOpen || isService || from === to,
    );
    return distinct(copies.map(copyRule));
  }

  /**
   * What a rule of a network's policies means for copies: hosts send those, so where it is about a network whose packets are copied to
   * an analyzer here, by UDP to its port, it is about the copies as well.
   */
  rulesLike(rule: AclRuleRecord, { name, status }: Pick<NetworkObject, 'name' | 'status'>): AclRuleRecord[] {
    const { source, destination, protocol, destinationPorts: ports } = rule;
    if (source.network === null || source.network === FABRIC.network) return [];
    if (protocol !== ANY_PROTOCOL && protocol !== IP_PROTOCOL.udp) return [];
    if (destination.network !== null && destination.network !== status.networkId) return [];
    const copies = this.#ofNetwork(this.#to, name).filter(
      ({ from, to, address, port }) =>
        from !== to &&
        from.status.networkId === source.network &&
        (destination.prefix === null || contains(parsePrefix(destination.prefix), parseAddress(address))) &&
        (ports.length === 0 || ports.some(([first, last]) => first <= port && port <= last)),
    );
    return distinct(
      copies.map((one) => ({ ...copyRule(one), name: rule.name, action: rule.action, sourcePorts: rule.sourcePorts })),
    );
  }

  /** Networks a network is kept apart from: one has a route for copies into the other, nothing else connects them, and it has no policies of its own. */
  strangersTo(network: NetworkObject): NetworkObject[] {
    if (network.spec.policies.length > 0) return [];
    const imports = new Set(importTargets(network, []));
    const partners = this.#both(network).flatMap(({ from, to, isService }) => (isService ? [from, to] : []));
    const others = [...new Set(partners)].filter(({ name }) => name !== network.name);
    return others.filter((partner) => !exportTargets(partner).some((target) => imports.has(target)));
  }

  /** Whether a network that has no policies needs a list. */
  restricts(network: NetworkObject): boolean {
    return this.strangersTo(network).length > 0 || this.copyRules(network).length > 0;
  }

  /** Everything lists of a network are made of here, as text. */
  textOf({ name }: Pick<NetworkObject, 'name'>): string {
    return JSON.stringify(
      this.#both({ name }).map(({ from, to, ...rest }) => [
        from.name,
        from.status,
        exportTargets(from),
        to.name,
        to.status,
        exportTargets(to),
        rest,
      ]),
    );
  }

  #both({ name }: Pick<NetworkObject, 'name'>): readonly Copies[] {
    return [...this.#ofNetwork(this.#from, name), ...this.#ofNetwork(this.#to, name)];
  }

  #ofNetwork(copies: ReadonlyMap<string, readonly Copies[]>, name: string): readonly Copies[] {
    return copies.get(name) ?? [];
  }
}

function* copiesOf(objects: Objects): Generator<Copies> {
  const networksAt = memo(() => networksByAddress(objects));
  for (const [from, mirror] of mirrorsOf(objects)) {
    const { juniperHeader, nhMode, nicAssistedMirroring, analyzerIp: address, analyzerName, udpPort: port } = mirror.to;
    if (!juniperHeader || nhMode === 'static' || nicAssistedMirroring || address === undefined) continue;
    const left = mirror.isService ? objects.ServiceInstance.get(analyzerName)?.spec.interfaces.left : undefined;
    const own = objects.VirtualMachineInterface.get(left ?? '')?.spec.virtualNetwork;
    const names = mirror.isService ? [own ?? ''] : (networksAt().get(address) ?? []);
    for (const name of names) {
      const to = objects.VirtualNetwork.get(name);
      if (!to || from.spec.forwardingMode === 'l2' || to.spec.forwardingMode === 'l2') continue;
      yield { from, to, address, port, isService: mirror.isService };
    }
  }
}

/** All mirrors of a cluster that are switched on, each with the network whose packets are copied. */
function* mirrorsOf(objects: Objects): Generator<readonly [NetworkObject, ResolvedMirror]> {
  for (const network of objects.VirtualNetwork.values()) {
    for (const policy of network.spec.policies.map((name) => objects.NetworkPolicy.get(name)))
      for (const { mirror } of policy?.spec.rules ?? []) {
        const resolved = mirror && policy ? resolveAnalyzer(mirror, policy.metadata, objects) : null;
        if (resolved) yield [network, resolved];
      }
  }
  for (const vmi of objects.VirtualMachineInterface.values()) {
    const network = objects.VirtualNetwork.get(vmi.spec.virtualNetwork);
    if (network && vmi.spec.mirrors.length > 0)
      for (const resolved of interfaceMirrors(vmi, objects)) yield [network, resolved];
  }
  if (objects.FirewallPolicy.size > 0) yield* firewallMirrors(objects);
}

function* firewallMirrors(objects: Objects): Generator<readonly [NetworkObject, ResolvedMirror]> {
  const firewalls = new Firewalls(objects.FirewallPolicy.values());
  const destinations = new Map<NetworkObject, Set<string>>();
  for (const vmi of objects.VirtualMachineInterface.values()) {
    const network = objects.VirtualNetwork.get(vmi.spec.virtualNetwork);
    if (!network || vmi.spec.packetMode) continue;
    const known = destinations.get(network) ?? new Set();
    destinations.set(network, known);
    for (const policy of firewalls.of(vmi)) for (const name of destinationsOf(policy)) known.add(name);
  }
  for (const [network, names] of destinations)
    for (const destination of names) {
      const resolved = resolveAnalyzer({ destination }, network.metadata, objects);
      if (resolved) yield [network, resolved];
    }
}

function networksByAddress({ VirtualMachineInterface }: Objects): Map<string, Set<string>> {
  const networks = new Map<string, Set<string>>();
  for (const { spec, status } of VirtualMachineInterface.values())
    for (const address of status.addresses)
      networks.set(address, (networks.get(address) ?? new Set()).add(spec.virtualNetwork));
  return networks;
}

function memo<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

function copyRule({ address, port }: Copies): AclRuleRecord {
  const source: AclPeer = { ...ANYBODY, network: FABRIC.network };
  const destination: AclPeer = { ...ANYBODY, prefix: `${address}/${hostLength(address)}` };
  return {
    ...ruleOf('copies for an analyzer', IP_PROTOCOL.udp, { source, destination }),
    destinationPorts: [[port, port]],
  };
}

/** Each of these once. */
function distinct<T>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}
