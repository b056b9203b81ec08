/** The access rights of config/redis-acl.example, in a real redis-server that has loaded that file. Needs no root. */
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Operator } from 'vrouterd/dist/agent/operator.js';
import type { HostRoute } from 'vrouterd/dist/control/host-route.js';
import { openRedis, redisSettings, type RedisSettings } from 'vrouterd/dist/control/redis-connection.js';
import { RedisHosts } from 'vrouterd/dist/control/redis-hosts.js';
import { RedisStore } from 'vrouterd/dist/control/redis-store.js';
import { PrivateRedis } from './lab/private-redis.js';

const EXAMPLE = new URL('../../config/redis-acl.example', import.meta.url);
const log = { info: () => undefined, warn: () => undefined };
const NETWORK = { apiVersion: 'vrouter/v1', kind: 'VirtualNetwork', metadata: { name: 'blue' } };

async function guardedRedis(t: ExecutionContext): Promise<PrivateRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'vrouterd-acl-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'users.acl');
  writeFileSync(file, readFileSync(EXAMPLE, 'utf8').replaceAll('CHANGE-ME-', 'secret-of-'));
  return PrivateRedis.start(t, ['--aclfile', file]);
}

const as = (redis: PrivateRedis, username: string, more: object = {}): RedisSettings =>
  redisSettings.parse({ url: redis.url, username, password: `secret-of-${username}`, ...more });
const operator = { operator: { username: 'operator', password: 'secret-of-operator' } };

async function host(t: ExecutionContext, redis: PrivateRedis, name: string): Promise<RedisHosts> {
  const lease = {
    name,
    tunnelAddress: '192.0.2.1',
    encapsulations: ['MPLSoUDP'] as const,
    version: '1',
    incarnation: name,
  };
  const probe = { ask: () => Promise.resolve(null) };
  const directory = new RedisHosts({ redis: as(redis, name), prefix: 'vrouter:', lease, probe, log });
  t.teardown(() => directory.stop());
  await directory.start();
  return directory;
}

async function store(t: ExecutionContext, redis: RedisSettings): Promise<RedisStore> {
  const one = new RedisStore({ redis, prefix: 'vrouter:', log });
  t.teardown(() => one.stop());
  await one.start();
  return one;
}

test('hosts publish and follow each other with rights to their own keys only', async (t) => {
  const redis = await guardedRedis(t);
  await store(t, as(redis, 'alpha'));
  const alpha = await host(t, redis, 'alpha');
  const beta = await host(t, redis, 'beta');
  const route: HostRoute = { kind: 'flood', network: 'd:p:blue', label: 16, vni: 1 };
  const heard: string[] = [];
  beta.watch((changes) => heard.push(...changes.map(({ op }) => op)));
  alpha.publish(new Map([['flood d:p:blue', route]]));
  for (let i = 0; i < 100 && !heard.includes('set'); i += 1) await sleep(20);
  t.true(heard.includes('set'));
  t.deepEqual(
    (await alpha.hosts()).map(({ name, state }) => `${name} ${state}`),
    ['alpha alive', 'beta alive'],
  );
});

test('a host can neither write what is not its own, nor run what it does not need', async (t) => {
  const redis = await guardedRedis(t);
  const alpha = await openRedis(as(redis, 'alpha'));
  t.teardown(() => {
    alpha.disconnect();
  });
  const denied = { message: /^NOPERM/ };
  await t.throwsAsync(alpha.hset('vrouter:host:beta:routes', 'a', 'b'), denied);
  await t.throwsAsync(alpha.set('vrouter:host:beta:lease', 'x'), denied);
  await t.throwsAsync(alpha.xadd('vrouter:host:beta:log', '*', 'a', 'b'), denied);
  await t.throwsAsync(alpha.hset('vrouter:config:VirtualNetwork', 'a', 'b'), denied);
  await t.throwsAsync(alpha.xadd('vrouter:config:log', '*', 'a', 'b'), denied);
  await t.throwsAsync(alpha.hset('vrouter:vni', 'a', 'b'), denied);
  await t.throwsAsync(alpha.set('vrouter:epoch', 'x'), denied);
  await t.throwsAsync(alpha.set('another:key', 'x'), denied);
  await t.throwsAsync(alpha.get('another:key'), denied);
  await t.throwsAsync(alpha.del('vrouter:hosts'), denied);
  await t.throwsAsync(alpha.flushall(), denied);
  await t.throwsAsync(alpha.keys('*'), denied);
  await t.throwsAsync(alpha.config('GET', '*'), denied);
  await t.throwsAsync(alpha.eval('return 1', 0), denied);
  await t.throwsAsync(
    openRedis(redisSettings.parse(redis.url)).then((one) => one.get('vrouter:epoch')),
    {
      message: /NOAUTH/,
    },
  );
});

test('configuration is written with the credentials of the operator, and refused without', async (t) => {
  const redis = await guardedRedis(t);
  const apply = async (one: RedisStore, spec: unknown): Promise<readonly { outcome: string }[]> =>
    new Operator({ store: one, host: 'alpha', deviceProblem: () => undefined }).apply([{ ...NETWORK, spec }], {
      dryRun: false,
      prune: false,
    });
  const alpha = await store(t, as(redis, 'alpha', operator));
  const beta = await store(t, as(redis, 'beta'));
  const spec = { subnets: [{ prefix: '10.0.0.0/24' }] };
  t.like(await apply(alpha, spec), [{ outcome: 'created' }]);
  for (let i = 0; i < 100 && beta.list('VirtualNetwork').length === 0; i += 1) await sleep(20);
  t.is(beta.list('VirtualNetwork').length, 1);
  await t.throwsAsync(apply(beta, { ...spec, mtu: 1300 }), {
    code: 'unavailable',
    message: /does not let this daemon change configuration; set redis.operator in its configuration file$/,
  });

  const wrong = { operator: { username: 'operator', password: 'guessed' } };
  await t.throwsAsync(apply(await store(t, as(redis, 'alpha', wrong)), { ...spec, mtu: 1300 }), {
    code: 'unavailable',
    message: /set redis.operator/,
  });
});
