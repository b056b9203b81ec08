/**
 * The underlay as the kernel's tables tell it. What packets to another host need, next hop, its MAC and the MTU, is asked of the
 * kernel once and asked again when events say that something changed; nothing is polled. The kernel is made to resolve neighbours
 * by using them as if it had something to send.
 *
 *     follow(addresses) ──▶ route lookup ──▶ neighbour ──▶ rewrite
 *                               ▲                ▲
 *     routes, addresses, links ─┘     neighbours ┘     path MTU learnt from ICMP
 */
import type { InterfaceAddress, Link, Neighbour, Route } from 'packet-io';
import * as addr from '../wire/addr.js';
import type { Underlay, Way } from './way.js';

/** What is asked of the kernel. Addresses are 4 or 16 bytes. */
export interface UnderlayKernel {
  links(): readonly Link[];
  addresses(): readonly InterfaceAddress[];
  neighbours(): readonly Neighbour[];
  /** The route from an address of ours. */
  routeTo(destination: Uint8Array, source: Uint8Array): Route | undefined;
  /** Makes the kernel ask for the MAC of a neighbour unless it knows it well. Throws when the interface is gone. */
  useNeighbour(ifindex: number, address: Uint8Array): void;
}

export interface UnderlaySettings {
  /** Address of this host on the underlay. */
  readonly address: string;
  /** Name of the interface; undefined: the one that has the address. */
  readonly interface?: string | undefined;
  /** Largest IP packet, bytes; undefined: as the interface says. */
  readonly mtu?: number | undefined;
  /** `raw`: the kernel finds the next hop itself, and the interface need not be an Ethernet one. */
  readonly driver?: 'packet' | 'raw';
}

/** The interface that leads to the other hosts. */
export interface UnderlayLink {
  readonly ifindex: number;
  readonly name: string;
  readonly mac: string;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
}

/** Whom to call later: timers of the daemon, or of a test. */
export interface Later {
  /** When the events that are there have been taken. */
  soon(work: () => void): void;
  /** Once, after so many milliseconds. The function returned calls it off. */
  after(ms: number, work: () => void): () => void;
  /** Milliseconds that never go back. */
  now(): number;
}

/** IFF_LOOPBACK of netdevice(7). */
const IFF_LOOPBACK = 0x8;
const RTN_UNICAST = 1;
/** After a neighbour did not answer it is asked again, ms. */
const RETRY_MS = 2000;
/** What ICMP said of a path is forgotten after so long, ms (RFC 1191 section 6.3). */
const PATH_MTU_MS = 10 * 60_000;
/** No path is narrower: IPv4 as Linux has it (net.ipv4.route.min_pmtu), IPv6 by RFC 8200 section 5. */
const LEAST_MTU = { 4: 552, 6: 1280 } as const;

/** Stands in frames for the MAC of who has none, or needs none. */
const NO_MAC = '02:00:00:00:00:fe';

/** A way, and the neighbour it leads through. */
interface Followed {
  way: Way | null;
  /** Key of the neighbour; empty: none. */
  neighbour: string;
  gateway: Uint8Array;
}

const keyOf = (address: Uint8Array): string => Buffer.from(address).toString('hex');

/** The underlay of this host, see the head of this file. */
export class KernelUnderlay implements Underlay {
  readonly #settings: UnderlaySettings;
  readonly #kernel: UnderlayKernel;
  readonly #later: Later;
  readonly #source: Uint8Array;
  readonly #followed = new Map<string, Followed>();
  /** MACs of the neighbours on the interface, by address. */
  readonly #macs = new Map<string, string>();
  /** What ICMP said of the way to a destination, and until when it holds. */
  readonly #pathMtus = new Map<string, { mtu: number; until: number }>();
  readonly #listeners = new Set<(addresses: readonly string[]) => void>();
  readonly #linkListeners = new Set<(link: UnderlayLink | null) => void>();
  #link: UnderlayLink | null = null;
  /** What is out of date: the link with all behind it, all ways, or those through some neighbours. */
  #dirty = { link: false, ways: false, neighbours: new Set<string>() };
  #isScheduled = false;
  #retry: (() => void) | null = null;
  #expiry: (() => void) | null = null;

  constructor(settings: UnderlaySettings, kernel: UnderlayKernel, later: Later) {
    this.#settings = settings;
    this.#kernel = kernel;
    this.#later = later;
    this.#source = addr.parseAddress(settings.address);
    this.#readLink();
  }

  get #isRaw(): boolean {
    return this.#settings.driver === 'raw';
  }

  /** The interface; null: there is none now. */
  get link(): UnderlayLink | null {
    return this.#link;
  }

  wayTo(address: string): Way | null {
    return this.#followed.get(address)?.way ?? this.#look(address).way;
  }

  follow(addresses: ReadonlySet<string>): void {
    for (const address of this.#followed.keys()) if (!addresses.has(address)) this.#followed.delete(address);
    for (const address of addresses) {
      if (this.#followed.has(address)) continue;
      const found = this.#look(address);
      this.#followed.set(address, found);
      this.#ask(found);
    }
    this.#retryUnresolved();
  }

  onChange(listener: (addresses: readonly string[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Calls back when the interface came, went, or has another MAC or MTU. */
  onLink(listener: (link: UnderlayLink | null) => void): void {
    this.#linkListeners.add(listener);
  }

  /** An interface or an address of one came, went or changed. */
  linksChanged(): void {
    this.#dirty.link = true;
    this.#schedule();
  }

  /** Routes changed. */
  routesChanged(): void {
    this.#dirty.ways = true;
    this.#schedule();
  }

  /** A neighbour is known now, or not any more. */
  neighbourIs(neighbour: Neighbour, isGone: boolean): void {
    if (neighbour.ifindex !== this.#link?.ifindex) return;
    const key = keyOf(neighbour.address);
    const mac = isGone ? '' : neighbour.mac;
    const changed = this.#setMac(key, mac);
    // The kernel sends nothing to it itself: who is not asked about for long would not be missed.
    const needsUse = neighbour.stale || isGone;
    if (!changed && !needsUse) return;
    this.#dirty.neighbours.add(key);
    this.#schedule();
  }

  /** Everything may be different: events were lost. */
  reread(): void {
    this.#macs.clear();
    this.#readLink();
    this.#update([...this.#followed.keys()]);
  }

  /** A router says that packets to a destination must not be longer; forgotten after ten minutes. */
  learnMtu(to: string, mtu: number): void {
    // Hosts may write their address otherwise than it is told here.
    const key = keyOf(addr.parseAddress(to));
    const destination = [...this.#followed.keys()].find((address) => keyOf(addr.parseAddress(address)) === key) ?? to;
    const least = LEAST_MTU[addr.isIpv6(destination) ? 6 : 4];
    const known = this.#pathMtus.get(destination);
    const way = this.#followed.get(destination)?.way;
    const most = Math.max(mtu, least);
    if (!way || most >= way.mtu) return;
    const until = this.#later.now() + PATH_MTU_MS;
    this.#pathMtus.set(destination, { mtu: Math.min(most, known?.mtu ?? most), until });
    this.#expiry ??= this.#later.after(PATH_MTU_MS, () => {
      this.#expirePaths();
    });
    this.#update([destination]);
  }

  /** Ends timers. */
  close(): void {
    this.#retry?.();
    this.#expiry?.();
    this.#followed.clear();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#later.soon(() => {
      this.#isScheduled = false;
      const { link, ways, neighbours } = this.#dirty;
      this.#dirty = { link: false, ways: false, neighbours: new Set() };
      if (link) this.#readLink();
      const through = [...this.#followed].filter(([, { neighbour }]) => link || ways || neighbours.has(neighbour));
      this.#update(through.map(([address]) => address));
    });
  }

  #readLink(): void {
    const before = this.#link;
    const link = this.#findLink();
    this.#link = link;
    if (link?.ifindex !== before?.ifindex || this.#macs.size === 0) {
      this.#macs.clear();
      for (const { ifindex, address, mac } of link ? this.#kernel.neighbours() : []) {
        if (ifindex === link?.ifindex) this.#setMac(keyOf(address), mac);
      }
    }
    if (JSON.stringify(link) === JSON.stringify(before)) return;
    for (const listener of this.#linkListeners) listener(link);
  }

  #findLink(): UnderlayLink | null {
    const links = this.#kernel.links();
    const { interface: name, mtu } = this.#settings;
    const own = keyOf(this.#source);
    const holder =
      name === undefined
        ? this.#kernel.addresses().find(({ address }) => keyOf(address) === own)?.ifindex
        : links.find((link) => link.name === name)?.ifindex;
    const found = links.find(({ ifindex }) => ifindex === holder);
    if (!found || (found.flags & IFF_LOOPBACK) !== 0) return null;
    const isEthernet = /^(..:){5}..$/.test(found.address);
    if (!isEthernet && !this.#isRaw) return null;
    const mac = isEthernet ? found.address : NO_MAC;
    return { ifindex: found.ifindex, name: found.name, mac, mtu: mtu ?? found.mtu };
  }

  /** Returns whether it is another one than before. */
  #setMac(key: string, mac: string): boolean {
    if ((this.#macs.get(key) ?? '') === mac) return false;
    if (mac === '') this.#macs.delete(key);
    else this.#macs.set(key, mac);
    return true;
  }

  /** The way as the tables are now. */
  #look(address: string): Followed {
    const none = { way: null, neighbour: '', gateway: new Uint8Array() };
    const link = this.#link;
    const isOurFamily = addr.isIpv6(address) === addr.isIpv6(this.#settings.address);
    if (!link || !isOurFamily) return none;
    const destination = addr.parseAddress(address);
    const route = this.#kernel.routeTo(destination, this.#source);
    if (route?.oif !== link.ifindex || route.type !== RTN_UNICAST) return none;
    const gateway = route.gateway ?? destination;
    const neighbour = keyOf(gateway);
    const mac = this.#isRaw ? NO_MAC : (this.#macs.get(neighbour) ?? '');
    const etherType = destination.length === 4 ? '0800' : '86dd';
    const rewrite = mac === '' ? '' : `${mac}${link.mac}`.replaceAll(':', '') + etherType;
    const mtus = [link.mtu, route.mtu || link.mtu, this.#pathMtuTo(address) ?? link.mtu];
    return { way: { source: this.#settings.address, rewrite, mtu: Math.min(...mtus) }, neighbour, gateway };
  }

  #update(addresses: readonly string[]): void {
    const changed = [];
    for (const address of addresses) {
      const before = this.#followed.get(address);
      if (!before) continue;
      const now = this.#look(address);
      this.#followed.set(address, now);
      this.#ask(now);
      if (JSON.stringify(now.way) !== JSON.stringify(before.way)) changed.push(address);
    }
    this.#retryUnresolved();
    if (changed.length === 0) return;
    for (const listener of this.#listeners) listener(changed);
  }

  /** Makes the kernel find out about the neighbour of a way, and confirm what it knows. */
  #ask({ way, gateway }: Followed): void {
    const link = this.#link;
    if (!way || !link || this.#isRaw) return;
    try {
      this.#kernel.useNeighbour(link.ifindex, gateway);
    } catch {
      // The interface went or is down: the event that tells so is on its way.
    }
  }

  /** Neighbours that do not answer are asked again until they do, or nobody wants the way to them. */
  #retryUnresolved(): void {
    const unresolved = (): Followed[] => [...this.#followed.values()].filter(({ way }) => way?.rewrite === '');
    if (this.#retry || unresolved().length === 0) return;
    this.#retry = this.#later.after(RETRY_MS, () => {
      this.#retry = null;
      for (const followed of unresolved()) this.#ask(followed);
      this.#retryUnresolved();
    });
  }

  #pathMtuTo(address: string): number | undefined {
    return this.#pathMtus.get(address)?.mtu;
  }

  #expirePaths(): void {
    this.#expiry = null;
    const now = this.#later.now();
    const expired = [...this.#pathMtus].filter(([, { until }]) => until <= now).map(([address]) => address);
    for (const address of expired) this.#pathMtus.delete(address);
    if (this.#pathMtus.size > 0) {
      const next = Math.min(...[...this.#pathMtus.values()].map(({ until }) => until));
      this.#expiry = this.#later.after(next - now, () => {
        this.#expirePaths();
      });
    }
    this.#update(expired);
  }
}
