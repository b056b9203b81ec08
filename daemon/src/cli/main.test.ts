import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import test from 'ava';

import { startApi } from '../api/server.js';
import { guestVif, inetRoute, tcpFlow } from '../testing/dumps.js';
import { guestView } from '../testing/view.js';
import { format as formatVifs } from './vif.js';

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const executable = (tool: string): string => fileURLToPath(new URL(`../../bin/${tool}.js`, import.meta.url));

/** Runs a tool as a user does. */
const run = (tool: string, argv: string[], socket: string, stdin = ''): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, VROUTERD_SOCKET: socket };
    const child = execFile(executable(tool), argv, { env, maxBuffer: 1 << 26 }, (_, stdout, stderr) => {
      resolve({ status: child.exitCode, stdout, stderr });
    });
    child.stdin?.end(stdin);
  });

const directory = await mkdtemp(join(tmpdir(), 'vrouterd-cli-'));
const socket = join(directory, 'vrouterd.sock');
const routes = Array.from({ length: 65_536 }, () => inetRoute());
const flows = Array.from({ length: 20_000 }, (_, index) => tcpFlow({ index }));
const server = await startApi(
  guestView({
    flows: () => flows,
    inetRoutes: () => routes,
    apply: (documents) =>
      Promise.resolve(documents.map(() => ({ kind: 'VirtualNetwork', name: 'x', outcome: 'created' }))),
  }),
  { socket },
  { error: () => undefined },
);
test.after.always(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

test('every tool is an executable that prints what the daemon answers', async (t) => {
  t.deepEqual(await run('vif', ['--list'], socket), { status: 0, stdout: formatVifs([guestVif()]), stderr: '' });
  for (const [tool, ...argv] of [
    ['flow', '-l'],
    ['nh', '--list'],
    ['rt', '--dump', '7'],
    ['mpls', '--dump'],
    ['vxlan', '--dump'],
    ['dropstats'],
    ['vrfstats', '--dump'],
  ]) {
    const { status, stdout, stderr } = await run(tool, argv, socket);
    t.is(status, 0, tool);
    t.is(stderr, '');
    t.not(stdout, '');
  }
  t.regex((await run('vrouter', ['status'], socket)).stdout, /^host +server-4c\n/);
});

test('--socket goes before VROUTERD_SOCKET', async (t) => {
  t.is((await run('vif', ['--list', '--socket', socket], '/nowhere.sock')).status, 0);
});

test('documents can come through stdin', async (t) => {
  t.is(
    (await run('vrouter', ['apply', '-f', '-'], socket, 'kind: VirtualNetwork\n')).stdout,
    'VirtualNetwork/x created\n',
  );
});

test('a daemon that is not running is one line on stderr and status 3', async (t) => {
  for (const [tool, ...argv] of [['vif', '-l'], ['dropstats'], ['vrouter', 'get', 'all']]) {
    t.deepEqual(await run(tool, argv, '/nowhere/vrouterd.sock'), {
      status: 3,
      stdout: '',
      stderr: `${tool}: vrouterd does not answer on /nowhere/vrouterd.sock; start it with: systemctl start vrouterd (or vrouterd --config FILE)\n`,
    });
  }
});

test('a refusal is one line on stderr and status 1', async (t) => {
  t.deepEqual(await run('nh', ['--get', '9999'], socket), {
    status: 1,
    stdout: '',
    stderr: 'nh: No such file or directory: there is no nexthop 9999; list them to see which there are\n',
  });
});

test('bad options keep the status of the classic tools', async (t) => {
  const statuses = [];
  for (const tool of ['vif', 'flow', 'nh', 'rt', 'mpls', 'vxlan', 'dropstats', 'vrfstats', 'vrouter']) {
    statuses.push((await run(tool, ['--bogus'], socket)).status);
  }
  t.deepEqual(statuses, [0, 234, 234, 1, 1, 1, 234, 234, 2]);
});

test('a reader that has seen enough ends the tool without a word', async (t) => {
  const child = spawn(executable('rt'), ['--dump', '7', '--socket', socket], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdout.once('data', () => child.stdout.destroy());
  const status = await new Promise((resolve) => child.once('close', resolve));
  t.is(status, 0);
  t.is(stderr, '');
});

test('a long list of flows comes through whole, and a reader may stop in the midst of it', async (t) => {
  const { status, stdout } = await run('flow', ['-l', '--json'], socket);
  t.is(status, 0);
  t.is((JSON.parse(stdout) as unknown[]).length, flows.length);
  const child = spawn(executable('flow'), ['-l', '--socket', socket], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdout.once('data', () => child.stdout.destroy());
  t.is(await new Promise((resolve) => child.once('close', resolve)), 0);
  t.is(stderr, '');
});

test('--rate ends with its input', async (t) => {
  const { status, stdout } = await run('vif', ['--list', '--rate'], socket, 'jkq');
  t.is(status, 0);
  t.regex(stdout, /^Interface rate statistics\n/);
});
