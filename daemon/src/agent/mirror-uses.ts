/** Who on this host has packets copied to whom, as the configuration says. */
import type { MirrorTo } from '../control/mirror-to.js';
import { subject } from '../control/schema.js';
import { MAX_MIRRORS } from '../tables/mirror.js';
import type { VifMirrorRecord } from '../tables/records.js';
import { type Analyzers, interfaceMirrors, resolveAnalyzer } from './analyzers.js';
import { FABRIC } from './compile.js';
import { destinationsOf, type Firewalls } from './firewall.js';
import type { Ids } from './ids.js';
import type { InterfaceObject, NetworkObject } from './plan.js';
import type { PolicyObject } from './policy.js';

/** A mirror as one user has it. */
export interface MirrorUse {
  readonly to: MirrorTo;
  /** Full name of the network whose packets are copied. */
  readonly network: string;
  /** Who wants it, as messages name objects. */
  readonly user: string;
  /** The interface, if one wants it for its own frames. */
  readonly vmi?: InterfaceObject;
  /** Whether the analyzer is a service instance. */
  readonly isService?: boolean;
}

/** Networks with their interfaces that belong to this host. */
interface Present {
  readonly network: NetworkObject;
  readonly interfaces: readonly InterfaceObject[];
}

/**
 * Key a mirror has its index under: the name of the analyzer. Where frames find it by a MAC in the network they are of, there is
 * one mirror for each network.
 */
export function mirrorKey(to: MirrorTo, network: string): string {
  return isRaw(to) && to.routingInstance === undefined ? `${to.analyzerName}\t${network}` : to.analyzerName;
}

/** Whether frames are copied as they are, to a MAC. */
export function isRaw({ juniperHeader, nhMode, nicAssistedMirroring }: MirrorTo): boolean {
  return !juniperHeader && nhMode === 'dynamic' && !nicAssistedMirroring;
}

/** Name of the network a raw mirror's MAC is looked up in. */
export function instanceOf({ to, network }: Pick<MirrorUse, 'to' | 'network'>): string {
  return to.routingInstance ?? network;
}

/** What says who else has packets copied, by full name. */
interface Objects extends Analyzers {
  readonly NetworkPolicy: { get(name: string): PolicyObject | undefined };
}

/** All mirrors of these networks: of interfaces, in the order of their documents, of the networks' policies, and of firewall policies. */
export function mirrorUses(present: readonly Present[], objects: Objects, firewalls: Firewalls): MirrorUse[] {
  return present.flatMap(({ network, interfaces }) => [
    ...interfaces.flatMap((vmi) =>
      interfaceMirrors(vmi, objects).map(({ to, isService }): MirrorUse => {
        return { to, network: network.name, user: subject(vmi), vmi, isService };
      }),
    ),
    ...policyUses(network, objects),
    ...firewallUses(network, interfaces, objects, firewalls),
  ]);
}

function policyUses(network: NetworkObject, objects: Objects): MirrorUse[] {
  return network.spec.policies.flatMap((name) => {
    const policy = objects.NetworkPolicy.get(name);
    return (policy?.spec.rules ?? []).flatMap(({ mirror }, i): MirrorUse[] => {
      const resolved = mirror === undefined || !policy ? null : resolveAnalyzer(mirror, policy.metadata, objects);
      if (resolved === null) return [];
      const user = `${subject({ kind: 'NetworkPolicy', name })} rules[${i}]`;
      return [{ to: resolved.to, network: network.name, user, isService: resolved.isService }];
    });
  });
}

function firewallUses(
  network: NetworkObject,
  interfaces: readonly InterfaceObject[],
  objects: Objects,
  firewalls: Firewalls,
): MirrorUse[] {
  const policies = new Set(interfaces.flatMap((vmi) => (vmi.spec.packetMode ? [] : firewalls.of(vmi))));
  return [...policies].flatMap((policy) => {
    return destinationsOf(policy).flatMap((destination): MirrorUse[] => {
      const resolved = resolveAnalyzer({ destination }, policy.metadata, objects);
      return resolved === null ? [] : [{ to: resolved.to, network: network.name, user: subject(policy) }];
    });
  });
}

/** Networks that raw mirrors look for MACs in. */
export function instancesOf(uses: readonly MirrorUse[]): Set<string> {
  return new Set(uses.filter(({ to }) => isRaw(to) && to.routingInstance !== FABRIC.name).map(instanceOf));
}

/** Index of a mirror, given now if it has none; -1: none is left. */
export function mirrorId(ids: Ids, key: string): number {
  const known = ids.find('mirror', key);
  if (known !== undefined) return known;
  return ids.keys('mirror').length < MAX_MIRRORS ? ids.get('mirror', key) : -1;
}

/** What the frames of an interface are copied to; `idOf` tells the index of a mirror by its key. */
export function vifMirrors(
  network: NetworkObject,
  vmi: InterfaceObject,
  analyzers: Analyzers,
  idOf: (kind: 'mirror', key: string) => number,
): VifMirrorRecord[] {
  return interfaceMirrors(vmi, analyzers)
    .map(({ to, direction }) => ({
      mirror: idOf('mirror', mirrorKey(to, network.name)),
      receive: direction !== 'egress',
      transmit: direction !== 'ingress',
    }))
    .filter(({ mirror }) => mirror >= 0);
}
