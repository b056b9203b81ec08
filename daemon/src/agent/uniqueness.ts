import { RefusedError } from '../control/refused.js';
import { subject } from '../control/schema.js';
import type { VirtualMachineInterfaceStatus } from '../control/virtual-machine-interface.js';
import { GATEWAY_MAC } from './compile.js';
import type { Draft, DraftObject } from './draft.js';

type Interface = DraftObject<'VirtualMachineInterface'>;
type Decided = Pick<VirtualMachineInterfaceStatus, 'device' | 'mac'>;

/**
 * Refuses what two objects cannot both have: a UUID, a MAC address within a network, a device or an interface of a namespace
 * within a host. `decided` says which device and MAC an interface has. The blame is on the object of the documents.
 */
export function checkUniqueness(draft: Draft, decided: (port: Interface) => Decided): void {
  for (const objects of [draft.networks, draft.interfaces]) {
    refuseShared<DraftObject>([...objects.values()], ({ uuid }) => ({
      path: 'metadata.uuid',
      shown: `"${uuid}"`,
      where: '',
      key: uuid,
    }));
  }
  const ports = [...draft.interfaces.values()];
  for (const port of ports) {
    if (!port.isWanted || decided(port).mac !== GATEWAY_MAC) continue;
    throw RefusedError.field('invalid', subject(port), 'spec.mac', `"${GATEWAY_MAC}" is the gateway's; use another`);
  }
  refuseShared(ports, (port) => {
    const { mac } = decided(port);
    const { virtualNetwork } = port.spec;
    const where = ` of ${subject({ kind: 'VirtualNetwork', name: virtualNetwork })}`;
    return { path: 'spec.mac', shown: `"${mac}"`, where, key: `${virtualNetwork} ${mac}` };
  });
  refuseShared(ports, (port) => {
    const { device } = decided(port);
    const host = port.spec.host ?? '';
    return { path: 'spec.attach.device', shown: `"${device}"`, where: ` on host ${host}`, key: `${host} ${device}` };
  });
  refuseShared(ports, (port) => {
    const { attach, host = '' } = port.spec;
    if (attach.type !== 'netns') return undefined;
    const shown = `"${attach.ifName}" in namespace ${attach.netns}`;
    const key = `${host} ${namespaceName(attach.netns)} ${attach.ifName}`;
    return { path: 'spec.attach.ifName', shown, where: ` on host ${host}`, key };
  });
}

interface Claim {
  readonly path: string;
  readonly shown: string;
  readonly where: string;
  /** Equal for two objects that claim the same. */
  readonly key: string;
}

function refuseShared<T extends DraftObject>(objects: readonly T[], claimOf: (object: T) => Claim | undefined): void {
  const holders = new Map<string, T>();
  // Objects of the documents come last, so that they meet those that are there already.
  const inOrder = [...objects.filter((object) => !object.isWanted), ...objects.filter((object) => object.isWanted)];
  for (const object of inOrder) {
    const claim = claimOf(object);
    if (claim === undefined) continue;
    const holder = holders.get(claim.key);
    if (holder !== undefined) {
      const problem = `${claim.shown} is already that of ${subject(holder)}${claim.where}; use another`;
      throw RefusedError.field('duplicate', subject(object), claim.path, problem);
    }
    holders.set(claim.key, object);
  }
}

/** Namespaces made by `ip netns` have a name and a path. */
function namespaceName(text: string): string {
  return text.replace(/^(\/var)?\/run\/netns\//, '');
}
