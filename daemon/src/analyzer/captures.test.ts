import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';

import { blockTypes, MirroredFrames } from '../testing/mirrored-frames.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { Captures } from './captures.js';
import { OpenFiles, RingSink } from './file-sinks.js';
import { BLOCK } from './pcapng.js';

const NOW = new Date('2026-11-20T17:04:36.789Z');

function captures(t: ExecutionContext) {
  const directory = join(temporaryFolder(t), 'captures');
  const source = new MirroredFrames();
  return { directory, source, all: new Captures(directory, source, { now: () => NOW }) };
}

const typesOf = (directory: string, name: string): number[] => blockTypes(readFileSync(join(directory, name)));

test('a capture has the frames that come between its start and its end', async (t) => {
  const { all, directory, source } = captures(t);
  t.deepEqual(await all.list(), []);
  source.send(new Uint8Array(60));
  const { name, running, packets } = await all.start({ name: 'mine' });
  t.deepEqual({ name, running, packets }, { name: 'mine.pcapng', running: true, packets: 0 });
  source.send(new Uint8Array(60), { times: 2 });
  source.flush();
  t.is((await all.get(name)).packets, 2);
  t.deepEqual(typesOf(directory, name).slice(-2), [BLOCK.enhancedPacket, BLOCK.enhancedPacket]);
  const stopped = await all.stop(name);
  t.false(stopped.running);
  source.send(new Uint8Array(60));
  t.is(source.sinks.size, 0);
  const { section, interface: described, enhancedPacket: packet, statistics } = BLOCK;
  t.deepEqual(typesOf(directory, name), [section, described, packet, packet, statistics]);
  t.deepEqual(await all.list(), [stopped]);
  t.deepEqual(await all.stop(name), stopped);
});

test('a capture without a name has that of its time, and a name is used once', async (t) => {
  const { all } = captures(t);
  t.is((await all.start({})).name, 'capture-20261120T170436.789.pcapng');
  await t.throwsAsync(all.start({}), { code: 'conflict', message: /there is a capture capture-2026.*already/ });
  t.is((await all.start({ name: 'a.pcapng' })).name, 'a.pcapng');
  await t.throwsAsync(all.start({ name: 'a' }), { code: 'conflict' });
  all.close();
});

test('a capture ends by itself when its file is large enough or its time is over', async (t) => {
  const { all, source } = captures(t);
  await all.start({ name: 'large', maxBytes: 10_000 });
  await all.start({ name: 'long', maxSeconds: 0.05 });
  source.send(new Uint8Array(1000), { times: 50 });
  const large = await all.get('large.pcapng');
  t.false(large.running);
  t.true(large.bytes >= 10_000 && large.bytes < 12_000, String(large.bytes));
  const running = async () => (await all.get('long.pcapng')).running;
  for (let i = 0; i < 200 && (await running()); i++) await sleep(10);
  t.false(await running());
  t.is(source.sinks.size, 0);
});

test('a frame is cut to the snap length, and its own length is kept', async (t) => {
  const { all, directory, source } = captures(t);
  await all.start({ name: 'short', snapLength: 64 });
  source.send(new Uint8Array(1000));
  all.close();
  const file = readFileSync(join(directory, 'short.pcapng'));
  const at = file.indexOf(Buffer.from([BLOCK.enhancedPacket, 0, 0, 0]));
  t.is(file.readUInt32LE(at + 20), 64);
  t.is(file.readUInt32LE(at + 24), 1000);
});

test('a capture that cannot be written ends and says why; nobody else is harmed', async (t) => {
  const { all, directory, source } = captures(t);
  let isFull = false;
  let isClosed = false;
  const write = (): void => {
    if (isFull) throw new Error('no space left on device');
  };
  const close = (): void => {
    isClosed = true;
  };
  const full = new Captures(directory, source, {
    open: (path) => {
      writeFileSync(path, '');
      return { write, close };
    },
  });
  const { name } = await full.start({ name: 'bad' });
  await all.start({ name: 'good' });
  isFull = true;
  source.send(new Uint8Array(60));
  source.flush();
  t.true(isClosed);
  const { running, error } = await full.get(name);
  t.deepEqual({ running, error }, { running: false, error: 'no space left on device' });
  source.send(new Uint8Array(60));
  t.is((await all.get('good.pcapng')).packets, 2);
  t.is(source.sinks.size, 1);
  all.close();
});

test('names that leave the folder, hidden files, links and other files are no captures', async (t) => {
  const { all, directory } = captures(t);
  mkdirSync(directory);
  for (const name of ['../a', 'a/b', '.hidden', '-option', '', 'x'.repeat(101), 'a b', 'ä']) {
    await t.throwsAsync(all.start({ name }), { code: 'invalid' }, name);
    await t.throwsAsync(all.get(`${name}.pcapng`), { code: 'notFound' }, name);
  }
  writeFileSync(join(directory, 'notes.txt'), '');
  writeFileSync(join(directory, 'ring-1.pcap'), 'x');
  symlinkSync('/etc/passwd', join(directory, 'link.pcapng'));
  mkdirSync(join(directory, 'folder.pcapng'));
  const list = await all.list();
  t.deepEqual(
    list.map(({ name, bytes, packets, running }) => ({ name, bytes, packets, running })),
    [{ name: 'ring-1.pcap', bytes: 1, packets: null, running: false }],
  );
  for (const name of ['notes.txt', 'link.pcapng', 'folder.pcapng', '..']) {
    await t.throwsAsync(all.remove(name), { code: 'notFound' }, name);
  }
  await t.throwsAsync(all.stop('ring-1.pcap'), { code: 'conflict', message: /was not started over HTTP/ });
});

test('the file the analyzer itself writes is running, and is not removed until the next one is begun', async (t) => {
  const directory = temporaryFolder(t);
  const source = new MirroredFrames();
  const open = new OpenFiles();
  const all = new Captures(directory, source, { isWritten: open.has });
  const ring = new RingSink(
    {
      ...{ path: join(directory, 'r.pcapng'), format: 'pcapng', snapLength: 0, keepHeaders: false },
      ...{ statistics: source.statistics, open },
    },
    { bytes: 0, seconds: 0, frames: 1, files: 0 },
  );
  source.addSink(ring);
  source.send(new Uint8Array(60), { times: 2 });
  const [first, second] = await all.list();
  t.deepEqual([first.running, second.running], [false, true]);
  await t.throwsAsync(all.remove(second.name), { code: 'conflict', message: /the analyzer writes it/ });
  await all.remove(first.name);
  ring.close();
  t.false((await all.get(second.name)).running);
  await all.remove(second.name);
  t.deepEqual(await all.list(), []);
});

test('a running capture is not removed, one that ended is, and its name is free again', async (t) => {
  const { all } = captures(t);
  const { name } = await all.start({ name: 'a' });
  await t.throwsAsync(all.remove(name), { code: 'conflict', message: /stop it first/ });
  await all.stop(name);
  await all.remove(name);
  await t.throwsAsync(all.get(name), { code: 'notFound' });
  t.true((await all.start({ name: 'a' })).running);
  all.close();
});
