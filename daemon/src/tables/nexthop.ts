import { NH_FLAG, NH_ID, NH_TYPE, type NexthopRecord, type NhType } from './records.js';
import { Tunnel } from './tunnel.js';
import { UdpTunnel } from './udp-tunnel.js';

/** What to do with a packet: the agent's record, unpacked for the fast path. */
export class Nexthop {
  readonly record: NexthopRecord;
  readonly id: number;
  readonly type: NhType;
  /** Whether delivering through this nexthop leaves the Ethernet header as it is. */
  readonly bridged: boolean;
  readonly oif: number;
  /** VRF it belongs to; -1: none. */
  readonly vrf: number;
  /** Whether what is delivered through it has flows, even where the sender has none. */
  readonly policy: boolean;
  readonly rewrite: Uint8Array;
  /** Members of a composite, and the label or VNI for each; -1: none. */
  readonly members: readonly number[];
  readonly memberLabels: readonly number[];
  /** Whether the members of a composite are tunnels to the hosts that have the network as well. */
  readonly isEvpn: boolean;
  /** Null: not a tunnel. */
  readonly tunnel: Tunnel | null;
  /** Null: not a tunnel in plain UDP. */
  readonly udp: UdpTunnel | null;

  constructor(record: NexthopRecord) {
    this.record = record;
    this.id = record.id;
    this.type = record.type;
    this.bridged = record.family === 'bridge';
    this.oif = record.oif;
    this.vrf = record.vrf;
    this.policy = (record.flags & NH_FLAG.policy) !== 0;
    this.rewrite = Uint8Array.from(Buffer.from(record.rewrite, 'hex'));
    this.members = record.members.map((member) => member.nexthop);
    this.memberLabels = record.members.map((member) => member.label);
    this.isEvpn = (record.flags & NH_FLAG.compositeEvpn) !== 0;
    this.tunnel = record.tunnel ? new Tunnel(record.tunnel, this.rewrite) : null;
    this.udp = record.udp ? new UdpTunnel(record.udp, record.flags) : null;
  }
}

/** Nexthops by id. The datapath's discard and the agent's drop are always there. */
export class NexthopTable {
  readonly #nexthops: (Nexthop | undefined)[] = [];

  constructor() {
    for (const id of [NH_ID.discard, NH_ID.drop]) this.set(fixed(id, NH_TYPE.discard));
    this.set(fixed(NH_ID.l2Receive, NH_TYPE.l2Receive));
  }

  set(record: NexthopRecord): void {
    this.#nexthops[record.id] = new Nexthop(record);
  }

  delete(id: number): void {
    this.#nexthops[id] = undefined;
  }

  get(id: number): Nexthop | undefined {
    return this.#nexthops[id];
  }

  /** In ascending id. */
  *entries(): IterableIterator<Nexthop> {
    for (const nexthop of this.#nexthops) if (nexthop) yield nexthop;
  }
}

function fixed(id: number, type: NhType): NexthopRecord {
  const flags = NH_FLAG.valid | NH_FLAG.etreeRoot;
  return { id, type, family: 'inet', flags, vrf: 0, oif: -1, rewrite: '', members: [] };
}
