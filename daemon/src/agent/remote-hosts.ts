import { type HostChange, type HostRoute, hostRouteKey, type InetHostRoute, type Rank } from '../control/host-route.js';
import type { Encapsulation } from '../wire/encapsulation.js';
import { GATEWAY_MAC } from '../wire/ethernet.js';
import { OWN, SPARE } from './rank.js';
import { keyOf, type Offer, type PlainRow, type Reconciler } from './reconcile.js';
import { isInet, type Remote, RemoteBook } from './remote-book.js';
import { floodRow, inetRow, macRow, type RemoteNames, type Through } from './remote-rows.js';
import { type RemoteEnd, RemoteTunnels, type TunnelParts } from './remote-tunnels.js';
import { RemoteVrf, type RemoteVrfPlan } from './remote-vrf.js';

/** What the routes of other hosts need of the rest of the agent. */
export interface RemoteParts extends TunnelParts {
  /** Name of this host: what it hears of itself is not news. */
  readonly host: string;
  readonly reconciler: Pick<Reconciler, 'offer' | 'offered'>;
}

/** What is to be looked at again in one network. */
interface Dirty {
  readonly prefixes: Set<string>;
  readonly macs: Set<string>;
  flood: boolean;
}

/**
 * Makes forwarding state of what other hosts publish: they become peers with tunnels to them, their addresses routes of the
 * networks of this host that import them, their MACs rows of the bridge table, and they themselves branches of the flood trees.
 *
 *     HostChange ──▶ book (all routes) ──▶ what is dirty ──▶ offers to the reconciler, in an order nothing dangles in
 *     networks of this host ──────────────────▲
 *     ways of the underlay ───────────────────┘
 *
 * A change looks only at the prefixes and MACs it is about, in the networks that take them.
 */
export class RemoteHosts {
  readonly #parts: RemoteParts;
  readonly #tunnels: RemoteTunnels;
  readonly #book = new RemoteBook();
  /** Networks of this host, by name; and those that import a route target. */
  readonly #vrfs = new Map<string, RemoteVrf>();
  #importers = new Map<string, RemoteVrf[]>();
  #names: RemoteNames = { network: () => undefined, groups: new Map() };
  readonly #dirty = new Map<RemoteVrf, Dirty>();
  /** Hosts whose tunnels, and whose existence, are to be looked at again. */
  readonly #dirtyHosts = new Set<string>();
  /** Numbers routes show, by name of the network; and those of the hosts that are peers. */
  readonly #numbers = new Map<string, number | undefined>();
  readonly #peers = new Map<string, number>();
  /** Networks that are none of this host any more, and whose flood trees are there still. */
  readonly #leaving: RemoteVrf[] = [];
  readonly #listeners: (() => void)[] = [];

  constructor(parts: RemoteParts) {
    this.#parts = parts;
    this.#tunnels = new RemoteTunnels(parts);
  }

  /** Other hosts came, went, or have other routes. */
  onHosts(changes: readonly HostChange[]): void {
    const before = changes.some(isAboutTrees) ? this.#elsewhere() : null;
    for (const change of changes) this.#take(change);
    if (before) this.#tunnels.follow();
    this.#flush();
    if (!before) return;
    const after = this.#elsewhere();
    if (before.size !== after.size || [...after].some((name) => !before.has(name)))
      for (const listener of this.#listeners) listener();
  }

  /** The ways to these addresses are others now. */
  onWays(addresses: readonly string[]): void {
    for (const host of this.#tunnels.at(addresses)) this.#dirtyHosts.add(host);
    this.#flush();
  }

  /** Calls back when another host has a network of this host that none had before, or none has it any more. */
  onElsewhere(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Whether frames for all of the network go to another host as well. */
  isElsewhere(network: string): boolean {
    for (const { host } of this.#book.floods(network)) if (this.#encapsulationTo(host) !== null) return true;
    return false;
  }

  /**
   * Takes out what leads to other hosts in networks that are none of these any more, and makes the other hosts' branches of the
   * flood trees that these need. Before the tables of this host change.
   */
  prepare(plans: readonly RemoteVrfPlan[]): void {
    const wanted = new Map(plans.map((plan) => [plan.name, plan]));
    for (const [name, vrf] of this.#vrfs) {
      const plan = wanted.get(name);
      if (plan?.vrf === vrf.plan.vrf && plan.evpnNexthop === vrf.plan.evpnNexthop) continue;
      this.#vrfs.delete(name);
      this.#leaving.push(vrf);
      this.#parts.reconciler.offer(this.#withdrawal(vrf));
    }
    for (const plan of plans)
      if (plan.isElsewhere && !this.#vrfs.has(plan.name)) this.#dirtyOf(new RemoteVrf(plan)).flood = true;
    this.#flush();
  }

  /** Brings what leads to other hosts into these networks. After the tables of this host changed. */
  present(plans: readonly RemoteVrfPlan[], names: RemoteNames): void {
    this.#rename(names);
    for (const vrf of this.#leaving.splice(0)) this.#parts.reconciler.offer(this.#without([evpnKey(vrf)]));
    for (const plan of plans) {
      const vrf = new RemoteVrf(plan);
      const before = this.#vrfs.get(plan.name);
      if (before?.isSame(vrf) === true) continue;
      this.#vrfs.set(plan.name, vrf);
      const dirty = this.#dirtyOf(vrf);
      dirty.flood = true;
      if (before) this.#markAll(before, dirty);
      this.#markAll(vrf, dirty);
    }
    this.#importers = importersOf(this.#vrfs.values());
    this.#flush();
  }

  /** Gives back the numbers of tunnels to hosts that are gone since an earlier run. Once the hosts there are, are known. */
  forgetOthers(): void {
    this.#tunnels.forgetOthers();
  }

  /** The other hosts, and what is shared with each. */
  ends(): IterableIterator<RemoteEnd> {
    return this.#tunnels.ends();
  }

  /** Routes a host has published. */
  routesOf(host: string): number {
    return this.#book.of(host).size;
  }

  #take(change: HostChange): void {
    const host = change.op === 'host' ? change.host.name : change.host;
    if (host === this.#parts.host) return;
    switch (change.op) {
      case 'host': {
        const before = this.#tunnels.end(host);
        const { encapsulation } = this.#tunnels.set(change.host);
        this.#dirtyHosts.add(host);
        if (before?.encapsulation !== encapsulation)
          for (const remote of this.#book.of(host).values()) this.#mark(remote);
        return;
      }
      case 'gone':
        for (const key of [...this.#book.of(host).keys()]) this.#forget(host, key);
        this.#tunnels.delete(host);
        this.#dirtyHosts.add(host);
        return;
      case 'set':
        this.#set(host, change.route);
        return;
      case 'delete':
        this.#forget(host, change.key);
        return;
    }
  }

  #set(host: string, route: HostRoute): void {
    const key = hostRouteKey(route);
    const before = this.#book.set(host, key, route);
    if (before) this.#mark(before);
    this.#mark({ host, route });
  }

  #forget(host: string, key: string): void {
    const before = this.#book.delete(host, key);
    if (before) this.#mark(before);
  }

  /** Notes what a route that came, went or changed is about. */
  #mark({ route }: Remote): void {
    if (route.kind === 'inet') {
      for (const target of route.targets)
        for (const vrf of this.#importers.get(target) ?? []) this.#dirtyOf(vrf).prefixes.add(route.prefix);
      return;
    }
    const vrf = this.#vrfs.get(route.network);
    if (!vrf) return;
    if (route.kind === 'mac') this.#dirtyOf(vrf).macs.add(route.mac);
    else this.#dirtyOf(vrf).flood = true;
  }

  /** Notes everything a network takes. */
  #markAll({ plan }: RemoteVrf, dirty: Dirty): void {
    for (const target of plan.imports) for (const prefix of this.#book.prefixes(target)) dirty.prefixes.add(prefix);
    for (const { prefix } of plan.analyzers ?? []) dirty.prefixes.add(prefix);
    for (const mac of this.#book.macs(plan.name)) dirty.macs.add(mac);
  }

  #dirtyOf(vrf: RemoteVrf): Dirty {
    const known = this.#dirty.get(vrf) ?? { prefixes: new Set(), macs: new Set(), flood: false };
    this.#dirty.set(vrf, known);
    return known;
  }

  /** Takes over other numbers of networks and groups: routes that show them are looked at again. */
  #rename(names: RemoteNames): void {
    const groups = new Set([...names.groups.keys(), ...this.#names.groups.keys()]);
    for (const name of groups) if (names.groups.get(name) === this.#names.groups.get(name)) groups.delete(name);
    const networks = new Set<string>();
    for (const [name, number] of this.#numbers) if (names.network(name) !== number) networks.add(name);
    for (const name of networks) this.#numbers.delete(name);
    this.#names = {
      groups: names.groups,
      network: (name) => {
        const number = this.#numbers.get(name) ?? names.network(name);
        this.#numbers.set(name, number);
        return number;
      },
    };
    if (groups.size + networks.size === 0) return;
    for (const remote of this.#book.all())
      if (isInet(remote) && (networks.has(remote.route.network) || remote.route.groups.some((one) => groups.has(one))))
        this.#mark(remote);
  }

  /** Brings the tables to what is known, looking only at what is dirty. */
  #flush(): void {
    const routes: Offer[] = [];
    const bridge: Offer[] = [];
    const floods: Offer[] = [];
    for (const [vrf, { prefixes, macs, flood }] of this.#dirty) {
      for (const prefix of prefixes) routes.push(...this.#routeOffer(vrf, prefix));
      for (const mac of macs) bridge.push(...this.#macOffer(vrf, mac));
      if (flood) floods.push(...this.#floodOffer(vrf));
    }
    this.#dirty.clear();
    const hosts = new Set([...this.#dirtyHosts, ...this.#tunnels.takeOpened()]);
    this.#dirtyHosts.clear();
    const gone = (offer: Offer): boolean => offer.row === null;
    const coming = (offer: Offer): boolean => offer.row !== null;
    this.#parts.reconciler.offer([
      ...[...hosts].flatMap((host) => this.#tunnelOffers(host)),
      ...routes.filter(gone),
      ...bridge,
      ...routes.filter(coming),
      ...floods,
      ...this.#tunnels.takeUnused().map((id) => noMore(`nexthop ${id}`)),
      ...[...hosts].flatMap((host) => this.#strangerOffer(host)),
    ]);
  }

  #tunnelOffers(host: string): Offer[] {
    const peer = this.#tunnels.peerRecord(host);
    const rows: PlainRow[] = this.#tunnels
      .records(host)
      .map((record) => ({ table: 'nexthop', op: 'set', record }) as const);
    if (peer) {
      this.#peers.set(host, peer.id);
      rows.unshift({ table: 'peer', op: 'set', record: peer });
    }
    return rows.map((row) => ({ key: keyOf(row), row, rank: OWN }));
  }

  /** A host that is gone is a stranger, unless another one has its number already. */
  #strangerOffer(host: string): Offer[] {
    const id = this.#peers.get(host);
    if (id === undefined || this.#tunnels.end(host)) return [];
    this.#peers.delete(host);
    return [...this.#peers.values()].includes(id) ? [] : [noMore(`peer ${id}`)];
  }

  #routeOffer(vrf: RemoteVrf, prefix: string): Offer[] {
    const candidates = vrf.isRouted ? vrf.plan.imports.flatMap((target) => this.#book.inet(target, prefix)) : [];
    const wanted = vrf.bestInet(candidates);
    const best = wanted ?? (vrf.isRouted ? vrf.bestInet(this.#analyzersAt(vrf, prefix)) : undefined);
    if (!best) return this.#without([`route ${vrf.plan.vrf} ${prefix}`]);
    const through = this.#through(best.host, best.route.mac ?? GATEWAY_MAC);
    return [this.#offerOf(inetRow(vrf, best.route, through, this.#names), wanted ? best.route : SPARE)];
  }

  /** The routes to an analyzer with this address that a network has for copies alone. */
  #analyzersAt({ plan }: RemoteVrf, prefix: string): Remote<InetHostRoute>[] {
    const analyzers = (plan.analyzers ?? []).filter((one) => one.prefix === prefix);
    return analyzers.flatMap(({ network, target }) =>
      this.#book.inet(target, prefix).filter(({ route }) => route.network === network),
    );
  }

  #macOffer(vrf: RemoteVrf, mac: string): Offer[] {
    const best = vrf.isBridged ? vrf.bestMac(this.#book.mac(vrf.plan.name, mac)) : undefined;
    if (!best) return this.#without([`bridge ${vrf.plan.vrf} ${mac}`]);
    return [this.#offerOf(macRow(vrf, best.route, this.#through(best.host, null)), best.route)];
  }

  #floodOffer(vrf: RemoteVrf): Offer[] {
    const isWanted = vrf.plan.isElsewhere || this.isElsewhere(vrf.plan.name);
    if (!isWanted || !vrf.isBridged) return this.#without([evpnKey(vrf)]);
    const floods = this.#book.floods(vrf.plan.name);
    return [
      this.#offerOf(
        floodRow(vrf, floods, (host) => this.#through(host, null)),
        OWN,
      ),
    ];
  }

  #through(host: string, innerMac: string | null): Through {
    return { nexthop: this.#tunnels.use(host, innerMac), encapsulation: this.#encapsulationTo(host) };
  }

  #encapsulationTo(host: string): Encapsulation | null {
    return this.#tunnels.end(host)?.encapsulation ?? null;
  }

  /** Offers a row, whose nexthops are in use; those of the one before it are given back. */
  #offerOf(row: PlainRow, rank: Rank): Offer {
    const key = keyOf(row);
    this.#giveBack(key);
    return { key, row, rank };
  }

  /** Offers these rows no more. */
  #without(keys: Iterable<string>): Offer[] {
    const offers: Offer[] = [];
    for (const key of keys) if (this.#giveBack(key)) offers.push(noMore(key));
    return offers;
  }

  /** Whether there was a row under the key; nobody uses its nexthops any more. */
  #giveBack(key: string): boolean {
    const row = this.#parts.reconciler.offered(key);
    for (const id of row ? nexthopsOf(row) : []) this.#tunnels.release(id);
    return row !== undefined;
  }

  /** Everything a network has of other hosts, but the branch of its flood tree. */
  #withdrawal(vrf: RemoteVrf): Offer[] {
    const { vrf: number, imports, analyzers = [], name } = vrf.plan;
    const prefixes = new Set([
      ...imports.flatMap((target) => [...this.#book.prefixes(target)]),
      ...analyzers.map(({ prefix }) => prefix),
    ]);
    return this.#without([
      ...[...prefixes].map((prefix) => `route ${number} ${prefix}`),
      ...[...this.#book.macs(name)].map((mac) => `bridge ${number} ${mac}`),
    ]);
  }

  /** Networks of this host that other hosts have as well. */
  #elsewhere(): Set<string> {
    return new Set([...this.#vrfs.keys()].filter((name) => this.isElsewhere(name)));
  }
}

/** Whether a change is about a host itself, or about who has which network. */
function isAboutTrees(change: HostChange): boolean {
  if (change.op === 'set') return change.route.kind === 'flood';
  return change.op !== 'delete' || change.key.startsWith('flood ');
}

const noMore = (key: string): Offer => ({ key, row: null, rank: OWN });

const evpnKey = ({ plan }: RemoteVrf): string => `nexthop ${plan.evpnNexthop}`;

function nexthopsOf({ table, record }: PlainRow): number[] {
  if (table === 'route' || table === 'bridge') return [record.nexthop];
  return table === 'nexthop' ? record.members.map(({ nexthop }) => nexthop) : [];
}

function importersOf(vrfs: Iterable<RemoteVrf>): Map<string, RemoteVrf[]> {
  const importers = new Map<string, RemoteVrf[]>();
  for (const vrf of vrfs) {
    const { imports, analyzers = [] } = vrf.plan;
    for (const target of new Set([...imports, ...analyzers.map((one) => one.target)])) {
      const known = importers.get(target) ?? [];
      importers.set(target, known);
      known.push(vrf);
    }
  }
  return importers;
}
