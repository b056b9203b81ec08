import { Cluster } from '../../../../integration/dist/lab/cluster.js';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import { network } from '../../../../integration/dist/lab/topology.js';
import { underlay } from '../../../../integration/dist/lab/underlay.js';
import { ENCAPSULATIONS, type Encapsulation } from '../../../dist/wire/encapsulation.js';
import type { Path } from './contender.js';
import type { FlowDurations, FlowGroup, FlowRow, FlowValues } from './flow-groups.js';
import { ADDRESS, NETWORK, NamespaceGuest, addressedGuests, guestNamespaces, settled } from './guest.js';
import { addVeth } from './kernel-paths.js';
import { packets, ping, tcp } from './measures.js';

/** Guests of two hosts, which are namespaces joined by a bridge with an MTU of 1,500 bytes: the kernel's own tunnel, and ours. */

/** What is left for guests: outer IPv4, UDP and VXLAN, and the Ethernet header inside. */
const VXLAN_MTU = 1450;
const VNI = 77;
const VXLAN_PORT = 4789;

export async function tunnelGroup(lab: Lab): Promise<FlowGroup> {
  const rows: FlowRow[] = [row('kernel: VXLAN device and bridge, veth', await kernelVxlan(lab))];
  for (const encapsulation of ENCAPSULATIONS) {
    rows.push(row(`vrouterd: ${encapsulation}, TAP`, await vrouterd(lab, encapsulation, 'tap')));
  }
  rows.push(row('vrouterd: MPLSoUDP, veth', await vrouterd(lab, 'MPLSoUDP', 'veth')));
  return {
    id: 'hosts',
    title: 'Guests of two hosts',
    columns: [
      { key: 'tcp', title: 'TCP', digits: 1, unit: 1 },
      { key: 'packets60', title: '60 B', digits: 0, unit: 1000 },
      { key: 'packets1400', title: '1,400 B', digits: 0, unit: 1000 },
      { key: 'p50', title: 'round trip', digits: 0, unit: 1 },
      { key: 'p99', title: '99 of 100', digits: 0, unit: 1 },
    ],
    rows,
    ratio: { key: 'tcp', title: 'TCP, ratio' },
    remark:
      'One TCP stream in Gbit/s, packets in thousands a second, round trips in microseconds. Both hosts and both guests share the CPUs of one machine.',
  };
}

const row = (title: string, path: Path): FlowRow => ({ title, run: (durations) => measured(path, durations) });

async function measured(path: Path, durations: FlowDurations): Promise<FlowValues> {
  const small = await packets(path, 60, durations.packets);
  const large = await packets(path, 1400, durations.packets);
  const stream = await tcp(path, durations.tcp);
  const trips = await ping(path, durations.roundTrips);
  return {
    tcp: stream.tcp,
    packets60: small.packets60,
    packets1400: large.packets1400,
    ...(trips ? { p50: trips.p50, p99: trips.p99 } : {}),
  };
}

/** Each host has a bridge with the guest's veth and a VXLAN device that leads to the other host. */
async function kernelVxlan(lab: Lab): Promise<Path> {
  const { hosts } = await underlay(lab, { prefix: 'k-' });
  const guests = await guestNamespaces(lab, 'k');
  for (const [i, { namespace, ipv4 }] of hosts.entries()) {
    const remote = hosts[1 - i].ipv4;
    await namespace.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=1');
    await namespace.run(`ip link add br0 mtu ${VXLAN_MTU} up type bridge stp_state 0`);
    await namespace.run(
      `ip link add vx0 type vxlan id ${VNI} local ${ipv4} remote ${remote} dstport ${VXLAN_PORT} dev fabric0`,
    );
    await namespace.run('ip link set vx0 master br0 up');
    await addVeth(namespace, 'port', guests[i]);
    await namespace.run(`ip link set port mtu ${VXLAN_MTU} master br0`);
    await guests[i].run(`ip link set eth0 mtu ${VXLAN_MTU}`);
  }
  return addressedGuests(guests);
}

/** A cluster of its own: daemons take over another encapsulation only by a restart. */
async function vrouterd(lab: Lab, encapsulation: Encapsulation, kind: 'tap' | 'veth'): Promise<Path> {
  const prefix = `${encapsulation.slice(-3).toLowerCase()}-${kind}-`;
  const cluster = await Cluster.open(lab, { prefix, encapsulations: [encapsulation] });
  const attach = { port: kind };
  const a = await cluster.guest(1, 'a', 'bench', [ADDRESS.a], { attach });
  const b = await cluster.guest(2, 'b', 'bench', [ADDRESS.b], { attach });
  await cluster.apply(network('bench', { subnets: [{ prefix: NETWORK }], mtu: VXLAN_MTU }), a.port, b.port);
  return settled({
    a: new NamespaceGuest(a.namespace, ADDRESS.a, await a.namespace.mac()),
    b: new NamespaceGuest(b.namespace, ADDRESS.b, await b.namespace.mac()),
  });
}
