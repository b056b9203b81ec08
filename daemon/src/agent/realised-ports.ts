import type { OpenPort, PortSpec } from './ports.js';

/** What it takes to have ports; devices on one side, the datapath on the other. */
export interface RealisedPortsParts {
  readonly ports: {
    ensure(specs: readonly PortSpec[]): Promise<Map<number, OpenPort | Error>>;
    remove(ports: readonly Pick<PortSpec, 'device' | 'attach'>[]): Promise<void>;
    /** Devices of the ports whose namespace was deleted. */
    displaced(): readonly string[];
  };
  readonly datapath: {
    /** Opens a port for the datapath; the function it returns begins traffic, instead of what the vif had before. May throw. */
    open(vif: number, port: OpenPort): () => void;
    /** Ends traffic. */
    detach(vif: number): void;
    /** Lets go of a port that is not needed. */
    discard(port: OpenPort): void;
  };
  readonly log: { info(about: object, text: string): void; warn(about: object, text: string): void };
}

/** A port that was asked for. */
interface Realised {
  readonly spec: PortSpec;
  readonly text: string;
  /** Where its frames pass; null: nowhere, for the reason beside. */
  readonly port: OpenPort | null;
  readonly reason: string;
}

/**
 * The ports of this host's interfaces, by the interface's name: which are open, and why others are not. A port whose specification
 * changes keeps its traffic while its device is changed; only one that becomes another device is ended first.
 */
export class RealisedPorts {
  readonly #parts: RealisedPortsParts;
  readonly #realised = new Map<string, Realised>();
  /** Devices that nobody wants any more and that could not be removed yet. */
  #leftovers: PortSpec[] = [];

  constructor(parts: RealisedPortsParts) {
    this.#parts = parts;
  }

  get(name: string): Realised | undefined {
    return this.#realised.get(name);
  }

  /** Name and specification of every port that was asked for. */
  *entries(): IterableIterator<[string, Realised]> {
    yield* this.#realised;
  }

  /** Whether something failed that may succeed later. */
  get incomplete(): boolean {
    return this.#leftovers.length > 0 || [...this.#realised.values()].some(({ port }) => port === null);
  }

  /** Ends the traffic of ports that are not wanted, or not where they are; returns the names of those it ended. */
  drop(wanted: ReadonlyMap<string, PortSpec>): string[] {
    const dropped = [...this.#realised].filter(([name, { spec }]) => {
      const now = wanted.get(name);
      return now === undefined || identityOf(now) !== identityOf(spec);
    });
    for (const [name, { spec }] of dropped) {
      this.#parts.datapath.detach(spec.vifId);
      this.#realised.delete(name);
      this.#leftovers.push(spec);
    }
    return dropped.map(([name]) => name);
  }

  /** Removes the devices of dropped ports. What cannot be removed now is tried again the next time, and keeps nobody waiting. */
  async removeDropped(): Promise<void> {
    if (this.#leftovers.length === 0) return;
    try {
      await this.#parts.ports.remove(this.#leftovers);
      this.#leftovers = [];
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'could not remove ports, trying again later');
    }
  }

  /**
   * Makes the wanted ports that are missing or different. Returns what begins the traffic of those that are new: to be called once
   * the tables know them.
   */
  async open(wanted: ReadonlyMap<string, PortSpec>): Promise<(() => void)[]> {
    const missing = [...wanted].filter(([name, spec]) => {
      const realised = this.#realised.get(name);
      return !realised?.port || realised.text !== JSON.stringify(spec);
    });
    if (missing.length === 0) return [];
    // What is made sure of now is nothing to remove any more.
    const devices = new Set(missing.map(([, { device }]) => device));
    this.#leftovers = this.#leftovers.filter(({ device }) => !devices.has(device));
    const results = await this.#parts.ports.ensure(missing.map(([, spec]) => spec));
    return missing.flatMap(([name, spec]) => this.#note(name, spec, results.get(spec.vifId)) ?? []);
  }

  /** Notes what became of a port; returns what begins its traffic, if that is to be done. */
  #note(
    name: string,
    spec: PortSpec,
    result: OpenPort | Error = new Error('was not set up'),
  ): (() => void) | undefined {
    const before = this.#realised.get(name);
    try {
      if (result instanceof Error) throw result;
      const same = before?.port && isSamePort(before.port, result);
      const begin = same ? undefined : this.#parts.datapath.open(spec.vifId, result);
      if (same) this.#parts.datapath.discard(result);
      this.#realised.set(name, { spec, text: JSON.stringify(spec), port: result, reason: '' });
      if (!before?.port)
        this.#parts.log.info({ vmi: name, device: spec.device, vif: spec.vifId }, 'interface is active');
      return begin;
    } catch (error) {
      this.#fail(name, spec, (error as Error).message);
      return undefined;
    }
  }

  #fail(name: string, spec: PortSpec, reason: string): void {
    const before = this.#realised.get(name);
    if (before?.port) this.#parts.datapath.detach(spec.vifId);
    this.#realised.set(name, { spec, text: '', port: null, reason });
    if (reason !== before?.reason)
      this.#parts.log.warn({ vmi: name, vif: spec.vifId, reason }, 'interface is not active');
  }

  /** The device behind an open port is gone or unusable. Returns whether there was such a port. */
  lost(vif: number, reason: string): boolean {
    for (const [name, { spec, port }] of this.#realised) {
      if (spec.vifId !== vif || !port) continue;
      this.#fail(name, spec, reason);
      return true;
    }
    return false;
  }

  /** Vifs of the open ports whose namespace was deleted, though their devices may live on in it. */
  displaced(): number[] {
    const devices = new Set(this.#parts.ports.displaced());
    return [...this.#realised.values()]
      .filter(({ spec, port }) => port && devices.has(spec.device))
      .map(({ spec }) => spec.vifId);
  }

  /** Interfaces of the host that open ports use: vif by index. */
  hostDevices(): Map<number, number> {
    const devices = new Map<number, number>();
    for (const { spec, port } of this.#realised.values()) {
      if (port?.kind === 'packet') devices.set(port.ifindex, spec.vifId);
    }
    return devices;
  }

  /** The vif that waits for a device which others make, if one does. */
  waitingFor(device: string): number | undefined {
    for (const { spec, port } of this.#realised.values()) {
      if (port === null && spec.attach.type === 'device' && spec.device === device) return spec.vifId;
    }
    return undefined;
  }
}

/** What makes a port the port it is; all else about it can be changed in place. */
function identityOf({ vifId, device, attach }: PortSpec): string {
  const inside = attach.type === 'netns' ? [attach.netns, attach.ifName, attach.port] : [];
  return JSON.stringify([vifId, device, attach.type, ...inside]);
}

function isSamePort(a: OpenPort, b: OpenPort): boolean {
  if (a.vnetHeader !== b.vnetHeader) return false;
  return a.kind === 'packet' ? b.kind === 'packet' && a.ifindex === b.ifindex : b.kind === 'tap';
}
