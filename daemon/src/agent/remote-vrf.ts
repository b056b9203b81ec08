import { contains, parsePrefix, type Prefix } from '../control/prefix.js';
import type { InetHostRoute, MacHostRoute } from '../control/host-route.js';
import type { NetworkPlan } from './compile.js';
import type { Remote } from './remote-book.js';
import { compareRanks } from './rank.js';
import { isIpv6 } from '../wire/addr.js';

/** What routes of other hosts depend on in a network of this host. */
export type RemoteVrfPlan = Pick<
  NetworkPlan,
  'name' | 'vrf' | 'mode' | 'evpnNexthop' | 'isElsewhere' | 'imports' | 'analyzers' | 'subnets'
>;

const LINK_LOCAL = parsePrefix('fe80::/10');

/** A network of this host: which of the routes of other hosts it takes. */
export class RemoteVrf {
  readonly plan: RemoteVrfPlan;
  readonly #own: readonly Prefix[];

  constructor(plan: RemoteVrfPlan) {
    this.plan = plan;
    this.#own = plan.subnets.map(({ prefix, length }) => parsePrefix(`${prefix}/${length}`));
  }

  /** Whether another plan of the same network takes the same routes and makes the same of them. */
  isSame({ plan }: RemoteVrf): boolean {
    const of = ({ vrf, mode, isElsewhere, imports, analyzers = [], subnets }: RemoteVrfPlan): string =>
      JSON.stringify([vrf, mode, isElsewhere, imports, analyzers, subnets]);
    return of(plan) === of(this.plan);
  }

  get isRouted(): boolean {
    return this.plan.mode !== 'l2';
  }

  get isBridged(): boolean {
    return this.plan.mode !== 'l3';
  }

  /**
   * Whether it takes a route that has one of its targets: what lies in a subnet of the network is the network's own, and link-local
   * addresses mean something only in their own network.
   */
  takes({ network, prefix }: InetHostRoute): boolean {
    if (network === this.plan.name) return true;
    const range = parsePrefix(prefix);
    const address = { family: range.family, value: range.first };
    if (isIpv6(prefix) && contains(LINK_LOCAL, address)) return false;
    return !this.#own.some((own) => own.length <= range.length && contains(own, address));
  }

  /** The one that is used of those that have an address. */
  bestInet(candidates: readonly Remote<InetHostRoute>[]): Remote<InetHostRoute> | undefined {
    return best(
      candidates.filter(({ route }) => this.takes(route)),
      (a, b) =>
        Number(b.route.network === this.plan.name) - Number(a.route.network === this.plan.name) ||
        compareText(a.host, b.host) ||
        compareText(a.route.network, b.route.network),
    );
  }

  /** The one that is used of those that have a MAC. */
  bestMac(candidates: readonly Remote<MacHostRoute>[]): Remote<MacHostRoute> | undefined {
    return best(candidates, (a, b) => compareText(a.host, b.host));
  }
}

function best<R extends InetHostRoute | MacHostRoute>(
  candidates: readonly Remote<R>[],
  otherwise: (a: Remote<R>, b: Remote<R>) => number,
): Remote<R> | undefined {
  let first: Remote<R> | undefined;
  for (const one of candidates) {
    if (first === undefined || (compareRanks(one.route, first.route) || otherwise(one, first)) < 0) first = one;
  }
  return first;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
