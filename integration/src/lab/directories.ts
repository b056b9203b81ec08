import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { EmbeddedRedis } from 'vrouterd/dist/control/embedded-redis.js';
import { type HostChange, type HostRoute, hostRouteKey } from 'vrouterd/dist/control/host-route.js';
import { openRedis, type RedisSettings } from 'vrouterd/dist/control/redis-connection.js';
import { RedisHosts } from 'vrouterd/dist/control/redis-hosts.js';

/** A connection of the test's own, which plays trimming, failover, loss. */
type Connection = Awaited<ReturnType<typeof openRedis>>;

const log = { info: () => undefined, warn: () => undefined };

/** A redis-server of one test, and a connection to it. */
export async function redisServer(t: ExecutionContext): Promise<{ server: EmbeddedRedis; commands: Connection }> {
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

/** The directory of a host, and what came of it. */
export interface Host {
  readonly directory: RedisHosts;
  /** Everything it was told, as lines. */
  readonly news: string[];
  /** What it knows: routes of other hosts by name and key. */
  readonly known: Map<string, Map<string, HostRoute>>;
}

/** Keeps what a directory tells, and lines of it. */
export function listen(directory: RedisHosts): Omit<Host, 'directory'> {
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

/** A directory that follows; `answers` says how long keepalives take. */
export async function startedHost(
  t: ExecutionContext,
  redis: RedisSettings,
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
  const directory = new RedisHosts({ redis, prefix: 'vrouter:', lease, probe, log });
  t.teardown(() => directory.stop());
  const heard = listen(directory);
  await directory.start();
  return { directory, ...heard };
}

/** The route of an address. */
export function inet(n: number, label = n): HostRoute {
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

/** Routes as a host publishes them. */
export const routes = (...all: HostRoute[]): Map<string, HostRoute> =>
  new Map(all.map((route) => [hostRouteKey(route), route]));
/** News of a route, as `listen` writes it. */
export const line = (op: string, host: string, n: number, label: number): string =>
  `${op} ${host} inet d:p:blue 10.0.${n >> 8}.${n & 255}/32${op === 'set' ? ` ${label}` : ''}`;

/** Fails when the condition does not hold in time. */
export async function until(
  t: ExecutionContext,
  condition: () => boolean | Promise<boolean>,
  ms = 15_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    if (await condition()) return;
    await sleep(10);
  }
  t.fail('it did not happen');
}
