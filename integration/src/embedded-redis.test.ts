/** The private redis-server of a daemon: started, killed, left behind, orphaned. Needs no root, only redis-server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { EmbeddedRedis } from 'vrouterd/dist/control/embedded-redis.js';
import { openRedis } from 'vrouterd/dist/control/redis-connection.js';

const log = { info: () => undefined, warn: () => undefined };

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'vrouterd-redis-'));
  t.teardown(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return join(path, 'redis');
}

async function started(t: ExecutionContext, directory: string): Promise<EmbeddedRedis> {
  const redis = new EmbeddedRedis({ directory, log });
  t.teardown(() => redis.stop());
  await redis.start();
  return redis;
}

/** Runs one command on a connection of its own, when the server is back. */
async function command<T>(url: string, run: (redis: Awaited<ReturnType<typeof openRedis>>) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const redis = await openRedis({ url });
      const result = await run(redis);
      redis.disconnect();
      return result;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(30);
    }
  }
}

/** A process that ended but was not yet collected by its parent, a zombie, is not alive. */
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !/\) Z/.test(readFileSync(file, 'utf8'));
}

test('it is ready soon, for its owner only, and ends when told', async (t) => {
  const directory = folder(t);
  const before = performance.now();
  const redis = await started(t, directory);
  t.true(performance.now() - before < 5000);
  t.is(statSync(directory).mode & 0o777, 0o700);
  t.is(statSync(join(directory, 'redis.sock')).mode & 0o777, 0o700);
  const pid = redis.pid ?? 0;
  t.true(isAlive(pid));
  await redis.stop();
  t.false(isAlive(pid));
});

test('a server that is killed comes back with everything it acknowledged', async (t) => {
  const redis = await started(t, folder(t));
  await command(redis.url, (r) => r.set('a', '1'));
  const pid = redis.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  while (isAlive(pid)) await sleep(10);
  t.is(await command(redis.url, (r) => r.get('a')), '1');
  t.not(redis.pid, pid);
});

test('a server left behind by an earlier daemon is replaced, its data kept', async (t) => {
  const directory = folder(t);
  const first = await started(t, directory);
  await command(first.url, (r) => r.set('a', '1'));
  const pid = first.pid ?? 0;
  // As if its own daemon were gone: nobody starts it again.
  const stopped = new Promise<void>((resolve) => {
    const second = new EmbeddedRedis({
      directory,
      log: {
        warn: () => {
          void first.stop().then(resolve);
        },
      },
    });
    t.teardown(() => second.stop());
    void second.start();
  });
  await stopped;
  t.false(isAlive(pid));
  t.is(await command(first.url, (r) => r.get('a')), '1');
});

test('it dies with its daemon, however that dies', async (t) => {
  const script = `
    import { EmbeddedRedis } from 'vrouterd/dist/control/embedded-redis.js';
    const redis = new EmbeddedRedis({ directory: process.argv[1], log: { warn() {} } });
    await redis.start();
    console.log(redis.pid);
  `;
  const directory = folder(t);
  const daemon = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await once(daemon.stdout, 'data')) as [Buffer];
  const pid = Number(chunk.toString());
  t.true(isAlive(pid));
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  for (let i = 0; i < 50 && isAlive(pid); i += 1) await sleep(10);
  t.false(isAlive(pid));

  const before = performance.now();
  await started(t, directory);
  t.true(performance.now() - before < 5000);
});

test.serial('a missing redis-server is named with the package that brings it', async (t) => {
  const path = process.env['PATH'];
  t.teardown(() => {
    process.env['PATH'] = path;
  });
  process.env['PATH'] = '/nonexistent';
  await t.throwsAsync(new EmbeddedRedis({ directory: folder(t), log }).start(), {
    message: /^setpriv is not installed/,
  });
});

test('a path too long for a socket is refused', async (t) => {
  const directory = join(folder(t), 'x'.repeat(100));
  await t.throwsAsync(new EmbeddedRedis({ directory, log }).start(), {
    message: /too long for a socket; use a shorter stateDir$/,
  });
});
