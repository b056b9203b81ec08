import { splitName, fullName, type Scope } from '../control/names.js';
import type { RuleMirror } from '../control/mirror-to.js';
import type { ObjectRef } from '../control/schema.js';
import type { DraftObject } from './draft.js';

/** What an object refers to, and the field that says so. */
interface Reference {
  readonly ref: ObjectRef;
  readonly path: string;
  /** Whether what it names need not be there yet; once it is, it stays as long as it is named. */
  readonly mayCome: boolean;
}

const to = (kind: ObjectRef['kind'], name: string, path: string): Reference => {
  return { ref: { kind, name }, path, mayCome: false };
};
const named = (kind: ObjectRef['kind'], name: string, path: string): Reference => {
  return { ref: { kind, name }, path, mayCome: true };
};

/** What an object refers to. Networks that a policy names are no references: they come and go. */
export function referencesOf(object: DraftObject): Reference[] {
  switch (object.kind) {
    case 'NetworkPolicy':
      return object.spec.rules.flatMap(({ mirror }, i) => {
        return mirror === undefined ? [] : mirrorReference(mirror, object.metadata, `spec.rules[${i}].mirror`);
      });
    case 'SecurityGroup':
      return (['ingress', 'egress'] as const).flatMap((side) =>
        object.spec[side].flatMap(({ remoteGroup }, i) =>
          remoteGroup === undefined || remoteGroup === object.name
            ? []
            : [to('SecurityGroup', remoteGroup, `spec.${side}[${i}].remoteGroup`)],
        ),
      );
    case 'VirtualNetwork':
      return object.spec.policies.map((policy, i) => to('NetworkPolicy', policy, `spec.policies[${i}]`));
    case 'VirtualMachineInterface':
      return [
        to('VirtualNetwork', object.spec.virtualNetwork, 'spec.virtualNetwork'),
        ...object.spec.securityGroups.map((group, i) => to('SecurityGroup', group, `spec.securityGroups[${i}]`)),
        ...object.spec.mirrors.flatMap((mirror, i) => mirrorReference(mirror, object.metadata, `spec.mirrors[${i}]`)),
      ];
    case 'TunnelEndpoint':
      return object.spec.networks.map(({ virtualNetwork }, i) =>
        to('VirtualNetwork', virtualNetwork, `spec.networks[${i}].virtualNetwork`),
      );
    case 'ServiceInstance':
      return [
        to('ServiceTemplate', object.spec.template, 'spec.template'),
        ...(['left', 'management'] as const).flatMap((role) => {
          const name = object.spec.interfaces[role];
          return name === undefined ? [] : [to('VirtualMachineInterface', name, `spec.interfaces.${role}`)];
        }),
      ];
    case 'FirewallPolicy':
      return [object.spec, ...object.spec.rules].flatMap(({ secondaryActions }, i) =>
        (secondaryActions?.mirrorTo ?? []).map((name, k) => {
          const path = `${i === 0 ? 'spec' : `spec.rules[${i - 1}]`}.secondaryActions.mirrorTo[${k}]`;
          return named('MirrorDestination', name, path);
        }),
      );
    case 'ServiceTemplate':
    case 'MirrorDestination':
      return [];
  }
}

function mirrorReference(mirror: RuleMirror, scope: Scope, path: string): Reference[] {
  if ('destination' in mirror) return [named('MirrorDestination', mirror.destination, `${path}.destination`)];
  const instance = instanceName(mirror.analyzerName, scope);
  return instance === undefined ? [] : [named('ServiceInstance', instance, `${path}.analyzerName`)];
}

/** Full name of the service instance an analyzer would be by its name; undefined: it can be none. */
export function instanceName(analyzer: string, scope: Scope): string | undefined {
  const parts = splitName(analyzer, scope);
  return parts === undefined ? undefined : fullName(parts);
}
