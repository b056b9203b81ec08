import type { Kind, Metadata, ObjectRef, SpecOf, StatusOf } from './schema.js';

/**
 * What every host must know, and how it is changed. The store keeps a complete copy in memory: reading never waits and goes
 * on while the shared store is away; changing is all or nothing and needs it.
 */
export interface StateStore {
  /** Resolves once the copy is complete. Rejects with RefusedError when what is stored cannot be used. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Whether the shared store is reachable and the copy follows it. */
  readonly connected: boolean;
  /** Random id of the shared store; another one means other content. Empty before the first contact. */
  readonly epoch: string;
  /** How far the copy has come: changes worked out from it are committed on this basis. */
  readonly position: string;
  list<K extends Kind>(kind: K): readonly StoredObject<K>[];
  get<K extends Kind>(kind: K, name: string): StoredObject<K> | undefined;
  /** Calls back for what is there, earlier kinds first, and then for each change in order. The callback must not throw. */
  watch(onChange: (change: ConfigChange) => void): void;
  /** Who holds what in a book. Throws RefusedError when the shared store is away. */
  reservations(book: string): Promise<ReadonlyMap<string, string>>;
  /**
   * Carries out all of `tx` or nothing. When it returns, the copy contains the change or, on a conflict, what it conflicts
   * with. Throws RefusedError when the shared store is away.
   */
  commit(tx: Transaction): Promise<CommitResult>;
}

interface Stored<K extends Kind> {
  readonly kind: K;
  /** Full name. */
  readonly name: string;
  /** 1 when created, one more with each change. */
  readonly revision: number;
  readonly uuid: string;
  readonly metadata: Omit<Metadata, 'uuid'>;
  readonly spec: SpecOf[K];
  readonly status: StatusOf[K];
}

/** An object as it is stored. */
export type StoredObject<K extends Kind = Kind> = { [P in K]: Stored<P> }[K];

export type ConfigChange =
  | { readonly op: 'set'; readonly kind: Kind; readonly name: string; readonly object: StoredObject }
  | { readonly op: 'delete'; readonly kind: Kind; readonly name: string };

/** A number or address (`entry`) held by an object (`owner`, its full name). A book is the key of a hash. */
export interface Reservation {
  readonly book: string;
  readonly entry: string;
  readonly owner: string;
}

/** Book of the numbers of networks, which are their VNIs. Those given up lately rest in it (agent/resting-numbers.ts). */
export const NETWORK_IDS = 'vni';

/** Book of the addresses of one subnet; `network` is a full name. */
export function addressBook(network: string, prefix: string): string {
  return `ipam:${network}:${prefix}`;
}

/** One change of configuration: all of it or none. */
export interface Transaction {
  /** `position` of the copy the change was worked out from. Anything newer is a conflict. */
  readonly basis: string;
  /** With their new revision: one more than that of the object they replace. */
  readonly writes: readonly StoredObject[];
  /** With the revision they have. */
  readonly deletes: readonly (ObjectRef & { readonly revision: number })[];
  /** Given up before `reserve` is looked at, so that an address can change hands. */
  readonly release: readonly Reservation[];
  /** Granted when nobody else holds the entry. */
  readonly reserve: readonly Reservation[];
}

export type CommitResult =
  | { readonly committed: true }
  /** `moved`: something else was committed first; `revision`, `reserved`: names the object or entry. */
  | { readonly committed: false; readonly conflict: 'moved' | 'revision' | 'reserved'; readonly about: string };
