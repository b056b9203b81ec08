import type { PolicyPeer } from '../control/network-policy.js';
import { parsePrefix, type Prefix } from '../control/prefix.js';
import type { StoredObject } from '../control/store.js';
import type { PolicyObject } from './policy.js';

type Network = Pick<StoredObject<'VirtualNetwork'>, 'name' | 'spec'>;
type Policies = { get(name: string): PolicyObject | undefined };

/** A network and its subnets. */
interface Candidate<N> {
  readonly network: N;
  readonly name: string;
  readonly ranges: readonly Prefix[];
}

/** Who the pass rules of a network's policies let it talk to. */
interface Reach {
  readonly named: ReadonlySet<string>;
  readonly any: boolean;
  readonly ranges: readonly Prefix[];
}

/**
 * For each network of `of`, by name, those among `networks` whose addresses it has routes to. A network knows another one when a pass rule of
 * its policies, in whatever direction, has the other by name as one end and itself as the other; or, where the rule only says
 * any or a subnet, when the other's policies let it talk to this one in turn. Networks of layer 2 take no part.
 */
export function connections<N extends Network>(
  of: readonly N[],
  networks: Iterable<N>,
  policies: Policies,
): ReadonlyMap<string, readonly N[]> {
  const rangeOf = memo(parsePrefix);
  const routed = [...networks]
    .filter(({ spec }) => spec.forwardingMode !== 'l2')
    .map((network): Candidate<N> => {
      const ranges = network.spec.subnets.map(({ prefix }) => rangeOf(prefix));
      return { network, name: network.name, ranges };
    });
  const reaches = new Map(routed.map((one) => [one.name, reachOf(one, policies, rangeOf)]));
  const mayTalk = (one: Candidate<N>, other: Candidate<N>): boolean => {
    const reach = reaches.get(one.name);
    if (reach === undefined) return false;
    return reach.any || reach.named.has(other.name) || reach.ranges.some((range) => overlaps(range, other.ranges));
  };
  const knows = (one: Candidate<N>, other: Candidate<N>): boolean =>
    other !== one &&
    ((reaches.get(one.name)?.named.has(other.name) ?? false) || (mayTalk(one, other) && mayTalk(other, one)));
  const asked = new Set(of.map(({ name }) => name));
  return new Map(
    routed
      .filter(({ name, network }) => asked.has(name) && network.spec.policies.length > 0)
      .map((one) => [one.name, routed.filter((other) => knows(one, other)).map(({ network }) => network)]),
  );
}

/** Whether a pass rule of a network's policies has it as one end, and another network, by this name, as the other. */
export function names(network: Network, other: string, policies: Policies): boolean {
  const ranges = network.spec.subnets.map(({ prefix }) => parsePrefix(prefix));
  return reachOf({ network, name: network.name, ranges }, policies, parsePrefix).named.has(other);
}

function reachOf<N extends Network>(one: Candidate<N>, policies: Policies, rangeOf: (text: string) => Prefix): Reach {
  const named = new Set<string>();
  const subnets = new Set<string>();
  let any = false;
  const add = ({ virtualNetwork, subnet }: PolicyPeer): void => {
    if (virtualNetwork !== undefined) named.add(virtualNetwork);
    else if (subnet !== undefined) subnets.add(subnet);
    else any = true;
  };
  /** Whether addresses of the network may be this end of a rule. */
  const mayBe = ({ virtualNetwork, subnet }: PolicyPeer): boolean => {
    if (virtualNetwork !== undefined) return virtualNetwork === one.name;
    return subnet === undefined || overlaps(rangeOf(subnet), one.ranges);
  };
  const rules = one.network.spec.policies.flatMap((name) => policies.get(name)?.spec.rules ?? []);
  for (const { action, source, destination } of rules) {
    if (action !== 'pass') continue;
    if (mayBe(source)) add(destination);
    if (mayBe(destination)) add(source);
  }
  return { named, any, ranges: [...subnets].map(rangeOf) };
}

function overlaps(range: Prefix, own: readonly Prefix[]): boolean {
  return own.some((other) => {
    return other.family === range.family && other.first <= range.last && range.first <= other.last;
  });
}

/** The same function, each argument worked out once. */
function memo<T>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const value = known.get(text) ?? make(text);
    known.set(text, value);
    return value;
  };
}
