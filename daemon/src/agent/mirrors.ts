import { subject } from '../control/schema.js';
import { parseMac } from '../wire/addr.js';
import { NH_ID, type NexthopRecord, type TableChange } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import { type Compiled, EMPTY } from './compile.js';
import type { Ids } from './ids.js';
import {
  type MirrorHost,
  mirrorRecord,
  type MirrorTarget,
  udpNexthop,
  UNRESOLVED,
  vxlanNexthop,
} from './mirror-rows.js';
import { instanceOf, isRaw, mirrorKey, type MirrorUse } from './mirror-uses.js';
import type { Reconciler } from './reconcile.js';
import type { Underlay } from './way.js';

/** What mirrors need of the rest of the agent. */
export interface MirrorParts {
  readonly ids: Pick<Ids, 'get' | 'find' | 'keys' | 'release'>;
  readonly reconciler: Pick<Reconciler, 'reconcile' | 'onChange'>;
  /** The tables as they are now. */
  readonly tables: Pick<Tables, 'bridge' | 'nexthops' | 'peers'>;
  readonly underlay: Pick<Underlay, 'wayTo' | 'follow'>;
  readonly host: MirrorHost;
}

/** A mirror of this host, and who uses it. */
export interface Mirror {
  readonly key: string;
  /** -1: none was left. */
  readonly id: number;
  readonly uses: readonly MirrorUse[];
}

/** Beginning of the keys mirrors have nexthop numbers under, and whose rows they are in the tables. */
const KEY = 'mirror ';
const OWNER = 'mirrors';
/** Beginning of the names of peers that are no hosts of the cluster. */
const ENDPOINT = subject({ kind: 'TunnelEndpoint', name: '' });

/**
 * Makes rows of the tables of all mirrors of this host, and makes them anew whenever what leads to an analyzer changes:
 *
 *     uses (interfaces, policies) ──▶ one mirror a name ──▶ resolved ──▶ rows of owner `mirrors`
 *     rows of bridge tables ──────────────────────────────────▲
 *     ways of the underlay ───────────────────────────────────┘
 */
export class Mirrors {
  readonly #parts: MirrorParts;
  #mirrors: readonly Mirror[] = [];
  #vrfOf: (network: string) => number | undefined = () => undefined;
  /** MACs of analyzers, by VRF, whose rows of the bridge table matter; and addresses whose ways do. */
  readonly #macs = new Set<string>();
  readonly #addresses = new Set<string>();
  /** Keys of the nexthop numbers in use. */
  readonly #nexthops: Set<string>;

  constructor(parts: MirrorParts) {
    this.#parts = parts;
    this.#nexthops = new Set(parts.ids.keys('nexthop').filter((key) => key.startsWith(KEY)));
    parts.reconciler.onChange((changes) => {
      if (this.#macs.size > 0 && changes.some((change) => this.#isAboutAnalyzer(change))) this.#apply();
    });
  }

  /** All of them, in the order of their indices. */
  get all(): readonly Mirror[] {
    return this.#mirrors;
  }

  /**
   * What mirrors this host has from now on. Their indices are given already, see `mirrorId`; where two uses of one name differ, the first
   * counts. `vrfOf` tells the VRF of a network that is on this host.
   */
  present(uses: readonly MirrorUse[], vrfOf: (network: string) => number | undefined): void {
    const byKey = new Map<string, MirrorUse[]>();
    for (const use of uses) {
      const key = mirrorKey(use.to, use.network);
      const known = byKey.get(key);
      if (known) known.push(use);
      else byKey.set(key, [use]);
    }
    this.#mirrors = [...byKey]
      .map(([key, all]) => ({ key, id: this.#parts.ids.find('mirror', key) ?? -1, uses: all }))
      .sort((a, b) => a.id - b.id);
    this.#vrfOf = vrfOf;
    this.#follow();
    this.#apply();
  }

  /** The ways to these addresses are others now. */
  onWays(addresses: readonly string[]): void {
    if (addresses.some((address) => this.#addresses.has(address))) this.#apply();
  }

  /** The VRF of a network that is on this host. */
  vrfOf(network: string): number | undefined {
    return this.#vrfOf(network);
  }

  /** What leads frames as they are to a MAC in a network; undefined: nothing does. */
  targetOf(network: string, mac: string): MirrorTarget | undefined {
    const row = this.#rowOf(network, mac);
    return row && this.#vxlanHost(row) === null ? row : undefined;
  }

  /**
   * The host behind which a MAC is, if it is one that VXLAN leads to; null: it is not. Such a host looks at nothing but the MAC frames
   * are for, which is that of whom they were sent to: it would deliver copies there once more. With MPLS the label says whose they are,
   * and what is no host of the cluster has asked for them.
   */
  vxlanHostOf(network: string, mac: string): string | null {
    const row = this.#rowOf(network, mac);
    return row ? this.#vxlanHost(row) : null;
  }

  #vxlanHost({ nexthop }: MirrorTarget): string | null {
    const { nexthops, peers } = this.#parts.tables;
    const { tunnel } = nexthops.get(nexthop)?.record ?? {};
    if (tunnel?.encapsulation !== 'VXLAN') return null;
    const name = peers.get(tunnel.peer)?.name ?? '';
    return name.startsWith(ENDPOINT) ? null : name;
  }

  #rowOf(network: string, mac: string): MirrorTarget | undefined {
    const { bridge } = this.#parts.tables;
    const vrf = this.#vrfOf(network);
    if (vrf === undefined) return undefined;
    const slot = bridge.find(vrf, parseMac(mac), 0);
    if (slot < 0 || bridge.nexthop(slot) < NH_ID.firstDynamic) return undefined;
    return { nexthop: bridge.nexthop(slot), label: bridge.label(slot) };
  }

  #isAboutAnalyzer(change: TableChange): boolean {
    if (change.table !== 'bridge') return false;
    const { vrf, mac } = change.op === 'set' ? change.record : change;
    return this.#macs.has(`${vrf} ${mac}`);
  }

  /** Notes what matters to mirrors. */
  #follow(): void {
    this.#macs.clear();
    this.#addresses.clear();
    for (const { uses } of this.#mirrors) {
      const [{ to }] = uses;
      if (isRaw(to)) this.#macs.add(`${this.#vrfOf(instanceOf(uses[0]))} ${to.analyzerMac}`);
      else if (isStatic(uses[0])) this.#addresses.add(to.staticNhHeader?.vtepDstIp ?? '');
    }
    this.#parts.underlay.follow(this.#addresses);
  }

  /** Brings the tables to what is known. */
  #apply(): void {
    const { reconciler, ids } = this.#parts;
    const unused = new Set(this.#nexthops);
    const compiled = this.#compile((key) => {
      unused.delete(key);
      this.#nexthops.add(key);
      return ids.get('nexthop', key);
    });
    reconciler.reconcile(OWNER, compiled);
    for (const key of unused) {
      ids.release('nexthop', key);
      this.#nexthops.delete(key);
    }
  }

  #compile(nexthopOf: (key: string) => number): Compiled {
    const nexthops: NexthopRecord[] = [];
    const mirrors = this.#mirrors
      .filter(({ id }) => id >= 0)
      .map(({ id, key, uses }) => {
        const own = this.#nexthop(uses[0], () => nexthopOf(`${KEY}${key}`));
        if (own) nexthops.push(own);
        return mirrorRecord(id, uses[0].to, own ? ownTarget(own, uses[0]) : this.#found(uses[0]));
      });
    return { ...EMPTY, nexthops, mirrors };
  }

  /** The nexthop a mirror has for itself; null: it has none, or the way is not known. */
  #nexthop(use: MirrorUse, id: () => number): NexthopRecord | null {
    const { underlay, host } = this.#parts;
    const { to } = use;
    if (isStatic(use)) {
      const destination = to.staticNhHeader?.vtepDstIp ?? '';
      const way = underlay.wayTo(destination);
      return way && vxlanNexthop(id(), destination, way);
    }
    if (to.nicAssistedMirroring || !to.juniperHeader || to.analyzerIp === undefined) return null;
    return udpNexthop(id(), to, to.analyzerIp, host, use.isService === true);
  }

  /** Where a raw mirror leads. */
  #found(use: MirrorUse): MirrorTarget {
    const { analyzerMac } = use.to;
    if (!isRaw(use.to) || analyzerMac === undefined) return UNRESOLVED;
    return this.targetOf(instanceOf(use), analyzerMac) ?? UNRESOLVED;
  }
}

const isStatic = ({ to }: MirrorUse): boolean => to.nhMode === 'static' && !to.nicAssistedMirroring;

const ownTarget = ({ id }: NexthopRecord, { to }: MirrorUse): MirrorTarget => ({
  nexthop: id,
  label: to.staticNhHeader?.vni ?? -1,
});
