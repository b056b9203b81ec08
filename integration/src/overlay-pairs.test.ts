/**
 *   ┌ h1 ──────────────┐   ┌ h2 ──────────────┐   ┌ h3 ──────────────┐
 *   │ red  10.1.0.3    │   │ red  10.1.0.4    │   │ red  10.1.0.5    │   red bridges: its frames cross as they are
 *   │ blue 10.2.0.3    │   │ blue 10.2.0.4    │   │ blue 10.2.0.5    │   blue only routes: its packets cross without Ethernet
 *   └────────┬─────────┘   └────────┬─────────┘   └────────┬─────────┘
 *            └── 192.168.100.11 ────┴──── .12 ─────────────┴ .13
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { broken, decode, type Decoded } from './lab/decoded.js';
import { Cluster, type ClusterGuest, reaches } from './lab/cluster.js';
import { network } from './lab/topology.js';
import { bridgedLabels, tunnelTo } from './lab/tunnels.js';

const HOSTS = [1, 2, 3];
const NETWORKS = ['red', 'blue'] as const;
const BYTES = 300_000;

const pairsOf = (guests: readonly ClusterGuest[]): [ClusterGuest, ClusterGuest][] =>
  guests.flatMap((a) => guests.filter((b) => b !== a).map((b): [ClusterGuest, ClusterGuest] => [a, b]));

async function guestsOf(cluster: Cluster, name: string, i: number): Promise<ClusterGuest[]> {
  return Promise.all(HOSTS.map((n) => cluster.guest(n, `${name}${n}`, name, [`10.${i + 1}.0.${n + 2}`])));
}

/** Tells every client how many bytes it sent, once it has ended its side. */
const SERVER = `require('net').createServer({ allowHalfOpen: true }, (s) => { let n = 0;
  s.on('data', (d) => (n += d.length)); s.on('end', () => s.end(String(n))); }).listen(7000, () => console.log('serving'))`;
const CLIENT = `const s = require('net').connect(7000, process.argv[1]); s.end(Buffer.alloc(${BYTES}, 'overlay')); s.pipe(process.stdout)`;

/** Sends some hundred kilobytes from everybody to everybody; each stream has to arrive whole. */
async function streams(t: ExecutionContext, guests: readonly ClusterGuest[]): Promise<void> {
  const servers = guests.map(({ namespace }) => namespace.spawn([process.execPath, '-e', SERVER]));
  await Promise.all(servers.map((server) => server.waitFor(/serving/)));
  const heard = await Promise.all(
    pairsOf(guests).map(([a, b]) => a.namespace.run([process.execPath, '-e', CLIENT, b.address])),
  );
  t.deepEqual(heard, Array(heard.length).fill(String(BYTES)));
}

const FIELDS = ['ip.src', 'ip.dst', 'ip.proto', 'udp.dstport', 'gre.proto', 'mpls.label', 'vxlan.vni', 'icmp.type'];

/** What an echo request between hosts looks like from outside, and the number it carries. */
function outer(encapsulation: string, frame: Decoded): readonly unknown[] {
  const number = Number(frame[encapsulation === 'VXLAN' ? 'vxlan.vni' : 'mpls.label'][0]);
  return [frame['ip.proto'][0], frame['udp.dstport'][0], frame['gre.proto'][0], number];
}

const OUTER: Readonly<Record<string, readonly unknown[]>> = {
  MPLSoUDP: ['17', '6635', undefined],
  MPLSoGRE: ['47', undefined, '0x8847'],
  VXLAN: ['17', '4789', undefined],
};

async function everyPair(t: ExecutionContext, encapsulation: string): Promise<void> {
  const cluster = await Cluster.create(t, { hosts: 3, encapsulations: [encapsulation], offloads: false });
  const [red, blue] = await Promise.all(NETWORKS.map((name, i) => guestsOf(cluster, name, i)));
  await cluster.apply(
    network('red', { subnets: [{ prefix: '10.1.0.0/24' }] }),
    network('blue', { subnets: [{ prefix: '10.2.0.0/24' }], forwardingMode: 'l3' }),
    ...[...red, ...blue].map(({ port }) => port),
  );
  const pairs = [...pairsOf(red), ...pairsOf(blue)];
  await Promise.all(pairs.map(([a, b]) => reaches(a.namespace, b.address)));
  const captures = await Promise.all(HOSTS.map((n) => cluster.capture(n)));
  await Promise.all(pairs.map(([a, b]) => a.namespace.ping(b.address, 2)));
  await streams(t, red);
  await streams(t, blue);

  const labels = (await Promise.all(cluster.hosts.map(({ daemon }) => bridgedLabels(daemon)))).flat();
  for (const capture of captures) {
    await capture.stop();
    t.deepEqual(await broken(capture.file, encapsulation === 'VXLAN' ? [] : labels), []);
  }
  const requests = await decode(captures[0].file, FIELDS, { filter: 'icmp.type == 8', bridgedLabels: labels });
  for (const [a, b] of pairs.filter(([a]) => a.host === cluster.hosts[0])) {
    const own = requests.filter((frame) => frame['ip.src'][1] === a.address && frame['ip.dst'][1] === b.address);
    t.is(own.length, 2, `${a.name} to ${b.name}`);
    const { label } = await tunnelTo(a.host.daemon, a.name, b.address);
    for (const frame of own) {
      t.deepEqual([frame['ip.src'][0], frame['ip.dst'][0]], [a.host.address, b.host.address]);
      // Bridged frames carry another label than routed packets; under VXLAN both carry the network's number.
      const seen = outer(encapsulation, frame);
      t.deepEqual(seen.slice(0, 3), OUTER[encapsulation]);
      if (b.name.startsWith('blue') || encapsulation === 'VXLAN') t.is(seen[3], label);
      else t.true(labels.includes(seen[3] as number), `label ${String(seen[3])}`);
    }
  }
}

for (const encapsulation of Object.keys(OUTER)) {
  test(`every pair on three hosts pings and speaks TCP over ${encapsulation}, and tshark finds no fault`, (t) =>
    everyPair(t, encapsulation));
}
