import type { RemoteEnd } from './agent/remote-tunnels.js';
import type { TunnelUseDump } from './control/dumps.js';
import { NH_TYPE } from './tables/records.js';
import type { Tables } from './tables/tables.js';

/** What warnings about other hosts are made from. */
export interface TunnelParts {
  readonly tables: Pick<Tables, 'nexthops'>;
  /** Where tunnels of this host end. */
  readonly address: string;
  /** Whether there is an interface with that address. */
  readonly hasUnderlay: boolean;
  readonly ends: Iterable<Pick<RemoteEnd, 'lease' | 'encapsulation'>>;
}

/** Hosts named in one warning at most. */
const NAMED = 5;

/** What keeps packets from other hosts, each with what to do about it. */
export function tunnelWarnings({ tables, address, hasUnderlay, ends }: TunnelParts): string[] {
  const hosts = [...ends];
  if (hosts.length === 0) return [];
  const warnings: string[] = [];
  if (!hasUnderlay)
    warnings.push(
      `no interface has ${address}: nothing gets to other hosts; bring it up, or correct tunnel.address or tunnel.interface`,
    );
  const strangers = hosts.filter(({ encapsulation }) => encapsulation === null).map(({ lease }) => lease.name);
  if (strangers.length > 0)
    warnings.push(`no encapsulation is shared with ${listed(strangers)}; compare tunnel.encapsulations there and here`);
  const waiting = hasUnderlay ? unresolved(tables, hosts) : [];
  if (waiting.length > 0)
    warnings.push(`the way to ${listed(waiting)} is not known, packets for it are dropped; see vrouter traceroute`);
  return warnings;
}

/** Hosts with tunnels whose outer header is not known. */
function unresolved({ nexthops }: Pick<Tables, 'nexthops'>, hosts: readonly Pick<RemoteEnd, 'lease'>[]): string[] {
  const addresses = new Set<string>();
  for (const { type, record } of nexthops.entries())
    if (type === NH_TYPE.tunnel && record.tunnel && record.rewrite === '') addresses.add(record.tunnel.destination);
  return hosts.filter(({ lease }) => addresses.has(lease.tunnelAddress)).map(({ lease }) => lease.name);
}

/** How many tunnels, labels and identifiers there are. */
export function tunnelUse({ peers, nexthops, labels, vnis }: Tables): TunnelUseDump {
  const count = (entries: Iterable<unknown>): number => [...entries].length;
  const tunnels = [...nexthops.entries()].filter(({ type }) => type === NH_TYPE.tunnel);
  return {
    peers: count(peers.entries()),
    tunnels: tunnels.length,
    unresolved: tunnels.filter(({ record }) => record.rewrite === '').length,
    labels: count(labels.entries()),
    vnis: count(vnis.entries()),
  };
}

function listed(names: readonly string[]): string {
  const rest = names.length - NAMED;
  const shown = [...names].sort().slice(0, NAMED).join(', ');
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}
