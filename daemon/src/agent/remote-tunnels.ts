import type { HostLease } from '../control/host-route.js';
import { NH_FLAG, NH_ID, NH_TYPE, type NexthopRecord, type PeerRecord, VIF_ID } from '../tables/records.js';
import { type Encapsulation, sharedEncapsulation } from '../wire/encapsulation.js';
import type { Ids } from './ids.js';
import { LowestFirst } from './numbers.js';
import { isEndpoint } from './tunnel-endpoints.js';
import type { Underlay } from './way.js';

/** What tunnels of this host need to be known. */
export interface TunnelParts {
  readonly ids: Ids;
  readonly underlay: Pick<Underlay, 'wayTo' | 'follow'>;
  /** Where tunnels of this host begin, where the kernel knows no way. */
  readonly address: string;
  /** In order of preference. */
  readonly encapsulations: readonly Encapsulation[];
  /** Largest IP packet of the underlay, where the kernel knows no way; bytes. */
  readonly mtu: number;
}

const ENCAPSULATION_FLAG = {
  MPLSoUDP: NH_FLAG.tunnelMplsUdp,
  MPLSoGRE: NH_FLAG.tunnelGre,
  VXLAN: NH_FLAG.tunnelVxlan,
} as const;

/** Beginning of the keys tunnels have their nexthop numbers under. */
const KEY = 'tunnel ';

/** Another host, and the tunnels to it. */
export interface RemoteEnd {
  readonly lease: HostLease;
  readonly peer: number;
  /** null: the two have none in common, nothing can be sent. */
  readonly encapsulation: Encapsulation | null;
}

/** One tunnel nexthop. */
interface Tunnel {
  readonly id: number;
  readonly key: string;
  readonly host: string;
  readonly innerMac: string | null;
  /** Rows that lead to it. */
  uses: number;
}

/** The other hosts of the cluster, and the tunnel nexthops to them. Follows the ways to them on the underlay. */
export class RemoteTunnels {
  readonly #parts: TunnelParts;
  readonly #ends = new Map<string, RemoteEnd>();
  readonly #peers = new LowestFirst(0);
  /** By key, and by number. */
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #byId = new Map<number, Tunnel>();
  /** Tunnels to each host, by its name. */
  readonly #ofHost = new Map<string, Set<Tunnel>>();
  readonly #opened = new Set<string>();
  readonly #idle = new Set<Tunnel>();
  #followed = new Set<string>();

  constructor(parts: TunnelParts) {
    this.#parts = parts;
  }

  end(host: string): RemoteEnd | undefined {
    return this.#ends.get(host);
  }

  ends(): IterableIterator<RemoteEnd> {
    return this.#ends.values();
  }

  /** Takes note of a host, or of what became different about it. */
  set(lease: HostLease): RemoteEnd {
    const encapsulation = sharedEncapsulation(this.#parts.encapsulations, lease.encapsulations);
    const peer = this.#ends.get(lease.name)?.peer ?? this.#peers.next();
    this.#peers.take(peer);
    const end = { lease, peer, encapsulation };
    this.#ends.set(lease.name, end);
    return end;
  }

  /** Forgets a host; its tunnels go with the last that uses them. */
  delete(host: string): void {
    const end = this.#ends.get(host);
    if (end) this.#peers.giveBack(end.peer);
    this.#ends.delete(host);
  }

  /** Asks for the ways to all hosts to be known. */
  follow(): void {
    const addresses = new Set([...this.#ends.values()].map(({ lease }) => lease.tunnelAddress));
    const isSame = addresses.size === this.#followed.size && [...addresses].every((one) => this.#followed.has(one));
    if (isSame) return;
    this.#followed = addresses;
    this.#parts.underlay.follow(addresses);
  }

  /** Hosts whose tunnels end at one of these addresses. */
  at(addresses: readonly string[]): string[] {
    const asked = new Set(addresses);
    return [...this.#ends.values()]
      .filter(({ lease }) => asked.has(lease.tunnelAddress))
      .map(({ lease }) => lease.name);
  }

  /**
   * Number of the nexthop that leads to a host; `innerMac`: of routed packets in a VXLAN. Has to be given back with `release`.
   * Where nothing can be sent to the host it is the one that drops.
   */
  use(host: string, innerMac: string | null): number {
    const encapsulation = this.#ends.get(host)?.encapsulation ?? null;
    if (encapsulation === null) return NH_ID.drop;
    const mac = encapsulation === 'VXLAN' ? innerMac : null;
    const key = `${KEY}${host} ${encapsulation}${mac === null ? '' : ` ${mac}`}`;
    const tunnel = this.#tunnels.get(key) ?? this.#open(key, host, mac);
    tunnel.uses++;
    return tunnel.id;
  }

  /** Gives a nexthop back; of what is none of the tunnels, nothing happens. */
  release(id: number): void {
    const tunnel = this.#byId.get(id);
    if (tunnel && --tunnel.uses === 0) this.#idle.add(tunnel);
  }

  /** Hosts to which tunnels were opened since the last call. */
  takeOpened(): string[] {
    return take(this.#opened);
  }

  /** Numbers of the tunnels that nobody uses any more, which are forgotten. */
  takeUnused(): number[] {
    const unused = take(this.#idle).filter(({ uses }) => uses === 0);
    for (const tunnel of unused) {
      this.#tunnels.delete(tunnel.key);
      this.#byId.delete(tunnel.id);
      this.#parts.ids.release('nexthop', tunnel.key);
      const own = this.#ofHost.get(tunnel.host);
      own?.delete(tunnel);
      if (own?.size === 0) this.#ofHost.delete(tunnel.host);
    }
    return unused.map(({ id }) => id);
  }

  /** Gives back the numbers of tunnels an earlier run had, which this one does not. */
  forgetOthers(): void {
    for (const key of this.#parts.ids.keys('nexthop'))
      if (key.startsWith(KEY) && !this.#tunnels.has(key)) this.#parts.ids.release('nexthop', key);
  }

  peerRecord(host: string): PeerRecord | null {
    const end = this.#ends.get(host);
    if (!end) return null;
    const record = { id: end.peer, address: end.lease.tunnelAddress, name: host };
    return isEndpoint(host) ? { ...record, isForeign: true } : record;
  }

  /** The nexthops to a host, as the kernel knows the way now. */
  records(host: string): NexthopRecord[] {
    const end = this.#ends.get(host);
    const { encapsulation } = end ?? {};
    if (!end || !encapsulation) return [];
    const way = this.#parts.underlay.wayTo(end.lease.tunnelAddress);
    return [...(this.#ofHost.get(host) ?? [])]
      .filter(({ key }) => key.startsWith(`${KEY}${host} ${encapsulation}`))
      .map(({ id, innerMac }) => ({
        id,
        type: NH_TYPE.tunnel,
        family: 'inet',
        flags:
          NH_FLAG.valid |
          NH_FLAG.etreeRoot |
          ENCAPSULATION_FLAG[encapsulation] |
          (innerMac === null ? 0 : NH_FLAG.l3Vxlan),
        vrf: 0,
        oif: VIF_ID.physical,
        rewrite: way?.rewrite ?? '',
        members: [],
        tunnel: {
          encapsulation,
          source: way?.source ?? this.#parts.address,
          destination: end.lease.tunnelAddress,
          peer: end.peer,
          mtu: way?.mtu ?? this.#parts.mtu,
          innerMac,
        },
      }));
  }

  #open(key: string, host: string, innerMac: string | null): Tunnel {
    const tunnel = { id: this.#parts.ids.get('nexthop', key), key, host, innerMac, uses: 0 };
    this.#tunnels.set(key, tunnel);
    this.#byId.set(tunnel.id, tunnel);
    const own = this.#ofHost.get(host) ?? new Set();
    this.#ofHost.set(host, own.add(tunnel));
    this.#opened.add(host);
    return tunnel;
  }
}

function take<T>(set: Set<T>): T[] {
  const all = [...set];
  set.clear();
  return all;
}
