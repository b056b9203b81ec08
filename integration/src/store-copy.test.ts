/** A cluster's configuration moves from one Redis to another. Needs no root, only redis-server. */
import test, { type ExecutionContext } from 'ava';
import { Operator } from 'vrouterd/dist/agent/operator.js';
import { openRedis, redisSettings } from 'vrouterd/dist/control/redis-connection.js';
import { RedisStore } from 'vrouterd/dist/control/redis-store.js';
import { copyStore, parseTarget } from 'vrouterd/dist/control/store-copy.js';
import { inet, redisServer, routes, startedHost } from './lab/directories.js';
import { PrivateRedis } from './lab/private-redis.js';

const log = { info: () => undefined, warn: () => undefined };

async function startedStore(t: ExecutionContext, url: string, prefix = 'vrouter:'): Promise<RedisStore> {
  const store = new RedisStore({ redis: { url }, prefix, log });
  t.teardown(() => store.stop());
  await store.start();
  return store;
}

const operatorOf = (store: RedisStore): Operator => new Operator({ store, host: 'a', deviceProblem: () => undefined });
const DOCUMENTS = [
  { kind: 'VirtualNetwork', metadata: { name: 'blue' }, spec: { subnets: [{ prefix: '10.0.0.0/24' }] } },
  {
    kind: 'VirtualMachineInterface',
    metadata: { name: 'vm' },
    spec: { virtualNetwork: 'blue', attach: { type: 'tap' } },
  },
].map((document) => ({ apiVersion: 'vrouter/v1', ...document }));

test('what was copied is the same configuration, and goes on where it was', async (t) => {
  const { server, commands } = await redisServer(t);
  const target = await PrivateRedis.start(t);
  const store = await startedStore(t, server.url);
  await operatorOf(store).apply(DOCUMENTS, { dryRun: false, prune: false });
  const { directory } = await startedHost(t, { url: server.url }, 'a');
  directory.publish(routes(inet(1)));

  const from = { url: server.url };
  const result = await copyStore(from, 'vrouter:', { redis: parseTarget(target.url), prefix: 'new:', force: false });
  t.like(result, { to: target.url, prefix: 'new:', objects: 2 });

  const there = await openRedis(target);
  t.teardown(() => {
    there.disconnect();
  });
  const keys = (await there.keys('*')).sort();
  t.is(keys.length, result.keys);
  t.deepEqual(
    keys.filter((key) => /host/.test(key)),
    [],
  );
  t.deepEqual(await there.xrange('new:config:log', '-', '+'), await commands.xrange('vrouter:config:log', '-', '+'));
  t.deepEqual(await there.hgetall('new:vni'), await commands.hgetall('vrouter:vni'));

  const copy = await startedStore(t, target.url, 'new:');
  t.is(copy.epoch, store.epoch);
  t.is(copy.position, store.position);
  t.deepEqual(operatorOf(copy).objects(), operatorOf(store).objects());
  t.deepEqual(
    (await operatorOf(copy).apply(DOCUMENTS, { dryRun: false, prune: false })).map(({ outcome }) => outcome),
    ['unchanged', 'unchanged'],
  );
  const more = { ...DOCUMENTS[1], metadata: { name: 'vm2' } };
  t.like(await operatorOf(copy).apply([more], { dryRun: false, prune: false }), [{ outcome: 'created' }]);
});

test('a target with keys of the prefix is refused unless forced, and then replaced', async (t) => {
  const { server } = await redisServer(t);
  const target = await PrivateRedis.start(t);
  const store = await startedStore(t, server.url);
  await operatorOf(store).apply(DOCUMENTS, { dryRun: false, prune: false });
  const there = await openRedis(target);
  t.teardown(() => {
    there.disconnect();
  });
  await there.hset('vrouter:config:NetworkPolicy', 'd:p:old', '{}');
  await there.set('other:key', '1');

  const to = { redis: parseTarget(target.url), prefix: 'vrouter:' };
  const from = { url: server.url };
  await t.throwsAsync(copyStore(from, 'vrouter:', { ...to, force: false }), {
    code: 'inUse',
    message: /has 1 keys that begin with vrouter:; use another prefix, or --force/,
  });
  t.is(await there.exists('vrouter:epoch'), 0);
  await copyStore(from, 'vrouter:', { ...to, force: true });
  t.is(await there.exists('vrouter:config:NetworkPolicy'), 0);
  t.is(await there.get('vrouter:epoch'), store.epoch);
  t.is(await there.get('other:key'), '1');
});

test('what cannot be copied is said in a line', async (t) => {
  const { server } = await redisServer(t);
  const target = await PrivateRedis.start(t);
  const from = { url: server.url };
  const to = { redis: redisSettings.parse(target.url), prefix: 'vrouter:', force: false };
  await t.throwsAsync(copyStore(from, 'vrouter:', to), { code: 'layout', message: /nothing is copied$/ });
  await target.stop();
  await t.throwsAsync(copyStore(from, 'vrouter:', to), {
    code: 'unavailable',
    message: /^the store to copy to, redis:.*, cannot be used: .*ECONNREFUSED/,
  });
  t.throws(() => parseTarget('http://x'), { code: 'invalid', message: /is not the URL of a store/ });
});
