import type { FatFlowRule } from '../control/fat-flow.js';
import { formatAddress, parsePrefix } from '../control/prefix.js';
import { IP_PROTOCOL } from '../wire/ip-protocol.js';
import type { FatFlowPrefix, FatFlowRecord } from '../tables/records.js';
import type { SubnetPlan } from './compile.js';

/** Addresses between a guest and its own link or host, never folded. */
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'] as const;

/** A fat-flow rule as the datapath wants it. */
export function fatFlowRecord(rule: FatFlowRule): FatFlowRecord {
  return {
    protocol: typeof rule.protocol === 'number' ? rule.protocol : IP_PROTOCOL[rule.protocol],
    port: rule.port,
    ignore: rule.ignoreAddress,
    source: prefixOf(rule.sourcePrefix, rule.sourceAggregateLength),
    destination: prefixOf(rule.destinationPrefix, rule.destinationAggregateLength),
  };
}

function prefixOf(text: string | undefined, aggregate: number | undefined): FatFlowPrefix | null {
  if (text === undefined || aggregate === undefined) return null;
  const { family, first, length } = parsePrefix(text);
  return { prefix: formatAddress(family, first), length, aggregate };
}

/**
 * Prefixes that the rules of an interface leave alone, in the order `vif` lists them: gateway and service address of each subnet it
 * has an address in, and what is link-local; IPv4 before IPv6. For an interface with rules; without any it has none.
 */
export function fatFlowExclude(subnets: readonly Pick<SubnetPlan, 'family' | 'gateway' | 'service'>[]): string[] {
  return (['inet', 'inet6'] as const).flatMap((family) => {
    const own = subnets.filter((subnet) => subnet.family === family);
    const addresses = own.flatMap(({ gateway, service }) => [gateway, service]).filter((address) => address !== null);
    const length = family === 'inet' ? 32 : 128;
    return [...addresses.map((address) => `${address}/${length}`), LINK_LOCAL[family === 'inet' ? 0 : 1]];
  });
}
