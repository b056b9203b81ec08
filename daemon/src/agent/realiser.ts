import type { HostDirectory } from '../control/host-route.js';
import type { ConfigChange, StoredObject } from '../control/store.js';
import { AclCache } from './acl-cache.js';
import { compileHost, type PresentNetwork } from './compile-host.js';
import { AnalyzerLeaks } from './analyzer-leaks.js';
import { Firewalls } from './firewall.js';
import type { Ids } from './ids.js';
import { instancesOf, mirrorUses } from './mirror-uses.js';
import type { Mirrors } from './mirrors.js';
import {
  guestConfig,
  type HostPlan,
  type InterfaceObject,
  type NetworkObject,
  portSpec,
  releaseInterface,
  releaseNetwork,
  reserveNetwork,
  reserveNumbers,
  type Rules,
} from './plan.js';
import type { GroupObject, PolicyObject } from './policy.js';
import type { PortSpec } from './ports.js';
import type { GuestConfig } from './punt.js';
import { RealisedPorts, type RealisedPortsParts } from './realised-ports.js';
import type { Reconciler } from './reconcile.js';
import { publishedRoutes } from './published-routes.js';
import { fabricGuests, type FabricPrefix } from './fabric.js';
import type { RemoteHosts } from './remote-hosts.js';

/** What the realiser needs of the rest of the daemon. */
export interface RealiserParts extends RealisedPortsParts {
  /** Name of this host: it realises the interfaces that name it. */
  readonly host: string;
  readonly plan: HostPlan;
  readonly ids: Ids;
  readonly reconciler: Reconciler;
  /** The other hosts; and what they are told of this one. */
  readonly remote: Pick<RemoteHosts, 'isElsewhere' | 'prepare' | 'present'>;
  readonly hosts: Pick<HostDirectory, 'publish'>;
  /** Who has packets copied to whom. */
  readonly mirrors: Pick<Mirrors, 'present'>;
  /** The underlay as a network. */
  readonly fabric: {
    /** What it consists of now. */
    prefixes(): readonly FabricPrefix[];
    /** Lets the host pass packets between these guests, by address, and the underlay. */
    connect(guests: ReadonlySet<string>): void;
  };
  readonly ports: RealisedPortsParts['ports'] & {
    /** Removes the devices of all ports but these. */
    removeOthers(known: ReadonlySet<string>): Promise<readonly string[]>;
  };
  /** Forgets what an earlier run counted for an interface or a VRF. */
  readonly forget: (table: 'vif' | 'vrf', id: number) => void;
}

/** What became of an interface on this host. */
interface InterfaceState {
  /** -1: it has none yet. */
  readonly vif: number;
  readonly state: 'active' | 'failed' | 'waiting';
  /** Why it is not active; empty when it is. */
  readonly reason: string;
}

/** An interface of this host, and the port it wants. */
interface Wanted {
  readonly vmi: InterfaceObject;
  readonly network: NetworkObject;
  readonly spec: PortSpec;
}

/**
 * Makes what is configured real on this host: ports of the interfaces that belong here, forwarding state of their networks.
 * Changes of configuration only mark what is out of date; one run after the other then works off all of it, so that many changes
 * cost one run. What fails keeps its reason and is tried again by `audit`.
 */
export class Realiser {
  readonly #parts: RealiserParts;
  readonly #ports: RealisedPorts;
  /** By full name, as are the maps below. */
  readonly #objects = {
    NetworkPolicy: new Map<string, PolicyObject>(),
    SecurityGroup: new Map<string, GroupObject>(),
    VirtualNetwork: new Map<string, NetworkObject>(),
    VirtualMachineInterface: new Map<string, InterfaceObject>(),
    ServiceInstance: new Map<string, StoredObject<'ServiceInstance'>>(),
    MirrorDestination: new Map<string, StoredObject<'MirrorDestination'>>(),
    FirewallPolicy: new Map<string, StoredObject<'FirewallPolicy'>>(),
  };
  /** UUIDs of interfaces that have numbers, and of networks that are in the tables. */
  readonly #numbered = new Map<string, string>();
  readonly #compiled = new Map<string, string>();
  /** Why there is no plan for an interface. */
  readonly #unplanned = new Map<string, string>();
  readonly #aclCache = new AclCache();
  /** What `#rules` made of the configuration; null: it is another one now. */
  #firewalls: Firewalls | null = null;
  #leaks: AnalyzerLeaks | null = null;
  readonly #guests = new Map<number, GuestConfig>();
  /** Ports tried again since the last audit: what fails a second time waits for the next one. */
  readonly #retried = new Set<number>();
  #running: Promise<void> | null = null;
  /** Whether something changed since the last run began. */
  #outdated = false;
  /** Whether the last run could not be finished. */
  #unfinished = false;
  #swept = false;
  readonly #listeners = new Set<() => void>();

  constructor(parts: RealiserParts) {
    this.#parts = parts;
    this.#ports = new RealisedPorts(parts);
  }

  /** Takes note of a change of configuration. */
  onChange(change: ConfigChange): void {
    if (change.kind === 'TunnelEndpoint' || change.kind === 'ServiceTemplate') return;
    const objects = this.#objects[change.kind] as Map<string, StoredObject>;
    if (change.op === 'set') objects.set(change.name, change.object);
    else objects.delete(change.name);
    if (change.kind === 'FirewallPolicy') this.#firewalls = null;
    this.#leaks = null;
    this.schedule();
  }

  /** Asks for a run. */
  schedule(): void {
    this.#outdated = true;
    this.#running ??= this.#runAll().finally(() => {
      this.#running = null;
      if (this.#outdated) this.schedule();
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Tries again what failed. */
  audit(): void {
    this.#retried.clear();
    this.retry();
  }

  /** Something appeared that ports may wait for, or vanished that they need. */
  retry(): void {
    for (const vif of this.#ports.displaced()) this.#ports.lost(vif, 'its namespace was deleted');
    if (this.#unfinished || this.#unplanned.size > 0 || this.#ports.incomplete) this.schedule();
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

  /** The device behind a port is gone or unusable: its interface waits until the device can be made again. */
  portLost(vif: number, reason: string): void {
    if (this.#ports.lost(vif, reason)) this.#retryOnce(vif);
  }

  /** A device of the host was deleted. */
  deviceGone(ifindex: number): void {
    const vif = this.#ports.hostDevices().get(ifindex);
    if (vif !== undefined) this.portLost(vif, 'its device was deleted');
  }

  /** The devices there are, after events about them were missed. */
  devicesAre(ifindices: ReadonlySet<number>): void {
    for (const ifindex of this.#ports.hostDevices().keys()) if (!ifindices.has(ifindex)) this.deviceGone(ifindex);
  }

  /** A device appeared, one of those that others make perhaps. */
  deviceAppeared(device: string): void {
    const vif = this.#ports.waitingFor(device);
    if (vif !== undefined) this.#retryOnce(vif);
  }

  guestOf(vif: number): GuestConfig | undefined {
    return this.#guests.get(vif);
  }

  /** Full name of the interface behind a vif; undefined for the fixed ones. */
  nameOf(vif: number): string | undefined {
    for (const [name, { spec }] of this.#ports.entries()) if (spec.vifId === vif) return name;
    return undefined;
  }

  /** What became of an interface that belongs to this host; undefined: it does not. */
  stateOf(name: string): InterfaceState | undefined {
    if (this.#objects.VirtualMachineInterface.get(name)?.spec.host !== this.#parts.host) return undefined;
    const unplanned = this.#unplanned.get(name);
    if (unplanned !== undefined) return { vif: -1, state: 'failed', reason: unplanned };
    const realised = this.#ports.get(name);
    if (!realised) return { vif: -1, state: 'waiting', reason: 'is being set up' };
    const { spec, port, reason } = realised;
    return { vif: spec.vifId, state: port ? 'active' : 'failed', reason };
  }

  #retryOnce(vif: number): void {
    if (this.#retried.has(vif)) return;
    this.#retried.add(vif);
    this.schedule();
  }

  async #runAll(): Promise<void> {
    while (this.#beginRun()) {
      // Lets the changes of one event arrive before any of them is worked off.
      await new Promise((resolve) => setImmediate(resolve));
      try {
        await this.#run();
        this.#unfinished = false;
      } catch (error) {
        this.#unfinished = true;
        this.#parts.log.warn({ err: error }, 'could not realise the configuration, trying again later');
      }
    }
  }

  #beginRun(): boolean {
    const outdated = this.#outdated;
    this.#outdated = false;
    return outdated;
  }

  async #run(): Promise<void> {
    await this.#forgetDeleted();
    const wanted = this.#wanted();
    const specs = new Map([...wanted].map(([name, { spec }]) => [name, spec]));
    // Tables forget interfaces before their devices go, and know new ones before their traffic begins.
    if (this.#ports.drop(specs).length > 0) this.#compile(wanted);
    await this.#ports.removeDropped();
    this.#releaseUnwanted(wanted);
    const beginnings = await this.#ports.open(specs);
    this.#compile(wanted);
    for (const begin of beginnings) begin();
  }

  /** Gives back the numbers of what was deleted while this daemon did not run, and removes the devices it had. */
  async #forgetDeleted(): Promise<void> {
    if (this.#swept) return;
    const { ids, forget, host, ports } = this.#parts;
    const here = [...this.#objects.VirtualMachineInterface.values()].filter(({ spec }) => spec.host === host);
    await ports.removeOthers(new Set(here.map(({ status }) => status.device)));
    this.#swept = true;
    const { VirtualNetwork, VirtualMachineInterface } = this.#objects;
    const uuids = new Set([...VirtualNetwork.values(), ...VirtualMachineInterface.values()].map(({ uuid }) => uuid));
    for (const uuid of ids.keys('vif').filter((key) => !uuids.has(key))) {
      forget('vif', ids.get('vif', uuid));
      releaseInterface(uuid, ids);
    }
    for (const uuid of ids.keys('vrf').filter((key) => !uuids.has(key))) {
      forget('vrf', ids.get('vrf', uuid));
      releaseNetwork(uuid, ids);
    }
  }

  /** Gives back the numbers of interfaces that are not wanted any more. */
  #releaseUnwanted(wanted: ReadonlyMap<string, Wanted>): void {
    for (const [name, uuid] of this.#numbered) {
      if (wanted.get(name)?.vmi.uuid === uuid) continue;
      releaseInterface(uuid, this.#parts.ids);
      this.#numbered.delete(name);
    }
  }

  /** What applies to networks and interfaces besides what they say themselves. */
  #rules(): Rules {
    this.#firewalls ??= new Firewalls(this.#objects.FirewallPolicy.values());
    this.#leaks ??= new AnalyzerLeaks(this.#objects);
    return { firewalls: this.#firewalls, leaks: this.#leaks };
  }

  /** The interfaces of this host whose network is known, with the ports they want and all numbers they need. */
  #wanted(): Map<string, Wanted> {
    const { host, ids, plan } = this.#parts;
    const wanted = new Map<string, Wanted>();
    const rules = this.#rules();
    const reserved = new Set<string>();
    this.#unplanned.clear();
    for (const [name, vmi] of this.#objects.VirtualMachineInterface) {
      const network = this.#objects.VirtualNetwork.get(vmi.spec.virtualNetwork);
      if (vmi.spec.host !== host || !network) continue;
      try {
        const spec = portSpec(network, vmi, ids, plan);
        reserveNumbers(network, vmi, ids, rules, reserved);
        wanted.set(name, { vmi, network, spec });
        this.#numbered.set(name, vmi.uuid);
      } catch (error) {
        this.#unplanned.set(name, (error as Error).message);
      }
    }
    return wanted;
  }

  /** Brings the tables to what the open ports and the networks behind them say. */
  #compile(wanted: ReadonlyMap<string, Wanted>): void {
    const { ids, plan, reconciler, remote, fabric } = this.#parts;
    const present = new Map<string, PresentNetwork & { readonly interfaces: InterfaceObject[] }>();
    this.#guests.clear();
    const open = new Set<InterfaceObject>();
    for (const [name, { network, vmi, spec }] of wanted) {
      const entry = present.get(network.name) ?? { network, interfaces: [] };
      present.set(network.name, entry);
      entry.interfaces.push(vmi);
      if (!this.#ports.get(name)?.port) continue;
      open.add(vmi);
      this.#guests.set(spec.vifId, guestConfig(network, vmi, plan));
    }
    this.#addInstances(present);
    const compiled = compileHost([...present.values()], this.#objects, this.#rules(), {
      ids,
      host: plan,
      cache: this.#aclCache,
      isOpen: (vmi) => open.has(vmi),
      fabric: fabric.prefixes(),
      isElsewhere: (network) => remote.isElsewhere(network),
    });
    const { tables, networks, onFabric, groups, mirrors } = compiled;
    if (compiled.isShort) this.schedule();
    remote.prepare(networks);
    reconciler.reconcile('networks', tables);
    const numberOf = (name: string): number | undefined => this.#objects.VirtualNetwork.get(name)?.status.networkId;
    remote.present(networks, { network: numberOf, groups });
    const vrfs = new Map(networks.map(({ name, vrf }) => [name, vrf]));
    this.#parts.mirrors.present(mirrors, (name) => vrfs.get(name));
    fabric.connect(fabricGuests(onFabric));
    this.#parts.hosts.publish(publishedRoutes(networks));
    for (const [name, { network }] of present) this.#compiled.set(name, network.uuid);
    for (const [name, uuid] of this.#compiled) {
      if (present.get(name)?.network.uuid === uuid) continue;
      releaseNetwork(uuid, ids);
      this.#compiled.delete(name);
    }
  }
  /** Adds the networks that are here only because mirrors look for MACs in them. */
  #addInstances(present: Map<string, PresentNetwork>): void {
    const { firewalls, leaks } = this.#rules();
    for (const name of instancesOf(mirrorUses([...present.values()], this.#objects, firewalls))) {
      const network = this.#objects.VirtualNetwork.get(name);
      if (present.has(name) || !network) continue;
      try {
        reserveNetwork(network, this.#parts.ids, leaks);
        present.set(name, { network, interfaces: [] });
      } catch (error) {
        this.#parts.log.warn({ network: name, err: error }, 'a mirror cannot look for its analyzer in this network');
      }
    }
  }
}
