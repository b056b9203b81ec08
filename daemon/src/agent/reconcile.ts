import type { Rank } from '../control/host-route.js';
import { isDeepStrictEqual } from 'node:util';
import { type BridgeRecord, NH_ID, type RouteRecord, type TableChange } from '../tables/records.js';
import { removalOf, type TableRow, type Tables } from '../tables/tables.js';
import { parseMac } from '../wire/addr.js';
import type { Compiled } from './compile.js';
import { ACTIVE, compareRanks, OWN, SPARE } from './rank.js';
import { BROADCAST_MAC } from '../wire/ethernet.js';

/** A row as it is before anybody has chosen bridge slots. */
export type PlainRow =
  | Exclude<TableRow, { table: 'bridge' | 'route' }>
  | { readonly table: 'bridge'; readonly op: 'set'; readonly record: Omit<BridgeRecord, 'index'> }
  | { readonly table: 'route'; readonly op: 'set'; readonly record: Omit<RouteRecord, 'stitchedIndex'> };

/** A row another host is the reason for, and how it ranks against what this host has under the same key. */
export interface Offer {
  readonly key: string;
  /** null: none any more. */
  readonly row: PlainRow | null;
  readonly rank: Rank;
}

/**
 * Turns what networks want into changes of the tables. Remembers what it sent for each network, so that what did not change is
 * not touched, and applies every change to the replica of the agent's thread as it goes out. Rows come in an order in which
 * nothing refers to what is not there yet, and go in the reverse one; but routes go before anything comes, so that no packet
 * passes where a route is still there and what filtered it is not.
 *
 * Beside these are the rows other hosts offer, one by one. Where both have a row under the same key, the tables hold the one that
 * ranks higher; of equal ones that of this host.
 */
export class Reconciler {
  readonly #tables: Tables;
  readonly #send: (changes: readonly TableChange[]) => void;
  readonly #listeners: ((changes: readonly TableChange[]) => void)[] = [];
  /** What this host wants, by owner and key, whether the tables hold it or something offered. */
  readonly #sent = new Map<string, Map<string, TableRow>>();
  /** Those of them that rank below any other. */
  readonly #spare = new WeakSet<TableRow>();
  readonly #offers = new Map<string, { readonly row: PlainRow; readonly rank: Rank }>();

  constructor(tables: Tables, send: (changes: readonly TableChange[]) => void) {
    this.#tables = tables;
    this.#send = send;
  }

  /** Calls back after changes were sent. */
  onChange(listener: (changes: readonly TableChange[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Makes the tables hold exactly what `compiled` says for the owner (a network); null: nothing. Returns the changes sent. */
  reconcile(owner: string, compiled: Compiled | null): number {
    const before = this.#sent.get(owner) ?? new Map<string, TableRow>();
    const after = new Map<string, TableRow>();
    const changes: TableChange[] = [];
    const put = (change: TableChange): void => {
      this.#tables.apply(change);
      changes.push(change);
    };
    const remove = (key: string, row: TableRow): void => {
      const offer = this.#offers.get(key);
      if (!offer) put(removalOf(row));
      else if (!this.#isBeaten(row, offer)) put(this.#complete(offer.row));
    };
    const kept = new Set([...(compiled?.routes ?? []), ...(compiled?.spareRoutes ?? [])].map(routeKey));
    for (const [key, row] of before) {
      if (row.table !== 'route' || kept.has(key)) continue;
      remove(key, row);
      before.delete(key);
    }
    for (const set of compiled ? this.#changesFor(compiled) : []) {
      const key = keyOf(set);
      const known = before.get(key);
      after.set(key, set);
      const isRanked = known !== undefined && this.#rankOf(known) === this.#rankOf(set);
      if (isRanked && isSame(known.record, set.record)) continue;
      const offer = this.#offers.get(key);
      if (!offer || !this.#isBeaten(set, offer)) put(set);
      else if (known !== undefined && !this.#isBeaten(known, offer)) put(this.#complete(offer.row));
    }
    for (const [key, row] of [...before].reverse()) if (!after.has(key)) remove(key, row);
    this.#sent.set(owner, after);
    if (!compiled) this.#sent.delete(owner);
    this.#tell(changes);
    return changes.length;
  }

  /** Takes over what other hosts offer, in this order, and what they do not any more. Returns the changes sent. */
  offer(offers: Iterable<Offer>): number {
    const changes: TableChange[] = [];
    for (const { key, row, rank } of offers) {
      const own = this.#own(key);
      const before = this.#offers.get(key);
      if (row) this.#offers.set(key, { row, rank });
      else this.#offers.delete(key);
      const held = before && (!own || this.#isBeaten(own, before)) ? before.row : own;
      const wanted = row && (!own || this.#isBeaten(own, { rank })) ? row : own;
      if (held === wanted || (held && wanted && held !== own && wanted !== own && isSame(held.record, wanted.record)))
        continue;
      const change = wanted ? this.#complete(wanted) : held && removalOf(this.#complete(held));
      if (!change) continue;
      this.#tables.apply(change);
      changes.push(change);
    }
    this.#tell(changes);
    return changes.length;
  }

  /** What other hosts offer under a key. */
  offered(key: string): PlainRow | undefined {
    return this.#offers.get(key)?.row;
  }

  #tell(changes: readonly TableChange[]): void {
    if (changes.length === 0) return;
    this.#send(changes);
    for (const listener of this.#listeners) listener(changes);
  }

  /** What this host wants under a key. */
  #own(key: string): TableRow | undefined {
    for (const rows of this.#sent.values()) {
      const row = rows.get(key);
      if (row) return row;
    }
    return undefined;
  }

  *#changesFor(compiled: Compiled): Generator<TableRow> {
    for (const record of compiled.acls) yield { table: 'acl', op: 'set', record };
    for (const record of compiled.vrfs) yield { table: 'vrf', op: 'set', record };
    for (const record of compiled.nexthops) yield { table: 'nexthop', op: 'set', record };
    for (const record of compiled.mirrors) yield { table: 'mirror', op: 'set', record };
    for (const row of compiled.bridge) yield { table: 'bridge', op: 'set', record: this.#placed(row) };
    for (const row of compiled.routes) yield { table: 'route', op: 'set', record: this.#stitched(row) };
    for (const row of sparesOf(compiled)) {
      const spare = { table: 'route', op: 'set', record: this.#stitched(row) } as const;
      this.#spare.add(spare);
      yield spare;
    }
    for (const record of compiled.vifs) yield { table: 'vif', op: 'set', record };
    for (const record of compiled.peers) yield { table: 'peer', op: 'set', record };
    for (const record of compiled.labels) yield { table: 'label', op: 'set', record };
    for (const record of compiled.vnis) yield { table: 'vni', op: 'set', record };
    for (const record of compiled.networks) yield { table: 'network', op: 'set', record };
  }

  /** The row with what its place in the tables decides. */
  #complete(row: PlainRow): TableRow {
    if (row.table === 'bridge') return { ...row, record: this.#placed(row.record) };
    if (row.table === 'route') return { ...row, record: this.#stitched(row.record) };
    return row;
  }

  /** Chooses the slot of a bridge row, so that every replica of the table shows the same index. */
  #placed(row: Omit<BridgeRecord, 'index'>): BridgeRecord {
    const mac = parseMac(row.mac);
    const known = this.#tables.bridge.find(row.vrf, mac, 0);
    const index = known >= 0 ? known : this.#tables.bridge.set({ ...row, mac, index: -1 });
    return { ...row, index };
  }

  /** Whether something offered is used instead of a row of this host. */
  #isBeaten(own: TableRow, { rank }: { readonly rank: Rank }): boolean {
    return compareRanks(rank, this.#rankOf(own)) < 0;
  }

  #rankOf(own: TableRow): Rank {
    return this.#spare.has(own) ? SPARE : rankOf(own);
  }

  #stitched(row: Omit<RouteRecord, 'stitchedIndex'>): RouteRecord {
    const { stitchedMac } = row;
    return {
      ...row,
      stitchedIndex: stitchedMac === null ? -1 : this.#tables.bridge.find(row.vrf, parseMac(stitchedMac), 0),
    };
  }
}

/** How rows of this host rank: what leads to an interface may be somewhere else as well, anything else may not. */
function rankOf(row: TableRow): Rank {
  if (row.table !== 'route' && row.table !== 'bridge') return OWN;
  const { nexthop } = row.record;
  const isFlood = row.table === 'bridge' && row.record.mac === BROADCAST_MAC;
  return nexthop < NH_ID.firstDynamic || isFlood ? OWN : ACTIVE;
}

/** The spare routes whose prefix has no other one, each prefix once. */
function sparesOf({ routes, spareRoutes }: Compiled): Compiled['spareRoutes'] {
  if (spareRoutes.length === 0) return [];
  const taken = new Set(routes.map(routeKey));
  return spareRoutes.filter((row) => !taken.has(routeKey(row)) && taken.add(routeKey(row)));
}

/** Whether two rows of one table say the same. Long ones are often the same object. */
function isSame(a: PlainRow['record'], b: PlainRow['record']): boolean {
  if (a === b) return true;
  const [left, right] = [a, b] as unknown as Record<string, unknown>[];
  return Object.keys(left).every(
    (field) => left[field] === right[field] || isDeepStrictEqual(left[field], right[field]),
  );
}

/** Which row of the routing tables it is. */
const routeKey = ({ vrf, prefix, length }: Pick<RouteRecord, 'vrf' | 'prefix' | 'length'>): string =>
  `route ${vrf} ${prefix}/${length}`;

/** Which row a change is about. */
export function keyOf(change: PlainRow): string {
  switch (change.table) {
    case 'bridge':
      return `bridge ${change.record.vrf} ${change.record.mac}`;
    case 'route':
      return routeKey(change.record);
    case 'label':
      return `label ${change.record.label}`;
    case 'vni':
      return `vni ${change.record.vni}`;
    case 'network':
      return `network ${change.record.number}`;
    case 'acl':
    case 'mirror':
    case 'nexthop':
    case 'peer':
    case 'vif':
    case 'vrf':
      return `${change.table} ${change.record.id}`;
  }
}
