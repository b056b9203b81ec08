import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Run } from './command.js';
import { IpBatch } from './ip-batch.js';
import type { Settings } from './kernel.js';
import { isIpv6 } from '../wire/addr.js';

/** Number of the routing protocol our routes bear (`ip route`'s `proto`), so that they are told from everybody else's. */
const ROUTE_PROTOCOL = 118;

/** The interfaces packets between guests and the underlay pass in the host's stack; null: there is none now. */
export interface HostInterfaces {
  readonly host: string | null;
  readonly underlay: string | null;
}

export interface HostRoutesParts {
  /** Address of this host on the underlay: what it reaches guests from. */
  readonly address: string;
  /** File that keeps what settings were before they were changed, over the death of the daemon. */
  readonly file: string;
  readonly run: Run;
  readonly settings: Settings;
  readonly log: { warn(about: object, text: string): void };
}

/**
 * Lets the host's own stack pass packets between guests and the underlay, while there are guests that are connected with it: a route
 * to each of them through vhost0, and forwarding on the two interfaces. Both are taken back when they are not needed.
 */
export class HostRoutes {
  readonly #parts: HostRoutesParts;
  /** null: not known yet; what an earlier run left goes on until it is. */
  #wanted: ReadonlySet<string> | null = null;
  #interfaces: HostInterfaces = { host: null, underlay: null };
  /** Guests with a route; undefined: nobody knows, an earlier run may have left some. */
  #made: Set<string> | undefined;
  /** Interface the routes were made on. */
  #madeOn: string | null = null;
  #busy: Promise<void> = Promise.resolve();
  #isScheduled = false;

  constructor(parts: HostRoutesParts) {
    this.#parts = parts;
  }

  /** These guests, by address, and no others. */
  connect(guests: ReadonlySet<string>): void {
    this.#wanted = guests;
    this.#schedule();
  }

  /** The interfaces are these now: one of them may have been made again, and what was on it be gone. */
  interfacesAre(interfaces: HostInterfaces): void {
    this.#interfaces = interfaces;
    this.#made = undefined;
    this.#schedule();
  }

  /** Puts back what somebody took away. */
  audit(): void {
    if (!this.#wanted || this.#wanted.size === 0) return;
    this.#made = undefined;
    this.#schedule();
  }

  /** Resolves when everything asked for is done. */
  settled(): Promise<void> {
    return this.#busy;
  }

  /** Takes everything back. */
  close(): Promise<void> {
    this.#wanted = new Set();
    this.#schedule();
    return this.#busy;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#busy = this.#busy.then(async () => {
      this.#isScheduled = false;
      await this.#bring().catch((error: unknown) => {
        this.#made = undefined;
        this.#parts.log.warn({ err: error }, 'could not connect guests with the host, trying again later');
      });
    });
  }

  async #bring(): Promise<void> {
    const { run } = this.#parts;
    const { host } = this.#interfaces;
    if (!this.#wanted) return;
    const wanted = host === null ? new Set<string>() : this.#wanted;
    this.#forward(wanted);
    if (host === null) return;
    if (this.#made === undefined || this.#madeOn !== host) {
      this.#made = await routesOn(host, run);
      this.#madeOn = host;
    }
    const made = this.#made;
    const batch = new IpBatch<string>();
    const proto = ['dev', host, 'proto', ROUTE_PROTOCOL] as const;
    for (const guest of made) if (!wanted.has(guest)) batch.add(guest, 'route', 'delete', guest, ...proto);
    for (const guest of wanted) {
      if (!made.has(guest)) batch.add(guest, 'route', 'replace', guest, ...proto, ...this.#sourceFor(guest));
    }
    const failures = await batch.run(run);
    this.#made = new Set([...wanted].filter((guest) => !failures.has(guest)));
    for (const [guest, error] of failures) {
      if (wanted.has(guest)) throw error;
    }
  }

  /** The host has no address of its own on vhost0 that guests know the way to. */
  #sourceFor(guest: string): readonly string[] {
    const { address } = this.#parts;
    return isIpv6(address) === isIpv6(guest) ? ['src', address] : [];
  }

  /** Switches forwarding on as far as these guests need it, and what they do not need back to what it was. */
  #forward(guests: ReadonlySet<string>): void {
    const { settings, file } = this.#parts;
    const before = readSettings(file);
    const needed = this.#switches(guests);
    const kept: Record<string, string> = {};
    for (const [path, value] of Object.entries(before)) {
      if (needed.has(path)) kept[path] = value;
    }
    const changing = [...needed].filter((path) => settings.get(path) === '0');
    for (const path of changing) kept[path] ??= '0';
    // Before anything is changed: who dies in between leaves nothing changed for good.
    if (Object.keys({ ...before, ...kept }).length > 0) writeFileSync(file, JSON.stringify({ ...before, ...kept }));
    for (const path of changing) settings.set(path, '1');
    for (const [path, value] of Object.entries(before)) if (!needed.has(path)) settings.set(path, value);
    if (Object.keys(kept).length === 0) rmSync(file, { force: true });
    else writeFileSync(file, JSON.stringify(kept));
  }

  /** Settings that have to be 1. */
  #switches(guests: ReadonlySet<string>): Set<string> {
    const { settings } = this.#parts;
    const { host, underlay } = this.#interfaces;
    const interfaces = [host, underlay].filter((name) => name !== null);
    const switches = new Set<string>();
    const addresses = [...guests];
    if (addresses.some((guest) => !isIpv6(guest)))
      for (const name of interfaces) switches.add(`ipv4/conf/${name}/forwarding`);
    if (!addresses.some((guest) => isIpv6(guest))) return switches;
    // Older kernels forward IPv6 everywhere or nowhere.
    const alone = interfaces.map((name) => `ipv6/conf/${name}/force_forwarding`);
    const hasOwn = alone.every((path) => settings.get(path) !== undefined);
    for (const path of hasOwn ? alone : ['ipv6/conf/all/forwarding']) switches.add(path);
    return switches;
  }
}

/** What an earlier step kept; nothing, if there is no such file. */
function readSettings(file: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

/** Guests with a route of ours on the interface. */
async function routesOn(device: string, run: Run): Promise<Set<string>> {
  const guests = new Set<string>();
  for (const family of ['-4', '-6']) {
    const command = ['ip', '-j', family, 'route', 'show', 'dev', device, 'proto', String(ROUTE_PROTOCOL)];
    const { stdout } = await run(command);
    const routes = JSON.parse(stdout || '[]') as readonly { readonly dst?: string }[];
    for (const { dst } of routes) if (dst !== undefined) guests.add(dst);
  }
  return guests;
}
