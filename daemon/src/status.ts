import { ineffective } from './agent/ineffective.js';
import type { Realiser } from './agent/realiser.js';
import type { Config } from './config.js';
import type { StatusDump, WaitDump } from './control/dumps.js';
import { type ObjectRef, subject } from './control/schema.js';
import type { StateStore } from './control/store.js';
import type { Counters } from './tables/counters.js';
import type { WorkerHost } from './worker-host.js';

export interface StatusParts {
  readonly config: Config;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly store: StateStore;
  readonly host: WorkerHost;
  readonly counters: Counters;
  readonly realiser: Realiser;
}

/** How the daemon is, and what of the configuration is not real yet. */
export class DaemonStatus {
  readonly #parts: StatusParts;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  dump(): StatusDump {
    const { config, version, startedAt, store, host, counters, realiser } = this.#parts;
    const states = store.list('VirtualMachineInterface').map(({ name }) => realiser.stateOf(name));
    return {
      host: config.host,
      version,
      pid: process.pid,
      uptimeSeconds: Math.floor((Date.now() - startedAt) / 1000),
      store: {
        mode: config.redis === 'embedded' ? 'embedded' : 'remote',
        connected: store.connected,
        epoch: store.epoch,
      },
      datapath: {
        running: host.alive,
        restarts: host.restarts,
        heartbeatAgeMs: Math.round(host.silenceMs),
        books: counters.books(),
      },
      networks: store.list('VirtualNetwork').length,
      interfaces: { total: states.length, active: states.filter((state) => state?.state === 'active').length },
      warnings: this.#warnings(),
    };
  }

  /** Calls back whenever pending() may have changed, until the returned function is called. */
  onProgress(callback: () => void): () => void {
    const { realiser, host } = this.#parts;
    const ends = [realiser.onRun(callback), host.onApplied(callback)];
    return () => {
      for (const end of ends) end();
    };
  }

  /** What is stored and not in the datapath. */
  pending(): WaitDump {
    const { host, realiser } = this.#parts;
    const pending = this.#pendingInterfaces();
    const behind = realiser.busy || host.applied < host.sent;
    return { realised: pending.length === 0 && !behind, pending };
  }

  /** Interfaces of this host that are not active. */
  #pendingInterfaces(): (ObjectRef & { readonly reason: string })[] {
    const { store, realiser } = this.#parts;
    return store.list('VirtualMachineInterface').flatMap(({ kind, name }) => {
      const state = realiser.stateOf(name);
      return state && state.state !== 'active' ? [{ kind, name, reason: state.reason }] : [];
    });
  }

  /** What is configured for interfaces of this host and does nothing. */
  #ineffective(): string[] {
    const { store, realiser } = this.#parts;
    const policies = { get: (name: string) => store.get('NetworkPolicy', name) };
    return store.list('VirtualMachineInterface').flatMap((vmi) => {
      const network = store.get('VirtualNetwork', vmi.spec.virtualNetwork);
      if (network === undefined || realiser.stateOf(vmi.name) === undefined) return [];
      return ineffective(vmi, network, policies) ?? [];
    });
  }

  #warnings(): string[] {
    const { store, host } = this.#parts;
    const warnings = this.#pendingInterfaces().map(({ reason, ...ref }) => `${subject(ref)}: ${reason}`);
    warnings.push(...this.#ineffective());
    if (!store.connected)
      warnings.push('the shared store is not reachable; configuration cannot change until it is back');
    if (!host.alive) warnings.push('the datapath worker does not run; no frame is forwarded until it is back');
    return warnings;
  }
}
