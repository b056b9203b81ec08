import { ObjectCache, setOf } from '../control/object-cache.js';
import type { Kind } from '../control/schema.js';
import { RefusedError } from '../control/refused.js';
import type { CommitResult, ConfigChange, StateStore, StoredObject, Transaction } from '../control/store.js';

/** A state store that lives and dies with the test. `connected` may be set to false: then nothing can be changed. */
export class MemoryStore implements StateStore {
  connected = true;
  readonly epoch = 'memory';
  readonly #cache = new ObjectCache();
  readonly #books = new Map<string, Map<string, string>>();
  #commits = 0;
  /** Called before each commit is looked at, so that a test can be faster than the one who commits. */
  beforeCommit: () => Promise<void> = () => Promise.resolve();

  get position(): string {
    return String(this.#commits);
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  list<K extends Kind>(kind: K): readonly StoredObject<K>[] {
    return this.#cache.list(kind);
  }

  get<K extends Kind>(kind: K, name: string): StoredObject<K> | undefined {
    return this.#cache.get(kind, name);
  }

  watch(onChange: (change: ConfigChange) => void): void {
    this.#cache.watch(onChange);
  }

  reservations(book: string): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map(this.#books.get(book)));
  }

  async commit(tx: Transaction): Promise<CommitResult> {
    if (!this.connected) throw new RefusedError('unavailable', 'the shared store is not reachable');
    await this.beforeCommit();
    const conflict = this.#conflictOf(tx);
    if (conflict !== undefined) return conflict;

    this.#commits += 1;
    for (const { book, entry } of tx.release) this.#book(book).delete(entry);
    for (const { book, entry, owner } of tx.reserve) this.#book(book).set(entry, owner);
    for (const object of tx.writes) this.#cache.apply(setOf(structuredClone(object)));
    for (const { kind, name } of tx.deletes) this.#cache.apply({ op: 'delete', kind, name });
    return { committed: true };
  }

  #conflictOf(tx: Transaction): CommitResult | undefined {
    if (tx.basis !== this.position) return { committed: false, conflict: 'moved', about: '' };
    const expected = [
      ...tx.writes.map(({ kind, name, revision }) => ({ kind, name, revision: revision - 1 })),
      ...tx.deletes,
    ];
    for (const { kind, name, revision } of expected) {
      if ((this.get(kind, name)?.revision ?? 0) !== revision)
        return { committed: false, conflict: 'revision', about: name };
    }
    for (const { book, entry, owner } of tx.reserve) {
      const holder = this.#book(book).get(entry);
      const freed = tx.release.some((r) => r.book === book && r.entry === entry && r.owner === holder);
      if (holder !== undefined && holder !== owner && !freed)
        return { committed: false, conflict: 'reserved', about: entry };
    }
    return undefined;
  }

  #book(name: string): Map<string, string> {
    const book = this.#books.get(name) ?? new Map<string, string>();
    this.#books.set(name, book);
    return book;
  }
}
