import { parseAddress, parseMac } from '../wire/addr.js';
import { get16, get32 } from '../wire/bytes.js';
import { FatFlows } from './fat-flow.js';
import { VIF_FLAG, type VifMirrorRecord, type VifRecord } from './records.js';
import { TokenBucket } from './token-bucket.js';

const NO_ADDRESS = '0.0.0.0';

/** A virtual interface as the datapath sees it: the agent's record, and what the port behind it can do. */
export class Vif {
  readonly id: number;
  record: VifRecord;
  readonly mac = new Uint8Array(6);
  type = 0;
  flags = 0;
  vrf = 0;
  mcastVrf = 0;
  /** Its fat-flow rules, null: none, or its packets have no flows. */
  fatFlows: FatFlows | null = null;
  /** Flow-key nexthop: K(nh) of the flows its packets have. */
  nexthop = 0;
  /** Whether its packets have flows (flow mode), and whether what it sends from is checked. */
  policy = false;
  portSecurity = false;
  /** Both: its packets must have a MAC of its own. */
  isChecked = false;
  maxFlows = 0;
  /** ACLs of its security groups; -1: none. */
  egressAcl = -1;
  ingressAcl = -1;
  /** Mirrors of what its guest sends, null: none; of what it is sent; and of either. */
  receiveMirrors: readonly number[] | null = null;
  transmitMirrors: readonly number[] | null = null;
  mirrors: readonly number[] | null = null;
  /** Its addresses, of 4 and 16 bytes; null: it has none. */
  address: Uint8Array | null = null;
  address6: Uint8Array | null = null;
  /** Whether the port takes virtio-net headers: super-frames and partial checksums pass as they are. */
  offloads = true;
  /** Whether it takes super-frames of UDP, too: kernels before 6.2 do not, and say so by refusing the first. */
  takesUdpSuperFrames = true;
  /** How many frames it may still send to the agent. */
  readonly toAgent = new TokenBucket();
  /** What of the port's own counters is in the shared ones already. */
  kernelDropsSeen = 0;
  rxErrorsSeen = 0;
  /** MACs it may send from: the first two bytes and the last four of each. Its own apart, as nearly all packets have that. */
  ownFirst = 0;
  ownLast = 0;
  #macs = new Int32Array(0);

  constructor(record: VifRecord) {
    this.id = record.id;
    this.record = record;
    this.set(record);
  }

  set(record: VifRecord): void {
    this.record = record;
    this.mac.set(parseMac(record.mac));
    this.type = record.type;
    this.flags = record.flags;
    this.vrf = record.vrf;
    this.mcastVrf = record.mcastVrf;
    this.nexthop = record.nexthop;
    this.policy = (record.flags & VIF_FLAG.policy) !== 0;
    const isFolded = this.policy && record.fatFlows.length > 0;
    this.fatFlows = isFolded ? new FatFlows(record.fatFlows, record.fatFlowExclude) : null;
    this.portSecurity = record.portSecurity;
    this.isChecked = this.policy && this.portSecurity;
    this.maxFlows = record.maxFlows;
    this.egressAcl = record.egressAcl;
    this.ingressAcl = record.ingressAcl;
    this.mirrors = mirrorsOf(record, ({ receive, transmit }) => receive || transmit);
    this.receiveMirrors = mirrorsOf(record, ({ receive }) => receive);
    this.transmitMirrors = mirrorsOf(record, ({ transmit }) => transmit);
    this.address = record.ip === NO_ADDRESS ? null : parseAddress(record.ip);
    this.address6 = record.ip6 === null ? null : parseAddress(record.ip6);
    const macs = Int32Array.from(record.macs.map(parseMac).flatMap((mac) => [get16(mac, 0), get32(mac, 2)]));
    this.#macs = macs;
    this.ownFirst = macs.length > 0 ? macs[0] : -1;
    this.ownLast = macs.length > 0 ? macs[1] : 0;
  }

  /** Whether the MAC at `at` is one it may send from. */
  owns(b: Uint8Array, at: number): boolean {
    const first = get16(b, at);
    const last = get32(b, at + 2) | 0;
    if (last === this.ownLast && first === this.ownFirst) return true;
    const macs = this.#macs;
    for (let i = 0; i < macs.length; i += 2) if (macs[i + 1] === last && macs[i] === first) return true;
    return false;
  }
}

function mirrorsOf({ mirrors }: VifRecord, isOne: (mirror: VifMirrorRecord) => boolean): readonly number[] | null {
  const ids = mirrors.filter(isOne).map(({ mirror }) => mirror);
  return ids.length > 0 ? ids : null;
}

/** Interfaces by index. */
export class VifTable {
  readonly #vifs: (Vif | undefined)[] = [];
  /** Interfaces with fat-flow rules: while there are none, nobody needs to look for those of a destination. */
  withFatFlows = 0;

  set(record: VifRecord): void {
    const known = this.#vifs[record.id];
    if (known?.fatFlows) this.withFatFlows--;
    const vif = known ?? new Vif(record);
    if (known) known.set(record);
    else this.#vifs[record.id] = vif;
    if (vif.fatFlows) this.withFatFlows++;
  }

  delete(id: number): void {
    if (this.#vifs[id]?.fatFlows) this.withFatFlows--;
    this.#vifs[id] = undefined;
  }

  get(id: number): Vif | undefined {
    return this.#vifs[id];
  }

  /** In ascending index. */
  *entries(): IterableIterator<Vif> {
    for (const vif of this.#vifs) if (vif) yield vif;
  }
}
