/** What `vrouter get hosts` prints. */
import type { HostDump, HostStateName } from '../control/host-dumps.js';
import { table } from './columns.js';

const STATES: Readonly<Record<HostStateName, string>> = {
  alive: 'alive',
  leaseExpired: 'lease expired',
  keepaliveAnswered: 'keepalive answered',
  withdrawn: 'withdrawn',
  configured: 'configured',
};
const TITLES = ['NAME', 'TUNNEL', 'ENCAPSULATIONS', 'VERSION', 'STATE', 'LEASE', 'LAG', 'ROUTES', 'KEEPALIVE'];

export function formatHosts(hosts: readonly HostDump[]): string {
  return table([TITLES, ...hosts.map(row)]);
}

function row(host: HostDump): string[] {
  const { name, self, tunnelAddress, version, state, leaseMs, routes, invalid, keepaliveMs } = host;
  return [
    self ? `${name} (this host)` : name,
    tunnelAddress ?? '-',
    encapsulationsText(host),
    version ?? '-',
    STATES[state],
    leaseMs === null ? '-' : `${(leaseMs / 1000).toFixed(1)} s`,
    lagText(host),
    invalid === 0 ? String(routes) : `${routes} (${invalid} not readable)`,
    keepaliveMs === null ? '-' : `${keepaliveMs.toFixed(1)} ms`,
  ];
}

function encapsulationsText({ self, encapsulations, encapsulation }: HostDump): string {
  if (encapsulations.length === 0) return '-';
  return encapsulations.join(',') + (self || encapsulation !== null ? '' : ' (none shared)');
}

function lagText({ lag }: HostDump): string {
  if (lag === null) return '-';
  return lag.entries === 0 ? '0' : `${lag.entries} (${lag.ms} ms)`;
}
