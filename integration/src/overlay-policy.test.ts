/**
 *   ┌ h1 ────────────────────────┐             ┌ h2 ─────────────────────┐
 *   │ a  left  10.1.0.3  clients ├── underlay ─┤ b  right 10.2.0.3  web  │     a policy lets ICMP and the web pass, the group of
 *   │ c  left  10.1.0.4          │             │                         │     the web server only clients
 *   └────────────────────────────┘             └─────────────────────────┘
 */
import test from 'ava';
import type { FlowDump } from '../../daemon/src/control/flow-dumps.js';
import { Cluster, reaches } from './lab/cluster.js';
import { network } from './lab/topology.js';
import { between, connects, group, leftNetwork, policy, rightNetwork, serve } from './lab/two-networks.js';

test('a policy and a group whose members are on another host decide as they do on one', async (t) => {
  const cluster = await Cluster.create(t);
  const a = await cluster.guest(1, 'a', 'left', ['10.1.0.3'], { securityGroups: ['clients'] });
  const c = await cluster.guest(1, 'c', 'left', ['10.1.0.4']);
  const b = await cluster.guest(2, 'b', 'right', ['10.2.0.3'], { securityGroups: ['web'] });
  await cluster.apply(
    policy(
      'web',
      between({ protocol: 'icmp' }),
      between({ protocol: 'tcp', direction: '>', destination: { virtualNetwork: 'right', ports: [80, 81] } }),
    ),
    group('clients', { ingress: [{ protocol: 'icmp' }] }),
    group('web', { ingress: [{ protocol: 'icmp' }, { protocol: 'tcp', ports: [80], remoteGroup: 'clients' }] }),
    leftNetwork(['web']),
    rightNetwork(['web']),
    ...[a, b, c].map(({ port }) => port),
  );
  await reaches(a.namespace, b.address);
  for (const answer of await a.namespace.ping(b.address)) t.regex(answer, /ttl=63/);
  for (const tcpPort of [80, 81, 82]) await serve(b.namespace, tcpPort);
  await serve(a.namespace, 80);
  t.true(await connects(a.namespace, b.address, 80));
  t.false(await connects(a.namespace, b.address, 81), 'the group offers only 80');
  t.false(await connects(a.namespace, b.address, 82), 'the policy lets only 80 and 81 pass');
  t.false(await connects(c.namespace, b.address, 80), 'c is no client');
  t.false(await connects(b.namespace, a.address, 80), 'the rule has one direction');

  const refused = async (n: number): Promise<string[]> => {
    const flows = await cluster.hosts[n - 1].daemon.dump<FlowDump[]>('flow', '-l');
    const denied = flows.filter(({ dropReason, destinationPort }) => dropReason !== null && destinationPort < 1024);
    return [
      ...new Set(denied.map((one) => `${one.source} > ${one.destination}:${one.destinationPort} ${one.dropReason}`)),
    ].sort();
  };
  // Who is asked: the sender's host for the sender's rules, the receiver's for the receiver's.
  t.deepEqual(await refused(2), [
    '10.1.0.3 > 10.2.0.3:81 OutSG',
    '10.1.0.4 > 10.2.0.3:80 OutSG',
    '10.2.0.3 > 10.1.0.3:80 Policy',
  ]);
  t.deepEqual(await refused(1), ['10.1.0.3 > 10.2.0.3:82 Policy']);
});

test('a network of frames only stretches over hosts: guests choose their addresses', async (t) => {
  const cluster = await Cluster.create(t);
  const a = await cluster.guest(1, 'a', 'frames', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'frames', ['5.5.5.4']);
  await cluster.apply(network('frames', { forwardingMode: 'l2', floodUnknownUnicast: true }), a.port, b.port);
  await reaches(a.namespace, b.address);
  await a.namespace.run('ip address add 172.30.0.3/24 dev eth0');
  await b.namespace.run('ip address add 172.30.0.4/24 dev eth0');
  for (const answer of await a.namespace.ping('172.30.0.4')) t.regex(answer, /ttl=64/);
});

const SIX = [{ prefix: '10.6.0.0/24' }, { prefix: 'fd06::/64' }];

/** Tunnels end at addresses of this family. On an IPv4 underlay the pairs of three hosts speak in all encapsulations. */
const UNDERLAYS = [
  ['MPLSoUDP', 'IPv4'],
  ['MPLSoUDP', 'IPv6'],
  ['MPLSoGRE', 'IPv6'],
  ['VXLAN', 'IPv6'],
] as const;

for (const [encapsulation, family] of UNDERLAYS) {
  test(`both families pass over ${encapsulation} on an ${family} underlay, bridged and routed`, async (t) => {
    const cluster = await Cluster.create(t, { ipv6: family === 'IPv6', encapsulations: [encapsulation] });
    const guests = await Promise.all(
      ['bridged', 'routed'].flatMap((name) =>
        [1, 2].map((n) => cluster.guest(n, `${name}${n}`, name, [`10.6.0.${n + 2}`, `fd06::${n + 2}`])),
      ),
    );
    await cluster.apply(
      network('bridged', { subnets: SIX }),
      network('routed', { subnets: SIX, forwardingMode: 'l3' }),
      ...guests.map(({ port }) => port),
    );
    for (const from of [guests[0], guests[2]]) {
      await reaches(from.namespace, '10.6.0.4');
      await reaches(from.namespace, 'fd06::4');
      t.is((await from.namespace.ping('fd06::4', 2, '-s 1200')).length, 2);
      t.is((await from.namespace.ping('10.6.0.4', 2, '-s 1200')).length, 2);
    }
  });
}
