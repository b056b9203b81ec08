/** The hosts of a cluster as `vrouter get hosts` shows them, and a host that moves to a store it can share. */
import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import type { StatusDump } from '../../daemon/src/control/dumps.js';
import type { HostDump } from '../../daemon/src/control/host-dumps.js';
import { Cluster } from './lab/cluster.js';
import { Lab } from './lab/lab.js';
import { PrivateRedis } from './lab/private-redis.js';
import { until } from './lab/process.js';
import { network, port } from './lab/topology.js';

test('every host shows all hosts, and answers through the tunnel while it is cut off from Redis', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  const a = await cluster.guest(2, 'a', 'blue', ['5.5.5.3']);
  await cluster.apply(network('blue'), a.port);
  const seen = async (name: string): Promise<HostDump> =>
    JSON.parse(await h1.daemon.run('vrouter', `get hosts ${name} -o json`)) as HostDump;
  const isIn = (state: HostDump['state']) => async (): Promise<true | undefined> =>
    (await seen('h2')).state === state ? true : undefined;

  await until('h1 knows the routes of h2', async () => ((await seen('h2')).routes > 0 ? true : undefined));
  t.like(await seen('h1'), { self: true, state: 'alive', tunnelAddress: h1.address });
  t.like(await seen('h2'), { self: false, state: 'alive', tunnelAddress: h2.address, lag: { entries: 0 }, invalid: 0 });
  const table = await h1.daemon.run('vrouter', 'get hosts');
  t.regex(table, /^NAME +TUNNEL +ENCAPSULATIONS +VERSION +STATE +LEASE +LAG +ROUTES +KEEPALIVE\nh1 \(this host\) +/);
  const { code, stderr } = await h1.daemon.attempt('vrouter', 'get hosts h9');
  t.is(code, 1);
  t.is(stderr, 'vrouter: host h9 does not exist; vrouter get hosts lists all\n');

  await cluster.redisReachable(2, false);
  await until('h2 has no lease', isIn('keepaliveAnswered'), 20_000);
  const cut = await seen('h2');
  t.is(cut.leaseMs, null);
  t.true(cut.keepaliveMs !== null && cut.keepaliveMs < 1000);
  t.regex(await h1.daemon.run('vrouter', 'status'), /warning +host h2: has no lease but answers through the tunnel/);
  await cluster.redisReachable(2, true);
  await until('h2 has a lease again', isIn('alive'), 20_000);
});

test('a host moves from its embedded store to a shared one, and nothing is made anew', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  const redis = await PrivateRedis.start(t, ['--unixsocket', `${lab.directory}/shared.sock`]);
  const documents = [network('blue'), port('a', 'blue', { type: 'tap' })];
  await daemon.apply(...documents);
  const before = await daemon.run('vrouter', 'get all -o yaml');
  const { epoch } = (await daemon.dump<StatusDump>('vrouter', 'status')).store;

  const file = `${lab.directory}/shared.yaml`;
  await writeFile(file, `${await readFile(daemon.configFile, 'utf8')}redis: unix://${lab.directory}/shared.sock\n`);
  t.regex(await daemon.run('vrouter', ['store', 'copy', '--to', file]), /^2 objects in \d+ keys copied to /);
  const again = await daemon.attempt('vrouter', ['store', 'copy', '--to', file]);
  t.is(again.code, 1);
  t.regex(again.stderr, /keys that begin with vrouter:; use another prefix, or --force to replace them$/m);

  await daemon.stop();
  await writeFile(daemon.configFile, await readFile(file, 'utf8'));
  await daemon.start();
  t.like((await daemon.dump<StatusDump>('vrouter', 'status')).store, { mode: 'remote', connected: true, epoch });
  await daemon.run('vrouter', 'wait --timeout 20', { timeoutMs: 25_000 });
  t.is(await daemon.run('vrouter', 'get all -o yaml'), before);
  t.regex(await daemon.apply(...documents), /unchanged\n.*unchanged\n$/);
  await redis.stop();
});
