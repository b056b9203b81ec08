import { isDeepStrictEqual } from 'node:util';
import type { ObjectOutcome } from '../control/dumps.js';
import { pathText } from '../control/explain.js';
import { defaultDevice, defaultMac } from '../control/names.js';
import { parseAddress } from '../control/prefix.js';
import {
  addressBook,
  NETWORK_IDS,
  type Reservation,
  type StateStore,
  type StoredObject,
  type Transaction,
} from '../control/store.js';
import type { VirtualMachineInterfaceStatus } from '../control/virtual-machine-interface.js';
import type { VirtualNetworkSpec } from '../control/virtual-network.js';
import { assignAddresses, assignNetworkIds, touchedInterfaces, type Books } from './assignment.js';
import { key, type Draft, type DraftObject } from './draft.js';
import { checkFatFlows } from './fat-flow-conflicts.js';
import { copyAddress, destinationStatus, firewallStatus } from './analyzer-status.js';
import { addressPlan, planOf } from './ipam.js';
import { checkMirrors } from './mirror-conflicts.js';
import { withRest } from './resting-numbers.js';
import { checkRuleCounts } from './rule-count.js';
import { checkUniqueness } from './uniqueness.js';

/** A change ready to be committed. */
export interface ChangePlan {
  readonly tx: Omit<Transaction, 'basis'>;
  /** In the order of the documents; then what changed with them, then what is deleted. */
  readonly outcomes: readonly ObjectOutcome[];
}

/** One object as it will be; `before`: as it is. */
interface Step {
  readonly object: StoredObject;
  readonly before: StoredObject | undefined;
}

/**
 * Decides the status of every object the change touches, and works out what has to be written. Throws RefusedError when the
 * whole does not fit together.
 * @param nowMs milliseconds since 1970.
 */
export function planChange(draft: Draft, present: Pick<StateStore, 'get'>, books: Books, nowMs: number): ChangePlan {
  checkUniqueness(draft, deviceAndMac);
  checkFatFlows(draft);
  checkRuleCounts(draft);
  checkMirrors(draft);
  const steps = stepsOf(draft, books);
  const changed = steps.filter(({ object, before }) => !isSame(object, before));

  const specBefore = (name: string) => present.get('VirtualNetwork', name)?.spec;
  const specAfter = (name: string) => draft.networks.get(name)?.spec;
  const held = reservations([...steps.flatMap(({ before }) => before ?? []), ...draft.gone], specBefore);
  const needed = reservations(
    steps.map(({ object }) => object),
    specAfter,
  );
  const bookings = { release: without(held, needed), reserve: without(needed, held) };
  return {
    tx: {
      writes: changed.map(({ object }) => object),
      deletes: draft.gone.map(({ kind, name, revision }) => ({ kind, name, revision })),
      ...withRest(bookings, books.get(NETWORK_IDS), nowMs),
    },
    outcomes: outcomesOf(draft, steps, changed),
  };
}

function stepsOf(draft: Draft, books: Books): Step[] {
  const ids = assignNetworkIds(draft, books);
  const addresses = assignAddresses(draft, books);
  const networks = [...draft.networks.values()].filter((network) => network.isWanted);
  const rules = [...draft.policies.values(), ...draft.groups.values()].filter((object) => object.isWanted);
  return [
    ...rules.map((object) => ({ object: stored(object, {}), before: object.before })),
    ...networks.map((network) => ({
      object: stored(network, { networkId: ids.get(network.name) }),
      before: network.before,
    })),
    ...touchedInterfaces(draft).map((port) => ({
      object: stored(port, { ...deviceAndMac(port), addresses: addresses.get(port.name) }),
      before: port.before,
    })),
    ...[...draft.endpoints.values()]
      .filter((endpoint) => endpoint.isWanted)
      .map((object) => ({ object: stored(object, {}), before: object.before })),
    ...analyzerSteps(draft, addresses),
  ];
}

/** Whom copies go to depends on interfaces, and what a policy does with them on that: all are looked at with each change. */
function analyzerSteps(draft: Draft, addresses: ReadonlyMap<string, readonly string[]>): Step[] {
  const { templates, instances, destinations, firewalls, interfaces } = draft;
  const addressOf = (name: string): string | null => {
    return copyAddress(addresses.get(name) ?? interfaces.get(name)?.before?.status.addresses ?? []);
  };
  const statuses = new Map(
    [...destinations].map(([name, one]) => [name, destinationStatus(one, interfaces, addressOf)]),
  );
  const step = (object: DraftObject, status: unknown): Step => ({
    object: stored(object, status),
    before: object.before,
  });
  return [
    ...[...templates.values()].filter(({ isWanted }) => isWanted).map((object) => step(object, {})),
    ...[...instances.values()].map((object) => step(object, { address: addressOf(object.spec.interfaces.left) })),
    ...[...destinations.values()].map((object) => step(object, statuses.get(object.name))),
    ...[...firewalls.values()].map((object) => step(object, firewallStatus(object, statuses))),
  ];
}

/** What its spec and UUID decide; of an interface nobody is about to change, what it has. */
function deviceAndMac(port: DraftObject<'VirtualMachineInterface'>): Omit<VirtualMachineInterfaceStatus, 'addresses'> {
  const { uuid, spec, before, isWanted } = port;
  if (!isWanted && before !== undefined) return { device: before.status.device, mac: before.status.mac };
  return { device: spec.attach.device ?? defaultDevice(uuid), mac: spec.mac ?? defaultMac(uuid) };
}

/** `status` is that of the draft's kind. */
function stored({ kind, name, uuid, metadata, spec, before }: DraftObject, status: unknown): StoredObject {
  return { kind, name, revision: (before?.revision ?? 0) + 1, uuid, metadata, spec, status } as StoredObject;
}

function isSame(object: StoredObject, before: StoredObject | undefined): boolean {
  return before !== undefined && isDeepStrictEqual({ ...object, revision: before.revision }, before);
}

/** What objects hold in the books. `specOf` gives the network an address belongs to. */
function reservations(
  objects: readonly StoredObject[],
  specOf: (network: string) => VirtualNetworkSpec | undefined,
): Map<string, Reservation> {
  const all = objects.flatMap((object): Reservation[] => {
    const owner = object.name;
    if (object.kind === 'VirtualNetwork') return [{ book: NETWORK_IDS, entry: String(object.status.networkId), owner }];
    if (object.kind !== 'VirtualMachineInterface') return [];
    const network = object.spec.virtualNetwork;
    const subnets = specOf(network)?.subnets ?? [];
    const plans = subnets.map(addressPlan);
    return object.status.addresses.flatMap((entry) => {
      const plan = planOf(plans, parseAddress(entry));
      return plan === undefined
        ? []
        : [{ book: addressBook(network, subnets[plans.indexOf(plan)].prefix), entry, owner }];
    });
  });
  return new Map(all.map((one) => [`${one.book} ${one.entry} ${one.owner}`, one]));
}

function without(all: ReadonlyMap<string, Reservation>, those: ReadonlyMap<string, Reservation>): Reservation[] {
  return [...all].filter(([id]) => !those.has(id)).map(([, reservation]) => reservation);
}

function outcomesOf(draft: Draft, steps: readonly Step[], changed: readonly Step[]): ObjectOutcome[] {
  const stepByKey = new Map(steps.map((step) => [key(step.object), step]));
  const isChanged = new Set(changed);
  const wanted = draft.wanted.flatMap((ref) => stepByKey.get(key(ref)) ?? []);
  const isWanted = new Set(wanted);
  const along = changed.filter((step) => !isWanted.has(step));
  return [
    ...[...wanted, ...along].map((step) => ({
      kind: step.object.kind,
      name: step.object.name,
      outcome:
        step.before === undefined
          ? ('created' as const)
          : isChanged.has(step)
            ? ('changed' as const)
            : ('unchanged' as const),
      changes: differences(shown(step.before), shown(step.object)),
    })),
    ...draft.gone.map((object) => ({
      kind: object.kind,
      name: object.name,
      outcome: 'deleted' as const,
      changes: differences(shown(object), undefined),
    })),
  ];
}

/** The part of an object that can change. */
function shown(object: StoredObject | undefined): unknown {
  if (object === undefined) return undefined;
  const { metadata, spec, status } = object;
  return { metadata: { labels: metadata.labels }, spec, status };
}

/** The fields in which two values differ; what one lacks is null. */
function differences(
  from: unknown,
  to: unknown,
  path: readonly PropertyKey[] = [],
): NonNullable<ObjectOutcome['changes']> {
  if (isDeepStrictEqual(from, to)) return [];
  if (!isBranch(from) && !isBranch(to)) return [{ path: pathText(path), from: from ?? null, to: to ?? null }];
  const left = isBranch(from) ? from : {};
  const right = isBranch(to) ? to : {};
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  const isList = Array.isArray(from) || Array.isArray(to);
  return [...names].flatMap((name) => differences(left[name], right[name], [...path, isList ? Number(name) : name]));
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
