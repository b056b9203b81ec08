import type { MirrorStates } from './agent/mirror-states.js';
import type { Operator } from './agent/operator.js';
import type { Ports } from './agent/ports.js';
import type { Prober } from './agent/prober.js';
import type { Realiser } from './agent/realiser.js';
import { bridgeRouteDump, dropstatsDump, inetRouteDump, nexthopDump, vifDump, vrfstatsDump } from './api/dump.js';
import type { ApplyOptions, CopyRequest, DaemonView, FlowQuery, LiveLimits } from './api/view.js';
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
} from './control/dumps.js';
import type { FlowCountsDump, FlowDump, FlowOp, FlowTableDump } from './control/flow-dumps.js';
import type { HostCountsDump, HostDump, ProbeDump, ProbeRequest, StoreCopyDump } from './control/host-dumps.js';
import type { LiveTrace, TraceDump, TraceRequest } from './control/trace-dumps.js';
import type { MirrorDump } from './control/mirror-dumps.js';
import type { FlowMatch } from './control/flow-match.js';
import { fullName } from './control/names.js';
import type { RedisSettings } from './control/redis-connection.js';
import type { RedisHosts } from './control/redis-hosts.js';
import { copyStore, parseTarget } from './control/store-copy.js';
import { contains, parseAddress, parsePrefix } from './control/prefix.js';
import { FlowView } from './flow-view.js';
import type { FlowViewParts } from './flow-view.js';
import { hostsDump, type HostsParts } from './hosts-view.js';
import { MirrorView } from './mirror-view.js';
import { probeOverlay } from './overlay-probe.js';
import type { DaemonStatus } from './status.js';
import { DROP_REASONS } from './packet/drop.js';
import type { BridgeEntry } from './tables/bridge.js';
import { type Counters, VIF, VRF_STAT, VRF_STATS } from './tables/counters.js';
import type { Nexthop } from './tables/nexthop.js';
import { VIF_ID } from './tables/records.js';
import { countReferences, type References } from './tables/references.js';
import type { Tables } from './tables/tables.js';
import type { Vif } from './tables/vif.js';
import type { Tracing } from './trace/tracing.js';
import { formatIpv4, formatIpv6, formatMac, parseMac } from './wire/addr.js';
import { get32 } from './wire/bytes.js';

/** What the view shows of the rest of the daemon. */
export interface ViewParts {
  readonly tables: Tables;
  readonly counters: Counters;
  /** Flow entries of an interface whose record names no number. */
  readonly flowsPerInterface: number;
  readonly ports: Pick<Ports, 'kernelDrops'>;
  /** Speed and duplex of the underlay interface, if it tells them. */
  readonly underlayLink: () => VifDump['link'];
  readonly realiser: Realiser;
  readonly operator: Operator;
  readonly status: DaemonStatus;
  readonly mirrors: Pick<MirrorStates, 'list' | 'ofInterface'>;
  readonly flows: Pick<FlowViewParts, 'table' | 'command'>;
  readonly tracing: Tracing;
  readonly hosts: Pick<RedisHosts, 'hosts' | 'counts'>;
  readonly remote: HostsParts['remote'];
  readonly prober: Pick<Prober, 'ask'>;
  /** The shared store, and the start of its keys. */
  readonly shared: { readonly redis: RedisSettings; readonly prefix: string };
}

/** What the tools may ask, answered from the agent's tables and the shared counters: nothing here disturbs the worker. */
export class View implements DaemonView {
  readonly #parts: ViewParts;
  readonly #flows: FlowView;
  readonly #mirrors: MirrorView;

  constructor(parts: ViewParts) {
    this.#parts = parts;
    const { tables, counters, realiser, flows } = parts;
    this.#flows = new FlowView({ ...flows, tables, nameOf: (vif) => realiser.nameOf(vif) });
    this.#mirrors = new MirrorView({ tables, counters, nameOf: (vif) => realiser.nameOf(vif), states: parts.mirrors });
  }

  *vifs(): Generator<VifDump> {
    const references = countReferences(this.#parts.tables);
    for (const vif of this.#parts.tables.vifs.entries()) yield this.#vifDump(vif, references);
  }

  vif(id: number): VifDump | undefined {
    const vif = this.#parts.tables.vifs.get(id);
    return vif && this.#vifDump(vif, countReferences(this.#parts.tables));
  }

  vifDrops(id: number): DropstatsDump | undefined {
    const { tables, counters } = this.#parts;
    if (!tables.vifs.get(id)) return undefined;
    return dropstatsDump(DROP_REASONS.map((_, reason) => counters.vifDrops(id, reason)));
  }

  *nexthops(): Generator<NexthopDump> {
    const { tables } = this.#parts;
    const references = countReferences(tables);
    for (const nexthop of tables.nexthops.entries()) yield this.#nexthopDump(nexthop, references);
  }

  nexthop(id: number): NexthopDump | undefined {
    const { tables } = this.#parts;
    const nexthop = tables.nexthops.get(id);
    return nexthop && this.#nexthopDump(nexthop, countReferences(tables));
  }

  labels(): Iterable<MplsDump> {
    return this.#parts.tables.labels.entries();
  }

  label(label: number): MplsDump | undefined {
    const nexthop = this.#parts.tables.labels.get(label);
    return nexthop < 0 ? undefined : { label, nexthop };
  }

  vnis(): Iterable<VxlanDump> {
    return this.#parts.tables.vnis.entries();
  }

  vni(vni: number): VxlanDump | undefined {
    const nexthop = this.#parts.tables.vnis.get(vni);
    return nexthop < 0 ? undefined : { vni, nexthop };
  }

  mirrors(): Iterable<MirrorDump> {
    return this.#mirrors.list();
  }

  mirror(index: number): MirrorDump | undefined {
    return this.#mirrors.get(index);
  }

  inetRoutes(vrf: number, family: InetFamily): Iterable<InetRouteDump> | undefined {
    const table = this.#parts.tables.vrfs[vrf]?.[family];
    if (!table) return undefined;
    const format = family === 'inet' ? (b: Uint8Array) => formatIpv4(get32(b, 0)) : (b: Uint8Array) => formatIpv6(b);
    return (function* () {
      for (const { address, slotLength, route } of table.slots()) {
        yield inetRouteDump(route.record, { prefix: format(address), length: slotLength });
      }
    })();
  }

  inetRoute(vrf: number, family: InetFamily, address: string, length: number): InetRouteDump | undefined {
    const table = this.#parts.tables.vrfs[vrf]?.[family];
    if (!table) return undefined;
    const wanted = parseAddress(address);
    const covering = [...table.records()].filter(
      (route) => route.length <= length && contains(parsePrefix(`${route.prefix}/${route.length}`), wanted),
    );
    const longest = covering.sort((a, b) => b.length - a.length).at(0);
    return longest ? inetRouteDump(longest) : undefined;
  }

  bridgeRoutes(vrf: number): Iterable<BridgeRouteDump> | undefined {
    const { tables } = this.#parts;
    if (!tables.vrfs[vrf]) return undefined;
    const dump = (entry: BridgeEntry): BridgeRouteDump => this.#bridgeDump(entry);
    return (function* () {
      for (const entry of tables.bridge.entries(vrf)) yield dump(entry);
    })();
  }

  bridgeRoute(vrf: number, mac: string): BridgeRouteDump | undefined {
    const { bridge } = this.#parts.tables;
    const slot = bridge.find(vrf, parseMac(mac), 0);
    const entry = [...bridge.entries(vrf)].find(({ index }) => index === slot);
    return entry && this.#bridgeDump(entry);
  }

  flows(query: FlowQuery): Iterable<FlowDump | undefined> {
    return this.#flows.list(query);
  }

  flow(index: number): FlowDump {
    return this.#flows.get(index);
  }

  flowTable(): FlowTableDump {
    return this.#flows.tableDump();
  }

  flowCounts(): Iterable<FlowCountsDump | undefined> {
    return this.#flows.counts();
  }

  changeFlow(index: number, op: FlowOp): Promise<void> {
    return this.#flows.command(index, op);
  }

  flushFlows(match: FlowMatch | null): Promise<number> {
    return this.#flows.flush(match);
  }

  trace(request: TraceRequest): TraceDump {
    return this.#parts.tracing.dryRun(request);
  }

  traceLive(match: string, limits: LiveLimits, stop: AbortSignal): AsyncIterable<LiveTrace> {
    return this.#parts.tracing.live(match, limits, stop);
  }

  probe(request: ProbeRequest): Promise<ProbeDump> {
    return probeOverlay(request, this.#parts);
  }

  dropstats(): DropstatsDump {
    return dropstatsDump(DROP_REASONS.map((_, reason) => this.#parts.counters.totalDrops(reason)));
  }

  *vrfstats(): Generator<VrfstatsDump> {
    for (const vrf of this.#parts.tables.vrfs) {
      const dump = vrf && this.vrfstatsOf(vrf.record.id);
      if (dump) yield dump;
    }
  }

  vrfstatsOf(vrf: number): VrfstatsDump | undefined {
    const { tables, counters } = this.#parts;
    if (!tables.vrfs[vrf]) return undefined;
    const at = counters.vrfAt(vrf);
    return vrfstatsDump(vrf, Object.fromEntries(VRF_STATS.map((stat) => [stat, counters.words[at + VRF_STAT[stat]]])));
  }

  hosts(name?: string): Promise<readonly HostDump[]> {
    return hostsDump(this.#parts, name);
  }

  async copyStore({ to, prefix, force }: CopyRequest): Promise<StoreCopyDump> {
    const { shared } = this.#parts;
    return copyStore(shared.redis, shared.prefix, { redis: parseTarget(to), prefix: prefix ?? shared.prefix, force });
  }

  hostCounts(): HostCountsDump {
    return this.#parts.hosts.counts;
  }

  status(): StatusDump {
    return this.#parts.status.dump();
  }

  apply(documents: readonly unknown[], options: ApplyOptions): Promise<readonly ObjectOutcome[]> {
    return this.#parts.operator.apply(documents, options);
  }

  remove(documents: readonly unknown[]): Promise<readonly ObjectOutcome[]> {
    return this.#parts.operator.remove(documents);
  }

  /** The stored objects, interfaces of this host with what became of them. */
  async objects(kind?: string, name?: string): Promise<readonly unknown[]> {
    const { operator, realiser, mirrors } = this.#parts;
    const objects = operator.objects(kind, name).map((object) => {
      if (object.kind !== 'VirtualMachineInterface') return object;
      const own = fullName(object.metadata);
      const state = realiser.stateOf(own);
      const copies = mirrors.ofInterface(own);
      const shown = copies.length > 0 ? { mirrors: copies } : {};
      return { ...object, status: { ...object.status, ...state, ...shown } };
    });
    return Promise.resolve(objects);
  }

  pending(): WaitDump {
    return this.#parts.status.pending();
  }

  onProgress(callback: () => void): () => void {
    return this.#parts.status.onProgress(callback);
  }

  #vifDump(vif: Vif, references: References): VifDump {
    const { counters, ports, realiser, flowsPerInterface } = this.#parts;
    const at = counters.vifAt(vif.id);
    const link = vif.id === VIF_ID.physical ? this.#parts.underlayLink() : undefined;
    const word = (name: keyof typeof VIF): number => counters.words[at + VIF[name]];
    const state = {
      ...(link && { link }),
      ref: references.vif(vif.id),
      vmi: realiser.nameOf(vif.id) ?? null,
      rx: { packets: word('rxPackets'), bytes: word('rxBytes'), errors: word('rxErrors') },
      tx: { packets: word('txPackets'), bytes: word('txBytes'), errors: word('txErrors') },
      drops: counters.vifDropSum(vif.id),
      // A TAP's own losses, or those of a packet socket.
      kernelDrops: word('kernelDrops') + ports.kernelDrops(vif.record.name),
      superFrames: { rx: word('rxSuperFrames'), tx: word('txSuperFrames') },
      flows: { entries: word('flows'), most: vif.record.maxFlows > 0 ? vif.record.maxFlows : flowsPerInterface },
    };
    return vifDump(vif.record, state, this.#parts.tables.vrfs[vif.vrf]);
  }

  #nexthopDump({ record }: Nexthop, references: References): NexthopDump {
    const host = record.tunnel && this.#parts.tables.peers.get(record.tunnel.peer)?.name;
    return nexthopDump(record, references.nexthop(record.id), host ?? null);
  }

  #bridgeDump(entry: BridgeEntry): BridgeRouteDump {
    const { counters } = this.#parts;
    return bridgeRouteDump({ ...entry, mac: formatMac(entry.mac) }, counters.words[counters.bridgeAt(entry.index)]);
  }
}
