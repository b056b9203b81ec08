import { fullName, uuidOf } from '../control/names.js';
import { RefusedError } from '../control/refused.js';
import { KINDS, subject, type Kind, type ObjectRef, type Resource, type SpecOf } from '../control/schema.js';
import type { StateStore, StoredObject } from '../control/store.js';

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
  readonly networks: ReadonlyMap<string, DraftObject<'VirtualNetwork'>>;
  readonly interfaces: ReadonlyMap<string, DraftObject<'VirtualMachineInterface'>>;
  /** Objects of the documents, in their order. */
  readonly wanted: readonly ObjectRef[];
  /** What would be deleted, users before what they use. */
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

  const networks = new Map<string, DraftObject<'VirtualNetwork'>>();
  const interfaces = new Map<string, DraftObject<'VirtualMachineInterface'>>();
  const put = (object: DraftObject): void => {
    if (object.kind === 'VirtualNetwork') networks.set(object.name, object);
    else interfaces.set(object.name, object);
  };
  for (const document of request.documents) put(settled(document, present, host));
  for (const kind of KINDS) {
    for (const object of present.list(kind)) {
      if (!stays.has(key(object)) && !goneKeys.has(key(object)))
        put({ ...object, before: object, isWanted: false } as DraftObject);
    }
  }
  const draft = { networks, interfaces, wanted, gone };
  checkReferences(draft);
  return draft;
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
  const before = present.get<Kind>(kind, name);
  const uuid = givenUuid ?? before?.uuid ?? uuidOf(kind, name);
  if (before !== undefined) refuseChange({ kind, name }, 'metadata.uuid', before.uuid, uuid);

  const common = { name, uuid, metadata, isWanted: true };
  if (document.kind === 'VirtualNetwork') {
    return { ...common, kind: document.kind, spec: document.spec, before: present.get(document.kind, name) };
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

function checkReferences({ networks, interfaces, gone }: Draft): void {
  for (const { kind, name } of gone) {
    if (kind !== 'VirtualNetwork') continue;
    const users = [...interfaces.values()].filter(({ spec }) => spec.virtualNetwork === name);
    if (users.length > 0) {
      throw new RefusedError(
        'inUse',
        `${subject({ kind, name })} is still used by ${listed(users)}; delete what uses it first`,
      );
    }
  }
  for (const port of interfaces.values()) {
    const network = port.spec.virtualNetwork;
    if (!port.isWanted || networks.has(network)) continue;
    const problem = `${subject({ kind: 'VirtualNetwork', name: network })} does not exist; apply it first, or in the same file`;
    throw RefusedError.field('notFound', subject(port), 'spec.virtualNetwork', problem);
  }
}

/** Most objects named in one message. */
const LISTED_MAX = 5;

function listed(refs: readonly ObjectRef[]): string {
  const names = refs.slice(0, LISTED_MAX).map(subject);
  const more = refs.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
