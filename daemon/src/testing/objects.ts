import type { GroupObject, PolicyObject } from '../agent/policy.js';
import type { InterfaceObject, NetworkObject } from '../agent/plan.js';
import { fullName } from '../control/names.js';
import { parseDocument } from '../control/schema.js';
import type { StoredObject } from '../control/store.js';

/** Objects as the store has them, made of the specs users write. */
function stored(kind: string, name: string, spec: unknown, status: unknown): unknown {
  const document = parseDocument({ apiVersion: 'vrouter/v1', kind, metadata: { name }, spec });
  return { ...document, name: fullName(document.metadata), revision: 1, uuid: name, status };
}

/** `number` is the network's. */
export const networkObject = (name: string, number: number, spec: object = {}): NetworkObject =>
  stored('VirtualNetwork', name, spec, { networkId: number }) as NetworkObject;

/** An interface on host `here`, with this address and a MAC made of `number`, below 16. */
export const interfaceObject = (name: string, number: number, address: string, spec: object): InterfaceObject =>
  stored(
    'VirtualMachineInterface',
    name,
    { host: 'here', attach: { type: 'netns', netns: name }, ...spec },
    { device: `tap${name}`, mac: `02:00:00:00:00:0${number.toString(16)}`, addresses: [address] },
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
