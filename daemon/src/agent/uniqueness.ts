import { RefusedError } from '../control/refused.js';
import { subject } from '../control/schema.js';
import type { VirtualMachineInterfaceStatus } from '../control/virtual-machine-interface.js';
import { GATEWAY_MAC } from '../wire/ethernet.js';
import type { Draft, DraftObject } from './draft.js';

type Interface = DraftObject<'VirtualMachineInterface'>;
type Decided = Pick<VirtualMachineInterfaceStatus, 'device' | 'mac'>;

/** Something no two objects can both have. */
interface Claim<T> {
  /** Equal for two objects that claim the same; undefined: the object claims nothing. */
  readonly key: (object: T) => string | undefined;
  /** Field of the claim. */
  readonly path: string;
  /** What is claimed, and where it must be unique, for the message. */
  readonly shown: (object: T) => string;
  readonly where: (object: T) => string;
}

/**
 * Refuses what two objects cannot both have: a UUID, a MAC address within a network, a device or an interface of a namespace
 * within a host, the address of a tunnel endpoint. `decided` says which device and MAC an interface has. The blame is on the object of the documents.
 */
export function checkUniqueness(draft: Draft, decided: (port: Interface) => Decided): void {
  const ports = [...draft.interfaces.values()];
  for (const port of ports) {
    if (!port.isWanted || decided(port).mac !== GATEWAY_MAC) continue;
    throw RefusedError.field('invalid', subject(port), 'spec.mac', `"${GATEWAY_MAC}" is the gateway's; use another`);
  }
  for (const kind of [draft.policies, draft.groups, draft.networks, draft.interfaces, draft.endpoints]) {
    refuseShared<DraftObject>([...kind.values()], UUID);
  }
  refuseShared([...draft.endpoints.values()], TUNNEL_ADDRESS);
  for (const claim of interfaceClaims(decided)) refuseShared(ports, claim);
}

const UUID: Claim<DraftObject> = {
  key: ({ uuid }) => uuid,
  path: 'metadata.uuid',
  shown: ({ uuid }) => `"${uuid}"`,
  where: () => '',
};

/** Packets are told apart by the address they come from. */
const TUNNEL_ADDRESS: Claim<DraftObject<'TunnelEndpoint'>> = {
  key: ({ spec }) => spec.address,
  path: 'spec.address',
  shown: ({ spec }) => `"${spec.address}"`,
  where: () => '',
};

function interfaceClaims(decided: (port: Interface) => Decided): Claim<Interface>[] {
  const onHost = ({ spec }: Interface): string => ` on host ${spec.host ?? ''}`;
  return [
    {
      key: (port) => `${port.spec.virtualNetwork} ${decided(port).mac}`,
      path: 'spec.mac',
      shown: (port) => `"${decided(port).mac}"`,
      where: ({ spec }) => ` of ${subject({ kind: 'VirtualNetwork', name: spec.virtualNetwork })}`,
    },
    {
      key: (port) => `${port.spec.host ?? ''} ${decided(port).device}`,
      path: 'spec.attach.device',
      shown: (port) => `"${decided(port).device}"`,
      where: onHost,
    },
    {
      key: ({ spec: { attach, host = '' } }) =>
        attach.type === 'netns' ? `${host} ${namespaceName(attach.netns)} ${attach.ifName}` : undefined,
      path: 'spec.attach.ifName',
      shown: ({ spec: { attach } }) =>
        attach.type === 'netns' ? `"${attach.ifName}" in namespace ${attach.netns}` : '',
      where: onHost,
    },
  ];
}

function refuseShared<T extends DraftObject>(objects: readonly T[], claim: Claim<T>): void {
  const holders = new Map<string, T>();
  // Objects of the documents come last, so that they meet those that are there already.
  const inOrder = [...objects.filter((object) => !object.isWanted), ...objects.filter((object) => object.isWanted)];
  for (const object of inOrder) {
    const key = claim.key(object);
    if (key === undefined) continue;
    const holder = holders.get(key);
    if (holder !== undefined) {
      const problem = `${claim.shown(object)} is already that of ${subject(holder)}${claim.where(object)}; use another`;
      throw RefusedError.field('duplicate', subject(object), claim.path, problem);
    }
    holders.set(key, object);
  }
}

/** Namespaces made by `ip netns` have a name and a path. */
function namespaceName(text: string): string {
  return text.replace(/^(\/var)?\/run\/netns\//, '');
}
