import { compareLogIds, follows, HOST_FIELD, idText, type LogId, NO_ID, parseId } from './host-log.js';
import type { HostChange, HostLease, HostRoute } from './host-route.js';
import { parseLease, parseRoute, sameLease, sameRoute, type Shared } from './host-route-text.js';

/**
 * What one other host has published, and how far its log was read. Those who watch hear of it while the host is `told`; changes
 * go to the end of the list that is passed in, and nothing that did not change is among them.
 *
 *     log:     ... 41 42 43 44 45          next entry 46: applied
 *                           ▲              next entry 48, or of another count: all is read anew (replace)
 *                           position
 */
export class HostCopy {
  readonly name: string;
  readonly #shared: Shared;
  readonly #routes = new Map<string, HostRoute>();
  #lease: HostLease | null = null;
  #position: LogId = NO_ID;
  /** The store has lost what we read: what we have stays until the host has published everything again. */
  #held = false;
  #told = false;
  /** Whether those who watch know that the host exists, and nothing of its routes. */
  #announced = false;
  /** Values of it that are no routes. */
  #invalid = 0;

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.#shared = shared;
  }

  get lease(): HostLease | null {
    return this.#lease;
  }

  get routes(): ReadonlyMap<string, HostRoute> {
    return this.#routes;
  }

  get position(): LogId {
    return this.#position;
  }

  /** The position as the store wants it. */
  get positionText(): string {
    return idText(this.#position);
  }

  get held(): boolean {
    return this.#held;
  }

  get told(): boolean {
    return this.#told;
  }

  get invalid(): number {
    return this.#invalid;
  }

  /** Applies an entry of the log: flat names and values, a value '' removes. False: something was missed, read all anew. */
  apply(id: string, fields: readonly string[], changes: HostChange[]): boolean {
    const next = parseId(id);
    if (this.#held || !follows(next, this.#position)) return false;
    this.#position = next;
    for (let i = 0; i + 1 < fields.length; i += 2) this.#set(fields[i], fields[i + 1], changes);
    return true;
  }

  /** Takes over the whole hash, which is as it was at entry `id` of the log; undefined: there is no log. */
  replace(id: string | undefined, hash: Readonly<Record<string, string>>, changes: HostChange[]): void {
    this.#position = id === undefined ? NO_ID : parseId(id);
    this.#held = false;
    const host = hash[HOST_FIELD] as string | undefined;
    if (host !== undefined) this.#set(HOST_FIELD, host, changes);
    for (const key in hash) if (key !== HOST_FIELD) this.#set(key, hash[key], changes);
    for (const key of this.#routes.keys()) if (!Object.hasOwn(hash, key)) this.#set(key, '', changes);
  }

  /** Looks at the end of the log after the store was away: what it has lost is held. */
  resume(id: string | undefined): void {
    const end = id === undefined ? NO_ID : parseId(id);
    if (compareLogIds(end, this.#position) >= 0) return;
    this.#position = end;
    this.#held = true;
  }

  /** Tells that the host exists, not what it has: enough to ask it whether it lives. */
  announce(changes: HostChange[]): void {
    if (this.#told || this.#announced || this.#lease === null) return;
    this.#announced = true;
    changes.push({ op: 'host', host: this.#lease });
  }

  /** From now on those who watch hear of it; of all it has, to begin with. Nothing happens while it has not said who it is. */
  tell(changes: HostChange[]): void {
    if (this.#told || this.#lease === null) return;
    this.#told = true;
    this.#announced = false;
    this.describe(changes);
  }

  /** The changes by which somebody learns all of it. */
  describe(changes: HostChange[]): void {
    if (!(this.#told || this.#announced) || this.#lease === null) return;
    changes.push({ op: 'host', host: this.#lease });
    if (!this.#told) return;
    for (const route of this.#routes.values()) changes.push({ op: 'set', host: this.name, route });
  }

  /** From now on it does not exist for those who watch. What it has is kept for when it returns. */
  withdraw(changes: HostChange[]): void {
    if (!this.#told && !this.#announced) return;
    this.#told = false;
    this.#announced = false;
    changes.push({ op: 'gone', host: this.name });
  }

  #set(key: string, text: string, changes: HostChange[]): void {
    if (key === HOST_FIELD) {
      this.#setLease(text, changes);
      return;
    }
    const route = text === '' ? null : parseRoute(key, text, this.#shared);
    if (text !== '' && route === null) this.#invalid += 1;
    if (route === null) {
      if (this.#routes.delete(key) && this.#told) changes.push({ op: 'delete', host: this.name, key });
      return;
    }
    const before = this.#routes.get(key);
    if (before !== undefined && sameRoute(before, route)) return;
    this.#routes.set(key, route);
    if (this.#told) changes.push({ op: 'set', host: this.name, route });
  }

  #setLease(text: string, changes: HostChange[]): void {
    const lease = parseLease(this.name, text);
    if (lease === null) {
      this.#invalid += 1;
      return;
    }
    if (this.#lease !== null && sameLease(this.#lease, lease)) return;
    this.#lease = lease;
    if (this.#told || this.#announced) changes.push({ op: 'host', host: lease });
  }
}
