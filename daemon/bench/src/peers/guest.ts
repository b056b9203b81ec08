import { fileURLToPath } from 'node:url';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Namespace } from '../../../../integration/dist/lab/namespace.js';

/** The generator has this CPU to itself as far as the scheduler likes; everything else runs where it may. */
const GENERATOR_CPU = 0;

/** The guests of every contender have these addresses; no two contenders share a network. */
const PREFIX_LENGTH = 24;
export const ADDRESS = { a: '10.99.0.3', b: '10.99.0.4' } as const;
export const NETWORK = '10.99.0.0/24';

/** A program of ../../native, where scripts/bench compiled it. */
export function tool(name: 'generate' | 'meter' | 'tap-loop' | 'tap-guest' | 'udp' | 'mirrored'): string {
  return fileURLToPath(new URL(`../../../../.tmp/bench/bin/${name}`, import.meta.url));
}

/** Packets to be generated. */
export interface Load {
  /** Length of a frame, without checksum. */
  readonly bytes: number;
  readonly seconds: number;
  /** Packets a second; 0: as many as go. */
  readonly rate: number;
  /** Datagrams or SYNs of so many flows in turn, beginning with the one of this number; else datagrams of 1,024 flows. */
  readonly flows?: { readonly kind: 'udp' | 'syn'; readonly count: number; readonly first: number };
}

/** Where the packets a guest receives are counted. */
export interface Counted {
  readonly namespace: Namespace;
  readonly device: string;
  readonly column: 'rx' | 'tx';
}

/** One end of the traffic. */
export interface Guest {
  readonly namespace: Namespace;
  readonly address: string;
  readonly mac: string;
  readonly counted: Counted;
  /** Sends packets to the other guest's discard port; resolves when it is over. */
  generate(to: Guest, load: Load): Promise<void>;
}

/** Arguments that tell a generator what stands in its frames. */
export function frameArguments(from: Guest, to: Guest): readonly string[] {
  return [String(GENERATOR_CPU), from.mac, from.address, to.mac, to.address];
}

/** A guest whose interface `eth0` is in a network namespace. */
export class NamespaceGuest implements Guest {
  readonly counted: Counted;

  constructor(
    readonly namespace: Namespace,
    readonly address: string,
    readonly mac: string,
  ) {
    this.counted = { namespace, device: 'eth0', column: 'rx' };
  }

  async generate(to: Guest, { bytes, seconds, rate, flows }: Load): Promise<void> {
    const load = ['eth0', String(bytes), String(seconds), String(rate)];
    const numbered = flows ? [flows.kind, String(flows.count), String(flows.first)] : [];
    const command = [tool('generate'), ...load, ...frameArguments(this, to), ...numbered];
    await this.namespace.run(command, { timeoutMs: (seconds + 30) * 1000 });
  }
}

/** The two namespaces of a contender's guests. */
export async function guestNamespaces(lab: Lab, id: string): Promise<readonly [Namespace, Namespace]> {
  return [await lab.namespace(`${id}-a`), await lab.namespace(`${id}-b`)];
}

/** Gives the `eth0` of both namespaces their addresses, and makes guests of them. */
export async function addressedGuests([a, b]: readonly [Namespace, Namespace]): Promise<{ a: Guest; b: Guest }> {
  const guest = async (namespace: Namespace, address: string): Promise<Guest> => {
    await namespace.run(`ip address add ${address}/${PREFIX_LENGTH} dev eth0`);
    await namespace.run('ip link set eth0 up');
    return new NamespaceGuest(namespace, address, await namespace.mac());
  };
  return settled({ a: await guest(a, ADDRESS.a), b: await guest(b, ADDRESS.b) });
}

/** What is the same for all: no IPv6 chatter, addresses known beforehand, discarded packets dropped before the stack. */
export async function settled({ a, b }: { a: Guest; b: Guest }): Promise<{ a: Guest; b: Guest }> {
  for (const [self, other] of [
    [a, b],
    [b, a],
  ]) {
    await self.namespace.waitForLink();
    await self.namespace.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=1');
    await self.namespace.run(`ip neigh replace ${other.address} lladdr ${other.mac} dev eth0 nud permanent`);
    await self.namespace.run(['/usr/sbin/nft', DISCARD]);
  }
  return { a, b };
}

const DISCARD = `
table netdev bench {
  chain ingress { type filter hook ingress device eth0 priority 0; udp dport 9 drop; udp dport 10000-19999 drop; tcp dport 10000-19999 drop; }
}`;
