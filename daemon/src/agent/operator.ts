import type { ObjectOutcome } from '../control/dumps.js';
import { RefusedError } from '../control/refused.js';
import {
  API_VERSION,
  KINDS,
  namedObject,
  parseDocument,
  parseKind,
  parseReference,
  subject,
  type Kind,
  type Metadata,
} from '../control/schema.js';
import type { StateStore, StoredObject } from '../control/store.js';
import type { Attach } from '../control/virtual-machine-interface.js';
import { booksOf } from './assignment.js';
import { planChange, type ChangePlan } from './change-plan.js';
import { draftOf, type ChangeRequest } from './draft.js';

/** How often a change is worked out anew because others were faster. */
const ATTEMPTS = 50;

export interface OperatorOptions {
  readonly store: StateStore;
  /** Name of this host: where interfaces live whose documents do not say it. */
  readonly host: string;
  /** Why this host cannot attach a device, completing "it is ..."; undefined: it can. Asked before anything is stored. */
  readonly deviceProblem: (device: string, attach: Attach) => string | undefined;
}

/**
 * Carries out what users ask of the configuration. A request is looked at as a whole, with all it would lead to; then it is
 * committed as a whole, or refused and nothing has changed.
 */
export class Operator {
  readonly #options: OperatorOptions;
  /** The request under way; the next one waits for it. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** Creates and changes objects; with `prune`, deletes all others. Throws RefusedError. */
  async apply(
    documents: readonly unknown[],
    { dryRun, prune }: { readonly dryRun: boolean; readonly prune: boolean },
  ): Promise<readonly ObjectOutcome[]> {
    const resources = documents.map((document, i) => parseDocument(document, i + 1));
    return this.#inTurn({ documents: resources, deletes: [], prune }, dryRun);
  }

  /** Deletes the objects that kind and metadata of the documents name. Throws RefusedError. */
  async remove(documents: readonly unknown[]): Promise<readonly ObjectOutcome[]> {
    const deletes = documents.map((document, i) => parseReference(document, i + 1));
    return this.#inTurn({ documents: [], deletes, prune: false }, false);
  }

  /** Objects as documents that can be applied again: of one kind or all, one of them or all. Throws RefusedError. */
  objects(kind?: string, name?: string): readonly ResourceView[] {
    const { store } = this.#options;
    if (kind !== undefined && name !== undefined) {
      const ref = namedObject(kind, name);
      const object = store.get<Kind>(ref.kind, ref.name);
      if (object === undefined) throw new RefusedError('notFound', `${subject(ref)} does not exist`);
      return [viewOf(object)];
    }
    const kinds = kind === undefined ? KINDS : [parseKind(kind)];
    return kinds.flatMap((one): readonly StoredObject[] => store.list(one)).map(viewOf);
  }

  async #inTurn(request: ChangeRequest, dryRun: boolean): Promise<readonly ObjectOutcome[]> {
    const turn = this.#busy.then(() => this.#change(request, dryRun));
    this.#busy = turn.catch(() => undefined);
    return turn;
  }

  async #change(request: ChangeRequest, dryRun: boolean): Promise<readonly ObjectOutcome[]> {
    const { store } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { position } = store;
      const plan = await this.#plan(request);
      if (dryRun) return plan.outcomes;

      const isEmpty = plan.tx.writes.length + plan.tx.deletes.length === 0;
      if (isEmpty || (await store.commit({ ...plan.tx, basis: position })).committed) {
        return plan.outcomes.map(({ kind, name, outcome }) => ({ kind, name, outcome }));
      }
    }
    throw new RefusedError('contended', 'others keep changing the configuration meanwhile; apply it again');
  }

  async #plan(request: ChangeRequest): Promise<ChangePlan> {
    const { store, host } = this.#options;
    const draft = draftOf(store, request, host);
    const books = new Map<string, ReadonlyMap<string, string>>();
    for (const book of booksOf(draft)) books.set(book, await store.reservations(book));
    const plan = planChange(draft, store, books, Date.now());
    for (const object of plan.tx.writes) this.#checkDevice(object);
    return plan;
  }

  /** Asks whether a device that an interface of this host does not have yet can become its own. */
  #checkDevice(object: StoredObject): void {
    const { store, host, deviceProblem } = this.#options;
    if (object.kind !== 'VirtualMachineInterface' || object.spec.host !== host) return;
    const before = store.get(object.kind, object.name);
    if (before?.spec.host === host && before.status.device === object.status.device) return;

    const { device } = object.status;
    const problem = deviceProblem(device, object.spec.attach);
    if (problem === undefined) return;
    throw RefusedError.field('invalid', subject(object), 'spec.attach.device', `"${device}" is ${problem}`);
  }
}

/** An object as users see it: what they may write, and its status. */
export interface ResourceView {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: Metadata;
  readonly spec: StoredObject['spec'];
  readonly status: StoredObject['status'];
}

function viewOf({ kind, uuid, metadata, spec, status }: StoredObject): ResourceView {
  const { name, project, domain, labels } = metadata;
  return { apiVersion: API_VERSION, kind, metadata: { name, project, domain, labels, uuid }, spec, status };
}
