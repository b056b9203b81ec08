/**
 * Two daemons' stores on one real Redis, which is private to each test. Needs no root, only redis-server.
 *
 *     store a ──┐
 *               ├── redis.sock ── redis-server          each store: one connection for commands, one that follows the log
 *     store b ──┘
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Operator } from 'vrouterd/dist/agent/operator.js';
import { EmbeddedRedis } from 'vrouterd/dist/control/embedded-redis.js';
import { openRedis } from 'vrouterd/dist/control/redis-connection.js';
import { RedisStore } from 'vrouterd/dist/control/redis-store.js';
import type { ConfigChange, StoredObject, Transaction } from 'vrouterd/dist/control/store.js';

type Connection = Awaited<ReturnType<typeof openRedis>>;

const log = { info: () => undefined, warn: () => undefined };
const BOOK = 'ipam:d:p:blue:5.5.5.0/24';

async function redisServer(t: ExecutionContext): Promise<{ server: EmbeddedRedis; commands: Connection }> {
  const path = mkdtempSync(join(tmpdir(), 'vrouterd-store-'));
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

function newStore(t: ExecutionContext, url: string): RedisStore {
  const store = new RedisStore({ redis: { url }, prefix: 'vrouter:', log });
  t.teardown(() => store.stop());
  return store;
}

async function startedStore(t: ExecutionContext, url: string): Promise<RedisStore> {
  const store = newStore(t, url);
  await store.start();
  return store;
}

function network(name: string, revision: number, mtu: number): StoredObject<'VirtualNetwork'> {
  return {
    kind: 'VirtualNetwork',
    name: `d:p:${name}`,
    revision,
    uuid: '00000000-0000-5000-8000-000000000000',
    metadata: { domain: 'd', project: 'p', name, labels: {} },
    spec: {
      forwardingMode: 'l3',
      subnets: [],
      floodUnknownUnicast: false,
      mtu,
      policies: [],
      routeTargets: [],
      importRouteTargets: [],
      exportRouteTargets: [],
      rpf: 'enable',
      portSecurity: true,
      fatFlows: [],
    },
    status: { networkId: 1 },
  };
}

/** The value of an object in its hash. */
function stored({ revision, uuid, metadata, spec, status }: StoredObject): string {
  return JSON.stringify({ revision, uuid, metadata, spec, status });
}

const change = (store: RedisStore, parts: Partial<Transaction>): Transaction => ({
  basis: store.position,
  writes: [],
  deletes: [],
  reserve: [],
  release: [],
  ...parts,
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (await condition()) return;
    await sleep(20);
  }
  throw new Error('it did not happen');
}

/** Changes as `set NAME MTU` and `delete NAME`. */
function heard(store: RedisStore): string[] {
  const lines: string[] = [];
  store.watch((c: ConfigChange) => {
    const mtu = c.op === 'set' && c.object.kind === 'VirtualNetwork' ? ` ${c.object.spec.mtu}` : '';
    lines.push(`${c.op} ${c.name}${mtu}`);
  });
  return lines;
}

test('a commit is seen by the one who made it at once, and by others in order', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedStore(t, server.url);
  const b = await startedStore(t, server.url);
  const news = heard(b);

  t.deepEqual(await a.commit(change(a, { writes: [network('blue', 1, 1400), network('red', 1, 1400)] })), {
    committed: true,
  });
  t.is(a.get('VirtualNetwork', 'd:p:blue')?.spec.mtu, 1400);
  await a.commit(change(a, { writes: [network('blue', 2, 1500)] }));
  await a.commit(change(a, { deletes: [{ kind: 'VirtualNetwork', name: 'd:p:red', revision: 1 }] }));
  t.is(a.get('VirtualNetwork', 'd:p:red'), undefined);
  await until(() => news.at(-1) === 'delete d:p:red');
  t.true(news.includes('set d:p:blue 1500'));
  t.deepEqual(b.list('VirtualNetwork'), [network('blue', 2, 1500)]);

  // The layout other programs rely on.
  t.is(await commands.hget('vrouter:config:VirtualNetwork', 'd:p:blue'), stored(network('blue', 2, 1500)));
  const entries = await commands.xrange('vrouter:config:log', '-', '+');
  t.deepEqual(entries[2][1], ['kind', 'VirtualNetwork', 'name', 'd:p:blue', 'revision', '2', 'op', 'set']);
  t.deepEqual(entries[3][1], ['kind', 'VirtualNetwork', 'name', 'd:p:red', 'revision', '1', 'op', 'delete']);
  t.is(await commands.get('vrouter:schema'), '1');
  t.is(await commands.get('vrouter:epoch'), a.epoch);
});

test('those who watch hear first of what is there, then of changes', async (t) => {
  const { server } = await redisServer(t);
  const a = await startedStore(t, server.url);
  await a.commit(change(a, { writes: [network('blue', 1, 1400)] }));
  const b = newStore(t, server.url);
  const early = heard(b);
  await b.start();
  t.deepEqual(early, ['set d:p:blue 1400']);
  t.deepEqual(heard(b), early);
});

test('a change worked out from an old state conflicts, and nothing of it is written', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedStore(t, server.url);
  const b = await startedStore(t, server.url);
  const old = change(b, { writes: [network('red', 1, 1400)], reserve: [{ book: BOOK, entry: '5.5.5.3', owner: 'x' }] });
  await a.commit(change(a, { writes: [network('blue', 1, 1400)] }));

  t.deepEqual(await b.commit(old), { committed: false, conflict: 'moved', about: '' });
  t.truthy(b.get('VirtualNetwork', 'd:p:blue'), 'the copy has caught up with what was in the way');
  t.is(await commands.hexists('vrouter:config:VirtualNetwork', 'd:p:red'), 0);
  t.is((await b.reservations(BOOK)).size, 0);
  t.deepEqual(await b.commit({ ...old, basis: b.position }), { committed: true });
});

test('a revision written behind the log is a conflict, and is then known', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedStore(t, server.url);
  await a.commit(change(a, { writes: [network('blue', 1, 1400)] }));
  await commands.hset('vrouter:config:VirtualNetwork', 'd:p:blue', stored(network('blue', 7, 1700)));

  const result = await a.commit(change(a, { writes: [network('blue', 2, 1500)] }));
  t.deepEqual(result, { committed: false, conflict: 'revision', about: 'd:p:blue' });
  t.is(a.get('VirtualNetwork', 'd:p:blue')?.revision, 7);
});

test('an entry of a book is granted once, and can change hands in one commit', async (t) => {
  const { server } = await redisServer(t);
  const a = await startedStore(t, server.url);
  const held = { book: BOOK, entry: '5.5.5.3', owner: 'd:p:vm1' };
  await a.commit(change(a, { writes: [network('blue', 1, 1)], reserve: [held] }));

  const wanted = { ...held, owner: 'd:p:vm2' };
  const result = await a.commit(change(a, { writes: [network('blue', 2, 2)], reserve: [wanted] }));
  t.deepEqual(result, { committed: false, conflict: 'reserved', about: '5.5.5.3' });
  t.is(a.get('VirtualNetwork', 'd:p:blue')?.revision, 1);

  t.deepEqual(await a.commit(change(a, { writes: [network('blue', 2, 2)], release: [held], reserve: [wanted] })), {
    committed: true,
  });
  t.deepEqual([...(await a.reservations(BOOK))], [['5.5.5.3', 'd:p:vm2']]);
  await a.commit(change(a, { writes: [network('blue', 3, 3)], release: [wanted] }));
  t.is((await a.reservations(BOOK)).size, 0);
});

test('a log trimmed behind our back leads to the difference, not to a gap', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedStore(t, server.url);
  await a.commit(change(a, { writes: [network('blue', 1, 1400), network('red', 1, 1400), network('gray', 1, 1400)] }));
  const news = heard(a);
  news.splice(0);

  // In one step: two changes, of whose entries only the last survives.
  await commands
    .multi()
    .hset('vrouter:config:VirtualNetwork', 'd:p:red', stored(network('red', 2, 1500)))
    .xadd('vrouter:config:log', '*', 'kind', 'VirtualNetwork', 'name', 'd:p:red', 'revision', 2, 'op', 'set')
    .hdel('vrouter:config:VirtualNetwork', 'd:p:gray')
    .xadd('vrouter:config:log', '*', 'kind', 'VirtualNetwork', 'name', 'd:p:gray', 'revision', 1, 'op', 'delete')
    .xtrim('vrouter:config:log', 'MAXLEN', 1)
    .exec();
  await until(() => news.length === 2);
  t.deepEqual(news, ['delete d:p:gray', 'set d:p:red 1500']);
});

test('another epoch leads to the difference with the new content', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedStore(t, server.url);
  await a.commit(change(a, { writes: [network('blue', 1, 1400), network('red', 1, 1400)] }));
  const before = a.epoch;
  const news = heard(a);
  news.splice(0);

  // The store is emptied; another daemon finds it so and begins anew.
  await commands.flushall();
  const b = await startedStore(t, server.url);
  await b.commit(change(b, { writes: [network('blue', 1, 1400)] }));
  await until(() => a.epoch === b.epoch);
  t.not(a.epoch, before);
  t.deepEqual(news, ['delete d:p:red']);
  t.deepEqual(a.list('VirtualNetwork'), b.list('VirtualNetwork'));
});

test('a store that was emptied while all looked on gets a new epoch and our layout', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedStore(t, server.url);
  await a.commit(change(a, { writes: [network('blue', 1, 1400)] }));
  const before = a.epoch;
  await commands.flushall();
  t.deepEqual(await a.commit(change(a, { writes: [network('red', 1, 1400)] })), {
    committed: false,
    conflict: 'moved',
    about: '',
  });
  await until(() => a.connected && a.epoch !== before);
  t.is(await commands.get('vrouter:epoch'), a.epoch);
  t.deepEqual(a.list('VirtualNetwork'), []);
});

test('while Redis is away the copy stays and changes are refused; what was missed is told afterwards', async (t) => {
  const { server } = await redisServer(t);
  const a = await startedStore(t, server.url);
  await a.commit(change(a, { writes: [network('blue', 1, 1400)] }));
  const news = heard(a);
  news.splice(0);

  process.kill(server.pid ?? 0, 'SIGKILL');
  await until(() => !a.connected);
  t.is(a.list('VirtualNetwork').length, 1);
  const path = server.url.slice('unix://'.length);
  const refusal = {
    code: 'unavailable',
    message: `the shared store at ${path} is not reachable; configuration cannot change until it is back`,
  };
  await t.throwsAsync(a.commit(change(a, { writes: [network('red', 1, 1)] })), refusal);
  await t.throwsAsync(a.reservations(BOOK), refusal);

  await until(() => a.connected);
  t.deepEqual(news, []);
  t.deepEqual(await a.commit(change(a, { writes: [network('red', 1, 1)] })), { committed: true });
  t.deepEqual(news, ['set d:p:red 1']);
});

test('a layout we do not know is refused', async (t) => {
  const { server, commands } = await redisServer(t);
  await commands.set('vrouter:schema', '99');
  await t.throwsAsync(newStore(t, server.url).start(), {
    code: 'layout',
    message: /has layout 99, this version knows layout 1; use the version that wrote it, or another redisPrefix$/,
  });
  t.is(await commands.get('vrouter:epoch'), null);
});

test('a server that does not let us in is told at the start', async (t) => {
  const { server, commands } = await redisServer(t);
  await commands.config('SET', 'requirepass', 'secret');
  await t.throwsAsync(newStore(t, server.url).start(), {
    code: 'unavailable',
    message: /turned us down: .*check its username/,
  });

  process.env['VROUTERD_TEST_PASSWORD'] = 'secret';
  const redis = { url: server.url, password: { env: 'VROUTERD_TEST_PASSWORD' } };
  const store = new RedisStore({ redis, prefix: 'vrouter:', log });
  t.teardown(() => store.stop());
  await store.start();
  t.true(store.connected);
});

test('a store that is not there yet is waited for', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'vrouterd-store-'));
  const server = new EmbeddedRedis({ directory: join(path, 'redis'), log });
  t.teardown(async () => {
    await server.stop();
    rmSync(path, { recursive: true, force: true });
  });
  const store = newStore(t, server.url);
  const start = store.start();
  await sleep(100);
  t.false(store.connected);
  await server.start();
  await start;
  t.true(store.connected);
});

test('operators of several hosts apply at once, and no address is given twice', async (t) => {
  const { server } = await redisServer(t);
  const stores = await Promise.all([1, 2, 3].map(() => startedStore(t, server.url)));
  const operators = stores.map(
    (store, i) => new Operator({ store, host: `h${i + 1}`, deviceProblem: () => undefined }),
  );
  const apply = (operator: Operator, kind: string, name: string, spec: unknown) =>
    operator.apply([{ apiVersion: 'vrouter/v1', kind, metadata: { name }, spec }], { dryRun: false, prune: false });
  await apply(operators[0], 'VirtualNetwork', 'blue', { subnets: [{ prefix: '5.5.5.0/24' }] });
  await until(() => stores.every((store) => store.list('VirtualNetwork').length === 1));

  const all = operators.flatMap((operator, i) =>
    [1, 2, 3, 4, 5].map((n) => apply(operator, 'VirtualMachineInterface', `vm${i}${n}`, { virtualNetwork: 'blue' })),
  );
  await Promise.all(all);
  await until(() => stores.every((store) => store.list('VirtualMachineInterface').length === 15));
  for (const store of stores) {
    const addresses = store.list('VirtualMachineInterface').flatMap(({ status }) => status.addresses);
    t.deepEqual(new Set(addresses), new Set(Array.from({ length: 15 }, (_, n) => `5.5.5.${n + 3}`)));
  }
});
