/**
 * Directories of several hosts on a real Redis that loses connections, entries, content, or itself. Needs no root.
 *
 *     hosts a, b, c ── redis-server ── a connection of the test's own, which plays trimming and loss
 *     hosts a, b ── sentinel ── master, replica
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { HOST_FIELD } from 'vrouterd/dist/control/host-log.js';
import { type HostRoute, hostRouteKey } from 'vrouterd/dist/control/host-route.js';
import { openRedis, redisSettings } from 'vrouterd/dist/control/redis-connection.js';
import { type Host, inet, line, redisServer, routes, startedHost, until } from './lab/directories.js';
import { freePort, PrivateRedis } from './lab/private-redis.js';

const many = (count: number): HostRoute[] => Array.from({ length: count }, (_, i) => inet(i));

test('a log trimmed under a slow reader leads to the difference, and what others wrote is put right', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedHost(t, { url: server.url }, 'a');
  const b = await startedHost(t, { url: server.url }, 'b');
  a.directory.publish(routes(...many(5)));
  await until(t, () => b.known.get('a')?.size === 5);
  b.news.splice(0);

  // In one step: two changes, of whose entries only the last survives.
  const [[last]] = await commands.xrevrange('vrouter:host:a:log', '+', '-', 'COUNT', 1);
  const [ms, sequence] = last.split('-').map(Number);
  const field = (n: number): string => hostRouteKey(inet(n));
  await commands
    .multi()
    .hset('vrouter:host:a:routes', field(1), JSON.stringify(inet(1, 77)))
    .hdel('vrouter:host:a:routes', field(2))
    .xadd('vrouter:host:a:log', `${ms}-${sequence + 1}`, field(1), JSON.stringify(inet(1, 77)))
    .xadd('vrouter:host:a:log', `${ms}-${sequence + 2}`, field(2), '')
    .xtrim('vrouter:host:a:log', 'MAXLEN', 1)
    .exec();
  await until(t, () => b.news.length >= 2);
  t.deepEqual(b.news, [line('set', 'a', 1, 77), line('delete', 'a', 2, 0)]);

  await until(t, () => b.news.length >= 4);
  t.deepEqual(b.news.slice(2).sort(), [line('set', 'a', 1, 1), line('set', 'a', 2, 2)]);
});

test('after Redis was away nothing is told but what changed meanwhile, within two seconds', async (t) => {
  const redis = await PrivateRedis.start(t, ['--appendonly', 'yes', '--appendfsync', 'always']);
  const a = await startedHost(t, redis, 'a');
  const b = await startedHost(t, redis, 'b');
  a.directory.publish(routes(...many(20)));
  await until(t, () => b.known.get('a')?.size === 20);
  a.news.splice(0);
  b.news.splice(0);

  await redis.stop('SIGKILL');
  await until(t, async () => (await b.directory.hosts('a'))[0].lag === null);
  // Links go down and up; the last state counts.
  a.directory.publish(routes(...many(19)));
  a.directory.publish(routes(...many(19), inet(100)));
  await sleep(3_000);
  t.deepEqual(b.news, []);
  t.like(await b.directory.hosts('a'), [{ state: 'alive', leaseMs: null, lag: null, routes: 20 }]);
  t.like(await a.directory.hosts('a'), [{ lag: { entries: 2 } }]);

  await redis.start();
  await until(t, () => b.news.length >= 2, 2_000);
  t.deepEqual(b.news, [line('set', 'a', 100, 100), line('delete', 'a', 19, 0)]);
  await sleep(1_500);
  t.is(b.news.length, 2);
  t.deepEqual(a.news, []);
});

test('a store that comes back empty is filled again, and nobody notices', async (t) => {
  const redis = await PrivateRedis.start(t);
  const a = await startedHost(t, redis, 'a');
  const b = await startedHost(t, redis, 'b');
  a.directory.publish(routes(...many(20)));
  b.directory.publish(routes(inet(50)));
  await until(t, () => b.known.get('a')?.size === 20 && a.known.get('b')?.size === 1);
  a.news.splice(0);
  b.news.splice(0);

  await redis.stop('SIGKILL');
  a.directory.publish(routes(...many(19)));
  await redis.start();
  await until(t, () => b.news.length > 0);
  await sleep(2_000);
  t.deepEqual(b.news, [line('delete', 'a', 19, 0)]);
  t.deepEqual(a.news, []);
  const commands = await openRedis(redis);
  t.is(await commands.hlen('vrouter:host:a:routes'), 20);
  commands.disconnect();
});

test('a host that stops answering without a word is told from one whose server is only slow', async (t) => {
  const redis = await PrivateRedis.start(t);
  const a = await startedHost(t, redis, 'a');
  const b = await startedHost(t, redis, 'b');
  a.directory.publish(routes(inet(1)));
  await until(t, () => b.known.get('a')?.size === 1);
  b.news.splice(0);

  redis.freeze(true);
  await sleep(12_000);
  a.directory.publish(routes(inet(2)));
  redis.freeze(false);
  await until(t, () => b.news.length >= 2, 2_000);
  t.deepEqual(b.news, [line('set', 'a', 2, 2), line('delete', 'a', 1, 0)]);
  await sleep(2_000);
  t.is(b.news.length, 2);
});

test('a host without lease is withdrawn where it does not answer through the tunnel, and returns', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedHost(t, { url: server.url }, 'a');
  a.directory.publish(routes(inet(1)));
  const [silent, answering] = await Promise.all([
    startedHost(t, { url: server.url }, 'b'),
    startedHost(t, { url: server.url }, 'c', (host) => (host === 'a' ? 1.25 : null)),
  ]);
  await until(t, () => silent.known.get('a')?.size === 1 && answering.known.get('a')?.size === 1);

  const died = performance.now();
  await a.directory.stop();
  await until(t, () => silent.news.includes('gone a'), 40_000);
  const seconds = (performance.now() - died) / 1000;
  t.true(seconds > 7 + 5 - 1 && seconds < 30, `withdrawn after ${seconds} s`);
  t.like(await silent.directory.hosts('a'), [{ state: 'withdrawn', leaseMs: null, keepaliveMs: null }]);
  t.like(await answering.directory.hosts('a'), [{ state: 'keepaliveAnswered', leaseMs: null, keepaliveMs: 1.25 }]);
  t.false(answering.news.includes('gone a'));
  t.deepEqual(silent.directory.troubles(), ['hosts withdrawn: 1, nothing is sent there; see vrouter get hosts']);
  t.deepEqual(answering.directory.troubles(), [
    'host a: has no lease but answers through the tunnel; see why it does not reach the shared store',
  ]);
  await t.throwsAsync(answering.directory.hosts('z'), { code: 'notFound', message: /^host z does not exist; / });

  // Who comes meanwhile asks before it sends anything there.
  const [deaf, late] = await Promise.all([
    startedHost(t, { url: server.url }, 'd'),
    startedHost(t, { url: server.url }, 'e', (host) => (host === 'a' ? 2 : null)),
  ]);
  await until(t, () => late.known.get('a')?.size === 1, 10_000);
  t.is(deaf.known.get('a')?.size, 0);
  await until(t, () => deaf.news.includes('gone a'), 15_000);

  // Somebody takes it out of the index for good, and it comes back nevertheless.
  const [[entry]] = await commands.xrange('vrouter:hosts', '-', '+', 'COUNT', 1);
  await commands.multi().del('vrouter:host:a:routes', 'vrouter:host:a:log').xdel('vrouter:hosts', entry).exec();
  const lists = async ({ directory }: Host): Promise<string> =>
    (await directory.hosts()).map(({ name }) => name).join(' ');
  await until(t, async () => (await lists(silent)) === 'b c d e', 15_000);
  t.regex(await lists(answering), /^a /, 'it answers, so it is there');

  const again = await startedHost(t, { url: server.url }, 'a');
  again.directory.publish(routes(inet(1)));
  await until(t, () => silent.known.get('a')?.size === 1, 2_000);
  t.like(await silent.directory.hosts('a'), [{ state: 'alive' }]);
});

test('a failover that loses writes is noticed, and they are written again', async (t) => {
  const master = await PrivateRedis.start(t);
  const replica = await PrivateRedis.start(t, ['--replicaof', '127.0.0.1', String(master.port)]);
  const file = join(master.folder, 'sentinel.conf');
  const settings = [
    `sentinel monitor vrouter 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds vrouter 500',
    'sentinel failover-timeout vrouter 3000',
  ];
  writeFileSync(file, `${settings.join('\n')}\n`);
  const port = await freePort();
  await PrivateRedis.sentinel(t, file, port);
  const redis = redisSettings.parse({
    url: 'redis://vrouter',
    sentinels: { master: 'vrouter', addresses: [{ host: '127.0.0.1', port }] },
  });
  const a = await startedHost(t, redis, 'a');
  const b = await startedHost(t, redis, 'b');
  a.directory.publish(routes(...many(10)));
  await until(t, () => b.known.get('a')?.size === 10);
  const onReplica = await openRedis(replica);
  t.teardown(() => {
    onReplica.disconnect();
  });
  await until(t, async () => (await onReplica.hlen('vrouter:host:a:routes')) === 11);

  replica.freeze(true);
  a.directory.publish(routes(...many(8), inet(30)));
  await until(t, () => b.known.get('a')?.size === 9);
  await master.stop('SIGKILL');
  replica.freeze(false);
  b.news.splice(0);
  // On a machine that is too busy Sentinel does not trust its clock, and does nothing for half a minute.
  await until(t, async () => (await onReplica.hget('vrouter:host:a:routes', hostRouteKey(inet(30)))) !== null, 120_000);
  t.is(await onReplica.hlen('vrouter:host:a:routes'), 10);
  a.directory.publish(routes(...many(8), inet(30), inet(31)));
  await until(t, () => b.news.length > 0, 30_000);
  t.deepEqual(b.news, [line('set', 'a', 31, 31)]);
});

test('whatever happens to the store, all hosts end with what the others have', async (t) => {
  const redis = await PrivateRedis.start(t, ['--appendonly', 'yes', '--appendfsync', 'always']);
  const hosts: [string, Host][] = [];
  for (const name of ['a', 'b', 'c']) hosts.push([name, await startedHost(t, redis, name)]);
  const wanted = new Map<string, Map<string, HostRoute>>();
  const random = (below: number): number => Math.floor(Math.random() * below);
  const mishaps: ((name: string) => Promise<unknown>)[] = [
    async () => disturb(['CLIENT', 'KILL', 'TYPE', 'normal']),
    async (name) => disturb(['XTRIM', `vrouter:host:${name}:log`, 'MAXLEN', '1']),
    async (name) => disturb(['DEL', `vrouter:host:${name}:log`]),
    async (name) => disturb(['DEL', `vrouter:host:${name}:routes`]),
    async (name) => disturb(['HDEL', `vrouter:host:${name}:routes`, hostRouteKey(inet(random(30)))]),
    async (name) => disturb(['DEL', `vrouter:host:${name}:lease`]),
    async () => disturb(['DEL', 'vrouter:hosts']),
    async () => disturb(['FLUSHALL']),
    async () => disturb(['SET', 'vrouter:epoch', String(Math.random())]),
    async () => {
      await redis.stop('SIGKILL');
      await redis.start();
    },
  ];
  async function disturb([command, ...words]: string[]): Promise<void> {
    const connection = await openRedis(redis);
    await connection.call(command, ...words).catch(() => undefined);
    connection.disconnect();
  }

  for (let i = 0; i < 120; i += 1) {
    const [name, { directory }] = hosts[random(hosts.length)];
    const published = routes(
      ...many(30)
        .filter(() => random(2) === 0)
        .map((_, n) => inet(n, 16 + random(3))),
    );
    wanted.set(name, published);
    directory.publish(published);
    if (random(4) === 0) {
      const mishap = random(mishaps.length);
      const victim = hosts[random(hosts.length)][0];
      t.log(`${i}: mishap ${mishap} of ${victim}`);
      await mishaps[mishap](victim);
    }
    await sleep(random(40));
  }
  for (const [reader, { known }] of hosts) {
    for (const [name, published] of wanted) {
      if (name === reader) continue;
      const sorted = (all: ReadonlyMap<string, HostRoute> | undefined): string =>
        [...(all ?? [])]
          .map(([key, { label }]) => `${key} ${label}`)
          .sort()
          .join('\n');
      for (let i = 0; i < 1_000 && sorted(known.get(name)) !== sorted(published); i += 1) await sleep(20);
      t.is(sorted(known.get(name)), sorted(published), `${name} as ${reader} knows it`);
    }
  }
  const connection = await openRedis(redis);
  for (const [name, published] of wanted) {
    const keys = [HOST_FIELD, ...published.keys()].sort().join();
    const stored = async (): Promise<string> => (await connection.hkeys(`vrouter:host:${name}:routes`)).sort().join();
    await until(t, async () => (await stored()) === keys, 10_000);
  }
  connection.disconnect();
});
