/**
 *   ┌ h1 ──────────────┐   ┌ h2 ────────────┐  ┌ h3 ────────────┐  ┌ h4 ────────────┐  ┌ vtep ──────────┐
 *   │ a blue 5.5.5.3   │   │ x2 red 7.7.7.2 │  │ x3 red 7.7.7.3 │  │ x4 red 7.7.7.4 │  │ 192.168.100.50 │
 *   │ b blue 5.5.5.4   │   │ MPLSoUDP       │  │ MPLSoGRE       │  │ VXLAN          │  │ no vrouterd    │
 *   └────────┬─────────┘   └───────┬────────┘  └───────┬────────┘  └───────┬────────┘  └───────┬────────┘
 *            └─────────────────────┴──── underlay ─────┴───────────────────┴───────────────────┘
 */
import test from 'ava';
import type { StatusDump } from '../../daemon/src/control/dumps.js';
import type { Capture } from './lab/capture.js';
import { Cluster, type ClusterGuest } from './lab/cluster.js';
import { broken, decode } from './lab/decoded.js';
import { mirrored, mirrorTo, resolved } from './lab/mirror.js';
import { until } from './lab/process.js';
import { type Document, network, portOf } from './lab/topology.js';
import { policy } from './lab/two-networks.js';
import { addMachine } from './lab/underlay.js';

const ENCAPSULATIONS = ['MPLSoUDP', 'MPLSoGRE', 'VXLAN'];
const VTEP = '192.168.100.50';
const VNI = 4242;
const PINGS = 3;

const metadata = (type: number, name: string): string =>
  Buffer.concat([Buffer.of(type, name.length), Buffer.from(name), Buffer.of(0xff, 0)]).toString('hex');
const BLUE = 'default-domain:default-project:blue';

/** Stops a capture once it has so many frames. */
async function framesOf(capture: Capture, least: number, filter = ''): Promise<Record<string, readonly string[]>[]> {
  const fields = ['udp.payload', 'ip.src', 'ip.ttl', 'icmp.type', 'udp.length', 'eth.dst', 'eth.type', 'vxlan.vni'];
  await until(`${least} copies`, async () => {
    const frames = await decode(capture.file, fields, { filter });
    return frames.length >= least ? true : undefined;
  });
  await capture.stop();
  return decode(capture.file, fields, { filter });
}

test('copies reach analyzers on other hosts in each encapsulation, with header, without, and in a VXLAN of their own', async (t) => {
  const cluster = await Cluster.create(t, {
    hosts: 4,
    encapsulations: (n) => (n === 1 ? ENCAPSULATIONS : [ENCAPSULATIONS[n - 2]]),
  });
  const [h1] = cluster.hosts.map(({ daemon }) => daemon);
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.3']);
  const b = await cluster.guest(1, 'b', 'blue', ['5.5.5.4']);
  const analyzers = await Promise.all(
    [2, 3, 4].map((n) => cluster.guest(n, `x${n}`, 'red', [`7.7.7.1${n}`], { packetMode: true })),
  );
  const connected = policy('mirroring', {
    source: { virtualNetwork: 'blue' },
    destination: { virtualNetwork: 'red' },
  });
  const policies = ['mirroring'];
  const red = (more: Document = {}): Document => network('red', { subnets: [{ prefix: '7.7.7.0/24' }], ...more });
  const ports = [a, b, ...analyzers].map(({ port }) => port);
  await cluster.apply(network('blue'), red(), ...ports);
  const vtep = await addMachine(cluster.lab, cluster.fabric, 'vtep', VTEP);
  const mirror = (...mirrors: readonly Document[]): Promise<void> => cluster.apply(mirrored(a.port, ...mirrors));
  const ping = (): Promise<readonly string[]> => a.namespace.ping(b.address, PINGS);

  // Without header: to the MAC of one on another host, no policy needed. There the frames are of sessions that are not the analyzer's,
  // hence packet mode. A VXLAN cannot say whom they are for: the mirror stays unresolved.
  const macOf = async ({ host, name }: ClusterGuest): Promise<string> => (await portOf(host.daemon, name)).mac;
  const raw = async (guest: ClusterGuest): Promise<Document> => ({
    ...{ analyzerName: `raw-${guest.name}`, juniperHeader: false, routingInstance: 'red' },
    analyzerMac: await macOf(guest),
  });
  await mirror(...(await Promise.all(analyzers.map(raw))));
  const byMpls = analyzers.slice(0, 2);
  for (const { name } of byMpls) await resolved(h1, `raw-${name}`);
  const byVxlan = await mirrorTo(h1, 'raw-x4');
  t.is(byVxlan.state, 'unresolved');
  t.regex(byVxlan.reason ?? '', /^host h4 is reached by VXLAN, /);
  const raws = await Promise.all(byMpls.map(({ namespace }) => namespace.capture('eth0', 'icmp')));
  await ping();
  const bMac = await macOf(b);
  for (const capture of raws) {
    const frames = await framesOf(capture, 2 * PINGS);
    t.is(frames.length, 2 * PINGS);
    t.deepEqual(frames.map((frame) => frame['icmp.type'][0]).sort(), ['0', '0', '0', '8', '8', '8']);
    t.true(frames.some((frame) => frame['eth.dst'][0] === bMac));
    t.deepEqual(await broken(capture.file), []);
  }

  // With header: three mirrors of one interface, each through its encapsulation.
  const wrapped = analyzers.map(({ name, address }) => ({ analyzerName: name, analyzerIp: address }));
  await cluster.apply(connected, network('blue', { policies }), red({ policies }), mirrored(a.port, ...wrapped));
  for (const { name } of analyzers) await resolved(h1, name);
  const captures = await Promise.all(analyzers.map(({ namespace }) => namespace.capture('eth0', 'udp port 8099')));
  await ping();
  for (const capture of captures) {
    const frames = await framesOf(capture, 2 * PINGS, 'udp.length == 145');
    t.is(frames.length, 2 * PINGS);
    t.deepEqual(new Set(frames.map((frame) => frame['ip.src'][0])), new Set([a.address]));
    const payloads = frames.map((frame) => frame['udp.payload'][0].replaceAll(':', ''));
    for (const type of [3, 4]) {
      t.is(payloads.filter((payload) => payload.startsWith(metadata(type, BLUE))).length, PINGS);
    }
    t.deepEqual(await broken(capture.file), []);
  }
  // What does not fit the way is cut into fragments, and whole again at the analyzer.
  const large = await analyzers[0].namespace.capture('eth0', 'udp port 8099 or ip[6:2] & 0x1fff != 0');
  await a.namespace.ping(b.address, 2, '-s 1422');
  const whole = await framesOf(large, 4, `udp.length == ${145 - 56 + 1422}`);
  t.is(whole.length, 4);

  // In a VXLAN to who is no host of the cluster, as stock tools decode it.
  await mirror({
    ...{ analyzerName: 'static', nhMode: 'static', juniperHeader: false },
    staticNhHeader: { vtepDstIp: VTEP, vni: VNI },
  });
  await resolved(h1, 'static');
  const outside = await vtep.capture('fabric0', 'udp port 4789');
  await ping();
  const vxlan = await framesOf(outside, 2 * PINGS, 'vxlan && icmp');
  t.is(vxlan.length, 2 * PINGS);
  for (const frame of vxlan) {
    t.is(frame['vxlan.vni'][0], String(VNI));
    t.deepEqual(frame['ip.src'][0], '192.168.100.11');
  }
  t.deepEqual(await broken(outside.file), []);
  t.like(await mirrorTo(h1, 'static'), { isDynamic: false, vni: VNI, state: 'resolved' });

  for (const { daemon } of cluster.hosts) {
    const { books } = (await daemon.dump<StatusDump>('vrouter', 'status')).datapath;
    t.is(books.received + books.generated + books.copied, books.sent + books.dropped + books.consumed);
  }
});
