import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';

import { blockTypes, MirroredFrames } from '../testing/mirrored-frames.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { Captures, type CaptureDump } from './captures.js';
import { createHttpServer } from './http-server.js';
import { BLOCK } from './pcapng.js';

const TOKEN = 'a-token-nobody-guesses';
const authorization = `Bearer ${TOKEN}`;

async function server(t: ExecutionContext) {
  const directory = temporaryFolder(t);
  const source = new MirroredFrames();
  const captures = new Captures(directory, source);
  const told: string[] = [];
  const app = createHttpServer({ token: TOKEN, captures, source, tell: (text) => told.push(text) });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    captures.close();
    await app.close();
  });
  const ask = (path: string, { headers = {}, ...init }: RequestInit = {}): Promise<Response> =>
    fetch(`${url}${path}`, { ...init, headers: { authorization, ...(headers as Record<string, string>) } });
  const post = async (path: string, body?: object): Promise<CaptureDump> => {
    const sent = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return (await (await ask(path, { method: 'POST', ...sent })).json()) as CaptureDump;
  };
  return { directory, source, url, told, app, ask, post };
}

/** What a stream said so far. */
async function follow(url: string, query = ''): Promise<{ answer: IncomingMessage; read: () => Uint8Array }> {
  const request = get(`${url}/v1/stream${query}`, { headers: { authorization }, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Uint8Array[] = [];
  answer.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  return { answer, read: () => Buffer.concat(chunks) };
}

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
};

test('who does not show the token is told nothing, whatever is asked', async (t) => {
  const { url, source } = await server(t);
  for (const path of ['/v1/captures', '/v1/stream', '/v1/statistics', '/v1/cmirror.lua', '/nothing']) {
    for (const headers of [{}, { authorization: 'Bearer a-token-nobody-guessed' }] as Record<string, string>[]) {
      const answer = await fetch(`${url}${path}`, { headers });
      t.is(answer.status, 401, path);
      t.is(answer.headers.get('www-authenticate'), 'Bearer');
      t.regex(await answer.text(), /"unauthorized"/);
    }
  }
  t.is((await fetch(`${url}/v1/captures`, { method: 'POST' })).status, 401);
  t.is(source.sinks.size, 0);
});

test('a capture is started, listed, stopped, fetched and removed', async (t) => {
  const { ask, post, source, directory } = await server(t);
  const { name } = await post('/v1/captures', { name: 'mine', snapLength: 100 });
  t.is(name, 'mine.pcapng');
  source.send(new Uint8Array(60));
  const [listed] = (await (await ask('/v1/captures')).json()) as CaptureDump[];
  t.deepEqual([listed.name, listed.running, listed.packets], ['mine.pcapng', true, 1]);
  t.is((await ask('/v1/captures/mine.pcapng', { method: 'DELETE' })).status, 409);
  t.false((await post('/v1/captures/mine.pcapng/stop')).running);

  const file = await ask('/v1/captures/mine.pcapng');
  t.is(file.headers.get('content-type'), 'application/x-pcapng');
  t.is(file.headers.get('content-disposition'), 'attachment; filename="mine.pcapng"');
  const bytes = Buffer.from(await file.arrayBuffer());
  t.deepEqual(bytes, readFileSync(join(directory, name)));
  t.deepEqual(blockTypes(bytes), [BLOCK.section, BLOCK.interface, BLOCK.enhancedPacket, BLOCK.statistics]);

  t.is((await ask('/v1/captures/mine.pcapng', { method: 'DELETE' })).status, 204);
  t.deepEqual(await (await ask('/v1/captures')).json(), []);
  t.regex((await post('/v1/captures')).name, /^capture-/);
});

test('JSON that curl calls a form is JSON; what is none, or has other fields, is refused', async (t) => {
  const { ask } = await server(t);
  const start = (body: string, type = 'application/x-www-form-urlencoded'): Promise<Response> =>
    ask('/v1/captures', { method: 'POST', body, headers: { 'content-type': type } });
  t.is((await start('{"name":"a"}')).status, 201);
  for (const body of ['name=b', '{"name":"../b"}', '{"nmae":"b"}', '{"maxBytes":-1}', '{"maxSeconds":0}', '[]']) {
    t.is((await start(body)).status, 400, body);
  }
  t.is((await start('{"name":"a"}')).status, 409);
  t.is((await start('<a/>', 'text/xml')).status, 415);
  t.is((await ask('/v1/captures/b.pcapng')).status, 404);
  t.is((await ask('/v1/captures/..%2fpasswd.pcap')).status, 404);
});

test('a capture and a stream have only frames of the network and by the filter that were asked for', async (t) => {
  const { post, source, ask, url } = await server(t);
  const { name } = await post('/v1/captures', { name: 'one', vn: 'n1', direction: 'ingress' });
  await post('/v1/captures', { name: 'none', filter: 'greater 100' });
  const stream = await follow(url, '?vn=n1&filter=less%20100');
  for (const network of [0, 1, 2]) source.send(new Uint8Array(60), { network });
  source.flush();
  const packets = async (of: string) =>
    ((await (await ask('/v1/captures')).json()) as CaptureDump[]).find((one) => one.name === of)?.packets;
  t.deepEqual([await packets(name), await packets('none.pcapng')], [1, 0]);
  await until(() => blockTypes(stream.read()).length === 3);
  t.deepEqual(blockTypes(stream.read()), [BLOCK.section, BLOCK.interface, BLOCK.enhancedPacket]);
  t.is((await ask('/v1/stream?filter=nonsense')).status, 400);
  t.is((await ask('/v1/stream?direction=up')).status, 400);
});

test('parts of a file are fetched', async (t) => {
  const { ask, directory } = await server(t);
  writeFileSync(join(directory, 'a.pcap'), '0123456789');
  writeFileSync(join(directory, 'empty.pcap'), '');
  const part = async (range: string, name = 'a.pcap') => {
    const answer = await ask(`/v1/captures/${name}`, { headers: { range } });
    return [
      answer.status,
      answer.headers.get('content-range'),
      answer.headers.get('content-length'),
      await answer.text(),
    ];
  };
  t.deepEqual(await part('bytes=2-4'), [206, 'bytes 2-4/10', '3', '234']);
  t.deepEqual(await part('bytes=-3'), [206, 'bytes 7-9/10', '3', '789']);
  t.deepEqual(await part('bytes=8-20'), [206, 'bytes 8-9/10', '2', '89']);
  t.deepEqual(await part('bytes=1-2,4-5'), [200, null, '10', '0123456789']);
  t.deepEqual((await part('bytes=10-')).slice(0, 2), [416, 'bytes */10']);
  t.deepEqual(await part('', 'empty.pcap'), [200, null, '0', '']);
  const head = await ask('/v1/captures/a.pcap', { method: 'HEAD' });
  t.deepEqual([head.headers.get('content-length'), head.headers.get('accept-ranges')], ['10', 'bytes']);
});

test('each reader of the stream gets a capture file of its own from its beginning', async (t) => {
  const { url, source, ask } = await server(t);
  source.send(new Uint8Array(60));
  const first = await follow(url);
  t.is(first.answer.headers['content-type'], 'application/x-pcapng');
  source.send(new Uint8Array(60), { network: 1 });
  source.flush();
  const second = await follow(url);
  source.send(new Uint8Array(60));
  source.flush();
  const { section, interface: described, enhancedPacket: packet } = BLOCK;
  await until(() => blockTypes(first.read()).length === 5 && blockTypes(second.read()).length === 4);
  t.deepEqual(blockTypes(first.read()), [section, described, described, packet, packet]);
  t.deepEqual(blockTypes(second.read()), [section, described, described, packet]);

  const { streams } = (await (await ask('/v1/statistics')).json()) as { streams: { packets: number; lost: number }[] };
  t.deepEqual(
    streams.map(({ packets, lost }) => [packets, lost]),
    [
      [2, 0],
      [1, 0],
    ],
  );
  first.answer.destroy();
  await until(() => source.sinks.size === 1);
  t.is(source.sinks.size, 1);
  t.is((await ask('/v1/stream', { method: 'HEAD' })).status, 404);
});

test('a reader that does not read loses frames, which are counted and told, while others lose none', async (t) => {
  const { url, source, told } = await server(t);
  const [slow, quick] = [await follow(url), await follow(url)];
  slow.answer.pause();
  const sent = 4000;
  for (let i = 0; i < sent / 100; i++) {
    source.send(new Uint8Array(9000), { times: 100 });
    source.flush();
    await new Promise(setImmediate);
  }
  await until(() => blockTypes(quick.read()).length === sent + 2);
  t.is(blockTypes(quick.read()).length, sent + 2);
  slow.answer.destroy();
  await until(() => told.length > 0);
  const [, lost, all] = /port \d+ was too slow for (\d+) of (\d+) frames/.exec(told[0]) ?? [];
  t.is(Number(all), sent);
  t.true(Number(lost) > 1000, told[0]);
});

test('a server that closes ends its streams with their counters', async (t) => {
  const { url, source, app } = await server(t);
  const { answer, read } = await follow(url);
  source.send(new Uint8Array(60));
  const ended = once(answer, 'end');
  await app.close();
  await ended;
  t.deepEqual(blockTypes(read()), [BLOCK.section, BLOCK.interface, BLOCK.enhancedPacket, BLOCK.statistics]);
});

test('the dissector can be fetched where there is no shell', async (t) => {
  const { ask } = await server(t);
  t.regex(await (await ask('/v1/cmirror.lua')).text(), /Proto\("cmirror"/);
});
