import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Namespace } from '../../../../integration/dist/lab/namespace.js';
import type { Contender, Path } from './contender.js';
import { addressedGuests, guestNamespaces } from './guest.js';
import { heldGuests } from './held-guest.js';

/** The kernel's own ways between two guests: the floor, and what most hosts use. */

/** Nothing between the guests: a veth pair. */
export const veth: Contender = {
  id: 'veth',
  title: 'bare veth pair',
  async build(lab) {
    const namespaces = await guestNamespaces(lab, 'veth');
    const [a, b] = namespaces;
    await a.run(`ip link add eth0 type veth peer name eth0 netns ${b.name}`);
    return addressedGuests(namespaces);
  },
};

/** Makes a veth pair: `device` in the host's namespace, eth0 in the guest's. */
export async function addVeth(host: Namespace, device: string, guest: Namespace): Promise<void> {
  await host.run(`ip link add ${device} type veth peer name eth0 netns ${guest.name}`);
  await host.run(`ip link set ${device} up`);
}

async function bridge(lab: Lab, id: string): Promise<Namespace> {
  const host = await lab.namespace(`${id}-h`);
  await host.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=1');
  await host.run('ip link add br0 up type bridge stp_state 0');
  return host;
}

/** A Linux bridge with a veth to each guest. */
export const bridgeVeth: Contender = {
  id: 'bridge-veth',
  title: 'Linux bridge, veth',
  async build(lab): Promise<Path> {
    const host = await bridge(lab, 'bridge-veth');
    const namespaces = await guestNamespaces(lab, 'bridge-veth');
    for (const [i, guest] of namespaces.entries()) {
      await addVeth(host, `port${i}`, guest);
      await host.run(`ip link set port${i} master br0`);
    }
    return addressedGuests(namespaces);
  },
};

/** A Linux bridge with two TAPs, held by programs that stand in for QEMU. */
export const bridgeHeld: Contender = {
  id: 'bridge-held',
  title: 'Linux bridge, TAP of QEMU',
  async build(lab): Promise<Path> {
    const host = await bridge(lab, 'bridge-held');
    for (const tap of ['port0', 'port1']) {
      await host.run(`ip tuntap add ${tap} mode tap vnet_hdr`);
      await host.run(`ip link set ${tap} master br0 up`);
    }
    return heldGuests(lab, 'bridge-held', { namespace: host, a: { tap: 'port0' }, b: { tap: 'port1' } });
  },
};
