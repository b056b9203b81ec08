import { type HostLease, type HostRoute, hostRouteKey } from '../../../dist/control/host-route.js';

/** How large the simulated cluster is, and what happens in it. */
export interface ScalePlan {
  readonly hosts: number;
  readonly endpoints: number;
  readonly changesPerSecond: number;
  readonly seconds: number;
}

export const FULL: ScalePlan = { hosts: 1000, endpoints: 100_000, changesPerSecond: 1000, seconds: 60 };
export const QUICK: ScalePlan = { hosts: 200, endpoints: 20_000, changesPerSecond: 1000, seconds: 5 };

/** Every key in the store begins so. */
export const PREFIX = 'scale:';
/** Networks the endpoints are spread over. */
const NETWORKS = 100;

export function leaseOf(host: number): HostLease {
  return {
    name: `sim-${host}`,
    tunnelAddress: `10.255.${host >> 8}.${host & 255}`,
    encapsulations: ['MPLSoUDP', 'MPLSoGRE', 'VXLAN'],
    version: '0.1.0',
    incarnation: `i-${host}`,
  };
}

/** Microseconds since the epoch: the same clock in all processes of a machine. */
export const microseconds = (): number => Math.round((performance.timeOrigin + performance.now()) * 1000);

/**
 * The routes of endpoint number `n` (of the whole cluster): its address and its MAC address. `sequence` says when they were
 * published, in microseconds.
 */
export function endpoint(n: number, sequence: number): [string, HostRoute][] {
  const network = `default-domain:default-project:net-${n % NETWORKS}`;
  const hex = n.toString(16).padStart(8, '0');
  const mac = `02:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6)}`;
  const common = { network, label: 16 + (n & 0xffff), vni: 1 + (n % NETWORKS), preference: 100, sequence };
  const routes: HostRoute[] = [
    {
      kind: 'inet',
      ...common,
      prefix: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}/32`,
      mac,
      targets: [`target:64512:${8_000_001 + (n % NETWORKS)}`],
      groups: ['default-domain:default-project:default'],
    },
    { kind: 'mac', ...common, mac },
  ];
  return routes.map((route) => [hostRouteKey(route), route]);
}
