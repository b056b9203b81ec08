/** A Redis behind TLS that asks for a client certificate, a user and a password. Needs no root, only redis-server and openssl. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
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

/** A folder with a key and a certificate for 127.0.0.1 that is its own authority. Gone with the test. */
function keys(t: ExecutionContext): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'vrouterd-tls-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = (name: string): string => join(folder, name);
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'];
  const san = ['-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...args, ...san, '-keyout', file('key.pem'), '-out', file('cert.pem')], { stdio: 'pipe' });
  return file;
}

/** A server with these settings, which ends with the test. */
function serve(t: ExecutionContext, words: readonly string[]): void {
  const server = spawn('redis-server', words, { stdio: 'ignore' });
  t.teardown(async () => {
    server.kill();
    await once(server, 'exit');
  });
}

/** Settings of a server that speaks TLS only, and asks for certificates. */
const secured = (port: number, file: (name: string) => string): Record<string, string> => ({
  port: '0',
  'tls-port': String(port),
  bind: '127.0.0.1',
  'tls-cert-file': file('cert.pem'),
  'tls-key-file': file('key.pem'),
  'tls-ca-cert-file': file('cert.pem'),
  'tls-auth-clients': 'yes',
});

const asWords = (settings: Readonly<Record<string, string>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...(name === 'user' ? value.split(' ') : [value])]);

test('keys, user and password come from files; without them nobody gets in', async (t) => {
  const file = keys(t);
  writeFileSync(file('word'), 'secret\n');
  const port = await freePort();
  const user = 'vrouter on >secret ~vrouter:* &* +@all';
  serve(t, asWords({ ...secured(port, file), dir: dirname(file('x')), save: '', user }));

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

test('a master behind sentinels is spoken to by TLS, and so are they', async (t) => {
  const file = keys(t);
  const [port, sentinelPort] = [await freePort(), await freePort()];
  const dir = dirname(file('x'));
  serve(t, asWords({ ...secured(port, file), dir, save: '', user: 'vrouter on >secret ~vrouter:* &* +@all' }));
  const sentinel = [
    ...Object.entries(secured(sentinelPort, file)).map(([name, value]) => `${name} ${value}`),
    `sentinel monitor cluster 127.0.0.1 ${port} 1`,
    'tls-replication yes',
    'requirepass watchword',
    `dir ${dir}`,
  ];
  writeFileSync(file('sentinel.conf'), `${sentinel.join('\n')}\n`);
  serve(t, [file('sentinel.conf'), '--sentinel']);

  const settings = redisSettings.parse({
    url: 'rediss://cluster',
    username: 'vrouter',
    password: 'secret',
    tls: { ca: file('cert.pem'), cert: file('cert.pem'), key: file('key.pem') },
    sentinels: {
      master: 'cluster',
      addresses: [{ host: '127.0.0.1', port: sentinelPort }],
      password: 'watchword',
      tls: true,
    },
  });
  const redis = await whenUp(() => openRedis(settings));
  t.is(await redis.set('vrouter:a', '1'), 'OK');
  redis.disconnect();

  const sentinels = { ...settings.sentinels, password: 'wrong' };
  await t.throwsAsync(openRedis(redisSettings.parse({ ...settings, sentinels })));
  await t.throwsAsync(openRedis(redisSettings.parse({ ...settings, url: 'redis://cluster' })));
});
