/**
 *   ┌ lab ─────────────────────────────────────────────────────────────────┐
 *   │ mirrored packets ──► 8099 vrouter analyzer ──► curl | tshark          │
 *   │                                            ──► VXLAN, ERSPAN ... (lo) │
 *   └──────────────────────────────────────────────────────────────────────┘
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eth } from 'vrouterd/dist/testing/packet-builder.js';
import { decode } from './lab/decoded.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import { type Background, run, until } from './lab/process.js';

const VROUTER = fileURLToPath(new URL('../../node_modules/.bin/vrouter', import.meta.url));
const NETWORK = 'default-domain:tim:traffic-net';
const PORT = 8443;

interface Analyzer {
  readonly lab: Lab;
  readonly namespace: Namespace;
  readonly process: Background;
  readonly headers: readonly string[];
  /** Sends `count` pings of the network, numbered from `first`, as a vRouter mirrors them. */
  readonly mirror: (first: number, count: number) => Promise<void>;
  /** What curl gets; fails when the server refuses. */
  readonly curl: (path: string, ...options: readonly string[]) => Promise<string>;
}

/** Ping number `seq`, copied from a port. */
const payload = (seq: number): Uint8Array => {
  const frame = eth({ src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' })
    .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
    .ping({ ident: 44801, seq })
    .payload(new Uint8Array(56))
    .bytes();
  return Uint8Array.from([3, NETWORK.length, ...Buffer.from(NETWORK), 0xff, 0, ...frame]);
};

async function analyzer(t: ExecutionContext, options: readonly string[] = [], scheme = 'http'): Promise<Analyzer> {
  const lab = await Lab.create(t);
  const namespace = await lab.namespace('lab');
  await namespace.run('ip link set lo up');
  const tokenFile = join(lab.directory, 'token');
  const folder = ['--captures', join(lab.directory, 'captures')];
  const http = ['--http', String(PORT), '--token-file', tokenFile, ...folder];
  const process = namespace.spawn([VROUTER, 'analyzer', '--listen', '127.0.0.1', ...http, ...options]);
  await process.waitFor(/serving/, 30_000);
  const token = (await readFile(tokenFile, 'utf8')).trim();
  const headers = ['-sSf', '--cacert', join(lab.directory, 'cert.pem'), '-H', `Authorization: Bearer ${token}`];
  const datagram = join(lab.directory, 'datagram');
  return {
    ...{ lab, namespace, process, headers },
    mirror: async (first, count) => {
      for (let seq = first; seq < first + count; seq++) {
        await writeFile(datagram, payload(seq));
        await namespace.run(['bash', '-c', `cat ${datagram} >/dev/udp/127.0.0.1/8099`]);
      }
    },
    curl: (path, ...more) => namespace.run(['curl', ...headers, ...more, `${scheme}://localhost:${PORT}/v1/${path}`]),
  };
}

test('captures are started, read by tshark as they come, fetched in parts and deleted', async (t) => {
  const { lab, curl, mirror, namespace, process, headers } = await analyzer(t);
  await mirror(1, 1);
  const fields = ['-T', 'fields', '-e', 'frame.interface_name', '-e', 'frame.packet_flags_direction', '-e', 'icmp.seq'];
  const stream = `curl -N ${headers.map((word) => `'${word}'`).join(' ')} http://127.0.0.1:${PORT}/v1/stream`;
  const live = namespace.spawn(['bash', '-c', `${stream} | tshark -n -l -i - -c 2 ${fields.join(' ')}`]);
  await until('a reader', async () => ((await curl('statistics')).includes('"reader"') ? true : undefined), 30_000);
  await curl('captures', '-d', '{"name":"mine"}');
  await mirror(2, 2);
  await live.waitFor(/\t3\n/, 60_000);
  const lines = live.output.split('\n').filter((line) => line.includes('\t'));
  t.deepEqual(
    lines,
    [2, 3].map((seq) => `${NETWORK}@127.0.0.1\t0x00000001\t${seq}`),
  );

  await curl('captures/mine.pcapng/stop', '-X', 'POST');
  const file = join(lab.directory, 'fetched.pcapng');
  await curl('captures/mine.pcapng', '-o', file, '-r', '0-99');
  await curl('captures/mine.pcapng', '-o', file, '-C', '-');
  t.deepEqual(await readFile(file), await readFile(join(lab.directory, 'captures', 'mine.pcapng')));
  t.deepEqual(
    (await decode(file, ['icmp.seq', 'frame.interface_name'])).map((row) => [
      row['icmp.seq'],
      row['frame.interface_name'],
    ]),
    [2, 3].map((seq) => [[String(seq)], [`${NETWORK}@127.0.0.1`]]),
  );
  await curl('captures/mine.pcapng', '-X', 'DELETE');
  t.is(await curl('captures'), '[]');
  t.is(await process.stop('SIGINT'), 0, process.output);
  t.is(await live.ended, 0, live.output);
});

test('HTTPS has the same, and whoever has no token gets nothing', async (t) => {
  const lab = await Lab.create(t);
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(lab.directory, name));
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  await run(['openssl', ...request, ...names, '-keyout', key, '-out', cert]);
  const { curl, namespace } = await analyzer(t, ['--tls-cert', cert, '--tls-key', key], 'https');
  t.is(await curl('captures', '--cacert', cert), '[]');
  const url = `https://localhost:${PORT}/v1/captures`;
  const { code, stderr } = await namespace.attempt(['curl', '-sSf', '--cacert', cert, url]);
  t.is(code, 22, stderr);
  t.regex(stderr, /401/);
});

test('frames that are sent on are decoded by a stock tshark', async (t) => {
  const emitted = ['vxlan://127.0.0.1?vni=77', 'jmirror://127.0.0.1?mirror=5&session=6', 'tzsp://127.0.0.1'];
  const erspan = ['erspan://127.0.0.1?session=9', 'erspan://127.0.0.1?session=10&version=3'];
  const all = [...emitted, ...erspan].flatMap((url) => ['--emit', url]);
  const { mirror, namespace, process } = await analyzer(t, all);
  const capture = await namespace.capture('lo', 'udp port 4789 or udp port 30030 or udp port 37008 or proto 47');
  await mirror(1, 2);
  t.is(await process.stop('SIGINT'), 0, process.output);
  await capture.stop();
  for (const url of [...emitted, ...erspan])
    t.true(process.output.includes(`${url}: 2 sent, 0 lost, 0 failed`), process.output);
  const numbers = ['vxlan.vni', 'jmirror.mid', 'jmirror.sid', 'tzsp.encap', 'erspan.spanid', 'erspan.direction'];
  const decoded = await decode(capture.file, ['icmp.seq', ...numbers], { filter: 'icmp.type == 8' });
  // `1 vxlan.vni=77`: the ping, and what is said around it.
  const said = decoded.map((row) => [
    ...row['icmp.seq'],
    ...numbers.flatMap((name) => row[name].map((value) => `${name}=${Number(value)}`)),
  ]);
  const around = [
    ['vxlan.vni=77'],
    ['jmirror.mid=5', 'jmirror.sid=6'],
    ['tzsp.encap=1'],
    ['erspan.spanid=9'],
    ['erspan.spanid=10', 'erspan.direction=0'],
  ];
  t.deepEqual(
    said.map((words) => words.join(' ')).sort(),
    ['1', '2'].flatMap((seq) => around.map((words) => [seq, ...words].join(' '))).sort(),
  );
});
