/** A Redis behind TLS that asks for a client certificate, a user and a password. Needs no root, only redis-server and openssl. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { openRedis, redisSettings, redisText } from 'vrouterd/dist/control/redis-connection.js';
import { freePort } from './lab/private-redis.js';

/** Tries until the server has come up. */
async function whenUp<T>(attempt: () => Promise<T>): Promise<T> {
  for (let i = 0; i < 100; i += 1) {
    try {
      return await attempt();
    } catch {
      await sleep(30);
    }
  }
  return attempt();
}

test('keys, user and password come from files; without them nobody gets in', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vrouterd-tls-'));
  const file = (name: string): string => join(folder, name);
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'];
  const san = ['-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...args, ...san, '-keyout', file('key.pem'), '-out', file('cert.pem')], { stdio: 'pipe' });
  writeFileSync(file('word'), 'secret\n');

  const port = await freePort();
  const settings = {
    port: '0',
    'tls-port': String(port),
    bind: '127.0.0.1',
    'tls-cert-file': file('cert.pem'),
    'tls-key-file': file('key.pem'),
    'tls-ca-cert-file': file('cert.pem'),
    'tls-auth-clients': 'yes',
    dir: folder,
    save: '',
    user: 'vrouter on >secret ~vrouter:* &* +@all',
  };
  const server = spawn(
    'redis-server',
    Object.entries(settings).flatMap(([name, value]) => [
      `--${name}`,
      ...(name === 'user' ? value.split(' ') : [value]),
    ]),
    { stdio: 'ignore' },
  );
  t.teardown(async () => {
    server.kill();
    await once(server, 'exit');
    rmSync(folder, { recursive: true });
  });

  const tls = { ca: file('cert.pem'), cert: file('cert.pem'), key: file('key.pem') };
  const full = redisSettings.parse({
    url: `rediss://127.0.0.1:${port}`,
    username: 'vrouter',
    password: { file: file('word') },
    tls,
  });
  const redis = await whenUp(() => openRedis(full));
  t.is(await redis.set('vrouter:a', '1'), 'OK');
  await t.throwsAsync(redis.set('other:a', '1'), { message: /^NOPERM/ });
  redis.disconnect();

  await t.throwsAsync(openRedis({ ...full, password: 'wrong' }), { message: /^WRONGPASS/ });
  await t.throwsAsync(openRedis({ ...full, tls: { ca: tls.ca } }));
  t.is(redisText(redisSettings.parse(`rediss://vrouter:secret@127.0.0.1:${port}/0`)), `rediss://127.0.0.1:${port}/0`);
});
