/**
 *   ┌ a ───────────┐   ┌ host ────────────────────────────────┐   ┌ b ───────────┐
 *   │ eth0 5.5.5.3 ├───┤ vrouterd   ages, limits and records  ├───┤ eth0 5.5.5.4 │
 *   └──────────────┘   │            sessions                  │   └──────────────┘
 *                      └──────────────────────────────────────┘
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { StatusDump } from '../../daemon/src/control/dumps.js';
import type { Daemon } from './lab/daemon.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import { sleep, until } from './lab/process.js';
import { type Document, inside, network, port, portOf } from './lab/topology.js';

interface Setting {
  readonly lab: Lab;
  readonly daemon: Daemon;
  readonly a: Namespace;
  readonly b: Namespace;
}

/** Two guests with TAPs, addressed by the daemon, that know each other and speak no IPv6. `config` is YAML. */
async function setUp(t: ExecutionContext, config: (directory: string) => string, of: Document = {}): Promise<Setting> {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon({ config: config(lab.directory) });
  const [a, b] = [await lab.namespace('a'), await lab.namespace('b')];
  const how = { port: 'tap', configure: true };
  await daemon.apply(
    network('blue'),
    port('a', 'blue', inside(a, how), { addresses: ['5.5.5.3'], ...of }),
    port('b', 'blue', inside(b, how), { addresses: ['5.5.5.4'] }),
  );
  for (const guest of [a, b]) {
    await guest.waitForLink();
    await guest.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=1');
  }
  await a.ping('5.5.5.4', 1);
  return { lab, daemon, a, b };
}

/** TCP payload of a segment: what the network's MTU leaves with time stamps. */
const SEGMENT = 1450 - 52;

const status = async (daemon: Daemon): Promise<StatusDump> => daemon.dump<StatusDump>('vrouter', 'status');

/** Entries in the share of an interface. */
async function entriesOf(daemon: Daemon, name: string): Promise<number> {
  return (await portOf(daemon, name)).vif.flows.entries;
}

/** Sends one datagram from each of `count` source ports. */
const datagrams = (guest: Namespace, count: number, first = 20_000, to = '5.5.5.4'): Promise<string> =>
  guest.run([
    process.execPath,
    '-e',
    `const { createSocket } = require('node:dgram');
     for (let i = 0; i < ${count}; i++) {
       const socket = createSocket('udp4');
       socket.bind(${first} + i, () => socket.send('x', 9, '${to}', () => socket.close()));
     }`,
  ]);

test('sessions end when they were idle for the time of their protocol, and a changed time holds for those there are', async (t) => {
  const config = (): string => 'flowAgeing: [{ protocol: udp, seconds: 5 }, { protocol: icmp, seconds: 1 }]';
  const { daemon, a, b } = await setUp(t, config);
  const server = b.spawn([
    process.execPath,
    '-e',
    "require('node:net').createServer((s) => s.pipe(s)).listen(7, () => console.log('ready'))",
  ]);
  await server.waitFor(/ready/);
  const client = a.spawn([
    process.execPath,
    '-e',
    "require('node:net').connect(7, '5.5.5.4', () => console.log('connected'))",
  ]);
  await client.waitFor(/connected/);
  await until('the ping is forgotten', async () => ((await entriesOf(daemon, 'a')) === 2 ? true : undefined));

  const before = Date.now();
  await datagrams(a, 1);
  const sentAt = Date.now();
  t.is(await entriesOf(daemon, 'a'), 4);
  await until('the datagram is forgotten', async () => ((await entriesOf(daemon, 'a')) === 2 ? true : undefined));
  const [least, most] = [sentAt, before].map((from) => Date.now() - from);
  // Time for a busy machine is on top of 1.25 times the idle time.
  t.true(most > 5_000 && least < 10_000, `${least}..${most} ms`);

  // The TCP session is idle as well, and there is a different time for it.
  await sleep(1_000);
  t.is(await entriesOf(daemon, 'a'), 2);
  const text = await readFile(daemon.configFile, 'utf8');
  await writeFile(daemon.configFile, text.replace('protocol: udp', 'protocol: tcp'));
  process.kill(daemon.pid, 'SIGHUP');
  await until('the connection is forgotten', async () => ((await entriesOf(daemon, 'a')) === 0 ? true : undefined));
});

test('a session is recorded when it begins and when it ends, with the packets and bytes that were on the wire', async (t) => {
  const config = (directory: string): string =>
    `sessions: { file: { path: ${directory}/records } }\nflowAgeing: [{ protocol: icmp, seconds: 1 }]`;
  const { lab, daemon, a, b } = await setUp(t, config);
  const capture = await b.capture('eth0', 'tcp port 7');
  const server = b.spawn([
    process.execPath,
    '-e',
    "require('node:net').createServer((s) => s.on('data', () => s.end('y'.repeat(5000)))).listen(7, () => console.log('ready'))",
  ]);
  await server.waitFor(/ready/);
  await a.run([
    process.execPath,
    '-e',
    "require('node:net').connect(7, '5.5.5.4', function () { this.write('x'.repeat(3000)); }).resume()",
  ]);

  const records = await until('the end is recorded', async () => {
    const lines = (await readFile(join(lab.directory, 'records'), 'utf8')).split('\n').slice(0, -1);
    const all = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ protocol }) => protocol === 'tcp');
    return all.length === 2 ? all : undefined;
  });
  const name = (vmi: string): string => `default-domain:default-project:${vmi}`;
  t.like(records[0], {
    event: 'start',
    vmi: name('a'),
    network: name('blue'),
    peerVmi: name('b'),
    protocol: 'tcp',
    source: '5.5.5.3',
    destination: '5.5.5.4',
    destinationPort: 7,
    action: 'forward',
  });
  t.like(records[1], { event: 'end', cause: 'closed', sourcePort: records[0].sourcePort });
  t.true(Number(records[1].duration) < 10);

  // tcpdump shows super-frames whole; the record counts what they are on the wire.
  const seen = { toB: { packets: 0, bytes: 0 }, toA: { packets: 0, bytes: 0 } };
  for (const frame of await capture.stop()) {
    const lengths = [...frame.matchAll(/, length (\d+)/g)].map(([, digits]) => Number(digits));
    const [whole, payload] = [lengths[0], lengths.at(-1) ?? 0];
    const segments = Math.max(1, Math.ceil(payload / SEGMENT));
    const side = frame.includes('> 5.5.5.4.7:') ? seen.toB : seen.toA;
    side.packets += segments;
    side.bytes += whole + (segments - 1) * (whole - payload);
  }
  const { packets, bytes, reversePackets, reverseBytes } = records[1];
  t.deepEqual({ packets, bytes }, seen.toB);
  t.deepEqual({ packets: reversePackets, bytes: reverseBytes }, seen.toA);
  const { sessionRecords } = await status(daemon);
  t.is(sessionRecords.lost, 0);
});

test('an interface that has its share of flows begins no more sessions, and others do', async (t) => {
  const { daemon, a, b } = await setUp(t, () => 'flowAgeing: [{ protocol: udp, seconds: 30 }]', { maxFlows: 20 });
  await datagrams(a, 50);
  const { vif } = await portOf(daemon, 'a');
  t.deepEqual(vif.flows, { entries: 20, most: 20 });
  t.true(vif.flags.includes('Df'));
  type Drops = { readonly dropCounters: Readonly<Record<string, number>> };
  const { dropCounters } = await daemon.dump<Drops>('vif', `--get ${vif.id} --get-drop-stats`);
  t.true(dropCounters['New Flow Drops'] >= 41, JSON.stringify(dropCounters));
  t.regex(await daemon.run('vrouter', 'status'), /VirtualMachineInterface\/a: has all the flow entries it may have/);
  await b.ping('5.5.5.3', 1);
});

test('refused sessions are in the log with names and reason, and a few of them stand for many', async (t) => {
  const config = (): string => 'sessions: { refused: { perSecond: 3 } }';
  const { daemon, a } = await setUp(t, config);
  const before = daemon.output.length;
  await datagrams(a, 60, 20_000, '9.9.9.9');
  await sleep(1_200);
  await datagrams(a, 1, 30_000, '9.9.9.9');
  const lines = await until('it is logged', () => {
    const all = daemon.output
      .slice(before)
      .split('\n')
      .filter((line) => line.includes('"refused"'));
    return all.some((line) => line.includes('"sourcePort":30000')) ? all : undefined;
  });
  const first = JSON.parse(lines[0]) as Record<string, unknown>;
  t.like(first, {
    level: 40,
    msg: 'refused',
    protocol: 'udp',
    source: '5.5.5.3',
    destination: '9.9.9.9',
    destinationPort: 9,
    reason: 'NoDstRt',
  });
  t.is(first.vmi, 'default-domain:default-project:a');
  const told = lines.map((line) => JSON.parse(line) as { leftOut?: number });
  t.true(told.length < 15, `${told.length} lines`);
  t.is(
    told.reduce((sum, { leftOut = 0 }) => sum + leftOut, told.length),
    61,
  );
});

test('a rule that logs has all its sessions recorded with its name, where others are sampled', async (t) => {
  const lab = await Lab.create(t);
  const config = `sessions: { file: { path: ${lab.directory}/records }, sample: 1000000 }`;
  const daemon = await lab.daemon({ config });
  const [a, b] = [await lab.namespace('a'), await lab.namespace('b')];
  const how = { port: 'tap', configure: true };
  const rules = [
    { protocol: 'udp', destination: { ports: [9] }, log: true },
    { action: 'deny', protocol: 'udp', destination: { ports: [11] } },
    { protocol: 'any' },
  ];
  await daemon.apply(
    { apiVersion: 'vrouter/v1', kind: 'NetworkPolicy', metadata: { name: 'between' }, spec: { rules } },
    network('red', { subnets: [{ prefix: '5.5.5.0/24' }], policies: ['between'] }),
    network('blue', { subnets: [{ prefix: '6.6.6.0/24' }], policies: ['between'] }),
    port('a', 'red', inside(a, how), { addresses: ['5.5.5.3'] }),
    port('b', 'blue', inside(b, how), { addresses: ['6.6.6.3'] }),
  );
  for (const guest of [a, b]) await guest.waitForLink();
  await a.ping('6.6.6.3', 3);
  const before = daemon.output.length;
  await datagrams(a, 3, 20_000, '6.6.6.3');
  await a.run([
    process.execPath,
    '-e',
    "const s = require('node:dgram').createSocket('udp4'); s.send('x', 11, '6.6.6.3', () => s.close())",
  ]);
  const records = await until('they are recorded', async () => {
    const lines = (await readFile(join(lab.directory, 'records'), 'utf8')).split('\n').slice(0, -1);
    const all = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ protocol }) => protocol === 'udp');
    return all.length >= 3 ? all : undefined;
  });
  const name = (of: string): string => `default-domain:default-project:${of}`;
  for (const record of records) {
    t.like(record, {
      event: 'start',
      vmi: name('a'),
      network: name('red'),
      peerVmi: name('b'),
      peerNetwork: name('blue'),
    });
    t.like(record, { destinationPort: 9, rule: 'NetworkPolicy/between rules[0]' });
  }
  const refused = await until('it is logged', () => /^.*"msg":"refused".*$/m.exec(daemon.output.slice(before))?.[0]);
  t.like(JSON.parse(refused), { destinationPort: 11, reason: 'Policy', rule: 'NetworkPolicy/between rules[1]' });
});
