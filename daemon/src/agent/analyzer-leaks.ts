import { parseAddress } from '../control/prefix.js';
import type { RuleMirror } from '../control/mirror-to.js';
import type { Scope } from '../control/names.js';
import type { StoredObject } from '../control/store.js';
import { IP_PROTOCOL } from '../wire/ip-protocol.js';
import type { AclPeer, AclRuleRecord } from '../tables/records.js';
import { type Analyzers, resolveAnalyzer } from './analyzers.js';
import { exportTargets, importTargets } from './exchange.js';
import { instanceName } from './object-references.js';
import type { NetworkObject } from './plan.js';
import { ANYBODY, type PolicyObject, ruleOf } from './policy.js';

/** The configuration leaks follow, by full name. */
interface Objects extends Analyzers {
  readonly VirtualNetwork: ReadonlyMap<string, NetworkObject>;
  readonly VirtualMachineInterface: ReadonlyMap<string, StoredObject<'VirtualMachineInterface'>>;
  readonly NetworkPolicy: { get(name: string): PolicyObject | undefined };
  readonly ServiceInstance: ReadonlyMap<string, StoredObject<'ServiceInstance'>>;
}

/** A service instance and a network whose packets it gets: what passes from there. */
interface Leak {
  /** Whose packets are copied. */
  readonly from: NetworkObject;
  /** Where the analyzer is. */
  readonly to: NetworkObject;
  readonly address: string;
  readonly port: number;
}

/**
 * Routes that are there for copies alone: a network whose policies or interfaces mirror to a service instance, and the network of
 * its left interface, know each other's addresses. Nothing but copies passes because of that: where the two are not connected otherwise, a
 * network that filters nothing gets a list that keeps them apart.
 */
export class AnalyzerLeaks {
  readonly #leaks: readonly Leak[];

  constructor(objects: Objects) {
    this.#leaks = objects.ServiceInstance.size === 0 ? [] : [...leaksOf(objects)];
  }

  /** Networks a network exchanges routes with. */
  partnersOf({ name }: Pick<NetworkObject, 'name'>): NetworkObject[] {
    const partners = this.#leaks.flatMap(({ from, to }) =>
      from.name === name ? [to] : to.name === name ? [from] : [],
    );
    return [...new Set(partners)];
  }

  /** Rules that let copies into a network, to be asked after those of its policies. */
  copyRules({ name }: Pick<NetworkObject, 'name'>): AclRuleRecord[] {
    const rules = this.#leaks.filter(({ to }) => to.name === name).map(copyRule);
    return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
  }

  /** Networks a network has routes of and is to be kept apart from: nothing else connects them, and it has no policies of its own. */
  strangersTo(network: NetworkObject): NetworkObject[] {
    if (network.spec.policies.length > 0) return [];
    const imports = new Set(importTargets(network, []));
    return this.partnersOf(network).filter((partner) => !exportTargets(partner).some((target) => imports.has(target)));
  }
}

function* leaksOf(objects: Objects): Generator<Leak> {
  for (const network of objects.VirtualNetwork.values()) {
    for (const policy of network.spec.policies.map((name) => objects.NetworkPolicy.get(name)))
      for (const { mirror } of policy?.spec.rules ?? [])
        if (mirror && policy) yield* leakOf(network, mirror, policy.metadata, objects);
  }
  for (const { spec, metadata } of objects.VirtualMachineInterface.values()) {
    const network = objects.VirtualNetwork.get(spec.virtualNetwork);
    for (const mirror of spec.mirrors) if (network) yield* leakOf(network, mirror, metadata, objects);
  }
}

function* leakOf(from: NetworkObject, mirror: RuleMirror, scope: Scope, objects: Objects): Generator<Leak> {
  if ('destination' in mirror || !mirror.juniperHeader) return;
  const instance = objects.ServiceInstance.get(instanceName(mirror.analyzerName, scope) ?? '');
  const left = instance && objects.VirtualMachineInterface.get(instance.spec.interfaces.left);
  const to = left && objects.VirtualNetwork.get(left.spec.virtualNetwork);
  const { analyzerIp, udpPort } = resolveAnalyzer(mirror, scope, objects)?.to ?? mirror;
  if (!to || to === from || analyzerIp === undefined) return;
  if (from.spec.forwardingMode === 'l2' || to.spec.forwardingMode === 'l2') return;
  yield { from, to, address: analyzerIp, port: udpPort };
}

function copyRule({ from, address, port }: Leak): AclRuleRecord {
  const length = parseAddress(address).family === 4 ? 32 : 128;
  const source: AclPeer = { ...ANYBODY, network: from.status.networkId };
  const destination: AclPeer = { ...ANYBODY, prefix: `${address}/${length}` };
  const rule = ruleOf('copies for a service instance', IP_PROTOCOL.udp, { source, destination });
  return { ...rule, destinationPorts: [[port, port]] };
}
