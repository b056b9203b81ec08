/** Counters for Prometheus, read from the same dumps the tools print, when somebody scrapes. */
import { Counter, Gauge, Registry } from 'prom-client';

import type { FlowUseDump, StatusDump, VifDump } from '../control/dumps.js';
import { HostMetrics } from './host-metrics.js';
import { MirrorMetrics } from './mirror-metrics.js';
import type { DaemonView } from './view.js';

/** What is counted of each interface: name, meaning, value. */
const VIF_COUNTERS: readonly (readonly [string, string, (vif: VifDump) => number])[] = [
  ['receive_packets_total', 'Packets received, super-frames as their segments', ({ rx }) => rx.packets],
  ['receive_bytes_total', 'Bytes received, Ethernet included', ({ rx }) => rx.bytes],
  ['receive_errors_total', 'Packets received with errors', ({ rx }) => rx.errors],
  ['transmit_packets_total', 'Packets sent, super-frames as their segments', ({ tx }) => tx.packets],
  ['transmit_bytes_total', 'Bytes sent, Ethernet included', ({ tx }) => tx.bytes],
  ['transmit_errors_total', 'Packets that could not be sent', ({ tx }) => tx.errors],
  ['receive_super_frames_total', 'Super-frames received', ({ superFrames }) => superFrames.rx],
  ['transmit_super_frames_total', 'Super-frames sent', ({ superFrames }) => superFrames.tx],
  ['drops_total', 'Packets dropped, for any reason', ({ drops }) => drops],
  ['kernel_drops_total', 'Frames the kernel lost before the datapath saw them', ({ kernelDrops }) => kernelDrops],
];
/** What is counted of the flow table. */
const FLOW_COUNTERS: readonly (readonly [keyof FlowUseDump, string])[] = [
  ['created', 'Sessions that got a pair of entries'],
  ['deleted', 'Sessions whose pair was removed'],
  ['evicted', 'Those whose TCP session was closed'],
  ['changed', 'Sessions decided anew after a change'],
];
const VIF_LABELS = ['vif', 'name', 'vmi'] as const;

/** Prometheus text and its content type. */
export class Metrics {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #view: DaemonView;
  /** As it was when the scrape began. */
  #status: StatusDump;
  readonly #vifs: readonly { counter: Counter<(typeof VIF_LABELS)[number]>; value: (vif: VifDump) => number }[];

  readonly #hosts: HostMetrics;
  readonly #mirrors: MirrorMetrics;
  readonly #vifFlows: Gauge<(typeof VIF_LABELS)[number]>;

  constructor(view: DaemonView) {
    this.#view = view;
    this.#status = view.status();
    const registers = [this.#registry];
    this.contentType = this.#registry.contentType;
    this.#vifs = VIF_COUNTERS.map(([name, help, value]) => ({
      counter: new Counter({ name: `vrouter_vif_${name}`, help, labelNames: VIF_LABELS, registers }),
      value,
    }));
    const help = 'Flow entries its traffic made';
    this.#vifFlows = new Gauge({ name: 'vrouter_vif_flow_entries', help, labelNames: VIF_LABELS, registers });
    this.#countDrops();
    this.#watchDatapath();
    this.#watchFlows();
    this.#watchTunnels();
    this.#describeDaemon();
    this.#hosts = new HostMetrics(view, this.#registry);
    this.#mirrors = new MirrorMetrics(view, this.#registry);
  }

  /** One scrape. */
  async text(): Promise<string> {
    this.#status = this.#view.status();
    for (const { counter } of this.#vifs) counter.reset();
    this.#vifFlows.reset();
    for (const vif of this.#view.vifs()) {
      const labels = { vif: vif.id, name: vif.name, vmi: vif.vmi ?? '' };
      for (const { counter, value } of this.#vifs) counter.inc(labels, value(vif));
      this.#vifFlows.set(labels, vif.flows.entries);
    }
    this.#mirrors.collect();
    await this.#hosts.collect();
    return this.#registry.metrics();
  }

  #countDrops(): void {
    const view = this.#view;
    new Counter({
      name: 'vrouter_drops_total',
      help: 'Packets dropped, by reason as dropstats names it',
      labelNames: ['reason'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [reason, packets] of Object.entries(view.dropstats())) this.inc({ reason }, packets);
      },
    });
  }

  #watchDatapath(): void {
    const datapath = () => this.#status.datapath;
    this.#gauge('vrouter_worker_up', 'Whether the datapath worker runs', () => Number(datapath().running));
    this.#gauge(
      'vrouter_worker_heartbeat_age_seconds',
      "Time since the worker's last sign of life",
      () => datapath().heartbeatAgeMs / 1000,
    );
    this.#counter('vrouter_worker_restarts_total', 'Restarts of the datapath worker', () => datapath().restarts);
    new Counter({
      name: 'vrouter_books_packets_total',
      help: 'received + generated + copied = sent + dropped + consumed',
      labelNames: ['entry'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [entry, packets] of Object.entries(datapath().books)) this.inc({ entry }, packets);
      },
    });
  }

  #watchFlows(): void {
    const flows = () => this.#status.flows;
    const records = () => this.#status.sessionRecords;
    this.#gauge('vrouter_flow_entries', 'Flow entries in use', () => flows().active);
    this.#gauge('vrouter_flow_entries_size', 'Flow entries there are', () => flows().size);
    this.#gauge('vrouter_flow_entries_overflow', 'Flow entries in the overflow', () => flows().overflow);
    for (const [name, help] of FLOW_COUNTERS) this.#counter(`vrouter_flows_${name}_total`, help, () => flows()[name]);
    new Counter({
      name: 'vrouter_flows_refused_total',
      help: 'Packets that could begin no session: the table was full, or the interface had its share',
      labelNames: ['reason'],
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc({ reason: 'tableFull' }, flows().tableFull);
        this.inc({ reason: 'limit' }, flows().limited);
      },
    });
    new Counter({
      name: 'vrouter_session_records_total',
      help: 'Records of sessions: written, lost, or left out because there were too many at once',
      labelNames: ['outcome'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [outcome, count] of Object.entries(records())) this.inc({ outcome }, count);
      },
    });
  }

  #watchTunnels(): void {
    const tunnels = () => this.#status.tunnels;
    this.#gauge('vrouter_peers', 'Hosts tunnel packets are taken from', () => tunnels().peers);
    this.#gauge('vrouter_tunnels', 'Tunnels to other hosts', () => tunnels().tunnels);
    this.#gauge('vrouter_tunnels_unresolved', 'Those to which the way is not known', () => tunnels().unresolved);
    this.#gauge('vrouter_labels', 'MPLS labels packets are taken with', () => tunnels().labels);
    this.#gauge('vrouter_vnis', 'VXLAN network identifiers packets are taken with', () => tunnels().vnis);
  }

  #describeDaemon(): void {
    const status = () => this.#status;
    new Gauge({
      name: 'vrouter_build_info',
      help: 'Version of the daemon and name of its host; the value is always 1',
      labelNames: ['version', 'host'],
      registers: [this.#registry],
      collect() {
        const { version, host } = status();
        this.reset();
        this.set({ version, host }, 1);
      },
    });
    this.#gauge('vrouter_uptime_seconds', 'Time since the daemon started', () => status().uptimeSeconds);
    this.#gauge('vrouter_store_up', 'Whether the shared store is connected', () => Number(status().store.connected));
    this.#gauge('vrouter_networks', 'Virtual networks', () => status().networks);
    this.#gauge('vrouter_interfaces', 'Virtual machine interfaces', () => status().interfaces.total);
    this.#gauge('vrouter_interfaces_active', 'Those that are realised', () => status().interfaces.active);
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
  }

  #counter(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }
}
