import { isDeepStrictEqual } from 'node:util';
import { type HostChange, type HostLease, type HostRoute, hostRouteKey } from '../control/host-route.js';
import { subject } from '../control/schema.js';
import type { ConfigChange, StoredObject } from '../control/store.js';
import type { EndpointNetwork } from '../control/tunnel-endpoint.js';
import { exportTargets } from './exchange.js';
import type { NetworkObject } from './plan.js';
import { ACTIVE } from './rank.js';
import { hostLength } from '../wire/addr.js';

type Endpoint = StoredObject<'TunnelEndpoint'>;

/** What a host like this one would say of itself. */
interface Told {
  readonly lease: HostLease;
  readonly routes: ReadonlyMap<string, HostRoute>;
}

const KIND = 'TunnelEndpoint';

/** Whether what is told of somebody by this name as a host is told of an endpoint. */
export const isEndpoint = (host: string): boolean => host.startsWith(`${KIND}/`);

/** Label of what has none: only VXLAN leads there, which needs none. */
const NO_LABEL = 0;

/**
 * Ends of tunnels that run no vrouterd: what the configuration says of them is told as if they were hosts that say it themselves.
 */
export class TunnelEndpoints {
  readonly #tell: (changes: readonly HostChange[]) => void;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #networks = new Map<string, NetworkObject>();
  readonly #told = new Map<string, Told>();
  /** Names of endpoints to look at again. */
  readonly #dirty = new Set<string>();
  #isDue = false;

  constructor(tell: (changes: readonly HostChange[]) => void) {
    this.#tell = tell;
  }

  /** Takes note of a change of configuration; what it means is told when all changes of one event have arrived. */
  onChange(change: ConfigChange): void {
    const { kind, name } = change;
    if (kind === KIND) {
      if (change.op === 'set') this.#endpoints.set(name, change.object as Endpoint);
      else this.#endpoints.delete(name);
      this.#dirty.add(name);
    } else if (kind === 'VirtualNetwork') {
      if (change.op === 'set') this.#networks.set(name, change.object as NetworkObject);
      else this.#networks.delete(name);
      for (const { name: endpoint, spec } of this.#endpoints.values())
        if (spec.networks.some(({ virtualNetwork }) => virtualNetwork === name)) this.#dirty.add(endpoint);
    }
    if (this.#dirty.size === 0 || this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.flush();
    });
  }

  /** Tells what changed. */
  flush(): void {
    this.#isDue = false;
    const changes = [...this.#dirty].flatMap((name) => this.#changesOf(name));
    this.#dirty.clear();
    if (changes.length > 0) this.#tell(changes);
  }

  #changesOf(name: string): HostChange[] {
    const endpoint = this.#endpoints.get(name);
    const host = subject({ kind: KIND, name });
    const before = this.#told.get(name);
    if (!endpoint) {
      this.#told.delete(name);
      return before ? [{ op: 'gone', host }] : [];
    }
    const told = tellingOf(host, endpoint, this.#networks);
    this.#told.set(name, told);
    const changes: HostChange[] = [];
    if (!isDeepStrictEqual(before?.lease, told.lease)) changes.push({ op: 'host', host: told.lease });
    for (const key of before?.routes.keys() ?? []) if (!told.routes.has(key)) changes.push({ op: 'delete', host, key });
    for (const [key, route] of told.routes)
      if (!isDeepStrictEqual(before?.routes.get(key), route)) changes.push({ op: 'set', host, route });
    return changes;
  }
}

/** What an endpoint would say of itself; networks that do not exist are left out. */
function tellingOf(name: string, { spec }: Endpoint, networks: ReadonlyMap<string, NetworkObject>): Told {
  const { address, encapsulations } = spec;
  const lease = { name, tunnelAddress: address, encapsulations, version: '', incarnation: '' };
  const routes = new Map<string, HostRoute>();
  for (const part of spec.networks) {
    const network = networks.get(part.virtualNetwork);
    if (!network) continue;
    for (const route of routesOf(part, network)) routes.set(hostRouteKey(route), route);
  }
  return { lease, routes };
}

/** The routes of an endpoint in one network; of those with one key the last counts. */
function* routesOf(part: EndpointNetwork, { name, spec, status }: NetworkObject): Generator<HostRoute> {
  const vni = part.vni ?? status.networkId;
  const through = (label: number | undefined) => ({ network: name, label: label ?? part.label ?? NO_LABEL, vni });
  if (spec.forwardingMode !== 'l3') {
    if (part.flood) yield { kind: 'flood', ...through(undefined) };
    for (const { mac, label } of part.macs) yield { kind: 'mac', mac, ...through(label), ...ACTIVE };
  }
  if (spec.forwardingMode === 'l2') return;
  const inet = { kind: 'inet', targets: exportTargets({ spec, status }), groups: [], ...ACTIVE } as const;
  for (const { mac, addresses, label } of part.macs)
    for (const address of addresses)
      yield { ...inet, prefix: `${address}/${hostLength(address)}`, mac, ...through(label) };
  for (const { prefix, mac = null, label } of part.prefixes) yield { ...inet, prefix, mac, ...through(label) };
}
