import { parseAddress, parseMac } from '../wire/addr.js';
import { encodeName, ofPort } from '../wire/mirror-metadata.js';
import { InetRoutes } from './inet-route.js';
import { NH_ID, type RouteRecord, VIF_FLAG, VIF_ID, VIF_TYPE, type VifRecord, type VrfRecord } from './records.js';
import { Vif } from './vif.js';
import { GATEWAY_MAC } from '../wire/ethernet.js';

/** What the longest matching prefix says: the agent's record, unpacked for the fast path. */
export class Route {
  readonly record: RouteRecord;
  readonly nexthop: number;
  /** MPLS label or VNI for the tunnel it leads into; -1: none. */
  readonly label: number;
  readonly flags: number;
  /** MAC bound to the address, null if none. */
  readonly stitchedMac: Uint8Array | null;
  /** Who the address belongs to, as ACLs ask. */
  readonly network: number;
  readonly groups: readonly number[];

  constructor(record: RouteRecord) {
    this.record = record;
    this.nexthop = record.nexthop;
    this.label = record.label;
    this.flags = record.flags;
    this.stitchedMac = record.stitchedMac === null ? null : parseMac(record.stitchedMac);
    this.network = record.network;
    this.groups = record.groups;
  }
}

/** What every address without a route leads to. */
const NO_ROUTE: RouteRecord = {
  vrf: 0,
  family: 'inet',
  prefix: '0.0.0.0',
  length: 0,
  nexthop: NH_ID.discard,
  label: -1,
  flags: 0,
  stitchedMac: null,
  stitchedIndex: -1,
  network: 0,
  groups: [],
};

/** One row of a routing table as its trie holds it. */
interface RouteSlot {
  /** Address of the slot, 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly slotLength: number;
  /** What fills the slot; its length is the parent prefix length of `rt`. */
  readonly route: Route;
}

/** Routes of one family: a trie of indices, and the routes they name. Index 0 is what nothing matched: discard. */
class RoutingTable {
  readonly #trie: InetRoutes;
  readonly #routes: Route[] = [new Route(NO_ROUTE)];
  readonly #free: number[] = [];

  constructor(levels: 4 | 16) {
    this.#trie = new InetRoutes(levels);
  }

  set(record: RouteRecord): void {
    const address = parseAddress(record.prefix);
    const known = this.#trie.get(address, record.length);
    const value = known !== 0 ? known : (this.#free.pop() ?? this.#routes.length);
    this.#routes[value] = new Route(record);
    if (known === 0) this.#trie.set(address, record.length, value);
  }

  delete(key: { family: 'inet' | 'inet6'; prefix: string; length: number }): void {
    const address = parseAddress(key.prefix);
    const value = this.#trie.get(address, key.length);
    if (value !== 0 && this.#trie.delete(address, key.length)) this.#free.push(value);
  }

  /** Longest match of the address at `at`; the discard route when there is none. */
  lookup(b: Uint8Array, at: number): Route {
    return this.#routes[this.#trie.lookup(b, at)];
  }

  /** Every slot of the trie, in address order; a table without routes has none. */
  *slots(): IterableIterator<RouteSlot> {
    if (this.#routes.length === 1 + this.#free.length) return;
    for (const slot of this.#trie.dump()) {
      yield { address: slot.address, slotLength: slot.slotLength, route: this.#routes[slot.value] };
    }
  }

  /** The routes themselves, in no order. */
  *records(): IterableIterator<RouteRecord> {
    const free = new Set([0, ...this.#free]);
    for (const [value, route] of this.#routes.entries()) if (!free.has(value)) yield route.record;
  }
}

/** The underlay's interface as one of a network: without flows and rules of its own, as whom it sends to is asked. */
export const fabricOf = ({ id: vrf, floodUnknownUnicast }: VrfRecord): VifRecord => ({
  id: VIF_ID.physical,
  type: VIF_TYPE.physical,
  name: '',
  mac: GATEWAY_MAC,
  vrf,
  mcastVrf: vrf,
  flags: VIF_FLAG.l3 | VIF_FLAG.l2 | (floodUnknownUnicast ? VIF_FLAG.unknownUnicastFlood : 0),
  nexthop: -1,
  ip: '0.0.0.0',
  ip6: null,
  mtu: 0,
  macs: [],
  portSecurity: false,
  maxFlows: 0,
  egressAcl: -1,
  ingressAcl: -1,
  fatFlows: [],
  fatFlowExclude: [],
  mirrors: [],
});

/** One network's routing tables. */
export class Vrf {
  record: VrfRecord;
  readonly inet = new RoutingTable(4);
  readonly inet6 = new RoutingTable(16);
  /** What packets from other hosts come into this network by: the underlay's interface, as one of this network. */
  readonly fabric: Vif;
  /** Metadata of copies of what guests here send, and of what they are sent; and the name in it. */
  sentMetadata: Uint8Array;
  receivedMetadata: Uint8Array;
  encodedName: Uint8Array;

  constructor(record: VrfRecord) {
    this.record = record;
    this.fabric = new Vif(fabricOf(record));
    this.sentMetadata = ofPort(true, record.name);
    this.receivedMetadata = ofPort(false, record.name);
    this.encodedName = encodeName(record.name);
  }

  set(record: VrfRecord): void {
    if (record.name !== this.record.name) {
      this.sentMetadata = ofPort(true, record.name);
      this.receivedMetadata = ofPort(false, record.name);
      this.encodedName = encodeName(record.name);
    }
    this.record = record;
    this.fabric.set(fabricOf(record));
  }
}
