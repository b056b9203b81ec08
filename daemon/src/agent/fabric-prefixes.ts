import type { Route } from 'packet-io';
import { type FabricPrefix, prefixesThrough } from './fabric.js';
import type { Later } from './underlay.js';

/** Routes often change many at a time: they are read once, so long after the first change, ms. */
const GATHER_MS = 100;

/** The prefixes of the underlay, as the kernel's routes are. */
export class FabricPrefixes {
  readonly #read: () => { readonly ifindex: number; readonly routes: readonly Route[] } | null;
  readonly #later: Later;
  readonly #listeners: (() => void)[] = [];
  #prefixes: readonly FabricPrefix[] = [];
  #gathering: (() => void) | null = null;

  /** `read` tells the underlay interface and all routes there are; null: there is no interface. */
  constructor(read: () => { readonly ifindex: number; readonly routes: readonly Route[] } | null, later: Later) {
    this.#read = read;
    this.#later = later;
    this.#prefixes = this.#look();
  }

  get all(): readonly FabricPrefix[] {
    return this.#prefixes;
  }

  /** Calls back when they changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Routes, or the interface, may be others now. */
  changed(): void {
    this.#gathering ??= this.#later.after(GATHER_MS, () => {
      this.#gathering = null;
      const now = this.#look();
      if (JSON.stringify(now) === JSON.stringify(this.#prefixes)) return;
      this.#prefixes = now;
      for (const listener of this.#listeners) listener();
    });
  }

  /** Ends timers. */
  close(): void {
    this.#gathering?.();
  }

  #look(): readonly FabricPrefix[] {
    const read = this.#read();
    return read ? prefixesThrough(read.ifindex, read.routes) : [];
  }
}
