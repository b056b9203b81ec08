import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';
import type { ExecutionContext } from 'ava';

import { connect } from '../cli/client.js';
import { Exit } from '../cli/exit.js';
import { bridgedTrace, guestVif, inetRoute } from '../testing/dumps.js';
import { guestView } from '../testing/view.js';
import { startApi } from './server.js';
import type { ApiOptions } from './server.js';

const log = { error: () => undefined };

/** A path for a socket in a directory that goes with the test. */
async function socketPath(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vrouterd-api-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return join(directory, 'run', 'vrouterd.sock');
}

async function start(t: ExecutionContext, options: ApiOptions, view = guestView()) {
  const server = await startApi(view, options, log);
  t.teardown(() => server.close());
  return server;
}

test('the tools read from a daemon over its socket', async (t) => {
  const socket = await socketPath(t);
  await start(t, { socket });
  const daemon = connect(socket);
  t.deepEqual(await daemon.vifs(), [guestVif()]);
  t.deepEqual(await daemon.vif(8), guestVif());
  t.deepEqual(await daemon.inetRoutes(7, 'inet'), [inetRoute()]);
  t.like(await daemon.inetRoute(7, 'inet6', 'fd00::', 64), { prefix: 'fd00::' });
  t.like(await daemon.bridgeRoute(7, '02:aa:f0:88:f0:65'), { nexthop: 85 });
  t.deepEqual(await daemon.apply([{}], { dryRun: true, prune: false }), []);
  t.deepEqual(await daemon.objects('VirtualNetwork'), []);
  t.deepEqual(await daemon.wait(1), { realised: true, pending: [] });
});

test('the tools follow real packets, and the daemon knows when they have gone', async (t) => {
  const socket = await socketPath(t);
  let stopped = (): void => undefined;
  const gone = new Promise<void>((resolve) => (stopped = resolve));
  const view = guestView({
    traceLive: (_match, _limits, stop) => {
      stop.addEventListener('abort', stopped);
      return Readable.from([{ waiting: true }, bridgedTrace(), bridgedTrace()]);
    },
  });
  await start(t, { socket }, view);
  const daemon = connect(socket);
  t.deepEqual(await daemon.trace({ vmi: 'a', packet: 'icmp 5.5.5.4' }), bridgedTrace());
  const told = [];
  for await (const one of daemon.traceLive({ match: 'any', count: 2, timeout: 5 })) {
    told.push(one);
    if (told.length === 2) break;
  }
  t.deepEqual(told, [{ waiting: true }, bridgedTrace()]);
  await gone;
});

test('a refusal of the daemon ends a tool with status 1 and its words', async (t) => {
  const socket = await socketPath(t);
  await start(t, { socket });
  const exit = await t.throwsAsync(connect(socket).nexthop(9999), { instanceOf: Exit });
  t.is(exit.status, 1);
  t.is(exit.message, 'No such file or directory: there is no nexthop 9999; list them to see which there are');
});

test('without a daemon a tool ends with status 3 and says how to start one', async (t) => {
  const socket = await socketPath(t);
  const exit = await t.throwsAsync(connect(socket).vifs(), { instanceOf: Exit });
  t.is(exit.status, 3);
  t.is(
    exit.message,
    `vrouterd does not answer on ${socket}; start it with: systemctl start vrouterd (or vrouterd --config FILE)`,
  );
});

test('the socket is for owner and group, and goes with the daemon', async (t) => {
  const socket = await socketPath(t);
  const server = await startApi(guestView(), { socket }, log);
  t.is((await stat(socket)).mode & 0o777, 0o660);
  await server.close();
  await t.throwsAsync(stat(socket), { code: 'ENOENT' });
});

test('the socket of a daemon that is gone is replaced', async (t) => {
  const socket = await socketPath(t);
  const first = await startApi(guestView(), { socket }, log);
  await first.close();
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(socket, resolve));
  // Node removes the socket of a server it closes; a handle closed underneath leaves it, as a kill -9 does.
  (dead as unknown as { _handle: { unref(): void; close(): void } | null })._handle?.close();
  await start(t, { socket });
  t.deepEqual(await connect(socket).vifs(), [guestVif()]);
});

test('a daemon that is alive keeps its socket', async (t) => {
  const socket = await socketPath(t);
  await start(t, { socket });
  await t.throwsAsync(startApi(guestView(), { socket }, log), {
    message: `another vrouterd answers on ${socket}; stop it or set api.socket to another path`,
  });
  t.deepEqual(await connect(socket).vifs(), [guestVif()]);
});

test('a file that is no socket is left alone', async (t) => {
  const path = join(await socketPath(t), '..', '..', 'file');
  await writeFile(path, '');
  await t.throwsAsync(startApi(guestView(), { socket: path }, log), { message: /is not a socket; remove it/ });
});

test('metrics are served over TCP when asked for', async (t) => {
  const socket = await socketPath(t);
  const server = await start(t, { socket, metrics: { host: '127.0.0.1', port: 0 } });
  const reply = await fetch(server.metricsUrl ?? '');
  t.regex(await reply.text(), /vrouter_build_info/);
  t.is((await fetch((server.metricsUrl ?? '').replace('/metrics', '/v1/vif'))).status, 404);
});

test('a TCP address that is taken stops the whole API', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const socket = await socketPath(t);
  await t.throwsAsync(startApi(guestView(), { socket, metrics: { host: '127.0.0.1', port } }, log), {
    code: 'EADDRINUSE',
  });
  await t.throwsAsync(stat(socket), { code: 'ENOENT' });
});
