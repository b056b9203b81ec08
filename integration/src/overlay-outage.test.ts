/**
 *   ┌ h1 ──────────┐  ┌ h2 ─────────┐  ┌ h3 ─────────┐
 *   │ a 5.5.5.11   │  │ b 5.5.5.21  │  │ e 5.5.5.31  │     tunnels on one network, Redis on another:
 *   │ c 5.5.5.12   │  │             │  │             │     it stops, hosts are killed or cut off from it
 *   │ d 5.5.5.13   │  │             │  │             │
 *   └──────┬───────┘  └──────┬──────┘  └──────┬──────┘
 *          └─────────── underlay ─────────────┘
 */
import test from 'ava';
import type { InetRouteDump, NexthopDump } from '../../daemon/src/control/dumps.js';
import { Cluster, type ClusterGuest, type Host, reaches } from './lab/cluster.js';
import type { Namespace } from './lab/namespace.js';
import { Pings } from './lab/probe.js';
import { run, sleep, until } from './lab/process.js';
import { openTcp } from './lab/tcp.js';
import { network, portOf } from './lab/topology.js';

/** How long Redis is away, s; `scripts/test --outage SECONDS` says another time. */
const OUTAGE_SECONDS = Number(process.env['VROUTER_TEST_OUTAGE'] ?? 3);
/** Within this time after its return others know what happened meanwhile, ms. */
const CONSISTENT_MS = 2_000;

async function blue(cluster: Cluster, ...guests: ClusterGuest[]): Promise<void> {
  await cluster.apply(network('blue'), ...guests.map(({ port }) => port));
}

/** Whether a host sends packets of a guest's network for an address into a tunnel. */
async function tunnels({ daemon }: Host, guest: string, address: string): Promise<boolean> {
  const { vif } = await portOf(daemon, guest);
  const { code, stdout } = await daemon.attempt('rt', `--get ${address}/32 --vrf ${vif.vrf} --json`);
  if (code !== 0) return false;
  const { nexthop } = JSON.parse(stdout) as InetRouteDump;
  // It may be gone by now.
  const nh = await daemon.attempt('nh', `--get ${nexthop} --json`);
  if (nh.code !== 0) return false;
  const [found] = [JSON.parse(nh.stdout) as NexthopDump | NexthopDump[]].flat();
  return /^tunnel$/i.test(found.type);
}

async function gone(host: Host, guest: string, address: string, timeoutMs: number): Promise<void> {
  const isGone = async (): Promise<true | undefined> => ((await tunnels(host, guest, address)) ? undefined : true);
  await until(`${host.name} has no tunnel to ${address}`, isGone, timeoutMs);
}

/** A guest goes away with its namespace, to come back. */
const away = (guest: Namespace): Promise<string> => run(['ip', 'netns', 'delete', guest.name]);
const back = (guest: Namespace): Promise<string> => run(['ip', 'netns', 'add', guest.name]);

test('while Redis is away known paths lose nothing, and soon after its return all know what happened', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  const [a, c, d] = await Promise.all(
    ['a', 'c', 'd'].map((name, i) => cluster.guest(1, name, 'blue', [`5.5.5.${11 + i}`])),
  );
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.21']);
  await blue(cluster, a, b, c, d);
  await Promise.all([a, c, d].map(({ address }) => reaches(b.namespace, address)));
  const session = await openTcp(a.namespace, b.namespace, b.address, 5001);
  const pings = new Pings(a.namespace, b.address);
  await sleep(500);

  await cluster.redis.stop();
  await session.say('one');
  await away(c.namespace);
  await d.namespace.delete();
  const refused = await h1.daemon.attempt('vrouter', 'apply -f -', { input: JSON.stringify(network('red')) });
  t.is(refused.code, 1);
  t.regex(refused.stderr, /^vrouter: .*(store|Redis)/);
  await sleep(OUTAGE_SECONDS * 500);
  await back(c.namespace);
  await sleep(OUTAGE_SECONDS * 500);
  await session.say('two');

  await cluster.redis.start();
  const returned = Date.now();
  await reaches(b.namespace, c.address);
  const tookMs = Date.now() - returned;
  t.log(`reached again ${tookMs} ms after the return of Redis`);
  // Asked with a tool, whose start takes its own time.
  await gone(h2, 'b', d.address, 2 * CONSISTENT_MS);
  t.true(tookMs < CONSISTENT_MS, `${tookMs} ms`);
  await session.say('three');
  const { sent, lost } = await pings.stop();
  t.true(sent > (20 * OUTAGE_SECONDS) / 2, `${sent} pings sent`);
  t.is(lost, 0, `of ${sent} pings`);
  await session.close();
});

test('a killed host is withdrawn and returns; one that is cut off from Redis only keeps its traffic', async (t) => {
  const cluster = await Cluster.create(t, { hosts: 3 });
  const [h1, , h3] = cluster.hosts;
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.11']);
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.21']);
  const e = await cluster.guest(3, 'e', 'blue', ['5.5.5.31']);
  await blue(cluster, a, b, e);
  await reaches(a.namespace, b.address);
  await reaches(a.namespace, e.address);
  const pings = new Pings(a.namespace, b.address);

  await cluster.redisReachable(2, false);
  await h3.daemon.stop('SIGKILL');
  const killed = Date.now();
  await gone(h1, 'a', e.address, 40_000);
  t.log(`withdrawn ${Date.now() - killed} ms after it was killed`);
  t.true(Date.now() - killed > 5_000, 'not before its lease is gone');
  // The other one has no lease by now either, and answers through the tunnel.
  await sleep(3_000);
  t.true(await tunnels(h1, 'a', b.address));

  await h3.daemon.start();
  await reaches(a.namespace, e.address, 20_000);
  await cluster.redisReachable(2, true);
  await sleep(2_000);
  await reaches(b.namespace, e.address, 20_000);
  const { sent, lost } = await pings.stop();
  t.is(lost, 0, `of ${sent} pings`);
});

test('a host that missed part of a log, because it was trimmed meanwhile, learns the rest another way', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  const [a, c] = await Promise.all(['a', 'c'].map((name, i) => cluster.guest(1, name, 'blue', [`5.5.5.${11 + i}`])));
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.21']);
  await blue(cluster, a, b, c);
  await reaches(b.namespace, a.address);
  await reaches(b.namespace, c.address);
  await away(c.namespace);
  await gone(h2, 'b', c.address, 10_000);

  await cluster.redisReachable(2, false);
  const length = Number(await cluster.redis.say('XLEN', 'vrouter:host:h1:log'));
  await a.namespace.delete();
  await back(c.namespace);
  await until('h1 told of both', async () =>
    Number(await cluster.redis.say('XLEN', 'vrouter:host:h1:log')) > length ? true : undefined,
  );
  await sleep(500);
  await cluster.redis.say('XTRIM', 'vrouter:host:h1:log', 'MAXLEN', '0');
  await cluster.redisReachable(2, true);
  await reaches(b.namespace, c.address, 20_000);
  await gone(h2, 'b', a.address, 20_000);
  t.true(await tunnels(h2, 'b', c.address));
  t.true(h1.daemon.running);
});
