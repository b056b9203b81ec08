/**
 * Kinds of resources and how objects are named, without what checks them: tools that only name objects start without loading that.
 */
import { shortName } from './names.js';

export const API_VERSION = 'vrouter/v1';

/**
 * Objects of an earlier kind refer to those of a later one only as whom packets are copied to (ServiceInstance, MirrorDestination), which may come
 * after them and go before them.
 */
export const KINDS = [
  'NetworkPolicy',
  'SecurityGroup',
  'VirtualNetwork',
  'VirtualMachineInterface',
  'TunnelEndpoint',
  'ServiceTemplate',
  'ServiceInstance',
  'MirrorDestination',
  'FirewallPolicy',
] as const;
export type Kind = (typeof KINDS)[number];

/** An object by kind and full name. */
export interface ObjectRef {
  readonly kind: Kind;
  readonly name: string;
}

/** How messages name an object: `VirtualNetwork/blue`, in full where it is not of the default domain and project. */
export function subject({ kind, name }: ObjectRef): string {
  return `${kind}/${shortName(name)}`;
}
