import { automaticTarget } from '../control/route-target.js';
import type { NetworkObject } from './plan.js';

type Network = Pick<NetworkObject, 'spec' | 'status'>;

/** Route targets the routes of a network are exported with. */
export function exportTargets({ spec, status }: Network): string[] {
  return [...new Set([automaticTarget(status.networkId), ...spec.routeTargets, ...spec.exportRouteTargets])];
}

/** Route targets whose routes a network takes; `connected`: the networks policies connect it with. */
export function importTargets({ spec, status }: Network, connected: readonly Network[]): string[] {
  return [
    ...new Set([
      automaticTarget(status.networkId),
      ...spec.routeTargets,
      ...spec.importRouteTargets,
      ...connected.map((other) => automaticTarget(other.status.networkId)),
    ]),
  ];
}
