import test from 'ava';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  closeFd,
  createEventFd,
  lockFile,
  mapFile,
  openPacketSocket,
  sdNotify,
  wake,
  type SystemError,
} from './system.js';

const folder = mkdtempSync(join(tmpdir(), 'packet-io-'));
test.after.always(() => {
  rmSync(folder, { recursive: true });
});

test('two mappings of a file see the same bytes, and the file keeps them', (t) => {
  const path = join(folder, 'map');
  const one = new Int32Array(mapFile(path, 8192));
  const other = new Int32Array(mapFile(path, 4096));
  Atomics.store(one, 5, 0x01020304);
  t.is(Atomics.add(other, 5, 1), 0x01020304);
  t.is(one[5], 0x01020305);
  t.is(one.length, 2048);
  t.is(statSync(path).size, 8192);
  t.is(statSync(path).mode & 0o777, 0o640);
  t.is(readFileSync(path).readInt32LE(20), 0x01020305);
});

test('a file that cannot be mapped is refused with what the kernel says', (t) => {
  t.throws(() => mapFile(join(folder, 'no', 'file'), 4096), { code: 'ENOENT', message: /^ENOENT: .*, open$/ });
  t.throws(() => mapFile('/dev/null', 4096), { code: 'EINVAL' });
  t.throws(() => mapFile(`${folder}/a\0b`, 4096), { code: 'ERR_INVALID_ARG_TYPE' });
  for (const bytes of [0, -1, Number.NaN, 2 ** 40])
    t.throws(() => mapFile(join(folder, 'size'), bytes), { code: 'EINVAL' });
});

test('a lock keeps another process out, until it is closed', (t) => {
  const path = join(folder, 'lock');
  const fd = lockFile(path);
  const attempt = `import(${JSON.stringify(new URL('system.js', import.meta.url).href)}).then(({ lockFile }) => {
    try { lockFile(${JSON.stringify(path)}); console.log('taken'); } catch (error) { console.log(error.code, error.errno); }
  })`;
  const child = (): string => execFileSync(process.execPath, ['-e', attempt], { encoding: 'utf8' }).trim();
  t.is(child(), 'EWOULDBLOCK -11');
  t.throws(() => lockFile(path), { code: 'EWOULDBLOCK' });
  closeFd(fd);
  t.is(child(), 'taken');
});

test('an eventfd can be woken many times', (t) => {
  const fd = createEventFd();
  t.notThrows(() => {
    for (let i = 0; i < 1000; i++) wake(fd);
  });
  closeFd(fd);
});

test('a packet socket needs an interface', (t) => {
  t.throws(() => openPacketSocket(0, { vnetHeader: true }), { code: 'ENODEV' });
  t.throws(() => openPacketSocket(-1, { vnetHeader: true }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('a descriptor that is not open cannot be closed or woken', (t) => {
  const error = t.throws<SystemError>(() => {
    closeFd(1_000_000);
  });
  t.like(error, { code: 'EBADF', errno: -9, syscall: 'close' });
  t.throws(
    () => {
      wake(1_000_000);
    },
    { code: 'EBADF' },
  );
});

test.serial('without somebody to notify, nothing is told', (t) => {
  delete process.env.NOTIFY_SOCKET;
  t.false(sdNotify('READY=1'));
});

test.serial('a socket to notify may be a path or an abstract name', (t) => {
  process.env.NOTIFY_SOCKET = join(folder, 'nobody');
  t.throws(() => sdNotify('READY=1'), { code: 'ENOENT' });
  process.env.NOTIFY_SOCKET = '@packet-io-nobody-listens';
  t.throws(() => sdNotify('READY=1'), { code: 'ECONNREFUSED' });
  process.env.NOTIFY_SOCKET = `@${'x'.repeat(200)}`;
  t.throws(() => sdNotify('READY=1'), { code: 'EINVAL' });
  delete process.env.NOTIFY_SOCKET;
});
