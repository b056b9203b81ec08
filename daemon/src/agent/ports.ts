/**
 * The ports of guests: makes their devices, adopts what an earlier run of the daemon left, and removes them. Whatever the number of
 * ports, a round runs a handful of processes, and one more for each namespace that has to be configured; a round that finds
 * everything as it should be only makes sure of the isolation.
 *
 *     look        what interfaces are there, whose they are           system calls
 *     sweep       leftovers that stand in the way                     ip, in the host's and in the guests' namespaces
 *     open, make  TAPs; veths, aliases, MTU                           system calls, ip
 *     isolate     IPv6 off, frames dropped behind the packet sockets  /proc/sys, nft
 *     raise       devices of the host's namespace up                  ip
 *     configure   the guests' interfaces                              ip, in the guests' namespaces
 *
 * Everything made here bears a mark of this daemon in its alias. What does not is somebody else's and is never touched.
 */
import type { Logger } from 'pino';
import { type Account, accountNumbers } from './accounts.js';
import type { Run } from './command.js';
import { HeldTaps } from './held-taps.js';
import { IpBatch, NamespaceBatches, type Words } from './ip-batch.js';
import { allowIngress, dropIngress } from './isolation.js';
import type { Kernel } from './kernel.js';
import { giveBack, planDevice } from './port-device.js';
import { markedPorts } from './port-leftovers.js';
import type { PortMarks } from './port-mark.js';
import { planNetnsTap, planVeth } from './port-netns.js';
import {
  type OpenPort,
  type PortPlan,
  type PortSpec,
  type RemovablePort,
  Seen,
  byName,
  deleteLink,
  netnsFile,
} from './port-plan.js';
import { planTap } from './port-tap.js';

export type { OpenPort, PortSpec } from './port-plan.js';

export interface PortsDeps {
  readonly run: Run;
  readonly kernel: Kernel;
  readonly marks: PortMarks;
  readonly log: Pick<Logger, 'info'>;
}

/** The file of a namespace, and which namespace it stood for. */
interface Place {
  readonly file: string;
  readonly namespace: string | undefined;
}

/** By port. */
type Places = Map<string, Place>;

function placeOf(netns: string, kernel: Kernel): Place {
  const file = netnsFile(netns);
  return { file, namespace: kernel.namespaceOf(file) };
}

export class Ports {
  readonly #deps: PortsDeps;
  readonly #held: HeldTaps;
  /** Of the ports that are in namespaces. */
  readonly #places: Places = new Map();
  /** The call under way; calls are carried out one after the other. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(deps: PortsDeps) {
    this.#deps = deps;
    this.#held = new HeldTaps(deps.kernel);
  }

  /**
   * Makes sure that these ports are as specified; returns, by vif, what to attach to the datapath, or why there is nothing. Ports
   * that are open may be given again: they are changed where they differ, and returned with another descriptor.
   */
  ensure(specs: readonly PortSpec[]): Promise<Map<number, OpenPort | Error>> {
    return this.#next(() => new Round(this.#deps, this.#held, this.#places).ensure(specs));
  }

  /**
   * Deletes what was made for these ports, and gives devices back that were taken over. The datapath has let go of them before.
   * What is gone already is no error.
   */
  remove(ports: readonly RemovablePort[]): Promise<void> {
    return this.#next(() => this.#remove(ports));
  }

  /**
   * Removes what earlier runs made for ports that are not known any more, in the daemon's namespace and, of TAPs there, in those
   * `ip netns` knows. Every port of this host is known, also one that cannot be set up now. Returns the ports removed.
   */
  removeOthers(known: ReadonlySet<string>): Promise<readonly string[]> {
    return this.#next(async () => {
      const left = markedPorts(this.#deps.kernel, this.#deps.marks).filter(({ device }) => !known.has(device));
      if (left.length > 0) await this.#remove(left);
      return left.map(({ device }) => device);
    });
  }

  /** Ports whose namespace is not the one it was when they were made sure of: deleted, perhaps made again under its name. */
  displaced(): string[] {
    const { kernel } = this.#deps;
    const isGone = ({ file, namespace }: Place): boolean => kernel.namespaceOf(file) !== namespace;
    return [...this.#places].filter(([, place]) => isGone(place)).map(([device]) => device);
  }

  /**
   * Puts back what isolates the ports from the host's stack: an administrator who loads a ruleset of his own takes it away. To be
   * called every now and then.
   */
  renewIsolation(): Promise<void> {
    return this.#next(async () => {
      const { run, kernel, marks } = this.#deps;
      const own = kernel.links().filter((link) => marks.isOurs(link, link.name));
      for (const { name } of own) kernel.setIpv6Disabled(name, true);
      await dropIngress(
        own.map(({ name }) => name),
        run,
      );
    });
  }

  /** Frames for the daemon that the kernel lost at a port whose descriptor is held here, since it was made; 0 for other ports. */
  kernelDrops(device: string): number {
    return this.#held.kernelDrops(device);
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(work);
    this.#busy = result.catch(() => undefined);
    return result;
  }

  async #remove(ports: readonly RemovablePort[]): Promise<void> {
    const { run, kernel, marks, log } = this.#deps;
    const seen = new Seen(kernel);
    const host = new IpBatch<string>();
    const guests = new NamespaceBatches<string>();
    for (const { device, attach } of ports) {
      this.#held.forget(device);
      this.#places.delete(device);
      const link = seen.host.get(device);
      const ours = link && marks.isOurs(link, device) ? link : undefined;
      if (ours && attach.type === 'device')
        for (const words of giveBack(ours, marks.noteOf(ours), kernel)) host.add(device, ...words);
      else if (ours) host.add(device, ...deleteLink(device));
      else if (attach.type === 'netns') {
        const inner = linkInside(seen, attach);
        if (inner && marks.isOurs(inner, device))
          guests.add(netnsFile(attach.netns), device, [deleteLink(attach.ifName)]);
      }
      log.info({ device }, 'port removed');
    }
    const failures = new Map([...(await host.run(run)), ...(await guests.run(run))]);
    await allowIngress(
      ports.map(({ device }) => device),
      run,
    );
    if (failures.size === 0) return;
    const remains = new Seen(kernel);
    const failed = ports.filter((port) => failures.has(port.device) && isThere(remains, port));
    if (failed.length > 0) throw new Error(failed.map(({ device }) => failures.get(device)?.message).join('; '));
  }
}

/** Whether something of a port is left. It may go by itself while it is removed, with its namespace or its other end. */
function isThere(seen: Seen, { device, attach }: RemovablePort): boolean {
  return seen.host.has(device) || (attach.type === 'netns' && linkInside(seen, attach) !== undefined);
}

/** One round of making sure: plans in, and at each stage those that failed fall out. */
class Round {
  readonly #deps: PortsDeps;
  readonly #held: HeldTaps;
  readonly #places: Places;
  readonly #results = new Map<number, OpenPort | Error>();
  readonly #abandoned: PortPlan[] = [];
  #plans: readonly PortPlan[] = [];

  constructor(deps: PortsDeps, held: HeldTaps, places: Places) {
    this.#deps = deps;
    this.#held = held;
    this.#places = places;
  }

  async ensure(specs: readonly PortSpec[]): Promise<Map<number, OpenPort | Error>> {
    await this.#look(specs);
    await this.#inHost((plan) => plan.sweep.host);
    await this.#inGuests((plan) => plan.sweep.guest);
    this.#each((plan) => {
      plan.open();
    });
    await this.#inHost((plan) => plan.make);
    this.#each((plan) => {
      plan.settle();
    });
    await this.#isolate();
    await this.#inHost((plan) => plan.raise);
    await this.#inGuests((plan) => plan.configure);
    const links = byName(this.#deps.kernel.links());
    this.#each((plan) => this.#results.set(plan.spec.vifId, plan.finish(links)));
    await this.#undo();
    return this.#results;
  }

  /** Takes back what was made for the ports that failed. */
  async #undo(): Promise<void> {
    const { run, kernel } = this.#deps;
    if (this.#abandoned.length === 0) return;
    const host = new IpBatch<PortPlan>();
    const guests = new NamespaceBatches<PortPlan>();
    for (const plan of this.#abandoned) {
      const commands = plan.abandon();
      for (const words of commands.host) host.add(plan, ...words);
      if (plan.netns !== null) guests.add(plan.netns, plan, commands.guest);
    }
    // What cannot be deleted was not made.
    await host.run(run);
    await guests.run(run);
    const links = byName(kernel.links());
    const devices = this.#abandoned.flatMap(({ isolate }) => isolate ?? []);
    await allowIngress(
      devices.filter((device) => !links.has(device)),
      run,
    );
  }

  async #look(specs: readonly PortSpec[]): Promise<void> {
    const { run, kernel, marks } = this.#deps;
    const taps = specs.map(({ attach }) => attach).filter((attach) => attach.type === 'tap');
    const owners = await accountNumbers(
      'passwd',
      taps.map(({ owner }) => owner),
      run,
    );
    const groups = await accountNumbers(
      'group',
      taps.map(({ group }) => group),
      run,
    );
    const addresses = specs.some(({ attach }) => attach.type === 'device') ? await hostAddresses(run) : new Map();
    const parts = { seen: new Seen(kernel), kernel, marks };
    const plan = (spec: PortSpec): PortPlan => {
      const { attach, device } = spec;
      this.#places.delete(device);
      switch (attach.type) {
        case 'tap': {
          const owner = numberOf(owners, attach.owner, 'user');
          return planTap(spec, { ...attach, owner, group: numberOf(groups, attach.group, 'group') }, parts);
        }
        case 'netns':
          this.#places.set(device, placeOf(attach.netns, kernel));
          return attach.port === 'veth' ? planVeth(spec, attach, parts) : planNetnsTap(spec, attach, parts, this.#held);
        case 'device':
          return planDevice(spec, attach, parts, addresses);
      }
    };
    const devices = new Set<string>();
    this.#plans = specs.flatMap((spec) => {
      try {
        if (devices.has(spec.device)) throw new Error(`two ports ask for the device ${spec.device}; rename one`);
        devices.add(spec.device);
        return [plan(spec)];
      } catch (error) {
        this.#failed(spec, error);
        return [];
      }
    });
  }

  async #isolate(): Promise<void> {
    const { run, kernel } = this.#deps;
    this.#each(({ isolate }) => {
      if (isolate !== null) kernel.setIpv6Disabled(isolate, true);
    });
    const isolated = this.#plans.filter(({ isolate }) => isolate !== null);
    const devices = isolated.map(({ isolate }) => String(isolate));
    try {
      await dropIngress(devices, run);
    } catch (all) {
      // nft refuses the whole for one: find out which.
      const failures = new Map<PortPlan, unknown>();
      for (const plan of isolated.length > 1 ? isolated : []) {
        await dropIngress([String(plan.isolate)], run).catch((error: unknown) => failures.set(plan, error));
      }
      this.#drop(isolated.length > 1 ? failures : new Map(isolated.map((plan) => [plan, all])));
    }
  }

  /** Runs commands of every plan in the daemon's namespace. */
  async #inHost(commands: (plan: PortPlan) => readonly Words[]): Promise<void> {
    const batch = new IpBatch<PortPlan>();
    this.#each((plan) => {
      for (const words of commands(plan)) batch.add(plan, ...words);
    });
    this.#drop(await batch.run(this.#deps.run));
  }

  /** Runs commands of every plan in the namespace of its guest. */
  async #inGuests(commands: (plan: PortPlan) => readonly Words[]): Promise<void> {
    const batches = new NamespaceBatches<PortPlan>();
    this.#each((plan) => {
      if (plan.netns !== null) batches.add(plan.netns, plan, commands(plan));
    });
    this.#drop(await batches.run(this.#deps.run));
  }

  /** Calls `work` with every plan; those it throws for fall out. */
  #each(work: (plan: PortPlan) => void): void {
    const failures = new Map<PortPlan, unknown>();
    for (const plan of this.#plans) {
      try {
        work(plan);
      } catch (error) {
        failures.set(plan, error);
      }
    }
    this.#drop(failures);
  }

  #drop(failures: ReadonlyMap<PortPlan, unknown>): void {
    if (failures.size === 0) return;
    this.#plans = this.#plans.filter((plan) => !failures.has(plan));
    for (const [plan, error] of failures) {
      this.#abandoned.push(plan);
      this.#failed(plan.spec, error);
    }
  }

  #failed({ vifId }: PortSpec, cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    this.#results.set(vifId, error);
  }
}

/** The guest's interface; undefined when it or its namespace is gone. */
function linkInside(seen: Seen, attach: { netns: string; ifName: string }) {
  try {
    return seen.inside(attach.netns).get(attach.ifName);
  } catch {
    return undefined;
  }
}

function numberOf(numbers: ReadonlyMap<Account, number>, account: Account | undefined, kind: string) {
  if (account === undefined) return undefined;
  const number = numbers.get(account);
  if (number === undefined) throw new Error(`there is no ${kind} ${account} on this host; create it or choose another`);
  return number;
}

/** Addresses of the daemon's namespace by device, without the link-local ones. */
async function hostAddresses(run: Run): Promise<ReadonlyMap<string, readonly string[]>> {
  const { stdout } = await run(['ip', '-j', 'address', 'show', 'scope', 'global']);
  const links = JSON.parse(stdout) as readonly { ifname?: string; addr_info?: readonly { local: string }[] }[];
  return new Map(links.map(({ ifname = '', addr_info = [] }) => [ifname, addr_info.map(({ local }) => local)]));
}
