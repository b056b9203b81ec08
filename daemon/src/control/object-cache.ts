import { isDeepStrictEqual } from 'node:util';
import { KINDS, type Kind } from './schema.js';
import type { ConfigChange, StoredObject } from './store.js';

/** The copy of all objects a store keeps in memory, and those who want to hear of its changes. */
export class ObjectCache {
  readonly #objects = new Map<Kind, Map<string, StoredObject>>(KINDS.map((kind) => [kind, new Map()]));
  readonly #watchers: ((change: ConfigChange) => void)[] = [];

  list<K extends Kind>(kind: K): readonly StoredObject<K>[] {
    return [...this.#of(kind).values()];
  }

  get<K extends Kind>(kind: K, name: string): StoredObject<K> | undefined {
    return this.#of(kind).get(name);
  }

  watch(onChange: (change: ConfigChange) => void): void {
    this.#watchers.push(onChange);
    for (const kind of KINDS) for (const object of this.list(kind)) onChange(setOf(object));
  }

  /** Nobody is told of a change that changes nothing. */
  apply(change: ConfigChange): void {
    const objects = this.#of(change.kind) as Map<string, StoredObject>;
    if (change.op === 'set') {
      if (isDeepStrictEqual(objects.get(change.name), change.object)) return;
      objects.set(change.name, change.object);
    } else if (!objects.delete(change.name)) {
      return;
    }
    for (const watcher of this.#watchers) watcher(change);
  }

  /** Makes the copy equal to `objects`. What refers to others comes after them and goes before them. */
  replaceAll(objects: readonly StoredObject[]): void {
    const names = new Set(objects.map(({ kind, name }) => `${kind}/${name}`));
    for (const kind of [...KINDS].reverse()) {
      for (const { name } of this.list(kind)) {
        if (!names.has(`${kind}/${name}`)) this.apply({ op: 'delete', kind, name });
      }
    }
    for (const kind of KINDS) {
      for (const object of objects) if (object.kind === kind) this.apply(setOf(object));
    }
  }

  #of<K extends Kind>(kind: K): Map<string, StoredObject<K>> {
    return this.#objects.get(kind) as Map<string, StoredObject<K>>;
  }
}

/** The change that brings an object in, or up to date. */
export function setOf(object: StoredObject): ConfigChange {
  return { op: 'set', kind: object.kind, name: object.name, object };
}
