import { Counter, Gauge, type Registry } from 'prom-client';
import type { HostStateName } from '../control/host-dumps.js';
import type { DaemonView } from './view.js';

const STATES: readonly HostStateName[] = ['alive', 'leaseExpired', 'keepaliveAnswered', 'withdrawn', 'configured'];

/** What is measured of the hosts of the cluster, as this one sees them. */
export class HostMetrics {
  readonly #view: DaemonView;
  readonly #states: Gauge<'state'>;
  readonly #routes: Gauge;
  readonly #lagEntries: Gauge;
  readonly #lagSeconds: Gauge;
  readonly #applied: Counter;
  readonly #rereads: Counter;

  constructor(view: DaemonView, registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
    this.#view = view;
    this.#states = new Gauge({
      name: 'vrouter_hosts',
      help: 'Hosts of the cluster and tunnel endpoints by state, this host among them',
      labelNames: ['state'],
      registers,
    });
    this.#routes = gauge('vrouter_host_routes', 'Addresses, MAC addresses and networks other hosts have published');
    this.#lagEntries = gauge(
      'vrouter_host_log_lag_entries',
      'Entries of the logs of other hosts that are not read yet',
    );
    this.#lagSeconds = gauge(
      'vrouter_host_log_lag_seconds',
      'Time between the last entry read and the last there is, the longest',
    );
    this.#applied = counter('vrouter_host_log_entries_total', 'Entries of the logs of other hosts that were applied');
    this.#rereads = counter('vrouter_host_rereads_total', 'Times the routes of a host were read as a whole');
  }

  /** Sets all values to what they are. */
  async collect(): Promise<void> {
    const hosts = await this.#view.hosts();
    const others = hosts.filter(({ self, state }) => !self && state !== 'configured');
    for (const state of STATES) this.#states.set({ state }, hosts.filter((host) => host.state === state).length);
    this.#routes.set(others.reduce((sum, { routes }) => sum + routes, 0));
    this.#lagEntries.set(others.reduce((sum, { lag }) => sum + (lag?.entries ?? 0), 0));
    this.#lagSeconds.set(others.reduce((most, { lag }) => Math.max(most, lag?.ms ?? 0), 0) / 1000);
    const { applied, rereads } = this.#view.hostCounts();
    this.#applied.reset();
    this.#applied.inc(applied);
    this.#rereads.reset();
    this.#rereads.inc(rereads);
  }
}
