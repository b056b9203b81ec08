/**
 *   ┌ h1 ──────────┐              ┌ h2 ──────────┐
 *   │ a 5.5.5.3    ├── MTU 1500 ──┤ b 5.5.5.4    │     wide: a network whose guests were told 1500, more than tunnels leave
 *   └──────────────┘              └──────────────┘
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Cluster, type ClusterGuest, reaches } from './lab/cluster.js';
import { network, type Document } from './lab/topology.js';

interface Pair {
  readonly cluster: Cluster;
  readonly a: ClusterGuest;
  readonly b: ClusterGuest;
}

async function pair(t: ExecutionContext, encapsulation: string, spec: Document): Promise<Pair> {
  const cluster = await Cluster.create(t, { encapsulations: [encapsulation] });
  const a = await cluster.guest(1, 'a', 'wide', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'wide', ['5.5.5.4']);
  await cluster.apply(network('wide', spec), a.port, b.port);
  await reaches(a.namespace, b.address);
  return { cluster, a, b };
}

/** What the kernel of a guest learns to be the largest packet to an address; undefined: it was told nothing. */
async function learnt({ a, b }: Pair): Promise<number | undefined> {
  const { stdout } = await a.namespace.attempt([
    'ping',
    '-n',
    '-c',
    '2',
    '-W',
    '1',
    '-M',
    'do',
    '-s',
    '1472',
    b.address,
  ]);
  const said = /mtu ?= ?(\d+)/.exec(stdout)?.[1];
  return said === undefined ? undefined : Number(said);
}

/** Bytes of IPv4, of UDP or GRE, of label or identifier, and of the Ethernet header where frames are bridged. */
const LEFT: readonly (readonly [string, Document, number])[] = [
  ['MPLSoUDP', { forwardingMode: 'l3' }, 1500 - 32],
  ['MPLSoUDP', {}, 1500 - 32 - 14],
  ['MPLSoGRE', { forwardingMode: 'l3' }, 1500 - 28],
  ['VXLAN', {}, 1500 - 36 - 14],
];

for (const [encapsulation, spec, left] of LEFT) {
  const mode = spec['forwardingMode'] === 'l3' ? 'routed' : 'bridged';
  test(`a ${mode} packet too big for ${encapsulation} is answered with ${left}, and cut where that is allowed`, async (t) => {
    const of = await pair(t, encapsulation, { mtu: 1500, ...spec });
    t.is(await learnt(of), left);
    // Exactly so much passes, as the guest's kernel now cuts the rest by itself without being told not to.
    await of.a.namespace.ping(of.b.address, 2, ['-M', 'do', '-s', String(left - 28)]);
    await of.b.namespace.run('ip route flush cache');
    for (const size of [1472, 3000]) await of.b.namespace.ping(of.a.address, 2, ['-M', 'dont', '-s', String(size)]);
  });
}

test('guests are told by DHCP what tunnels leave, and nothing needs to be cut', async (t) => {
  const of = await pair(t, 'MPLSoUDP', {});
  const lease = await of.a.namespace.dhcp();
  t.is(Number(lease['mtu']), 1500 - 32 - 14);
  await of.a.namespace.ping(of.b.address, 2, ['-M', 'do', '-s', String(1500 - 32 - 14 - 28)]);
});
