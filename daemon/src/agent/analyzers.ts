import type { InterfaceMirror, MirrorTo, RuleMirror, TrafficDirection } from '../control/mirror-to.js';
import { isInternal } from '../control/mirror-destination.js';
import { DEFAULT_SCOPE, type Scope } from '../control/names.js';
import type { StoredObject } from '../control/store.js';
import { copyAddress } from './analyzer-status.js';
import { instanceName } from './object-references.js';

type ByName<T> = { get(name: string): T | undefined };
type Interface = Pick<StoredObject<'VirtualMachineInterface'>, 'spec' | 'status'>;

/** What says where the analyzers are that mirrors only name, by full name. */
export interface Analyzers {
  readonly VirtualMachineInterface: ByName<Interface>;
  readonly ServiceInstance: ByName<StoredObject<'ServiceInstance'>>;
  readonly MirrorDestination: ByName<StoredObject<'MirrorDestination'>>;
}

/** Whom packets are copied to, all fields known that can be; `direction`: seen from the interface. */
export interface ResolvedMirror {
  readonly to: MirrorTo;
  readonly direction: TrafficDirection;
  /** Whether the analyzer is a service instance. */
  readonly isService: boolean;
}

/**
 * What a mirror means that an object of this scope names: of a service instance and of a mirror destination, the address and MAC of the guest
 * that is the analyzer. Null: there is no such destination, or nobody is it.
 */
export function resolveAnalyzer(mirror: RuleMirror, scope: Scope, analyzers: Analyzers): ResolvedMirror | null {
  if ('destination' in mirror) return resolveDestination(mirror.destination, analyzers);
  const name = instanceName(mirror.analyzerName, scope);
  const instance = name === undefined ? undefined : analyzers.ServiceInstance.get(name);
  if (instance === undefined) return { to: mirror, direction: 'both', isService: false };
  const left = analyzers.VirtualMachineInterface.get(instance.spec.interfaces.left);
  const to = { ...mirror, analyzerName: instance.name, ...guestFields(mirror, left) };
  return { to, direction: 'both', isService: true };
}

/** The mirrors of an interface that are switched on. */
export function interfaceMirrors(
  { spec, metadata }: Pick<StoredObject<'VirtualMachineInterface'>, 'spec' | 'metadata'>,
  analyzers: Analyzers,
): ResolvedMirror[] {
  return spec.mirrors.flatMap((mirror: InterfaceMirror) => {
    const { enable, ...rest } = mirror;
    if (!enable) return [];
    if ('destination' in rest) return resolveAnalyzer(rest, metadata, analyzers) ?? [];
    const { trafficDirection, ...to } = rest;
    const resolved = resolveAnalyzer(to, metadata, analyzers);
    return resolved === null ? [] : [{ ...resolved, direction: trafficDirection }];
  });
}

/** Name a mirror destination has among analyzers: one that no service instance can have. */
export function destinationAnalyzer(name: string): string {
  const [domain, project, rest] = name.split(':');
  return `${domain === DEFAULT_SCOPE.domain ? '' : `${domain}/`}${project}/${rest}`;
}

function resolveDestination(name: string, analyzers: Analyzers): ResolvedMirror | null {
  const destination = analyzers.MirrorDestination.get(name);
  if (destination === undefined) return null;
  const { spec, status } = destination;
  const { trafficDirection, externalAnalyzer, ...fields } = spec;
  const to = { analyzerName: destinationAnalyzer(name), ...fields };
  const common = { direction: trafficDirection, isService: false };
  if (externalAnalyzer || !isInternal(spec)) return { to, ...common };
  const guest = analyzers.VirtualMachineInterface.get(status.virtualMachineInterface ?? '');
  return guest === undefined ? null : { to: { ...to, ...guestFields(to, guest) }, ...common };
}

/** What a mirror says of its analyzer when that is a guest. Frames without header are for its MAC, in its network. */
function guestFields(to: MirrorTo, guest: Interface | undefined): Partial<MirrorTo> {
  if (guest === undefined) return {};
  const { spec, status } = guest;
  const address = copyAddress(status.addresses);
  return {
    ...(address === null ? {} : { analyzerIp: address }),
    ...(to.juniperHeader
      ? {}
      : { analyzerMac: status.mac, routingInstance: to.routingInstance ?? spec.virtualNetwork }),
  };
}
