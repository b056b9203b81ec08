/** Records of sessions in a stream of a real Redis, private to each test. Needs no root, only redis-server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { EmbeddedRedis } from 'vrouterd/dist/control/embedded-redis.js';
import { RecordStream } from 'vrouterd/dist/control/record-stream.js';
import { openRedis } from 'vrouterd/dist/control/redis-connection.js';
import { until } from './lab/process.js';

const KEY = 'vrouter:host:h1:sessions';

function newServer(t: ExecutionContext): EmbeddedRedis {
  const path = mkdtempSync(join(tmpdir(), 'vrouterd-stream-'));
  const server = new EmbeddedRedis({ directory: join(path, 'redis'), log: { warn: () => undefined } });
  t.teardown(async () => {
    await server.stop();
    rmSync(path, { recursive: true, force: true });
  });
  return server;
}

function newStream(t: ExecutionContext, server: EmbeddedRedis, length = 1000) {
  const state = { now: 0, lost: 0 };
  const stream = new RecordStream({
    redis: { url: server.url },
    key: KEY,
    length,
    onLost: (records) => (state.lost += records),
    now: () => state.now,
  });
  t.teardown(() => stream.close());
  return { stream, state };
}

async function recordsOf(t: ExecutionContext, server: EmbeddedRedis): Promise<readonly string[]> {
  const commands = await openRedis({ url: server.url });
  t.teardown(() => {
    commands.disconnect();
  });
  return (await commands.xrange(KEY, '-', '+')).map(([, [name, record]]) => {
    t.is(name, 'record');
    return record;
  });
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

test('records are in the stream in their order', async (t) => {
  const server = newServer(t);
  await server.start();
  const { stream, state } = newStream(t, server, 10_000);
  const records = numbered(2500);
  t.is(stream.write(records.slice(0, 10)), 10);
  t.is(stream.write(records.slice(10)), 2490);
  await stream.close();
  t.deepEqual(await recordsOf(t, server), records);
  t.is(state.lost, 0);
});

test('the stream does not grow without end', async (t) => {
  const server = newServer(t);
  await server.start();
  const { stream } = newStream(t, server, 200);
  stream.write(numbered(5000));
  await stream.close();
  const kept = await recordsOf(t, server);
  t.true(kept.length >= 200 && kept.length < 1000, `${kept.length} records`);
  t.is(kept.at(-1), 'record 4999');
});

test('records wait for a store that is away, a bounded number of them, and the others are counted', async (t) => {
  const server = newServer(t);
  const { stream, state } = newStream(t, server, 100_000);
  t.is(stream.write(numbered(15_000)), 15_000);
  t.is(stream.write(numbered(15_000)), 5000);
  t.is(stream.write(numbered(1)), 0);
  await server.start();
  state.now = 60_000;
  await until('the records are there', async () => {
    stream.write([]);
    return (await recordsOf(t, server)).length === 20_000 ? true : undefined;
  });
  t.is(state.lost, 0);
});
