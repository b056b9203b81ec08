import type { ExecutionContext } from 'ava';
import type { Capture } from './capture.js';
import type { Daemon } from './daemon.js';
import { yaml } from './daemon.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { until } from './process.js';
import { SharedRedis } from './shared-redis.js';
import { type Document, inside, port } from './topology.js';
import { REDIS_ADDRESS, underlay, type UnderlayHost, type UnderlayOptions } from './underlay.js';

/**
 * Several hosts, each with its vrouterd, on an underlay of their own, and one Redis they share:
 *
 *   ┌ h1 ───────────────┐         ┌ fabric ──────────────────────┐         ┌ h2 ───────────────┐
 *   │ vrouterd  fabric0 ├─────────┤ h1   br-fabric            h2 ├─────────┤ fabric0  vrouterd │
 *   │ 192.168.100.11    │         │      192.168.100.0/24        │         │ 192.168.100.12    │
 *   │              mgmt ├─────────┤ h1m  br-mgmt             h2m ├─────────┤ mgmt              │
 *   │ 192.168.200.11    │         │      redis 192.168.200.1     │         │ 192.168.200.12    │
 *   └───────────────────┘         └──────────────────────────────┘         └───────────────────┘
 *
 * Tunnels and Redis have networks of their own, so that each can be cut alone. Guests are namespaces called `HOST-NAME`.
 */
export interface ClusterOptions extends UnderlayOptions {
  /** What hosts, or host number `n` (from 1), can wrap packets in, in order of preference; the daemon's default unless given. */
  readonly encapsulations?: readonly string[] | ((n: number) => readonly string[]);
  /** How tunnel packets pass at host number `n` (from 1); by packet sockets unless given. */
  readonly driver?: (n: number) => 'packet' | 'raw';
  /** Lines of YAML for every daemon's configuration, or for that of host number `n` (from 1). */
  readonly config?: string | ((n: number) => string);
  /** Whether tunnels end at IPv6 addresses. */
  readonly ipv6?: boolean;
  /** YAML of the daemons' `redis`, for a shared store made by the test. */
  readonly redis?: (n: number) => string;
  /** Words in front of the daemons' command. */
  readonly command?: readonly string[];
}

/** A vrouterd of a cluster, and what its host consists of. */
export interface Host {
  readonly name: string;
  /** Where its tunnels end. */
  readonly address: string;
  readonly daemon: Daemon;
  readonly namespace: Namespace;
}

/** A guest's namespace, and the port it has in a network. */
export interface ClusterGuest {
  readonly name: string;
  readonly host: Host;
  readonly namespace: Namespace;
  /** Its first address. */
  readonly address: string;
  readonly port: Document;
}

export class Cluster {
  private constructor(
    readonly lab: Lab,
    /** Where the bridges are that join the hosts; frames between hosts pass its interfaces `h1`, `h2` and so on. */
    readonly fabric: Namespace,
    readonly redis: SharedRedis,
    readonly hosts: readonly Host[],
  ) {}

  static async create(t: ExecutionContext, options: ClusterOptions = {}): Promise<Cluster> {
    return Cluster.open(await Lab.create(t), options);
  }

  /** Builds a cluster in a lab; the lab's end is its end. */
  static async open(lab: Lab, options: ClusterOptions = {}): Promise<Cluster> {
    const { fabric, hosts: namespaces } = await underlay(lab, options);
    const redis = await SharedRedis.start(fabric, REDIS_ADDRESS);
    const hosts = await Promise.all(namespaces.map((host, i) => startHost(lab, host, i + 1, redis, options)));
    return new Cluster(lab, fabric, redis, hosts);
  }

  /** A namespace for a guest of host number `n` (from 1), and its port with these addresses. */
  async guest(
    n: number,
    name: string,
    network: string,
    addresses: readonly string[],
    more: Document = {},
  ): Promise<ClusterGuest> {
    const host = this.hosts[n - 1];
    const namespace = await this.lab.namespace(`${host.name}-${name}`);
    const { attach, ...spec } = more as { attach?: Document };
    const where = inside(namespace, { configure: true, ...attach });
    const document = port(name, network, where, { host: host.name, addresses, ...spec });
    return { name, host, namespace, address: addresses[0], port: document };
  }

  /** Applies resources at the first host that runs, and waits until every host that runs has realised them. */
  async apply(...documents: readonly Document[]): Promise<void> {
    const running = this.hosts.filter(({ daemon }) => daemon.running);
    await running[0].daemon.run('vrouter', 'apply -f -', { input: yaml(documents) });
    await this.realised(running);
  }

  /** Waits until hosts know the configuration the first of them knows, and have realised what of it is theirs. */
  async realised(hosts: readonly Host[] = this.hosts): Promise<void> {
    const wanted = await configuration(hosts[0]);
    for (const host of hosts) {
      const knows = async (): Promise<true | undefined> => ((await configuration(host)) === wanted ? true : undefined);
      await until(`${host.name} knows the configuration`, knows);
    }
    await Promise.all(hosts.map(({ daemon }) => daemon.run('vrouter', 'wait --timeout 20', { timeoutMs: 25_000 })));
  }

  /** Captures what passes between host number `n` and the others. */
  capture(n: number, filter = ''): Promise<Capture> {
    return this.fabric.capture(this.hosts[n - 1].name, filter);
  }

  /** Cuts a host off from Redis, silently as a broken cable does, or joins it again. Its tunnels do not notice. */
  async redisReachable(n: number, reachable: boolean): Promise<void> {
    await this.fabric.run(`ip link set ${this.hosts[n - 1].name}m ${reachable ? 'up' : 'down'}`);
  }
}

/** Waits until a guest's pings to an address are answered: routes take a moment from one host to the next. */
export async function reaches(from: Namespace, address: string, timeoutMs = 10_000): Promise<void> {
  const command = ['ping', '-n', '-c', '1', '-W', '1', address];
  const asked = async (): Promise<true | undefined> => ((await from.attempt(command)).code === 0 ? true : undefined);
  await until(`${from.name} reaches ${address}`, asked, timeoutMs);
}

/** Everything configured, as a host knows it. */
async function configuration({ daemon }: Host): Promise<string> {
  const objects = JSON.parse(await daemon.run('vrouter', 'get all -o json')) as readonly Document[];
  return JSON.stringify(objects.map(({ kind, metadata, spec }) => [kind, metadata, spec]).sort());
}

async function startHost(
  lab: Lab,
  { name, namespace, ipv4, ipv6 }: UnderlayHost,
  n: number,
  redis: SharedRedis,
  options: ClusterOptions,
): Promise<Host> {
  const address = options.ipv6 === true ? ipv6 : ipv4;
  const wrapping = typeof options.encapsulations === 'function' ? options.encapsulations(n) : options.encapsulations;
  const encapsulations = wrapping ? `, encapsulations: [${wrapping.join(', ')}]` : '';
  const config = typeof options.config === 'function' ? options.config(n) : options.config;
  const store = options.redis?.(n) ?? redis.url;
  const daemon = await lab.daemon({
    host: name,
    namespace,
    tunnel: `{ address: '${address}'${encapsulations}, driver: ${options.driver?.(n) ?? 'packet'} }`,
    config: [`redis: ${store}`, ...(config === undefined ? [] : [config])].join('\n'),
    ...(options.command ? { prefix: options.command } : {}),
  });
  return { name, address, daemon, namespace };
}
