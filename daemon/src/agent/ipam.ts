import {
  contains,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  type Address,
  type Family,
  type Prefix,
} from '../control/prefix.js';
import { isNone, type SubnetSpec } from '../control/virtual-network.js';

/**
 * Who gets which address of a subnet. Of 5.5.5.0/24 with everything left to its default:
 *
 *     .0 first    .1 gateway    .2 service    .3 first guest, .4 ...                       .255 last
 *     .0 first                      ..., .251, .252 first guest    .253 service    .254 gateway    .255 last
 *
 * the second line with `addrFromStart: false`. First, last, gateway and service address are never given to a guest. The
 * pools bound only what is given automatically; a guest may ask for any other address of the subnet.
 */
export interface AddressPlan {
  readonly range: Prefix;
  /** Undefined: the subnet has no gateway. */
  readonly gateway: string | undefined;
  /** The address DHCP answers from. */
  readonly serviceAddress: string;
  /** Ranges addresses are given from, in this order; both ends belong to them. */
  readonly pools: readonly { readonly start: bigint; readonly end: bigint }[];
  /** Whether the lowest free address of a pool is given, else the highest. */
  readonly fromStart: boolean;
}

/** The plan of a valid subnet. */
export function addressPlan(subnet: SubnetSpec): AddressPlan {
  const range = parsePrefix(subnet.prefix);
  const fromEdge = (n: bigint): string =>
    formatAddress(range.family, subnet.addrFromStart ? range.first + n : range.last - n);
  const gateway = subnet.gateway ?? fromEdge(1n);
  const pools = subnet.allocationPools.map(({ start, end }) => ({
    start: parseAddress(start).value,
    end: parseAddress(end).value,
  }));
  return {
    range,
    gateway: isNone(gateway, range) ? undefined : gateway,
    serviceAddress: subnet.serviceAddress ?? fromEdge(2n),
    pools: pools.length > 0 ? pools : [{ start: range.first, end: range.last }],
    fromStart: subnet.addrFromStart,
  };
}

/** What an address of the subnet is kept for; undefined: a guest may have it. */
export function reservedFor(plan: AddressPlan, { family, value }: Address): string | undefined {
  const text = formatAddress(family, value);
  if (value === plan.range.first) return 'the first address';
  if (value === plan.range.last) return 'the last address';
  if (text === plan.gateway) return 'the gateway';
  if (text === plan.serviceAddress) return 'the service address';
  return undefined;
}

/**
 * The addresses to give to guests, best first, leaving out what `taken` holds at the moment each is asked for. Lazy: of a
 * subnet of 2^64 addresses only those are looked at that are asked for.
 */
export function* freeAddresses(
  plan: AddressPlan,
  taken: { has: (address: string) => boolean },
): Generator<string, void> {
  const family: Family = plan.range.family;
  const step = plan.fromStart ? 1n : -1n;
  for (const { start, end } of plan.pools) {
    for (let value = plan.fromStart ? start : end; start <= value && value <= end; value += step) {
      if (reservedFor(plan, { family, value }) !== undefined) continue;
      const text = formatAddress(family, value);
      if (!taken.has(text)) yield text;
    }
  }
}

/** The plan of the subnet an address lies in; undefined: of none. */
export function planOf(plans: readonly AddressPlan[], address: Address): AddressPlan | undefined {
  return plans.find((plan) => contains(plan.range, address));
}

/** `5.5.5.0/24, fd00:5::/64`. */
export function rangesText(plans: readonly AddressPlan[]): string {
  return plans.map((plan) => formatPrefix(plan.range)).join(', ');
}
