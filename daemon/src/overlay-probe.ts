import type { ProbeAnswer, Prober } from './agent/prober.js';
import type { ProbeDump, ProbeRequest } from './control/host-dumps.js';
import { DEFAULT_SCOPE, fullName, shortName, splitName } from './control/names.js';
import { RefusedError } from './control/refused.js';
import type { Nexthop } from './tables/nexthop.js';
import { NH_TYPE, ROUTE_FLAG } from './tables/records.js';
import type { Tables } from './tables/tables.js';
import type { Route, Vrf } from './tables/vrf.js';
import { family, formatAddress, parseAddress } from './wire/addr.js';

/** Longest an answer is waited for, ms. */
const PATIENCE_MS = 1000;

/**
 * Finds out how far packets of a network for an address get: the route here, the host there, its label, its interface. Throws
 * RefusedError when nothing of that kind can be asked.
 */
export async function probeOverlay(
  { network, address, timeoutMs = PATIENCE_MS }: ProbeRequest,
  { tables, prober }: { readonly tables: Tables; readonly prober: Pick<Prober, 'ask'> },
): Promise<ProbeDump> {
  if (family(address) === 0) throw new RefusedError('invalid', `'${address}' is no address`);
  const bytes = parseAddress(address);
  const vrf = vrfOf(network, tables);
  const route = (bytes.length === 4 ? vrf.inet : vrf.inet6).lookup(bytes, 0);
  const nexthop = tables.nexthops.get(route.nexthop);
  const common = {
    network: vrf.record.name,
    address: formatAddress(bytes),
    vrf: vrf.record.id,
    nexthop: route.nexthop,
  };
  const tunnel = nexthop?.record.tunnel;
  if (!tunnel)
    return {
      ...common,
      ...here(nexthop, route, bytes.length),
      host: null,
      hostAddress: null,
      encapsulation: null,
      label: null,
    };
  const { destination, encapsulation, peer } = tunnel;
  const there = {
    host: tables.peers.get(peer)?.name ?? null,
    hostAddress: destination,
    encapsulation,
    label: route.label < 0 ? null : route.label,
  };
  if (route.label < 0) return { ...common, ...there, outcome: 'noLabel', vif: null, ms: null };
  const kind = encapsulation === 'VXLAN' ? 'vni' : 'label';
  const answer = await prober.ask(destination, { kind, number: route.label, address: bytes }, { timeoutMs });
  return { ...common, ...there, ...said(answer), vif: null };
}

function vrfOf(network: string, { vrfs }: Tables): Vrf {
  const parts = splitName(network, DEFAULT_SCOPE);
  const name = parts ? fullName(parts) : network;
  const found = vrfs.find((vrf) => vrf?.record.name === name);
  if (found) return found;
  throw new RefusedError(
    'notFound',
    `network ${shortName(name)} has no interface on this host, which sends nothing to it; ask on a host that has one`,
  );
}

/** What a route that leads to no other host does. */
function here(
  nexthop: Nexthop | undefined,
  { record, flags }: Route,
  addressLen: number,
): Pick<ProbeDump, 'outcome' | 'vif' | 'ms'> {
  // The address is somebody's, and yet nothing can be sent to them.
  const isKnown = record.length === 8 * addressLen && (flags & ROUTE_FLAG.proxy) !== 0;
  if (nexthop?.type === NH_TYPE.discard && isKnown) return { outcome: 'noLabel', vif: null, ms: null };
  switch (nexthop?.type) {
    case NH_TYPE.encap:
      return { outcome: 'local', vif: nexthop.oif, ms: null };
    case undefined:
    case NH_TYPE.discard:
      return { outcome: 'noRoute', vif: null, ms: null };
    default:
      return { outcome: 'gateway', vif: null, ms: null };
  }
}

const said = (answer: ProbeAnswer): Pick<ProbeDump, 'outcome' | 'ms'> => ({
  // A host that only says that it lives does not know the question.
  outcome: answer.outcome === 'none' ? 'lost' : answer.outcome,
  ms: 'ms' in answer ? answer.ms : null,
});
