import type { RemoteHosts } from './agent/remote-hosts.js';
import type { RemoteEnd } from './agent/remote-tunnels.js';
import { isEndpoint } from './agent/tunnel-endpoints.js';
import type { HostDump } from './control/host-dumps.js';
import type { RedisHosts } from './control/redis-hosts.js';

export interface HostsParts {
  readonly hosts: Pick<RedisHosts, 'hosts'>;
  readonly remote: Pick<RemoteHosts, 'ends' | 'routesOf'>;
}

/**
 * All tunnels of this host can end at: the hosts of the cluster, itself among them, and the TunnelEndpoints; or the one of that name.
 * Hosts come first. Throws RefusedError when there is none.
 */
export async function hostsDump({ hosts, remote }: HostsParts, name?: string): Promise<readonly HostDump[]> {
  const ends = new Map([...remote.ends()].map((end) => [end.lease.name, end]));
  const endpoints = [...ends.values()]
    .filter(({ lease }) => isEndpoint(lease.name) && (name === undefined || lease.name === name))
    .map((end) => endpointDump(end, remote.routesOf(end.lease.name)));
  if (name !== undefined && endpoints.length > 0) return endpoints;
  const dumps = await hosts.hosts(name);
  return [
    ...dumps.map((dump) => ({ ...dump, encapsulation: ends.get(dump.name)?.encapsulation ?? null })),
    ...endpoints.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
  ];
}

function endpointDump({ lease, encapsulation }: RemoteEnd, routes: number): HostDump {
  const { name, tunnelAddress, encapsulations } = lease;
  return {
    ...{ name, self: false, tunnelAddress, encapsulations, encapsulation, version: null, state: 'configured' },
    ...{ leaseMs: null, lag: null, routes, invalid: 0, keepaliveMs: null },
  };
}
