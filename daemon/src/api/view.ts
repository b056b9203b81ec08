/** What the API can ask the rest of the daemon. compose.ts implements it on tables, counters, store and agent; tests on arrays. */
import type {
  BridgeRouteDump,
  DropstatsDump,
  InetFamily,
  InetRouteDump,
  MplsDump,
  NexthopDump,
  ObjectOutcome,
  StatusDump,
  VifDump,
  VrfstatsDump,
  VxlanDump,
  WaitDump,
} from '../control/dumps.js';
import type { FlowCountsDump, FlowDump, FlowOp, FlowSort, FlowTableDump } from '../control/flow-dumps.js';
import type { HostCountsDump, HostDump, ProbeDump, ProbeRequest, StoreCopyDump } from '../control/host-dumps.js';
import type { LiveTrace, TraceDump, TraceRequest } from '../control/trace-dumps.js';
import type { MirrorDump } from '../control/mirror-dumps.js';
import type { FlowMatch } from '../control/flow-match.js';

/**
 * Lists are in the order of their ids, routes in the order of their prefixes. An answer `undefined` means: there is no such id.
 * Iterables may be walked over several turns of the event loop; what changes meanwhile may be in them or not. An `undefined` in
 * one of them is no record: it asks for such a turn.
 */
export interface DaemonView {
  vifs(): Iterable<VifDump>;
  vif(id: number): VifDump | undefined;
  /** Drop counters of one interface. */
  vifDrops(id: number): DropstatsDump | undefined;

  nexthops(): Iterable<NexthopDump>;
  nexthop(id: number): NexthopDump | undefined;

  labels(): Iterable<MplsDump>;
  label(label: number): MplsDump | undefined;
  vnis(): Iterable<VxlanDump>;
  vni(vni: number): VxlanDump | undefined;

  mirrors(): Iterable<MirrorDump>;
  mirror(index: number): MirrorDump | undefined;

  /** Every slot of the trie of a VRF; none for a VRF without routing. */
  inetRoutes(vrf: number, family: InetFamily): Iterable<InetRouteDump> | undefined;
  /**
   * The longest route that covers the whole of `address`/`length`, with its own prefix and length. Both are valid; host bits of
   * `address` may be set.
   */
  inetRoute(vrf: number, family: InetFamily, address: string, length: number): InetRouteDump | undefined;
  bridgeRoutes(vrf: number): Iterable<BridgeRouteDump> | undefined;
  /** `mac` is `aa:bb:cc:dd:ee:ff`. */
  bridgeRoute(vrf: number, mac: string): BridgeRouteDump | undefined;

  flows(query: FlowQuery): Iterable<FlowDump | undefined>;
  /** Throws RefusedError when there is no such flow. */
  flow(index: number): FlowDump;
  flowTable(): FlowTableDump;
  /** One record, when all entries are counted. */
  flowCounts(): Iterable<FlowCountsDump | undefined>;
  /** Resolves when the flow is what it was asked to be. Rejects with a RefusedError. */
  changeFlow(index: number, op: FlowOp): Promise<void>;
  /** Forgets all flows that match; resolves to how many pairs that were. */
  flushFlows(match: FlowMatch | null): Promise<number>;

  /** What would become of a packet; nothing does. Throws RefusedError. */
  trace(request: TraceRequest): TraceDump;
  /** The next real packets that match, until there were enough, time is up, or `stop` says so. Throws RefusedError. */
  traceLive(match: string, limits: LiveLimits, stop: AbortSignal): AsyncIterable<LiveTrace>;

  /** Asks another host how far packets for an address get there. Rejects with a RefusedError. */
  probe(request: ProbeRequest): Promise<ProbeDump>;

  dropstats(): DropstatsDump;
  vrfstats(): Iterable<VrfstatsDump>;
  vrfstatsOf(vrf: number): VrfstatsDump | undefined;
  status(): StatusDump;
  /** All hosts of the cluster, or the one of that name. Rejects with a RefusedError when there is none. */
  hosts(name?: string): Promise<readonly HostDump[]>;
  hostCounts(): HostCountsDump;
  /** Copies the configuration to another store. Rejects with a RefusedError. */
  copyStore(request: CopyRequest): Promise<StoreCopyDump>;

  /**
   * Applies resource documents as a whole: all or nothing. Rejects with a RefusedError when they are not valid, or cannot be
   * stored now. Outcomes are in the order of the documents, what `prune` deleted behind them.
   */
  apply(documents: readonly unknown[], options: ApplyOptions): Promise<readonly ObjectOutcome[]>;
  /** Deletes the objects that `kind` and `metadata` of the documents name: all or nothing. Rejects with a RefusedError. */
  remove(documents: readonly unknown[]): Promise<readonly ObjectOutcome[]>;
  /**
   * Resource documents with status, of every kind when none is given. `name` is short or full; rejects with a RefusedError when
   * there is no such object or kind.
   */
  objects(kind?: string, name?: string): Promise<readonly unknown[]>;

  /** What of the stored objects is not in the datapath yet. */
  pending(): WaitDump;
  /** Calls back whenever `pending` may have changed, until the returned function is called. */
  onProgress(callback: () => void): () => void;
}

/** Which flows are wanted, and how. */
export interface FlowQuery {
  /** null: all. */
  readonly match: FlowMatch | null;
  /** Whether evicted entries, and those of TCP sessions that are over, are wanted too. */
  readonly evicted: boolean;
  /** Whether they are wanted with names. */
  readonly names: boolean;
  /** null: in the order of their indices. */
  readonly sort: FlowSort | null;
  /** How many at most. */
  readonly top: number;
}

/** How many packets a live trace tells at most, and how long it lasts. */
export interface LiveLimits {
  readonly count: number;
  readonly timeoutMs: number;
}

export interface ApplyOptions {
  /** Say what would happen, and change nothing. */
  readonly dryRun: boolean;
  /** Delete the objects that are stored but not among the documents. */
  readonly prune: boolean;
}

/** Where the configuration is to be copied. */
export interface CopyRequest {
  /** As `redis` in the configuration file: a URL, or settings. */
  readonly to: unknown;
  /** Start of every key there; by default as here. */
  readonly prefix?: string;
  /** Replace what is there. */
  readonly force: boolean;
}
