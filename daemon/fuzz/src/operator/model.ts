import type { RefusedError } from '#vrouterd/control/refused.js';
import { parseDocument } from '#vrouterd/control/schema.js';
import { fullName } from '#vrouterd/control/names.js';
import type { MemoryStore } from '#vrouterd/testing/memory-store.js';
import { must } from '../engine/target.js';
import { guestAddresses } from './invariants.js';
import type { Request } from './requests.js';

/** What an interface is to get. */
export interface Expected {
  readonly name: string;
  /** Undefined: an address of some family is not left. */
  readonly addresses: readonly string[] | undefined;
}

/**
 * What a new interface that asks for no address is to be given: of each family of its network the first free address of the first
 * subnet that has one. Undefined for every other request.
 */
export function expectedAddresses(store: MemoryStore, request: Request): Expected | undefined {
  if (request.kind === 'remove' || request.dryRun || request.prune || request.documents.length !== 1) return undefined;
  let resource;
  try {
    resource = parseDocument(request.documents[0]);
  } catch {
    return undefined;
  }
  if (resource.kind !== 'VirtualMachineInterface' || resource.spec.addresses !== undefined) return undefined;
  const name = fullName(resource.metadata);
  const network = store.get('VirtualNetwork', resource.spec.virtualNetwork);
  if (network === undefined || store.get(resource.kind, name) !== undefined) return undefined;

  const others = store.list('VirtualMachineInterface').filter(({ spec }) => spec.virtualNetwork === network.name);
  const taken = new Set(others.flatMap(({ status }) => status.addresses));
  const addresses: string[] = [];
  for (const mark of ['.', ':']) {
    const subnets = network.spec.subnets.filter(
      ({ prefix }) => prefix.includes(mark) && (mark === ':' || !prefix.includes(':')),
    );
    if (subnets.length === 0) continue;
    const first = subnets.flatMap((subnet) => [...inPools(subnet)]).find((address) => !taken.has(address));
    if (first === undefined) return { name, addresses: undefined };
    addresses.push(first);
  }
  return { name, addresses };
}

/** Guest addresses of a subnet in its pools, in the order they are given. */
function inPools(subnet: Parameters<typeof guestAddresses>[0]): string[] {
  const all = [...guestAddresses(subnet)];
  if (subnet.allocationPools.length === 0) return all;
  const last = (text: string): number => {
    const group = text.slice(Math.max(text.lastIndexOf('.'), text.lastIndexOf(':')) + 1);
    return text.includes(':')
      ? parseInt(group || '0', 16)
      : text.split('.').reduce((n, part) => n * 256 + Number(part), 0);
  };
  return subnet.allocationPools.flatMap(({ start, end }) =>
    all.filter((address) => last(address) >= last(start) && last(address) <= last(end)),
  );
}

/** What was given is what the model says; that nothing is left is said when nothing is. */
export function checkGiven(store: MemoryStore, { name, addresses }: Expected, refused: RefusedError | null): void {
  if (refused === null) {
    const given = store.get('VirtualMachineInterface', name)?.status.addresses;
    must(given?.join() === addresses?.join(), () => `${name} got ${given?.join()}, not ${addresses?.join()}`);
  } else if (refused.code === 'exhausted') {
    must(addresses === undefined, () => `${refused.message}, but ${addresses?.join()} is free`);
  }
}
