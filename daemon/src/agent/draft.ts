import { fullName, uuidOf } from '../control/names.js';
import { RefusedError } from '../control/refused.js';
import { KINDS, subject, type Kind, type ObjectRef, type Resource, type SpecOf } from '../control/schema.js';
import type { StateStore, StoredObject } from '../control/store.js';
import { FABRIC } from './compile.js';
import { referencesOf } from './object-references.js';

/** An object as it would be, its status not decided yet; `before` is what it replaces. */
interface DraftObjectOf<K extends Kind> extends Pick<StoredObject<K>, 'name' | 'uuid' | 'metadata'> {
  readonly kind: K;
  readonly spec: SpecOf[K];
  readonly before: StoredObject<K> | undefined;
  /** Whether a document of this change is about it. */
  readonly isWanted: boolean;
}
export type DraftObject<K extends Kind = Kind> = { [P in K]: DraftObjectOf<P> }[K];

/** The configuration as it would be after a change, before addresses and numbers are given. */
export interface Draft {
  readonly policies: ReadonlyMap<string, DraftObject<'NetworkPolicy'>>;
  readonly groups: ReadonlyMap<string, DraftObject<'SecurityGroup'>>;
  readonly networks: ReadonlyMap<string, DraftObject<'VirtualNetwork'>>;
  readonly interfaces: ReadonlyMap<string, DraftObject<'VirtualMachineInterface'>>;
  readonly endpoints: ReadonlyMap<string, DraftObject<'TunnelEndpoint'>>;
  readonly templates: ReadonlyMap<string, DraftObject<'ServiceTemplate'>>;
  readonly instances: ReadonlyMap<string, DraftObject<'ServiceInstance'>>;
  readonly destinations: ReadonlyMap<string, DraftObject<'MirrorDestination'>>;
  readonly firewalls: ReadonlyMap<string, DraftObject<'FirewallPolicy'>>;
  /** Objects of the documents, in their order. */
  readonly wanted: readonly ObjectRef[];
  /** What would be deleted, users before what they use, but for whom they have packets copied to. */
  readonly gone: readonly StoredObject[];
}

/** What a change is about: documents to apply, objects to delete, and whether all others go as well. */
export interface ChangeRequest {
  readonly documents: readonly Resource[];
  readonly deletes: readonly ObjectRef[];
  readonly prune: boolean;
}

type Present = Pick<StateStore, 'list' | 'get'>;

/**
 * Lays the documents over what is there. Throws RefusedError when two are about one object, when one changes what cannot
 * change, when an object refers to one that will not be there, or one to delete is not there.
 */
export function draftOf(present: Present, request: ChangeRequest, host: string): Draft {
  const wanted = request.documents.map(({ kind, metadata }) => ({ kind, name: fullName(metadata) }));
  refuseTwice(wanted);
  const stays = new Set(wanted.map(key));
  const gone = goneOf(present, request, stays);
  const goneKeys = new Set(gone.map(key));

  const objects = new Map<string, DraftObject>();
  const put = (object: DraftObject): void => void objects.set(key(object), object);
  for (const document of request.documents) put(settled(document, present, host));
  for (const kind of KINDS) {
    for (const object of present.list(kind)) {
      if (!stays.has(key(object)) && !goneKeys.has(key(object)))
        put({ ...object, before: object, isWanted: false } as DraftObject);
    }
  }
  checkReferences(objects, gone);
  return {
    policies: ofKind(objects, 'NetworkPolicy'),
    groups: ofKind(objects, 'SecurityGroup'),
    networks: ofKind(objects, 'VirtualNetwork'),
    interfaces: ofKind(objects, 'VirtualMachineInterface'),
    endpoints: ofKind(objects, 'TunnelEndpoint'),
    templates: ofKind(objects, 'ServiceTemplate'),
    instances: ofKind(objects, 'ServiceInstance'),
    destinations: ofKind(objects, 'MirrorDestination'),
    firewalls: ofKind(objects, 'FirewallPolicy'),
    wanted,
    gone,
  };
}

function ofKind<K extends Kind>(objects: ReadonlyMap<string, DraftObject>, kind: K): Map<string, DraftObject<K>> {
  const found = [...objects.values()].filter((object) => object.kind === kind) as DraftObject<K>[];
  return new Map(found.map((object) => [object.name, object]));
}

/** Kind and name in one word. */
export function key({ kind, name }: ObjectRef): string {
  return `${kind}/${name}`;
}

function refuseTwice(wanted: readonly ObjectRef[]): void {
  const seen = new Set<string>();
  for (const ref of wanted) {
    if (seen.has(key(ref))) {
      throw RefusedError.field(
        'duplicate',
        subject(ref),
        'metadata.name',
        'two documents are about this object; keep one',
      );
    }
    seen.add(key(ref));
  }
}

function goneOf(present: Present, { deletes, prune }: ChangeRequest, stays: ReadonlySet<string>): StoredObject[] {
  for (const ref of deletes) {
    if (present.get(ref.kind, ref.name) === undefined)
      throw new RefusedError('notFound', `${subject(ref)} does not exist`);
  }
  const asked = new Set(deletes.map(key));
  return [...KINDS]
    .reverse()
    .flatMap((kind): readonly StoredObject[] => present.list(kind))
    .filter((object) => asked.has(key(object)) || (prune && !stays.has(key(object))));
}

/** A document with what it leaves open: its UUID, and the host of an interface, both decided once and kept. */
function settled(document: Resource, present: Present, host: string): DraftObject {
  const { uuid: givenUuid, ...metadata } = document.metadata;
  const name = fullName(metadata);
  const { kind } = document;
  if (kind === 'VirtualNetwork' && name === FABRIC.name) {
    const problem = 'is the name of the underlay, a network that is always there; use another';
    throw RefusedError.field('invalid', subject({ kind, name }), 'metadata.name', problem);
  }
  const before = present.get<Kind>(kind, name);
  const uuid = givenUuid ?? before?.uuid ?? uuidOf(kind, name);
  if (before !== undefined) refuseChange({ kind, name }, 'metadata.uuid', before.uuid, uuid);

  const common = { name, uuid, metadata, isWanted: true };
  if (document.kind !== 'VirtualMachineInterface') {
    return { ...common, kind, spec: document.spec, before } as DraftObject;
  }
  const old = present.get(document.kind, name);
  if (old !== undefined) {
    refuseChange(old, 'spec.virtualNetwork', old.spec.virtualNetwork, document.spec.virtualNetwork);
  }
  const spec = { ...document.spec, host: document.spec.host ?? old?.spec.host ?? host };
  return { ...common, kind: document.kind, spec, before: old };
}

function refuseChange(ref: ObjectRef, path: string, from: string, to: string): void {
  if (from === to) return;
  throw RefusedError.field(
    'immutable',
    subject(ref),
    path,
    `is "${from}" and cannot change to "${to}"; delete the object first`,
  );
}

function checkReferences(objects: ReadonlyMap<string, DraftObject>, gone: readonly StoredObject[]): void {
  const users = new Map<string, DraftObject[]>(gone.map((object) => [key(object), []]));
  for (const object of objects.values()) {
    for (const { ref } of referencesOf(object)) users.get(key(ref))?.push(object);
  }
  for (const ref of gone) {
    const still = users.get(key(ref)) ?? [];
    if (still.length === 0) continue;
    throw new RefusedError('inUse', `${subject(ref)} is still used by ${listed(still)}; delete what uses it first`);
  }
  for (const object of objects.values()) {
    if (!object.isWanted) continue;
    const missing = referencesOf(object).find(({ ref, mayCome }) => !mayCome && !objects.has(key(ref)));
    if (missing === undefined) continue;
    const problem = `${subject(missing.ref)} does not exist; apply it first, or in the same file`;
    throw RefusedError.field('notFound', subject(object), missing.path, problem);
  }
}

/** Most objects named in one message. */
const LISTED_MAX = 5;

function listed(refs: readonly ObjectRef[]): string {
  const names = refs.slice(0, LISTED_MAX).map(subject);
  const more = refs.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
