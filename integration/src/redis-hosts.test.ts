/**
 * Directories of several hosts on one real Redis, which is private to each test. Needs no root, only redis-server.
 *
 *     hosts a, b ... ── redis.sock ── redis-server ── a connection of the test's own, which plays trimming, failover, loss
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { EmbeddedRedis } from 'vrouterd/dist/control/embedded-redis.js';
import { type HostChange, type HostRoute, hostRouteKey } from 'vrouterd/dist/control/host-route.js';
import { openRedis } from 'vrouterd/dist/control/redis-connection.js';
import { RedisHosts } from 'vrouterd/dist/control/redis-hosts.js';

type Connection = Awaited<ReturnType<typeof openRedis>>;

const log = { info: () => undefined, warn: () => undefined };

async function redisServer(t: ExecutionContext): Promise<{ server: EmbeddedRedis; commands: Connection }> {
  const path = mkdtempSync(join(tmpdir(), 'vrouterd-hosts-'));
  const server = new EmbeddedRedis({ directory: join(path, 'redis'), log });
  await server.start();
  const commands = await openRedis({ url: server.url });
  t.teardown(async () => {
    commands.disconnect();
    await server.stop();
    rmSync(path, { recursive: true, force: true });
  });
  return { server, commands };
}

interface Host {
  readonly directory: RedisHosts;
  /** Everything it was told, as lines. */
  readonly news: string[];
  /** What it knows: routes of other hosts by name and key. */
  readonly known: Map<string, Map<string, HostRoute>>;
}

/** Keeps what a directory tells, and lines of it. */
function listen(directory: RedisHosts): Omit<Host, 'directory'> {
  const news: string[] = [];
  const known = new Map<string, Map<string, HostRoute>>();
  const take = (change: HostChange): string => {
    switch (change.op) {
      case 'host':
        if (!known.has(change.host.name)) known.set(change.host.name, new Map());
        return `host ${change.host.name} ${change.host.tunnelAddress}`;
      case 'gone':
        known.delete(change.host);
        return `gone ${change.host}`;
      case 'set':
        known.get(change.host)?.set(hostRouteKey(change.route), change.route);
        return `set ${change.host} ${hostRouteKey(change.route)} ${change.route.label}`;
      case 'delete':
        known.get(change.host)?.delete(change.key);
        return `delete ${change.host} ${change.key}`;
    }
  };
  directory.watch((changes) => news.push(...changes.map(take)));
  return { news, known };
}

async function startedHost(
  t: ExecutionContext,
  url: string,
  name: string,
  answers: (host: string) => number | null = () => null,
): Promise<Host> {
  const number = name.charCodeAt(0) - 'a'.charCodeAt(0) + 1;
  const lease = {
    name,
    tunnelAddress: `192.0.2.${number}`,
    encapsulations: ['MPLSoUDP'] as const,
    version: '1',
    incarnation: `${name}-${Math.random()}`,
  };
  const probe = { ask: (host: { name: string }) => Promise.resolve(answers(host.name)) };
  const directory = new RedisHosts({ redis: { url }, prefix: 'vrouter:', lease, probe, log });
  t.teardown(() => directory.stop());
  const heard = listen(directory);
  await directory.start();
  return { directory, ...heard };
}

function inet(n: number, label = n): HostRoute {
  return {
    kind: 'inet',
    network: 'd:p:blue',
    prefix: `10.0.${n >> 8}.${n & 255}/32`,
    mac: '02:00:00:00:00:01',
    label,
    vni: 7,
    preference: 100,
    sequence: 0,
    targets: ['target:64512:8000001'],
    groups: [],
  };
}

const routes = (...all: HostRoute[]): Map<string, HostRoute> =>
  new Map(all.map((route) => [hostRouteKey(route), route]));
const line = (op: string, host: string, n: number, label: number): string =>
  `${op} ${host} inet d:p:blue 10.0.${n >> 8}.${n & 255}/32${op === 'set' ? ` ${label}` : ''}`;

async function until(t: ExecutionContext, condition: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    if (await condition()) return;
    await sleep(10);
  }
  t.fail('it did not happen');
}

test('what a host publishes is told to the others: first the host, then each change once', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedHost(t, server.url, 'a');
  a.directory.publish(routes(inet(1), inet(2)));
  const b = await startedHost(t, server.url, 'b');
  await until(t, () => b.news.length >= 3);
  t.is(b.news[0], 'host a 192.0.2.1');
  t.deepEqual(b.news.slice(1).sort(), [line('set', 'a', 1, 1), line('set', 'a', 2, 2)]);

  a.directory.publish(routes(inet(1), inet(2, 20), inet(3)));
  a.directory.publish(routes(inet(2, 20), inet(3)));
  await until(t, () => b.news.includes(line('delete', 'a', 1, 0)) && b.news.includes(line('set', 'a', 3, 3)));
  t.deepEqual([...(b.known.get('a')?.values() ?? [])], [inet(2, 20), inet(3)]);
  t.is(b.news.filter((news) => news.includes('10.0.0.2/32')).length, 2);
  await until(t, () => a.news.length > 0);
  t.deepEqual(a.news, ['host b 192.0.2.2']);

  // The layout other programs rely on.
  const stored = await commands.hgetall('vrouter:host:a:routes');
  t.deepEqual(Object.keys(stored).sort(), ['host', 'inet d:p:blue 10.0.0.2/32', 'inet d:p:blue 10.0.0.3/32']);
  t.deepEqual(JSON.parse(stored['inet d:p:blue 10.0.0.2/32']), inet(2, 20));
  t.like(JSON.parse((await commands.get('vrouter:host:a:lease')) ?? ''), { name: 'a', tunnelAddress: '192.0.2.1' });
  const left = await commands.pttl('vrouter:host:a:lease');
  t.true(left > 0 && left <= 10_000);
  t.deepEqual(
    (await commands.xrange('vrouter:hosts', '-', '+')).map(([, fields]) => fields),
    [
      ['name', 'a'],
      ['name', 'b'],
    ],
  );
});

test('who begins to watch later is told everything at once', async (t) => {
  const { server } = await redisServer(t);
  const a = await startedHost(t, server.url, 'a');
  a.directory.publish(routes(inet(1)));
  const b = await startedHost(t, server.url, 'b');
  await until(t, () => b.news.length === 2);
  t.deepEqual(listen(b.directory).news, b.news);
});
