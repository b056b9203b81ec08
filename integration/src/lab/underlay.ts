import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { run } from './process.js';

/** Where Redis is, in the network that is for it alone. */
export const REDIS_ADDRESS = '192.168.200.1';

export interface UnderlayOptions {
  /** Start of the names of its namespaces and hosts, where a lab has several. */
  readonly prefix?: string;
  /** How many hosts; 2 unless given. */
  readonly hosts?: number;
  /** MTU between the hosts; 1500 unless given. */
  readonly mtu?: number;
  /** false: segmentation and checksums are done before frames are on it, for captures that show what a wire would. */
  readonly offloads?: boolean;
}

/** A host's namespace, before anything runs there. */
export interface UnderlayHost {
  readonly name: string;
  readonly namespace: Namespace;
  /** Its addresses on the underlay. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/**
 * Hosts and what joins them: `fabric0` of each, on the network for tunnels, and `mgmt`, on the one for Redis. In `fabric` the other
 * ends have the name of the host, and that with an `m` behind it.
 */
export interface Underlay {
  readonly fabric: Namespace;
  readonly hosts: readonly UnderlayHost[];
}

export async function underlay(lab: Lab, options: UnderlayOptions = {}): Promise<Underlay> {
  const { prefix = '', mtu = 1500 } = options;
  const fabric = await lab.namespace(`${prefix}fabric`);
  const bridges = [...bridge('br-fabric', mtu), ...bridge('br-mgmt', 1500)];
  await batch(fabric, [...bridges, `address add ${REDIS_ADDRESS}/24 dev br-mgmt`]);
  const hosts: UnderlayHost[] = [];
  for (let n = 1; n <= (options.hosts ?? 2); n++) hosts.push(await cabled(lab, fabric, n, options));
  return { fabric, hosts };
}

async function cabled(lab: Lab, fabric: Namespace, n: number, options: UnderlayOptions): Promise<UnderlayHost> {
  const { prefix = '', mtu = 1500, offloads = true } = options;
  const name = `${prefix}h${n}`;
  const namespace = await lab.namespace(name);
  const host = { name, namespace, ipv4: `192.168.100.${10 + n}`, ipv6: `fd00:100::${10 + n}` };
  await batch(namespace, [
    ...cable(fabric, name, 'fabric0', mtu),
    ...cable(fabric, `${name}m`, 'mgmt', 1500),
    `address add ${host.ipv4}/24 dev fabric0`,
    `address add ${host.ipv6}/64 dev fabric0 nodad`,
    `address add 192.168.200.${10 + n}/24 dev mgmt`,
  ]);
  await batch(fabric, [`link set ${name} master br-fabric up`, `link set ${name}m master br-mgmt up`]);
  if (!offloads) {
    await namespace.run('ethtool -K fabric0 tx off tso off gso off gro off rx off');
    await fabric.run(`ethtool -K ${name} tx off tso off gso off gro off rx off`);
  }
  return host;
}

/** Joins a machine to the underlay that runs no vrouterd: a namespace with `fabric0`. */
export async function addMachine(lab: Lab, fabric: Namespace, name: string, ipv4: string): Promise<Namespace> {
  const namespace = await lab.namespace(name);
  await batch(namespace, [...cable(fabric, name, 'fabric0', 1500), `address add ${ipv4}/24 dev fabric0`]);
  await batch(fabric, [`link set ${name} master br-fabric up`]);
  return namespace;
}

/** One `ip` process for many lines. */
async function batch(namespace: Namespace, lines: readonly string[]): Promise<void> {
  await run(['ip', '-n', namespace.name, '-batch', '-'], { input: lines.join('\n') + '\n' });
}

const bridge = (name: string, mtu: number): readonly string[] => [
  `link add ${name} type bridge stp_state 0 mcast_snooping 0`,
  `link set ${name} mtu ${mtu} up`,
];

/** A pair of veths from `inner` in a host's namespace to `outer` beside the bridges. */
const cable = (fabric: Namespace, outer: string, inner: string, mtu: number): readonly string[] => [
  `link add ${inner} mtu ${mtu} type veth peer name ${outer} mtu ${mtu} netns ${fabric.name}`,
  `link set ${inner} up`,
];
