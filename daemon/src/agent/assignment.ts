import { parseAddress, type Family } from '../control/prefix.js';
import { RefusedError } from '../control/refused.js';
import { subject } from '../control/schema.js';
import { addressBook, NETWORK_IDS } from '../control/store.js';
import { key, type Draft, type DraftObject } from './draft.js';
import { addressPlan, freeAddresses, planOf, rangesText, reservedFor, type AddressPlan } from './ipam.js';
import { isResting } from './resting-numbers.js';

/** Who holds what, by book, as the shared store has it. */
export type Books = ReadonlyMap<string, ReadonlyMap<string, string>>;

type Network = DraftObject<'VirtualNetwork'>;
type Interface = DraftObject<'VirtualMachineInterface'>;

/** Interfaces whose addresses are looked at: those of the documents first, then the others of networks in the documents. */
export function touchedInterfaces(draft: Draft): Interface[] {
  const touched = [...draft.interfaces.values()].filter((port) => port.isWanted || networkOf(draft, port).isWanted);
  return touched.sort((a, b) => Number(b.isWanted) - Number(a.isWanted));
}

/** Names of the books `assignNetworkIds` and `assignAddresses` look into. */
export function booksOf(draft: Draft): string[] {
  const networks = new Set(touchedInterfaces(draft).map((port) => networkOf(draft, port)));
  return [
    NETWORK_IDS,
    ...[...networks].flatMap(({ name, spec }) => spec.subnets.map((s) => addressBook(name, s.prefix))),
  ];
}

/**
 * Numbers of the networks of the documents: the one asked for, else the one it has, else the smallest nobody has
 * or had lately. Throws RefusedError when a number asked for is another network's.
 */
export function assignNetworkIds(draft: Draft, books: Books): ReadonlyMap<string, number> {
  const wanted = [...draft.networks.values()].filter((network) => network.isWanted);
  const gone = draft.gone.filter(({ kind }) => kind === 'VirtualNetwork');
  const holders = heldByOthers(books.get(NETWORK_IDS), [...wanted, ...gone]);
  const ids = new Map<string, number>();
  const take = ({ name }: Network, id: number): void => {
    holders.set(String(id), name);
    ids.set(name, id);
  };

  for (const network of wanted) {
    if (network.spec.vxlanId === undefined && network.before !== undefined)
      take(network, network.before.status.networkId);
  }
  for (const network of wanted) {
    const { vxlanId } = network.spec;
    if (vxlanId === undefined) continue;
    const holder = holders.get(String(vxlanId));
    if (holder !== undefined && !isResting(holder)) {
      const other = subject({ kind: 'VirtualNetwork', name: holder });
      throw RefusedError.field(
        'duplicate',
        subject(network),
        'spec.vxlanId',
        `${vxlanId} is already the number of ${other}; use another`,
      );
    }
    take(network, vxlanId);
  }
  let next = 1;
  for (const network of wanted) {
    if (ids.has(network.name)) continue;
    while (holders.has(String(next))) next += 1;
    take(network, next);
  }
  return ids;
}

/**
 * Addresses of the interfaces this change touches: those asked for; else those it has and, of each family it has none of, the
 * next free one of the first subnet with room. Throws RefusedError when an address cannot be had or none is left.
 */
export function assignAddresses(draft: Draft, books: Books): ReadonlyMap<string, readonly string[]> {
  const touched = touchedInterfaces(draft);
  const ledgers = new Map<string, Ledger>();
  const ledgerOf = (port: Interface): Ledger => {
    const network = networkOf(draft, port);
    const ledger = ledgers.get(network.name) ?? new Ledger(draft, network, books, touched);
    ledgers.set(network.name, ledger);
    return ledger;
  };

  const addresses = new Map<string, readonly string[]>();
  for (const port of touched) {
    if (!isAsking(port)) addresses.set(port.name, ledgerOf(port).keep(port));
  }
  for (const port of touched) {
    if (isAsking(port)) addresses.set(port.name, ledgerOf(port).give(port));
  }
  for (const port of touched) {
    if (port.spec.addresses === undefined) {
      addresses.set(port.name, ledgerOf(port).complete(port, addresses.get(port.name) ?? []));
    }
  }
  return addresses;
}

/** Whether a document asks for certain addresses. */
function isAsking(port: Interface): boolean {
  return port.isWanted && port.spec.addresses !== undefined;
}

/** Who has which address of one network while the change is worked out. */
class Ledger {
  readonly #network: Network;
  readonly #plans: readonly AddressPlan[];
  readonly #holders: Map<string, string>;
  /** Free addresses, one series a subnet, so that each is looked at once however many interfaces come. */
  readonly #series: readonly { readonly family: Family; readonly free: Generator<string, void> }[];

  constructor(draft: Draft, network: Network, books: Books, touched: readonly Interface[]) {
    this.#network = network;
    this.#plans = network.spec.subnets.map(addressPlan);
    const moving = [...touched, ...draft.gone.filter(({ kind }) => kind === 'VirtualMachineInterface')];
    this.#holders = new Map(
      network.spec.subnets.flatMap(({ prefix }) => [
        ...heldByOthers(books.get(addressBook(network.name, prefix)), moving),
      ]),
    );
    this.#series = this.#plans.map((plan) => ({ family: plan.range.family, free: freeAddresses(plan, this.#holders) }));
  }

  /** What the interface has, as far as it may keep it when nothing else is asked for: all, or one of each family. */
  keep(port: Interface): string[] {
    const had = port.before?.status.addresses ?? [];
    const kept = port.spec.addresses === undefined ? firstOfEachFamily(had) : [...had];
    for (const address of kept) {
      const problem = this.#problem(address);
      if (problem !== undefined) {
        const text = `${subject(port)} has ${address}, which would be ${problem}; delete it first`;
        throw RefusedError.field('inUse', subject(this.#network), 'spec.subnets', text);
      }
      this.#holders.set(address, port.name);
    }
    return kept;
  }

  /** What the interface asks for. */
  give(port: Interface): string[] {
    const asked = port.spec.addresses ?? [];
    for (const [index, address] of asked.entries()) {
      const path = `spec.addresses[${index}]`;
      const problem = this.#problem(address);
      if (problem !== undefined) {
        throw RefusedError.field('invalid', subject(port), path, `"${address}" is ${problem}; use another`);
      }
      const holder = this.#holders.get(address);
      if (holder !== undefined) {
        const other = subject({ kind: 'VirtualMachineInterface', name: holder });
        const text =
          holder === port.name
            ? `"${address}" is there twice`
            : `"${address}" already belongs to ${other}; use another`;
        throw RefusedError.field('duplicate', subject(port), path, text);
      }
      this.#holders.set(address, port.name);
    }
    return asked;
  }

  /** `has` and one address of each family the network has and the interface lacks; IPv4 first. */
  complete(port: Interface, has: readonly string[]): string[] {
    const families = ([4, 6] as const).filter((family) => this.#series.some((series) => series.family === family));
    const result = families.map(
      (family) => has.find((address) => parseAddress(address).family === family) ?? this.#next(port, family),
    );
    return result;
  }

  #next(port: Interface, family: Family): string {
    for (const series of this.#series) {
      const next = series.family === family ? series.free.next().value : undefined;
      if (next === undefined) continue;
      this.#holders.set(next, port.name);
      return next;
    }
    const where = `${subject(this.#network)} (${rangesText(this.#plans.filter((plan) => plan.range.family === family))})`;
    throw RefusedError.field(
      'exhausted',
      subject(port),
      'spec.addresses',
      `no IPv${family} address is left in ${where}; add a subnet or delete an interface`,
    );
  }

  /** Why no interface can have this address, completing "it is ...". */
  #problem(text: string): string | undefined {
    const address = parseAddress(text);
    const plan = planOf(this.#plans, address);
    if (plan !== undefined) {
      const reserved = reservedFor(plan, address);
      return reserved === undefined ? undefined : `${reserved} of ${rangesText([plan])}`;
    }
    const name = subject(this.#network);
    return this.#plans.length === 0
      ? `in no subnet, as ${name} has none`
      : `in no subnet of ${name} (${rangesText(this.#plans)})`;
  }
}

function firstOfEachFamily(addresses: readonly string[]): string[] {
  const families = addresses.map((address) => parseAddress(address).family);
  return addresses.filter((_, i) => families.indexOf(families[i]) === i);
}

/** Entries of a book that none of `objects` holds. */
function heldByOthers(
  book: ReadonlyMap<string, string> = new Map(),
  objects: readonly { readonly name: string }[],
): Map<string, string> {
  const names = new Set(objects.map(({ name }) => name));
  return new Map([...book].filter(([, owner]) => !names.has(owner)));
}

/** The network of an interface, which `draftOf` made sure is there. */
function networkOf(draft: Draft, port: Interface): Network {
  const network = draft.networks.get(port.spec.virtualNetwork);
  if (network === undefined) throw new Error(`${key(port)} has no network`);
  return network;
}
