import { formatMac, parseMac } from '../wire/addr.js';
import { Acl } from './acl.js';
import { BridgeTable } from './bridge.js';
import type { Counters } from './counters.js';
import { Epochs } from './epochs.js';
import { LabelTable, VniTable } from './labels.js';
import { MirrorTable } from './mirror.js';
import { NetworkNames } from './network-names.js';
import { NexthopTable } from './nexthop.js';
import { PeerTable } from './peers.js';
import type { TableChange, VifRecord, VrfRecord } from './records.js';
import { VifTable } from './vif.js';
import { Vrf } from './vrf.js';

/** A change that brings a row. */
export type TableRow = Extract<TableChange, { op: 'set' }>;

/**
 * All forwarding state. The worker has one and forwards by it; the agent's thread has a replica it computes differences against
 * and answers the tools from. Both are built by the same changes in the same order.
 */
export class Tables {
  readonly vifs = new VifTable();
  readonly nexthops = new NexthopTable();
  readonly vrfs: (Vrf | undefined)[] = [];
  readonly acls: (Acl | undefined)[] = [];
  readonly labels = new LabelTable();
  readonly vnis = new VniTable();
  readonly peers = new PeerTable();
  readonly mirrors = new MirrorTable();
  /** Full names of networks by number. */
  readonly networks = new NetworkNames();
  readonly bridge: BridgeTable;
  readonly epochs = new Epochs();
  readonly #counters: Counters | null;

  /** @param counters given to the worker's tables only: what is deleted takes its counts along. */
  constructor(counters: Counters | null = null, bridge = new BridgeTable()) {
    this.#counters = counters;
    this.bridge = bridge;
  }

  /** Applies one change. No clock, no log, no I/O. */
  apply(change: TableChange): void {
    switch (change.table) {
      case 'vif':
        if (change.op === 'set') this.#setVif(change.record);
        else this.#deleteVif(change.id);
        return;
      case 'vrf':
        if (change.op === 'set') this.#setVrf(change.record);
        else this.#deleteVrf(change.id);
        return;
      case 'acl':
        if (change.op === 'set') this.acls[change.record.id] = new Acl(change.record);
        else this.acls[change.id] = undefined;
        this.#aclChanged(change.op === 'set' ? change.record.id : change.id);
        return;
      case 'nexthop':
        this.#applyNexthop(change);
        return;
      case 'route':
        this.#applyRoute(change);
        return;
      case 'bridge':
        this.#applyBridge(change);
        return;
      case 'label':
        if (change.op === 'set') this.labels.set(change.record.label, change.record.nexthop);
        else this.labels.delete(change.label);
        return;
      case 'vni':
        if (change.op === 'set') this.vnis.set(change.record.vni, change.record.nexthop);
        else this.vnis.delete(change.vni);
        return;
      case 'peer':
        if (change.op === 'set') this.peers.set(change.record);
        else this.peers.delete(change.id);
        return;
      case 'mirror':
        if (change.op === 'set') this.mirrors.set(change.record);
        else this.#deleteMirror(change.id);
        return;
      case 'network':
        if (change.op === 'set') this.networks.set(change.record.number, change.record.name);
        else this.networks.delete(change.number);
        return;
    }
  }

  /** What a list decides changed, and so what those decide that it stands behind. */
  #aclChanged(id: number): void {
    this.epochs.aclChanged(id);
    for (const acl of this.acls) if (acl?.next === id) this.epochs.aclChanged(acl.record.id);
  }

  #setVif(record: VifRecord): void {
    this.vifs.set(record);
    this.epochs.vifChanged(record.id);
  }

  #applyNexthop(change: Extract<TableChange, { table: 'nexthop' }>): void {
    const known = this.nexthops.get(change.op === 'set' ? change.record.id : change.id);
    if (known && !known.udp) this.epochs.vrfChanged(known.vrf);
    if (change.op === 'delete') return this.nexthops.delete(change.id);
    this.nexthops.set(change.record);
    // No route leads to that of a mirror: no session was decided by it.
    if (!change.record.udp) this.epochs.vrfChanged(change.record.vrf);
  }

  #setVrf(record: VrfRecord): void {
    const vrf = this.vrfs[record.id];
    if (vrf) vrf.set(record);
    else this.vrfs[record.id] = new Vrf(record);
    this.epochs.vrfRecordChanged(record.id);
  }

  #deleteVif(id: number): void {
    this.vifs.delete(id);
    this.epochs.vifDeleted(id);
    this.#counters?.retireVif(id);
  }

  #deleteVrf(id: number): void {
    this.vrfs[id] = undefined;
    this.epochs.vrfDeleted(id);
    this.#counters?.retireVrf(id);
  }

  #deleteMirror(id: number): void {
    this.mirrors.delete(id);
    this.#counters?.retireMirror(id);
  }

  #applyRoute(change: Extract<TableChange, { table: 'route' }>): void {
    const key = change.op === 'set' ? change.record : change;
    const vrf = this.vrfs[key.vrf];
    if (!vrf) return;
    const table = vrf[key.family];
    if (change.op === 'set') table.set(change.record);
    else table.delete(change);
    this.epochs.vrfChanged(key.vrf);
  }

  #applyBridge(change: Extract<TableChange, { table: 'bridge' }>): void {
    this.epochs.vrfChanged(change.op === 'set' ? change.record.vrf : change.vrf);
    const mac = parseMac(change.op === 'set' ? change.record.mac : change.mac);
    if (change.op === 'delete') {
      this.#counters?.clearBridge(this.bridge.find(change.vrf, mac, 0));
      this.bridge.delete(change.vrf, mac);
    } else {
      this.bridge.set({ ...change.record, mac });
    }
  }
}

/** Changes that make empty tables equal to these. */
export function snapshot(tables: Tables): TableChange[] {
  const changes: TableChange[] = [];
  for (const acl of tables.acls) if (acl) changes.push({ table: 'acl', op: 'set', record: acl.record });
  for (const vrf of tables.vrfs) if (vrf) changes.push({ table: 'vrf', op: 'set', record: vrf.record });
  for (const { record } of tables.nexthops.entries()) changes.push({ table: 'nexthop', op: 'set', record });
  for (const entry of tables.bridge.entries()) {
    changes.push({ table: 'bridge', op: 'set', record: { ...entry, mac: formatMac(entry.mac) } });
  }
  for (const vrf of tables.vrfs) {
    for (const table of vrf ? [vrf.inet, vrf.inet6] : []) {
      for (const record of table.records()) changes.push({ table: 'route', op: 'set', record });
    }
  }
  for (const { record } of tables.vifs.entries()) changes.push({ table: 'vif', op: 'set', record });
  for (const [number, name] of tables.networks) changes.push({ table: 'network', op: 'set', record: { number, name } });
  for (const { record } of tables.mirrors.entries()) changes.push({ table: 'mirror', op: 'set', record });
  for (const record of tables.peers.entries()) changes.push({ table: 'peer', op: 'set', record });
  for (const record of tables.labels.entries()) changes.push({ table: 'label', op: 'set', record });
  for (const record of tables.vnis.entries()) changes.push({ table: 'vni', op: 'set', record });
  return changes;
}

/** The change that takes a row out again. */
export function removalOf(set: TableRow): TableChange {
  switch (set.table) {
    case 'bridge':
      return { table: 'bridge', op: 'delete', vrf: set.record.vrf, mac: set.record.mac };
    case 'route': {
      const { vrf, family, prefix, length } = set.record;
      return { table: 'route', op: 'delete', vrf, family, prefix, length };
    }
    case 'label':
      return { table: 'label', op: 'delete', label: set.record.label };
    case 'vni':
      return { table: 'vni', op: 'delete', vni: set.record.vni };
    case 'network':
      return { table: 'network', op: 'delete', number: set.record.number };
    case 'acl':
    case 'mirror':
    case 'nexthop':
    case 'peer':
    case 'vif':
    case 'vrf':
      return { table: set.table, op: 'delete', id: set.record.id };
  }
}
