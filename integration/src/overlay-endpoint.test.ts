/**
 *   ┌ h1 ─────────┐  ┌ h2 ─────────┐  ┌ vtep 192.168.100.50 ──────┐  ┌ router 192.168.100.1 ──┐
 *   │ a 5.5.5.3   │  │ b 5.5.5.4   │  │ VXLAN device and bridge   │  │ scapy, for             │
 *   │ vrouterd    │  │ vrouterd    │  │ of the kernel             │  │ 100.100.100.100        │
 *   └──────┬──────┘  └──────┬──────┘  └──────┬────────────┬───────┘  └───────────┬────────────┘
 *          └────────────────┴──── underlay ──┴── ...      └ behind 5.5.5.99      │
 */
import test from 'ava';
import { Cluster, reaches } from './lab/cluster.js';
import { decode } from './lab/decoded.js';
import { sendHandMade } from './lab/hand-made.js';
import { network, type Document } from './lab/topology.js';
import { tunnelTo } from './lab/tunnels.js';
import { addMachine } from './lab/underlay.js';

const VNI = 3333;
const VTEP = '192.168.100.50';
const BEHIND = { mac: '02:00:00:00:00:99', address: '5.5.5.99' };
const ROUTER = '192.168.100.1';
const FAR = '100.100.100.100';

const endpoint = (name: string, address: string, encapsulation: string, where: Document): Document => ({
  apiVersion: 'vrouter/v1',
  kind: 'TunnelEndpoint',
  metadata: { name },
  spec: { address, encapsulations: [encapsulation], networks: [{ virtualNetwork: 'wide', ...where }] },
});

test("a VXLAN device and a bridge of the kernel's are one more host of the network", async (t) => {
  const cluster = await Cluster.create(t);
  const a = await cluster.guest(1, 'a', 'wide', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'wide', ['5.5.5.4']);
  await cluster.apply(
    network('wide', { vxlanId: VNI }),
    endpoint('linux', VTEP, 'VXLAN', { macs: [{ mac: BEHIND.mac, addresses: [BEHIND.address] }] }),
    ...[a, b].map(({ port }) => port),
  );

  const vtep = await addMachine(cluster.lab, cluster.fabric, 'vtep', VTEP);
  const behind = await cluster.lab.namespace('behind');
  await vtep.run('ip link add br0 up type bridge stp_state 0');
  await vtep.run(`ip link add vx0 mtu 1450 type vxlan id ${VNI} dstport 4789 local ${VTEP}`);
  for (const { address } of cluster.hosts) {
    await vtep.run(`bridge fdb append 00:00:00:00:00:00 dev vx0 dst ${address}`);
  }
  await vtep.run('ip link set vx0 master br0 up');
  await vtep.run(
    `ip link add port mtu 1450 type veth peer name eth0 mtu 1450 address ${BEHIND.mac} netns ${behind.name}`,
  );
  await vtep.run('ip link set port master br0 up');
  await behind.run(`ip address add ${BEHIND.address}/24 dev eth0`);
  await behind.run('ip link set eth0 up');

  for (const guest of [a, b]) {
    await reaches(guest.namespace, BEHIND.address);
    for (const answer of await guest.namespace.ping(BEHIND.address)) t.regex(answer, /ttl=64/);
    t.is((await behind.ping(guest.address)).length, 2);
  }
  const shown = await cluster.hosts[0].daemon.run('vrouter', 'get hosts TunnelEndpoint/linux -o json');
  t.like(JSON.parse(shown), { state: 'configured', encapsulation: 'VXLAN', tunnelAddress: VTEP, routes: 3 });
  // Whole super-frames both ways: what a kernel on the same machine wraps leaves cutting and checksums inside to others.
  const server = b.namespace.spawn('iperf3 --server --forceflush');
  await server.waitFor(/listening/);
  for (const direction of ['', '--reverse']) {
    const report = await behind.run(`iperf3 --client ${b.address} --time 1 ${direction} --json`);
    const { end } = JSON.parse(report) as { end: { sum_received: { bytes: number } } };
    t.true(end.sum_received.bytes > 1_000_000, `${end.sum_received.bytes} bytes ${direction}`);
  }
});

test('a router that speaks MPLSoGRE is sent what its prefix names, with its label, and what it sends is delivered', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  const a = await cluster.guest(1, 'a', 'wide', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'wide', ['5.5.5.4']);
  await cluster.apply(
    network('wide'),
    endpoint('router', ROUTER, 'MPLSoGRE', { flood: false, prefixes: [{ prefix: `${FAR}/32`, label: 20 }] }),
    ...[a, b].map(({ port }) => port),
  );
  const router = await addMachine(cluster.lab, cluster.fabric, 'router', ROUTER);
  // Asks for the MAC of the router; what comes before the answer is lost.
  await reaches(h1.namespace, ROUTER);
  const { label } = await tunnelTo(h2.daemon, 'b', a.address);
  t.is((await tunnelTo(h1.daemon, 'a', FAR)).label, 20);

  const capture = await router.capture('fabric0', `src host ${h1.address} and ip proto 47`);
  const to = { address: h1.address, mac: await h1.namespace.mac('fabric0') };
  const inner = { source: FAR, destination: a.address };
  await sendHandMade(router, to, [{ kind: 'gre', label, source: ROUTER, inner, id: 300 }]);
  await capture.stop();
  const fields = ['ip.src', 'ip.dst', 'mpls.label', 'mpls.ttl', 'icmp.type', 'icmp.ident'];
  const answers = await decode(capture.file, fields, { filter: 'icmp' });
  t.is(answers.length, 1);
  t.deepEqual(answers[0]['ip.src'], [h1.address, a.address]);
  t.deepEqual(answers[0]['ip.dst'], [ROUTER, FAR]);
  t.deepEqual([answers[0]['mpls.label'], answers[0]['mpls.ttl'], answers[0]['icmp.type']], [['20'], ['63'], ['0']]);
});
