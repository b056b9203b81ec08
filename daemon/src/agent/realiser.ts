import type { ConfigChange } from '../control/store.js';
import { compileNetwork } from './compile.js';
import type { Ids } from './ids.js';
import {
  guestConfig,
  type HostPlan,
  type InterfaceObject,
  type NetworkObject,
  networkPlan,
  portSpec,
  releaseInterface,
  releaseNetwork,
} from './plan.js';
import type { OpenPort, PortSpec } from './ports.js';
import type { GuestConfig } from './punt.js';
import type { Reconciler } from './reconcile.js';

/** What the realiser needs of the rest of the daemon. */
export interface RealiserParts {
  /** Name of this host: it realises the interfaces that name it. */
  readonly host: string;
  readonly plan: HostPlan;
  readonly ids: Ids;
  readonly reconciler: Reconciler;
  readonly ports: {
    ensure(specs: readonly PortSpec[]): Promise<Map<number, OpenPort | Error>>;
    remove(ports: readonly Pick<PortSpec, 'device' | 'attach'>[]): Promise<void>;
  };
  /** Opens and ends traffic between a port and the datapath. */
  readonly datapath: {
    attach(vif: number, port: OpenPort): void;
    detach(vif: number): void;
    /** Forgets what was counted for an interface of an earlier run. */
    forget(vif: number): void;
  };
  readonly log: { info(about: object, text: string): void; warn(about: object, text: string): void };
}

/** What became of an interface on this host. */
export interface InterfaceState {
  readonly vif: number;
  readonly state: 'active' | 'failed' | 'waiting';
  /** Why it is not active; empty when it is. */
  readonly reason: string;
}

/** An interface whose port was asked for. */
interface Realised {
  readonly uuid: string;
  readonly spec: PortSpec;
  readonly text: string;
  /** undefined: the port is open. */
  error: Error | undefined;
}

/** An interface of this host, and the port it wants. */
interface Wanted {
  readonly vmi: InterfaceObject;
  readonly network: NetworkObject;
  readonly spec: PortSpec;
  readonly text: string;
}

/**
 * Makes what is configured real on this host: ports of the interfaces that belong here, forwarding state of their networks.
 * Changes of configuration only mark what is out of date; one run after the other then works off all of it, so that many changes
 * cost one run.
 */
export class Realiser {
  readonly #parts: RealiserParts;
  readonly #networks = new Map<string, NetworkObject>();
  readonly #interfaces = new Map<string, InterfaceObject>();
  /** By full name. */
  readonly #realised = new Map<string, Realised>();
  /** UUIDs of the networks in the tables, by full name. */
  readonly #compiled = new Map<string, string>();
  readonly #guests = new Map<number, GuestConfig>();
  #running: Promise<void> | null = null;
  /** Whether something changed since the last run began. */
  #outdated = false;
  #swept = false;
  readonly #listeners = new Set<() => void>();

  constructor(parts: RealiserParts) {
    this.#parts = parts;
  }

  /** Takes note of a change of configuration. */
  onChange(change: ConfigChange): void {
    if (change.kind === 'VirtualNetwork') {
      if (change.op === 'set') this.#networks.set(change.name, change.object as NetworkObject);
      else this.#networks.delete(change.name);
    } else if (change.op === 'set') {
      this.#interfaces.set(change.name, change.object as InterfaceObject);
    } else {
      this.#interfaces.delete(change.name);
    }
    this.schedule();
  }

  /** Asks for a run: after a change, or when a port that failed may now succeed. */
  schedule(): void {
    this.#outdated = true;
    this.#running ??= this.#runAll().finally(() => {
      this.#running = null;
      if (this.#outdated) this.schedule();
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Resolves when nothing is left to do. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Calls back after each run, until the returned function is called. */
  onRun(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  /** Whether a port failed that may be had later. */
  get incomplete(): boolean {
    return [...this.#realised.values()].some(({ error }) => error !== undefined);
  }

  /** The device behind a port is gone or unusable: its interface waits until the device can be made again. */
  portLost(vif: number, reason: string): void {
    const entry = [...this.#realised.values()].find((realised) => realised.spec.vifId === vif);
    if (!entry || entry.error) return;
    this.#parts.datapath.detach(vif);
    entry.error = new Error(reason);
    this.schedule();
  }

  /** Devices of open ports, to tell which link events matter. */
  vifOfDevice(device: string): number | undefined {
    for (const { spec, error } of this.#realised.values()) if (spec.device === device && !error) return spec.vifId;
    return undefined;
  }

  /** Whether an interface waits for this device, which others make. */
  waitsFor(device: string): boolean {
    return [...this.#realised.values()].some(
      ({ spec, error }) => error !== undefined && spec.attach.type === 'device' && spec.device === device,
    );
  }

  guestOf(vif: number): GuestConfig | undefined {
    return this.#guests.get(vif);
  }

  /** Full name of the interface behind a vif; undefined for the fixed ones. */
  nameOf(vif: number): string | undefined {
    for (const [name, { spec }] of this.#realised) if (spec.vifId === vif) return name;
    return undefined;
  }

  /** What became of an interface that belongs to this host; undefined: it does not. */
  stateOf(name: string): InterfaceState | undefined {
    const vmi = this.#interfaces.get(name);
    if (vmi?.spec.host !== this.#parts.host) return undefined;
    const realised = this.#realised.get(name);
    if (!realised) return { vif: -1, state: 'waiting', reason: 'is being set up' };
    const vif = realised.spec.vifId;
    return realised.error
      ? { vif, state: 'failed', reason: realised.error.message }
      : { vif, state: 'active', reason: '' };
  }

  async #runAll(): Promise<void> {
    while (this.#beginRun()) {
      // Lets the changes of one event arrive before any of them is worked off.
      await new Promise((resolve) => setImmediate(resolve));
      try {
        await this.#run();
      } catch (error) {
        this.#parts.log.warn({ err: error }, 'could not realise the configuration');
      }
    }
  }

  #beginRun(): boolean {
    const outdated = this.#outdated;
    this.#outdated = false;
    return outdated;
  }

  async #run(): Promise<void> {
    this.#releaseForgotten();
    const wanted = this.#wanted();
    const dropped = [...this.#realised].filter(([name, { text }]) => wanted.get(name)?.text !== text);
    for (const [name, { spec, error }] of dropped) {
      if (!error) this.#parts.datapath.detach(spec.vifId);
      this.#realised.delete(name);
    }
    // Tables forget interfaces before their devices go, and know new ones before their traffic begins.
    if (dropped.length > 0) this.#compile(wanted);
    await this.#remove(dropped, wanted);
    const opened = await this.#open(
      [...wanted].filter(([name]) => this.#realised.get(name)?.error !== undefined || !this.#realised.has(name)),
    );
    this.#compile(wanted);
    for (const [vif, port] of opened) this.#parts.datapath.attach(vif, port);
  }

  /** Gives back the numbers of what was deleted while this daemon did not run. */
  #releaseForgotten(): void {
    if (this.#swept) return;
    this.#swept = true;
    const { ids } = this.#parts;
    const uuids = new Set([...this.#networks.values(), ...this.#interfaces.values()].map(({ uuid }) => uuid));
    for (const uuid of ids.keys('vif')) {
      if (uuids.has(uuid)) continue;
      this.#parts.datapath.forget(ids.get('vif', uuid));
      releaseInterface(uuid, ids);
    }
    for (const uuid of ids.keys('vrf')) if (!uuids.has(uuid)) releaseNetwork(uuid, ids);
  }

  /** The interfaces of this host whose network is known, and the ports they want. */
  #wanted(): Map<string, Wanted> {
    const { host, ids, plan } = this.#parts;
    const wanted = new Map<string, Wanted>();
    for (const [name, vmi] of this.#interfaces) {
      const network = this.#networks.get(vmi.spec.virtualNetwork);
      if (vmi.spec.host !== host || !network) continue;
      const spec = portSpec(network, vmi, ids, plan);
      wanted.set(name, { vmi, network, spec, text: JSON.stringify(spec) });
    }
    return wanted;
  }

  /** Removes the devices nobody wants any more; one that only changed is kept and set up anew. */
  async #remove(dropped: readonly [string, Realised][], wanted: ReadonlyMap<string, Wanted>): Promise<void> {
    const deviceText = ({ device, attach }: PortSpec): string => JSON.stringify([device, attach]);
    const gone = dropped.filter(([name, { spec }]) => {
      const now = wanted.get(name);
      return now === undefined || deviceText(now.spec) !== deviceText(spec);
    });
    if (gone.length > 0) await this.#parts.ports.remove(gone.map(([, { spec }]) => spec));
    for (const [name, { uuid }] of gone) if (!wanted.has(name)) releaseInterface(uuid, this.#parts.ids);
  }

  /** Opens ports; one that fails is remembered with the reason and tried again in every later run. */
  async #open(missing: readonly [string, Wanted][]): Promise<Map<number, OpenPort>> {
    const opened = new Map<number, OpenPort>();
    if (missing.length === 0) return opened;
    const results = await this.#parts.ports.ensure(missing.map(([, { spec }]) => spec));
    for (const [name, { vmi, spec, text }] of missing) {
      const result = results.get(spec.vifId) ?? new Error('was not set up');
      const error = result instanceof Error ? result : undefined;
      const before = this.#realised.get(name)?.error?.message;
      this.#realised.set(name, { uuid: vmi.uuid, spec, text, error });
      if (!(result instanceof Error)) opened.set(spec.vifId, result);
      if (!error) this.#parts.log.info({ vmi: name, device: spec.device, vif: spec.vifId }, 'interface is active');
      else if (error.message !== before) this.#parts.log.warn({ vmi: name, err: error }, 'interface is not active');
    }
    return opened;
  }

  /** Brings the tables to what the open ports and the networks behind them say. */
  #compile(wanted: ReadonlyMap<string, Wanted>): void {
    const { ids, plan, reconciler } = this.#parts;
    const present = new Map<string, { network: NetworkObject; open: InterfaceObject[] }>();
    this.#guests.clear();
    for (const [name, { network, vmi, spec }] of wanted) {
      const entry = present.get(network.name) ?? { network, open: [] };
      present.set(network.name, entry);
      const realised = this.#realised.get(name);
      if (!realised || realised.error) continue;
      entry.open.push(vmi);
      this.#guests.set(spec.vifId, guestConfig(network, vmi, plan));
    }
    for (const [name, { network, open }] of present) {
      reconciler.reconcile(network.uuid, compileNetwork(networkPlan(network, open, ids, plan)));
      this.#compiled.set(name, network.uuid);
    }
    for (const [name, uuid] of this.#compiled) {
      if (present.get(name)?.network.uuid === uuid) continue;
      reconciler.reconcile(uuid, null);
      releaseNetwork(uuid, ids);
      this.#compiled.delete(name);
    }
  }
}
