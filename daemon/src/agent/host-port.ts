import type { Run } from './command.js';
import { HOST_ADDRESS } from './fixed-vifs.js';
import { IpBatch } from './ip-batch.js';
import type { Kernel, Settings } from './kernel.js';
import { linkLocalOf } from './link-local.js';
import type { PortMarks } from './port-mark.js';
import { deleteLink, setAlias, setMtu, setUp } from './port-plan.js';

/** The TAP into the host's stack. */
export interface HostLink {
  readonly ifindex: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
}

export interface HostPortParts {
  /** Name of the TAP, `vhost0`. */
  readonly name: string;
  /** Largest IP packet the host sends to guests, bytes. */
  readonly mtu: number;
  readonly run: Run;
  readonly kernel: Pick<Kernel, 'links' | 'openTap' | 'setPersist' | 'closeFd' | 'ipv6Disabled'>;
  readonly settings: Settings;
  readonly marks: PortMarks;
  readonly log: { info(about: object, text: string): void; warn(about: object, text: string): void };
  readonly datapath: {
    /** Takes frames from the TAP from now on; the descriptor is the datapath's. */
    attach(fd: number, link: HostLink): void;
    detach(): void;
  };
}

/**
 * `vif0/1`: a persistent TAP between the datapath and the host's own stack. The host has link-local addresses on it only; routes to
 * guests are put there while a policy connects them with the underlay.
 */
export class HostPort {
  readonly #parts: HostPortParts;
  #link: HostLink | null = null;
  #reason = '';
  #busy: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: HostPortParts) {
    this.#parts = parts;
  }

  /** The TAP; null: it could not be made. */
  get link(): HostLink | null {
    return this.#link;
  }

  /** Makes the TAP and opens it for the datapath, unless that is so. What fails is tried again by the next call. */
  ensure(): Promise<void> {
    this.#busy = this.#busy.then(() => this.#make());
    return this.#busy;
  }

  /** The datapath lost the TAP: somebody deleted it. */
  lost(): Promise<void> {
    if (!this.#link) return this.#busy;
    this.#parts.log.warn({ device: this.#link.name }, 'the interface of the host is gone, making it again');
    this.#parts.datapath.detach();
    this.#link = null;
    return this.ensure();
  }

  /** Ends traffic. The TAP stays, as ports do, with what others may have configured on it. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#busy;
    if (this.#link) this.#parts.datapath.detach();
    this.#link = null;
  }

  async #make(): Promise<void> {
    const { name, log } = this.#parts;
    if (this.#link || this.#closed) return;
    try {
      await this.#open();
      this.#reason = '';
    } catch (error) {
      const { message } = error as Error;
      // The same every ten seconds helps nobody.
      if (message !== this.#reason)
        log.warn(
          { device: name, reason: message },
          'no interface into the host; name another one in datapath.hostInterface',
        );
      this.#reason = message;
    }
  }

  async #open(): Promise<void> {
    const { name, mtu, kernel, marks, run, datapath, log } = this.#parts;
    const find = () => kernel.links().find((link) => link.name === name);
    const found = marks.claim(find(), name);
    const { fd, ifindex } = kernel.openTap({ name, vnetHeader: true });
    try {
      const isIpv6 = this.#takeIpv6();
      const mac = find()?.address ?? '';
      const batch = new IpBatch<string>();
      if (!found) batch.add(name, ...setAlias(name, marks.of(name)));
      for (const words of [...setMtu(found, name, mtu), ...setUp(found, name)]) batch.add(name, ...words);
      batch.add(name, 'address', 'replace', `${HOST_ADDRESS}/32`, 'dev', name, 'scope', 'link');
      if (isIpv6) batch.add(name, 'address', 'replace', `${linkLocalOf(mac)}/64`, 'dev', name, 'nodad');
      const failure = (await batch.run(run)).get(name);
      if (failure) {
        // Left without our mark it would be in our own way.
        if (!found) await run(['ip', ...deleteLink(name).map(String)]);
        throw failure;
      }
      kernel.setPersist(fd, true);
      this.#link = { ifindex, name, mac, mtu };
      datapath.attach(fd, this.#link);
      log.info({ device: name, mac }, 'interface into the host');
    } catch (error) {
      if (!this.#link) kernel.closeFd(fd);
      throw error;
    }
  }

  /** Switches IPv6 on, without what hosts do on a link of strangers; false: this host has none. */
  #takeIpv6(): boolean {
    const { kernel, settings, name } = this.#parts;
    if (kernel.ipv6Disabled('all')) return false;
    settings.set(`ipv6/conf/${name}/accept_ra`, '0');
    settings.set(`ipv6/conf/${name}/addr_gen_mode`, '1');
    settings.set(`ipv6/conf/${name}/disable_ipv6`, '0');
    return true;
  }
}
