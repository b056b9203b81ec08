/**
 * Directories of several hosts on one real Redis, which is private to each test. Needs no root, only redis-server.
 *
 *     hosts a, b ... ── redis.sock ── redis-server ── a connection of the test's own, which plays trimming, failover, loss
 */
import test from 'ava';
import { inet, line, listen, redisServer, routes, startedHost, until } from './lab/directories.js';

test('what a host publishes is told to the others: first the host, then each change once', async (t) => {
  const { server, commands } = await redisServer(t);
  const a = await startedHost(t, { url: server.url }, 'a');
  a.directory.publish(routes(inet(1), inet(2)));
  const b = await startedHost(t, { url: server.url }, 'b');
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
  const a = await startedHost(t, { url: server.url }, 'a');
  a.directory.publish(routes(inet(1)));
  const b = await startedHost(t, { url: server.url }, 'b');
  await until(t, () => b.news.length === 2);
  t.deepEqual(listen(b.directory).news, b.news);
});
