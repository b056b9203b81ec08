import type { HostRoute } from './host-route.js';

/** Fields of the hash to write (`text`) and to remove (null). */
export type FieldChange = readonly [key: string, text: string | null];

/** `route`: null for what is no route and stays. */
interface Wanted {
  readonly route: HostRoute | null;
  readonly text: string;
}

/** What this host wants to be stored of it, against what is stored. */
export class OwnRoutes {
  #wanted = new Map<string, Wanted>();
  #stored = new Map<string, string>();

  constructor(field: string, text: string) {
    this.#wanted.set(field, { route: null, text });
  }

  get stored(): ReadonlyMap<string, string> {
    return this.#stored;
  }

  /** All routes, from now on. Those that are the same objects as before cost next to nothing. */
  want(routes: ReadonlyMap<string, HostRoute>): void {
    const wanted = new Map<string, Wanted>();
    for (const [key, value] of this.#wanted) if (value.route === null) wanted.set(key, value);
    for (const [key, route] of routes) {
      const before = this.#wanted.get(key);
      wanted.set(key, before?.route === route ? before : { route, text: JSON.stringify(route) });
    }
    this.#wanted = wanted;
  }

  /** What has to be written. */
  difference(): FieldChange[] {
    const changes: FieldChange[] = [];
    for (const [key, { text }] of this.#wanted) if (this.#stored.get(key) !== text) changes.push([key, text]);
    for (const key of this.#stored.keys()) if (!this.#wanted.has(key)) changes.push([key, null]);
    return changes;
  }

  /** These are written. */
  written(changes: readonly FieldChange[]): void {
    for (const [key, text] of changes) {
      if (text === null) this.#stored.delete(key);
      else this.#stored.set(key, text);
    }
  }

  /** Takes over what was found in the store; whether that is what we had written. */
  found(hash: Readonly<Record<string, string>>): boolean {
    const entries = Object.entries(hash);
    const isOurs =
      entries.length === this.#stored.size && entries.every(([key, text]) => this.#stored.get(key) === text);
    this.#stored = new Map(entries);
    return isOurs;
  }
}
