import type { MirrorTo, RuleMirror } from '../control/mirror-to.js';
import { RefusedError } from '../control/refused.js';
import { subject } from '../control/schema.js';
import type { Draft, DraftObject } from './draft.js';
import { destinationAnalyzer } from './analyzers.js';
import { isRaw } from './mirror-uses.js';
import { instanceName } from './object-references.js';

/** An analyzer as one field of one object defines it. */
interface Definition {
  readonly to: MirrorTo;
  readonly of: DraftObject;
  readonly path: string;
}

/**
 * Refuses an analyzer that two objects define in two ways, as one name is one mirror; and a VLAN of two analyzers, as the NIC tells them apart by
 * it. The blame is on the documents.
 */
export function checkMirrors(draft: Draft): void {
  const byName = new Map<string, Definition>();
  const byVlan = new Map<number, Definition>();
  const { instances } = draft;
  const definitions = definitionsOf(draft);
  // Objects of the documents come last, so that they meet those that are there already.
  const inOrder = [...definitions.filter(({ of }) => !of.isWanted), ...definitions.filter(({ of }) => of.isWanted)];
  for (const one of inOrder) {
    const { to, of } = one;
    const other = byName.get(to.analyzerName);
    if (other === undefined) byName.set(to.analyzerName, one);
    else if (of.isWanted) refuseAnother(one, other);
    else refuseJoining(instances.get(to.analyzerName), one, other);
    const vlan = to.nicAssistedMirroring ? to.nicAssistedVlan : undefined;
    if (vlan === undefined) continue;
    const holder = byVlan.get(vlan);
    if (holder === undefined) byVlan.set(vlan, one);
    else if (of.isWanted && holder.to.analyzerName !== to.analyzerName) {
      const problem = `${vlan} is that of analyzer "${holder.to.analyzerName}" of ${subject(holder.of)}; use another`;
      throw RefusedError.field('duplicate', subject(of), `${one.path}.nicAssistedVlan`, problem);
    }
  }
}

function definitionsOf({ interfaces, policies, destinations, instances }: Draft): Definition[] {
  const inPlace = (mirror: RuleMirror | undefined, of: DraftObject, path: string): Definition[] => {
    if (mirror === undefined || 'destination' in mirror) return [];
    return [{ to: canonical(mirror, of, instances), of, path }];
  };
  return [
    ...[...interfaces.values()].flatMap((of) =>
      of.spec.mirrors.flatMap((mirror, i) => inPlace(mirror, of, `spec.mirrors[${i}]`)),
    ),
    ...[...policies.values()].flatMap((of) =>
      of.spec.rules.flatMap(({ mirror }, i) => inPlace(mirror, of, `spec.rules[${i}].mirror`)),
    ),
    ...[...destinations.values()].map((of): Definition => {
      return { to: { analyzerName: destinationAnalyzer(of.name), ...of.spec }, of, path: 'spec' };
    }),
  ];
}

/** A mirror under the one name its analyzer has; what a service instance says itself, it does not say. */
function canonical(mirror: MirrorTo, { metadata }: DraftObject, instances: Draft['instances']): MirrorTo {
  const name = instanceName(mirror.analyzerName, metadata);
  if (name === undefined || !instances.has(name)) return mirror;
  return { ...mirror, analyzerName: name, analyzerIp: undefined, analyzerMac: undefined };
}

function refuseAnother({ to, of, path }: Definition, other: Definition): void {
  const shown = differences(other.to, to, ['there', 'here']);
  if (shown === '') return;
  const problem =
    `analyzer "${to.analyzerName}" is another one in ${other.path} of ${subject(other.of)} (${shown}); ` +
    'make them equal in one apply, or give one another name';
  throw RefusedError.field('duplicate', subject(of), path, problem);
}

/** A service instance of the documents makes two names one: those who use them have to mean the same. */
function refuseJoining(instance: DraftObject | undefined, one: Definition, other: Definition): void {
  const [first, second] = [other, one].map(({ of, path }) => `${path} of ${subject(of)}`);
  const shown = differences(other.to, one.to, ['in the first', 'in the second']);
  if (instance?.isWanted !== true || shown === '') return;
  const problem =
    `makes the analyzers of ${first} and of ${second} one, which are different (${shown}); ` +
    'make them equal first, or give the service instance another name';
  throw RefusedError.field('duplicate', subject(instance), 'metadata.name', problem);
}

/** What two mirrors differ in; empty: in nothing that means something. */
function differences(a: MirrorTo, b: MirrorTo, where: readonly [string, string]): string {
  const [first, second] = [meaningOf(a), meaningOf(b)];
  const fields = [...new Set([...Object.keys(second), ...Object.keys(first)])].filter((f) => first[f] !== second[f]);
  return fields
    .map((field) => `${field} ${first[field] ?? 'unset'} ${where[0]}, ${second[field] ?? 'unset'} ${where[1]}`)
    .join('; ');
}

/** The fields of a mirror that mean something, by path: others may differ. */
function meaningOf(to: MirrorTo): Record<string, string | number | boolean | undefined> {
  const { nicAssistedMirroring, nicAssistedVlan, juniperHeader, nhMode, rateLimit, sample, snapLength } = to;
  if (nicAssistedMirroring) return { nicAssistedMirroring, nicAssistedVlan };
  const common = { juniperHeader, nhMode, rateLimit, sample, snapLength };
  if (isRaw(to)) return { ...common, analyzerMac: to.analyzerMac, routingInstance: to.routingInstance };
  if (nhMode === 'dynamic')
    return {
      ...common,
      analyzerIp: to.analyzerIp,
      udpPort: to.udpPort,
      suppressIcmpErrors: to.suppressIcmpErrors,
    };
  const { vtepDstIp, vtepDstMac, vni } = to.staticNhHeader ?? {};
  return {
    ...common,
    'staticNhHeader.vtepDstIp': vtepDstIp,
    'staticNhHeader.vtepDstMac': vtepDstMac,
    'staticNhHeader.vni': vni,
  };
}
