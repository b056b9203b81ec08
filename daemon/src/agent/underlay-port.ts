import type { Run } from './command.js';
import type { UnderlayLink } from './underlay.js';
import { dropTunnelPackets, passTunnelPackets } from './underlay-isolation.js';

export interface UnderlayPortParts {
  /** Address of this host on the underlay. */
  readonly address: string;
  /** Whether tunnel packets would reach the host's stack as well. */
  readonly isolate: boolean;
  readonly run: Run;
  readonly log: { info(about: object, text: string): void; warn(about: object, text: string): void };
  readonly datapath: {
    /** Takes tunnel packets from the interface from now on, instead of another one. May throw. */
    attach(link: UnderlayLink): void;
    detach(): void;
    /** Shows the interface in the tables as it is now. */
    show(link: UnderlayLink): void;
  };
}

/**
 * `vif0/0`: the datapath's way to the underlay. It follows the interface, which may vanish, come back or be another one; in the
 * tables the last one stays.
 */
export class UnderlayPort {
  readonly #parts: UnderlayPortParts;
  #attached: UnderlayLink | null = null;
  /** Opened again since the last audit: what fails a second time waits for the next one. */
  #retried = false;
  /** Interfaces with rules of ours. */
  readonly #isolated = new Set<string>();
  /** Rules are changed one after the other. */
  #busy: Promise<void> = Promise.resolve();

  constructor(parts: UnderlayPortParts) {
    this.#parts = parts;
  }

  /** Brings the datapath to the interface as it is now; null: there is none. */
  linkIs(link: UnderlayLink | null): void {
    const { datapath, log, address } = this.#parts;
    if (link) datapath.show(link);
    if (link?.ifindex === this.#attached?.ifindex) {
      this.#attached = link;
      return;
    }
    const before = this.#attached;
    this.#attached = null;
    if (!link) {
      datapath.detach();
      log.warn({ interface: before?.name, address }, 'the underlay interface is gone');
      return;
    }
    void this.renew(link);
    try {
      datapath.attach(link);
      this.#attached = link;
      log.info({ interface: link.name, address }, 'tunnels end here');
    } catch (error) {
      log.warn({ interface: link.name, err: error }, 'cannot take packets from the underlay, trying again later');
    }
  }

  /** The datapath lost the interface; `link` is the interface as it is now. */
  lost(reason: string, link: UnderlayLink | null): void {
    if (!this.#attached) return;
    this.#parts.log.warn({ interface: this.#attached.name, reason }, 'the underlay interface is lost');
    this.#parts.datapath.detach();
    this.#attached = null;
    if (!link || this.#retried) return;
    this.#retried = true;
    this.linkIs(link);
  }

  /** Puts back what somebody took away, and tries again what failed; `link` is the interface as it is now. */
  audit(link: UnderlayLink | null): void {
    this.#retried = false;
    if (link && !this.#attached) this.linkIs(link);
    else if (link) void this.renew(link);
  }

  /** Makes sure that the host's stack gets no tunnel packets. */
  renew({ name }: UnderlayLink): Promise<void> {
    const { run, address, log, isolate } = this.#parts;
    if (!isolate) return this.#busy;
    return this.#next(async () => {
      this.#isolated.add(name);
      await dropTunnelPackets(name, address, run).catch((error: unknown) => {
        log.warn({ interface: name, err: error }, 'could not keep tunnel packets from the host');
      });
    });
  }

  /** Ends traffic, and takes the rules back. */
  async close(): Promise<void> {
    const { run, address, log, datapath } = this.#parts;
    if (this.#attached) datapath.detach();
    this.#attached = null;
    await this.#next(async () => {
      for (const name of this.#isolated) {
        await passTunnelPackets(name, address, run).catch((error: unknown) => {
          log.warn({ interface: name, err: error }, 'could not remove the rules on the underlay');
        });
      }
      this.#isolated.clear();
    });
  }

  #next(work: () => Promise<void>): Promise<void> {
    const result = this.#busy.then(work);
    this.#busy = result;
    return result;
  }
}
