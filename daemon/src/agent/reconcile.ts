import { isDeepStrictEqual } from 'node:util';
import type { BridgeRecord, RouteRecord, TableChange } from '../tables/records.js';
import { removalOf, type TableRow, type Tables } from '../tables/tables.js';
import { parseMac } from '../wire/addr.js';
import type { Compiled } from './compile.js';

/**
 * Turns what networks want into changes of the tables. Remembers what it sent for each network, so that what did not change is
 * not touched, and applies every change to the replica of the agent's thread as it goes out. Rows come in an order in which
 * nothing refers to what is not there yet, and go in the reverse one; but routes go before anything comes, so that no packet
 * passes where a route is still there and what filtered it is not.
 */
export class Reconciler {
  readonly #tables: Tables;
  readonly #send: (changes: readonly TableChange[]) => void;
  readonly #sent = new Map<string, Map<string, TableRow>>();

  constructor(tables: Tables, send: (changes: readonly TableChange[]) => void) {
    this.#tables = tables;
    this.#send = send;
  }

  /** Makes the tables hold exactly what `compiled` says for the owner (a network); null: nothing. Returns the changes sent. */
  reconcile(owner: string, compiled: Compiled | null): number {
    const before = this.#sent.get(owner) ?? new Map<string, TableRow>();
    const after = new Map<string, TableRow>();
    const changes: TableChange[] = [];
    const remove = (row: TableRow): void => {
      const change = removalOf(row);
      this.#tables.apply(change);
      changes.push(change);
    };
    const kept = new Set(compiled?.routes.map(routeKey));
    for (const [key, row] of before) {
      if (row.table !== 'route' || kept.has(key)) continue;
      remove(row);
      before.delete(key);
    }
    for (const set of compiled ? this.#changesFor(compiled) : []) {
      const key = keyOf(set);
      const known = before.get(key);
      after.set(key, set);
      if (known !== undefined && isSame(known.record, set.record)) continue;
      this.#tables.apply(set);
      changes.push(set);
    }
    for (const [key, row] of [...before].reverse()) if (!after.has(key)) remove(row);
    this.#sent.set(owner, after);
    if (!compiled) this.#sent.delete(owner);
    if (changes.length > 0) this.#send(changes);
    return changes.length;
  }

  *#changesFor(compiled: Compiled): Generator<TableRow> {
    for (const record of compiled.acls) yield { table: 'acl', op: 'set', record };
    for (const record of compiled.vrfs) yield { table: 'vrf', op: 'set', record };
    for (const record of compiled.nexthops) yield { table: 'nexthop', op: 'set', record };
    for (const row of compiled.bridge) yield { table: 'bridge', op: 'set', record: this.#placed(row) };
    for (const row of compiled.routes) yield { table: 'route', op: 'set', record: this.#stitched(row) };
    for (const record of compiled.vifs) yield { table: 'vif', op: 'set', record };
    for (const record of compiled.peers) yield { table: 'peer', op: 'set', record };
    for (const record of compiled.labels) yield { table: 'label', op: 'set', record };
    for (const record of compiled.vnis) yield { table: 'vni', op: 'set', record };
  }

  /** Chooses the slot of a bridge row, so that every replica of the table shows the same index. */
  #placed(row: Omit<BridgeRecord, 'index'>): BridgeRecord {
    const mac = parseMac(row.mac);
    const known = this.#tables.bridge.find(row.vrf, mac, 0);
    const index = known >= 0 ? known : this.#tables.bridge.set({ ...row, mac, index: -1 });
    return { ...row, index };
  }

  #stitched(row: Omit<RouteRecord, 'stitchedIndex'>): RouteRecord {
    const { stitchedMac } = row;
    return {
      ...row,
      stitchedIndex: stitchedMac === null ? -1 : this.#tables.bridge.find(row.vrf, parseMac(stitchedMac), 0),
    };
  }
}

/** Whether two rows of one table say the same. Long ones are often the same object. */
function isSame(a: TableRow['record'], b: TableRow['record']): boolean {
  if (a === b) return true;
  const [left, right] = [a, b] as unknown as Record<string, unknown>[];
  return Object.keys(left).every(
    (field) => left[field] === right[field] || isDeepStrictEqual(left[field], right[field]),
  );
}

const routeKey = ({ vrf, prefix, length }: Pick<RouteRecord, 'vrf' | 'prefix' | 'length'>): string =>
  `route ${vrf} ${prefix}/${length}`;

/** Which row a change is about. */
function keyOf(change: TableRow): string {
  switch (change.table) {
    case 'bridge':
      return `bridge ${change.record.vrf} ${change.record.mac}`;
    case 'route':
      return routeKey(change.record);
    case 'label':
      return `label ${change.record.label}`;
    case 'vni':
      return `vni ${change.record.vni}`;
    case 'acl':
    case 'nexthop':
    case 'peer':
    case 'vif':
    case 'vrf':
      return `${change.table} ${change.record.id}`;
  }
}
