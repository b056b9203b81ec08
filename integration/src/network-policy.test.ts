import test from 'ava';
import type { DropstatsDump, InetRouteDump } from '../../daemon/src/control/dumps.js';
import type { Daemon } from './lab/daemon.js';
import { portOf } from './lab/topology.js';
import { A, B, between, connects, leftNetwork, policy, rightNetwork, serve, twoNetworks } from './lab/two-networks.js';

const ICMP = policy('p', between({ protocol: 'icmp' }));

async function flowDrops(daemon: Daemon): Promise<number> {
  return (await daemon.dump<DropstatsDump>('dropstats'))['Flow Action Drop'];
}

/** The host route to an address in the VRF of a port. */
async function routeTo(daemon: Daemon, port: string, address: string): Promise<InetRouteDump | undefined> {
  const { vif } = await portOf(daemon, port);
  const routes = await daemon.dump<InetRouteDump[]>('rt', `--dump ${vif.vrf}`);
  return routes.find(({ prefix, ppl }) => prefix === address && ppl === 32);
}

test('without a policy nothing passes between networks; with one, what it says does, and its routes are there', async (t) => {
  const { daemon, a, b } = await twoNetworks(t);
  t.false(await a.answers(B));
  t.is(await routeTo(daemon, 'a', B), undefined);

  await daemon.apply(ICMP, leftNetwork(['p']), rightNetwork(['p']));
  await a.ping(B);
  await b.ping(A);
  const leaked = await routeTo(daemon, 'a', B);
  t.like(leaked, { flags: ['P'], stitchedMac: null, nexthop: (await routeTo(daemon, 'b', B))?.nexthop });

  await serve(b, 80);
  const before = await flowDrops(daemon);
  t.false(await connects(a, B, 80));
  t.true((await flowDrops(daemon)) > before);
});

test('a ping that runs stops at once when its policy goes, and goes on when it is back', async (t) => {
  const { daemon, a } = await twoNetworks(t, ICMP, leftNetwork(['p']), rightNetwork(['p']));
  const ping = a.spawn(['ping', '-n', '-i', '0.1', B]);
  await ping.waitFor(/icmp_seq=10 /);
  await daemon.apply(policy('p', between({ protocol: 'icmp', action: 'deny' })));
  const stopped = ping.output.length;
  await new Promise((resolve) => setTimeout(resolve, 800));
  t.false(ping.output.slice(stopped).includes('bytes from'), ping.output.slice(stopped));
  await daemon.apply(ICMP);
  await ping.waitFor(/bytes from/, 2000, ping.output.length);
  await daemon.apply(leftNetwork([]), rightNetwork([]));
  const gone = ping.output.length;
  await new Promise((resolve) => setTimeout(resolve, 800));
  t.false(ping.output.slice(gone).includes('bytes from'), ping.output.slice(gone));
});

test('a policy of one direction lets one side begin, and the other answer', async (t) => {
  const tcp = policy(
    'p',
    between({ protocol: 'tcp', direction: '>', destination: { virtualNetwork: 'right', ports: [80] } }),
  );
  const { a, b } = await twoNetworks(t, tcp, leftNetwork(['p']), rightNetwork(['p']));
  for (const guest of [a, b]) for (const port of [80, 81]) await serve(guest, port);
  t.true(await connects(a, B, 80));
  t.false(await connects(a, B, 81));
  t.false(await connects(b, A, 80));
});
