import { GATEWAY_MAC } from '#vrouterd/wire/ethernet.js';
import { isResting } from '#vrouterd/agent/resting-numbers.js';
import { fatFlowConflict } from '#vrouterd/control/fat-flow.js';
import { KINDS } from '#vrouterd/control/schema.js';
import type { StoredObject } from '#vrouterd/control/store.js';
import { addressBook, NETWORK_IDS } from '#vrouterd/control/store.js';
import type { MemoryStore } from '#vrouterd/testing/memory-store.js';
import { must } from '../engine/target.js';

type Network = StoredObject<'VirtualNetwork'>;
type Interface = StoredObject<'VirtualMachineInterface'>;

/** Everything a store holds, by itself and in the books, as text that can be compared. */
export async function pictureOf(store: MemoryStore, books: Iterable<string>): Promise<string> {
  const rows: unknown[] = KINDS.flatMap((kind) => store.list(kind));
  for (const book of [...books].sort()) {
    const entries = [...(await store.reservations(book))].sort();
    if (entries.length > 0) rows.push([book, entries]);
  }
  return JSON.stringify(rows);
}

/** Books hold exactly what objects have and numbers that rest, nothing is given twice, and nobody has what is reserved. */
export async function checkStore(store: MemoryStore, everBooks: Set<string>): Promise<void> {
  const networks = store.list('VirtualNetwork');
  const interfaces = store.list('VirtualMachineInterface');
  for (const { name, spec } of networks)
    for (const { prefix } of spec.subnets) everBooks.add(addressBook(name, prefix));
  everBooks.add(NETWORK_IDS);
  await checkBooks(store, everBooks, networks, interfaces);
  for (const port of interfaces) {
    const network = networks.find(({ name }) => name === port.spec.virtualNetwork);
    must(network !== undefined, () => `${port.name} has no network`);
    checkAddresses(port, network);
  }
  checkReferences(store);
  unique(
    networks.map(({ status }) => String(status.networkId)),
    'number of a network',
  );
  unique(
    KINDS.flatMap((kind) => store.list(kind)).map(({ kind, uuid }) => `${kind} ${uuid}`),
    'UUID',
  );
  unique(
    interfaces.map(({ spec, status }) => `${spec.virtualNetwork} ${status.mac}`),
    'MAC address',
  );
  unique(
    interfaces.map(({ spec, status }) => `${spec.host ?? ''} ${status.device}`),
    'device',
  );
  unique(
    interfaces.flatMap(({ spec, status }) => status.addresses.map((a) => `${spec.virtualNetwork} ${a}`)),
    'address',
  );
  must(!interfaces.some(({ status }) => status.mac === GATEWAY_MAC), () => 'an interface has the MAC of the gateway');
}

/** Whoever is named is there, but for networks in policies and groups in the rules of groups. */
function checkReferences(store: MemoryStore): void {
  for (const { name, spec } of store.list('VirtualNetwork')) {
    for (const policy of spec.policies)
      must(
        store.get('NetworkPolicy', policy) !== undefined,
        () => `${name} has the policy ${policy}, which is not there`,
      );
  }
  for (const { name, spec } of store.list('VirtualMachineInterface')) {
    for (const group of spec.securityGroups)
      must(store.get('SecurityGroup', group) !== undefined, () => `${name} is in ${group}, which is not there`);
    const network = store.get('VirtualNetwork', spec.virtualNetwork)?.spec.fatFlows ?? [];
    const conflict = fatFlowConflict(network, spec.fatFlows);
    must(conflict === undefined, () => `${name} contradicts its network about ${conflict?.about ?? ''}`);
  }
}

async function checkBooks(
  store: MemoryStore,
  books: Iterable<string>,
  networks: readonly Network[],
  interfaces: readonly Interface[],
): Promise<void> {
  const expected = new Map<string, string>();
  for (const { name, status } of networks) expected.set(`${NETWORK_IDS} ${status.networkId}`, name);
  for (const { name, spec, status } of interfaces) {
    const subnets = networks.find((network) => network.name === spec.virtualNetwork)?.spec.subnets ?? [];
    for (const address of status.addresses) {
      const subnet = subnets.find(({ prefix }) => valuesOf(prefix).has(address));
      if (subnet) expected.set(`${addressBook(spec.virtualNetwork, subnet.prefix)} ${address}`, name);
    }
  }
  const held = new Map<string, string>();
  for (const book of books)
    for (const [entry, owner] of await store.reservations(book))
      if (!isResting(owner)) held.set(`${book} ${entry}`, owner);
  const texts = [expected, held].map((map) => JSON.stringify([...map].sort()));
  must(texts[0] === texts[1], () => `books should hold ${texts[0]} and hold ${texts[1]}`);
}

/** Its addresses lie in subnets of its network, and none is first, last, gateway's or service's. */
function checkAddresses({ name, spec, status }: Interface, network: Network): void {
  for (const address of status.addresses) {
    const subnet = network.spec.subnets.find(({ prefix }) => valuesOf(prefix).has(address));
    must(subnet !== undefined, () => `${name} has ${address}, which is in no subnet`);
    const free = guestAddresses(subnet);
    must(free.has(address), () => `${name} has ${address}, which is kept for others in ${JSON.stringify(subnet)}`);
  }
  const { addresses } = spec;
  must(
    addresses === undefined || addresses.join() === status.addresses.join(),
    () => `${name} did not get what it asked for`,
  );
}

/** Addresses of a subnet guests may have, those given first in front. The slow way: each is written down. */
export function guestAddresses(subnet: Network['spec']['subnets'][number]): Set<string> {
  const all = [...valuesOf(subnet.prefix)];
  const end = subnet.addrFromStart ? all : all.toReversed();
  const kept = new Set([all[0], all[all.length - 1], subnet.gateway ?? end[1], subnet.serviceAddress ?? end[2]]);
  return new Set(end.filter((address) => !kept.has(address)));
}

const known = new Map<string, ReadonlySet<string>>();

/** Every address of a prefix, the last group of which is all that varies in IPv6. */
function valuesOf(prefix: string): ReadonlySet<string> {
  const values = known.get(prefix) ?? new Set(listed(prefix));
  known.set(prefix, values);
  return values;
}

function* listed(prefix: string): Generator<string> {
  const [text, length] = prefix.split('/');
  if (text.includes(':')) {
    for (let i = 0; i < 2 ** (128 - Number(length)); i++) yield i === 0 ? text : `${text}${i.toString(16)}`;
    return;
  }
  const base = text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
  for (let i = base; i < base + 2 ** (32 - Number(length)); i++) {
    yield [24, 16, 8, 0].map((shift) => (i >>> shift) & 255).join('.');
  }
}

function unique(keys: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const key of keys) {
    must(!seen.has(key), () => `a ${what} is there twice: ${key}`);
    seen.add(key);
  }
}
