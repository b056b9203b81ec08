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
  const definitions = definitionsOf(draft);
  // Objects of the documents come last, so that they meet those that are there already.
  const inOrder = [...definitions.filter(({ of }) => !of.isWanted), ...definitions.filter(({ of }) => of.isWanted)];
  for (const one of inOrder) {
    const { to, of } = one;
    const other = byName.get(to.analyzerName);
    if (other === undefined) byName.set(to.analyzerName, one);
    else if (of.isWanted) refuseAnother(one, other);
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
  const [here, there] = [meaningOf(to), meaningOf(other.to)];
  const fields = [...new Set([...Object.keys(here), ...Object.keys(there)])].filter((f) => here[f] !== there[f]);
  if (fields.length === 0) return;
  const shown = fields.map((field) => `${field} ${there[field] ?? 'unset'} there, ${here[field] ?? 'unset'} here`);
  const problem =
    `analyzer "${to.analyzerName}" is another one in ${other.path} of ${subject(other.of)} (${shown.join('; ')}); ` +
    'make them equal in one apply, or give one another name';
  throw RefusedError.field('duplicate', subject(of), path, problem);
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
