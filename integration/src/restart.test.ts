/**
 *   ┌ a ───────────┐   ┌ host ─────────────────────┐   ┌ b ───────────┐
 *   │ eth0 5.5.5.3 ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4 │
 *   └──────────────┘   │        kill -9, start     │   └──────────────┘
 *                      └───────────────────────────┘
 */
import test from 'ava';
import type { InetRouteDump, MplsDump, NexthopDump, VifDump, VxlanDump } from '../../daemon/src/control/dumps.js';
import type { FlowDump } from '../../daemon/src/control/flow-dumps.js';
import { Cluster, reaches } from './lab/cluster.js';
import type { Daemon } from './lab/daemon.js';
import { openTcp } from './lab/tcp.js';
import { inside, network, port, portOf, twoGuests } from './lab/topology.js';
import { tunnelTo } from './lab/tunnels.js';

/** What has to be the same before and after. */
async function identities(daemon: Daemon): Promise<unknown> {
  const vifs = await daemon.dump<VifDump[]>('vif', '--list');
  const nexthops = await daemon.dump<NexthopDump[]>('nh', '--list');
  const { vif } = await portOf(daemon, 'a');
  const routes = await daemon.dump<InetRouteDump[]>('rt', `--dump ${vif.vrf}`);
  return {
    vifs: vifs.map(({ id, name, type, mac, vrf, flags, vmi }) => ({ id, name, type, mac, vrf, flags, vmi })),
    nexthops,
    routes,
    links: await linkIndices(daemon),
  };
}

/** Kernel indices of the host's interfaces: one that was made anew has another. */
async function linkIndices(daemon: Daemon): Promise<Record<string, number>> {
  const links = JSON.parse(await daemon.namespace.run('ip -json link')) as { ifname: string; ifindex: number }[];
  return Object.fromEntries(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
}

for (const kind of ['veth', 'tap']) {
  test(`${kind} ports survive kill -9 of the daemon: same devices, same ids, guests talk again at once`, async (t) => {
    const { daemon, a } = await twoGuests(t, {}, { port: kind });
    await a.ping('5.5.5.4');
    const before = await identities(daemon);

    await daemon.stop('SIGKILL');
    t.false(await a.answers('5.5.5.4', 1));
    const started = Date.now();
    const restarting = daemon.start();
    while (!(await a.answers('5.5.5.4', 1))) t.true(Date.now() - started < 20_000, 'guests never talked again');
    const tookMs = Date.now() - started;
    t.log(`guests talk ${tookMs} ms after the start`);
    await restarting;
    // It takes about one second; a machine that is busy with other things gets its time.
    t.true(tookMs < 6_000);
    t.deepEqual(await identities(daemon), before);
  });
}

test('a TCP session survives kill -9 of the daemon, and its flows are what they were', async (t) => {
  const { daemon, a, b } = await twoGuests(t);
  const session = await openTcp(a, b, '5.5.5.4', 5001);
  const lasting = async (): Promise<unknown[]> =>
    (await daemon.dump<FlowDump[]>('flow', ['--match', '*:5001'])).map((flow) => ({
      ...flow,
      ...{ packets: null, bytes: null, ageMs: null, idleMs: null },
    }));
  const before = await lasting();
  t.is(before.length, 2);
  t.like(before[0], { action: 'forward', tcp: ['S', 'Sr', 'E', 'Er'] });

  await daemon.stop('SIGKILL');
  const late = session.arrives('sent while nobody was there', 30_000);
  await daemon.start();
  t.true(await late);
  await session.say('and on it goes');
  t.deepEqual(await lasting(), before);
  t.true((await daemon.dump<FlowDump[]>('flow', ['--match', '*:5001'])).every(({ packets }) => packets > 2));
  await session.close();
});

test('objects applied in another order after a restart keep their ids', async (t) => {
  const { daemon, lab, a, b } = await twoGuests(t);
  const before = await portOf(daemon, 'b');
  await daemon.run('vrouter', 'delete VirtualMachineInterface a');
  await daemon.stop();
  await daemon.start();
  const c = await lab.namespace('c');
  await daemon.apply(network('blue'), port('c', 'blue', inside(c)), port('b', 'blue', inside(b)));
  const after = await portOf(daemon, 'b');
  t.is(after.vif.id, before.vif.id);
  t.is((await c.dhcp()).ip, '5.5.5.3');
  await c.ping('5.5.5.4');
  t.is((await a.attempt('ip link show dev eth0')).code, 1);
});

/** What others may send to a host, and what it does with that. */
async function numbers(daemon: Daemon): Promise<unknown> {
  return {
    labels: await daemon.dump<MplsDump[]>('mpls', '--dump'),
    vnis: await daemon.dump<VxlanDump[]>('vxlan', '--dump'),
  };
}

test('labels and network identifiers outlive the daemon: another host goes on sending with those it knew', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  const [a, c] = await Promise.all(['a', 'c'].map((name, i) => cluster.guest(1, name, 'blue', [`5.5.5.${3 + i}`])));
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.5']);
  await cluster.apply(network('blue'), network('red'), a.port, b.port, c.port);
  await reaches(b.namespace, a.address);
  const before = await numbers(h1.daemon);
  const { label } = await tunnelTo(h2.daemon, 'b', a.address);

  await h1.daemon.stop();
  await h1.daemon.start();
  await cluster.realised();
  await reaches(b.namespace, a.address);
  t.deepEqual(await numbers(h1.daemon), before);

  // The other one hears nothing of what comes now.
  await cluster.redisReachable(2, false);
  await h1.daemon.stop('SIGKILL');
  await h1.daemon.start();
  await reaches(b.namespace, a.address, 20_000);
  await reaches(b.namespace, c.address, 20_000);
  t.deepEqual(await numbers(h1.daemon), before);
  t.is((await tunnelTo(h2.daemon, 'b', a.address)).label, label);

  // It may still send for what is deleted now.
  const numberOf = async (name: string): Promise<number> =>
    (await h1.daemon.object<{ status: { networkId: number } }>('VirtualNetwork', name)).status.networkId;
  const red = await numberOf('red');
  await h1.daemon.run('vrouter', 'delete VirtualMachineInterface c');
  await h1.daemon.run('vrouter', 'delete VirtualNetwork red');
  await h1.daemon.stop();
  await h1.daemon.start();
  const d = await cluster.guest(1, 'd', 'green', ['5.5.5.4']);
  await h1.daemon.apply(network('green'), d.port);
  await h1.daemon.run('vrouter', 'wait --timeout 20', { timeoutMs: 25_000 });
  t.not(await numberOf('green'), red);
  const { labels: had } = before as { labels: MplsDump[] };
  const { labels: has } = (await numbers(h1.daemon)) as { labels: MplsDump[] };
  const known = new Map(had.map(({ label: number, nexthop }) => [number, nexthop]));
  const added = has.filter(({ label: number }) => !known.has(number));
  t.true(added.length > 0, 'the guest of another network has labels of its own');
  t.false(await b.namespace.answers(c.address, 1), 'nobody else gets what was for the guest that is gone');
  await cluster.redisReachable(2, true);
});
