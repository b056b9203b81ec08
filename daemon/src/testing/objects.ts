import type { GroupObject, PolicyObject } from '../agent/policy.js';
import type { InterfaceObject, NetworkObject } from '../agent/plan.js';
import { SELECTOR_LABEL } from '../control/mirror-destination.js';
import { fullName } from '../control/names.js';
import { parseDocument } from '../control/schema.js';
import type { StoredObject } from '../control/store.js';

/** Objects as the store has them, made of the specs users write. */
function stored(kind: string, name: string, spec: unknown, status: unknown, labels: object = {}): unknown {
  const document = parseDocument({ apiVersion: 'vrouter/v1', kind, metadata: { name, labels }, spec });
  return { ...document, name: fullName(document.metadata), revision: 1, uuid: name, status };
}

/** `number` is the network's. */
export const networkObject = (name: string, number: number, spec: object = {}): NetworkObject =>
  stored('VirtualNetwork', name, spec, { networkId: number }) as NetworkObject;

/** An interface on host `here`, with this address and a MAC made of `number`, below 16. */
export const interfaceObject = (
  name: string,
  number: number,
  address: string,
  spec: object,
  labels: object = {},
): InterfaceObject =>
  stored(
    'VirtualMachineInterface',
    name,
    { host: 'here', attach: { type: 'netns', netns: name }, ...spec },
    { device: `tap${name}`, mac: `02:00:00:00:00:0${number.toString(16)}`, addresses: [address] },
    labels,
  ) as InterfaceObject;

export const policyObject = (name: string, ...rules: object[]): PolicyObject =>
  stored('NetworkPolicy', name, { rules }, {}) as PolicyObject;

export const groupObject = (name: string, spec: object = {}): GroupObject =>
  stored('SecurityGroup', name, spec, {}) as GroupObject;

/** Objects by full name. */
export const byName = <T extends { readonly name: string }>(...objects: readonly T[]): Map<string, T> =>
  new Map(objects.map((object) => [object.name, object]));

export const endpointObject = (name: string, spec: object): StoredObject<'TunnelEndpoint'> =>
  stored('TunnelEndpoint', name, spec, {}) as StoredObject<'TunnelEndpoint'>;

export const instanceObject = (name: string, left: string): StoredObject<'ServiceInstance'> =>
  stored(
    'ServiceInstance',
    name,
    { template: 'analyzer', interfaces: { left } },
    { address: null },
  ) as StoredObject<'ServiceInstance'>;

/** A mirror destination for interfaces with the label `analyzer`; `chosen`: full name of the one it has. */
export const destinationObject = (
  name: string,
  spec: object,
  chosen: string | null = null,
): StoredObject<'MirrorDestination'> =>
  stored(
    'MirrorDestination',
    name,
    spec,
    { state: 'Success', observation: '', virtualMachineInterface: chosen, address: null },
    { [SELECTOR_LABEL]: 'analyzer' },
  ) as StoredObject<'MirrorDestination'>;

export const firewallObject = (name: string, spec: object): StoredObject<'FirewallPolicy'> =>
  stored('FirewallPolicy', name, spec, { state: 'Success', observations: [] }) as StoredObject<'FirewallPolicy'>;
