import type { FloodHostRoute, HostRoute, InetHostRoute, MacHostRoute } from '../control/host-route.js';

/** A route and the host it leads to. */
export interface Remote<R extends HostRoute = HostRoute> {
  readonly host: string;
  readonly route: R;
}

/** What is known of a network that other hosts have. */
interface NetworkBook {
  readonly macs: Map<string, Remote<MacHostRoute>[]>;
  readonly floods: Map<string, Remote<FloodHostRoute>>;
}

const NONE: readonly never[] = [];

/**
 * The routes of all other hosts: by host and key; addresses by route target and prefix; MACs and floods by network. Whatever is
 * asked for one prefix or one MAC is found without looking at the others.
 */
export class RemoteBook {
  readonly #byHost = new Map<string, Map<string, Remote>>();
  readonly #byTarget = new Map<string, Map<string, Remote<InetHostRoute>[]>>();
  readonly #byNetwork = new Map<string, NetworkBook>();

  /** Adds or replaces a route; returns what it replaces. */
  set(host: string, key: string, route: HostRoute): Remote | undefined {
    const before = this.delete(host, key);
    const remote: Remote = { host, route };
    const own = this.#byHost.get(host) ?? new Map<string, Remote>();
    this.#byHost.set(host, own.set(key, remote));
    if (isInet(remote)) for (const target of remote.route.targets) this.#addInet(target, remote);
    if (isMac(remote)) listOf(this.#network(remote.route.network).macs, remote.route.mac).push(remote);
    if (isFlood(remote)) this.#network(remote.route.network).floods.set(host, remote);
    return before;
  }

  /** Removes a route; returns it. */
  delete(host: string, key: string): Remote | undefined {
    const own = this.#byHost.get(host);
    const remote = own?.get(key);
    if (!own || !remote) return undefined;
    own.delete(key);
    if (own.size === 0) this.#byHost.delete(host);
    if (isInet(remote)) {
      for (const target of remote.route.targets) {
        const prefixes = this.#byTarget.get(target);
        if (prefixes) takeOut(prefixes, remote.route.prefix, remote);
        if (prefixes?.size === 0) this.#byTarget.delete(target);
      }
      return remote;
    }
    const network = this.#byNetwork.get(remote.route.network);
    if (isMac(remote) && network) takeOut(network.macs, remote.route.mac, remote);
    if (isFlood(remote)) network?.floods.delete(host);
    if (network?.macs.size === 0 && network.floods.size === 0) this.#byNetwork.delete(remote.route.network);
    return remote;
  }

  /** The routes of a host, by key. */
  of(host: string): ReadonlyMap<string, Remote> {
    return this.#byHost.get(host) ?? new Map<string, Remote>();
  }

  /** Routes with this target and prefix. */
  inet(target: string, prefix: string): readonly Remote<InetHostRoute>[] {
    return this.#byTarget.get(target)?.get(prefix) ?? NONE;
  }

  /** Prefixes there are routes of with this target. */
  prefixes(target: string): Iterable<string> {
    return this.#byTarget.get(target)?.keys() ?? NONE;
  }

  mac(network: string, mac: string): readonly Remote<MacHostRoute>[] {
    return this.#byNetwork.get(network)?.macs.get(mac) ?? NONE;
  }

  macs(network: string): Iterable<string> {
    return this.#byNetwork.get(network)?.macs.keys() ?? NONE;
  }

  floods(network: string): Iterable<Remote<FloodHostRoute>> {
    return this.#byNetwork.get(network)?.floods.values() ?? NONE;
  }

  /** Everything. */
  *all(): IterableIterator<Remote> {
    for (const routes of this.#byHost.values()) yield* routes.values();
  }

  #addInet(target: string, remote: Remote<InetHostRoute>): void {
    const prefixes = this.#byTarget.get(target) ?? new Map<string, Remote<InetHostRoute>[]>();
    this.#byTarget.set(target, prefixes);
    listOf(prefixes, remote.route.prefix).push(remote);
  }

  #network(name: string): NetworkBook {
    const known = this.#byNetwork.get(name) ?? { macs: new Map(), floods: new Map() };
    this.#byNetwork.set(name, known);
    return known;
  }
}

export const isInet = (remote: Remote): remote is Remote<InetHostRoute> => remote.route.kind === 'inet';
const isMac = (remote: Remote): remote is Remote<MacHostRoute> => remote.route.kind === 'mac';
const isFlood = (remote: Remote): remote is Remote<FloodHostRoute> => remote.route.kind === 'flood';

function listOf<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

function takeOut<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  const at = list?.indexOf(item) ?? -1;
  if (!list || at < 0) return;
  list.splice(at, 1);
  if (list.length === 0) lists.delete(key);
}
