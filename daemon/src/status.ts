import { Firewalls } from './agent/firewall.js';
import { ineffective } from './agent/ineffective.js';
import type { MirrorStates } from './agent/mirror-states.js';
import type { Realiser } from './agent/realiser.js';
import type { RemoteHosts } from './agent/remote-hosts.js';
import type { UnderlayParts } from './compose-underlay.js';
import type { Config } from './config.js';
import type { FlowUseDump, StatusDump, WaitDump } from './control/dumps.js';
import type { RedisHosts } from './control/redis-hosts.js';
import { type ObjectRef, subject } from './control/schema.js';
import type { StateStore } from './control/store.js';
import type { FlowDuties } from './flow-duties.js';
import { type Counters, VIF } from './tables/counters.js';
import { FLOW_HEADER, type FlowTable } from './tables/flow.js';
import type { Tables } from './tables/tables.js';
import { tunnelUse, tunnelWarnings } from './tunnel-warnings.js';
import type { WorkerHost } from './worker-host.js';

export interface StatusParts {
  readonly config: Config;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly store: StateStore;
  readonly host: WorkerHost;
  readonly counters: Counters;
  readonly flows: FlowTable;
  readonly tables: Tables;
  readonly realiser: Realiser;
  readonly duties: Pick<FlowDuties, 'records'>;
  readonly hosts: Pick<RedisHosts, 'troubles'>;
  readonly remote: Pick<RemoteHosts, 'ends'>;
  readonly mirrors: Pick<MirrorStates, 'warnings'>;
  readonly underlay: Pick<UnderlayParts, 'underlay'>;
}

/** Part of the flow table from which on there is a warning. */
const ALMOST_FULL = 0.9;

/** How the daemon is, and what of the configuration is not real yet. */
export class DaemonStatus {
  readonly #parts: StatusParts;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  dump(): StatusDump {
    const { config, version, startedAt, store, host, counters, flows, tables, realiser, duties } = this.#parts;
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
      flows: flowUse(flows),
      tunnels: tunnelUse(tables),
      sessionRecords: duties.records,
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
    const firewalls = new Firewalls(store.list('FirewallPolicy'));
    return store.list('VirtualMachineInterface').flatMap((vmi) => {
      const network = store.get('VirtualNetwork', vmi.spec.virtualNetwork);
      if (network === undefined || realiser.stateOf(vmi.name) === undefined) return [];
      return ineffective(vmi, network, policies, firewalls.of(vmi)) ?? [];
    });
  }

  #warnings(): string[] {
    const { store, host } = this.#parts;
    const warnings = this.#pendingInterfaces().map(({ reason, ...ref }) => `${subject(ref)}: ${reason}`);
    warnings.push(...this.#ineffective(), ...this.#parts.mirrors.warnings(), ...analyzerWarnings(store));
    if (!store.connected)
      warnings.push('the shared store is not reachable; configuration cannot change until it is back');
    if (!host.alive) warnings.push('the datapath worker does not run; no frame is forwarded until it is back');
    return [...warnings, ...this.#parts.hosts.troubles(), ...this.#tunnelWarnings(), ...this.#flowWarnings()];
  }

  #tunnelWarnings(): string[] {
    const { tables, remote, config, underlay } = this.#parts;
    const { address } = config.tunnel;
    return tunnelWarnings({ tables, address, hasUnderlay: underlay.underlay.link !== null, ends: remote.ends() });
  }

  #flowWarnings(): string[] {
    const { flows, duties, config, realiser } = this.#parts;
    const warnings: string[] = [];
    const { active, size } = flowUse(flows);
    if (active > ALMOST_FULL * size) {
      const used = Math.floor((100 * active) / size);
      warnings.push(`the flow table is ${used} % full; a full one refuses new sessions: raise datapath.flowEntries`);
    }
    for (const vif of this.#vifsAtTheirLimit()) {
      const name = realiser.nameOf(vif) ?? `vif0/${vif}`;
      warnings.push(
        `${subject({ kind: 'VirtualMachineInterface', name })}: has all the flow entries it may have, its new sessions are refused; ` +
          'raise maxFlows or datapath.flowsPerInterface',
      );
    }
    const { lost } = duties.records;
    if (lost > 0) {
      const where = config.sessions.file?.path ?? 'the shared store';
      warnings.push(`${lost} records of sessions were lost; see whether ${where} takes them, or sample fewer`);
    }
    return warnings;
  }

  #vifsAtTheirLimit(): number[] {
    const { tables, counters, config } = this.#parts;
    return [...tables.vifs.entries()].flatMap(({ id, record: { maxFlows } }) => {
      const limit = maxFlows > 0 ? maxFlows : config.datapath.flowsPerInterface;
      return counters.words[counters.vifAt(id) + VIF.flows] + 2 > limit ? [id] : [];
    });
  }
}

/** Mirror destinations nobody is, service instances without address, and what firewall policies lack or say in vain. */
function analyzerWarnings(store: Pick<StateStore, 'list'>): string[] {
  const told = [
    ...store.list('ServiceInstance').map(({ kind, name, status }) => {
      return { kind, name, reasons: status.address === null ? ['its left interface has no address'] : [] };
    }),
    ...store.list('MirrorDestination').map(({ kind, name, status: { state, observation } }) => {
      return { kind, name, reasons: state === 'Success' ? [] : [observation] };
    }),
    ...store.list('FirewallPolicy').map(({ kind, name, status }) => ({ kind, name, reasons: status.observations })),
  ];
  return told.flatMap(({ reasons, ...ref }) => reasons.map((reason) => `${subject(ref)}: ${reason}`));
}

function flowUse({ header, size }: FlowTable): FlowUseDump {
  const value = (word: keyof typeof FLOW_HEADER): number => header[FLOW_HEADER[word]];
  return {
    active: value('active'),
    size,
    overflow: value('overflowUsed'),
    created: value('created'),
    deleted: value('ended'),
    evicted: value('evicted'),
    changed: value('changed'),
    tableFull: value('tableFull'),
    limited: value('limited'),
  };
}
