import test from 'ava';

import { clusterHosts } from '../testing/dumps.js';
import { nodeError, surroundings } from '../testing/surroundings.js';
import { guestView } from '../testing/view.js';
import type { Daemon } from './client.js';
import { Exit } from './exit.js';
import { vrouter } from './vrouter.js';
import { parseArgs } from './vrouter-args.js';

const BLUE = `apiVersion: vrouter/v1
kind: VirtualNetwork
metadata:
  name: blue
`;
const files = (contents: Record<string, string>) => ({
  read: (file: string) => (file in contents ? Promise.resolve(contents[file]) : Promise.reject(nodeError('ENOENT'))),
});

/** Runs the tool where it has to fail. */
const failing = async (
  daemon: Partial<Daemon>,
  argv: string[],
  contents: Record<string, string> = {},
): Promise<Exit> => {
  try {
    await vrouter.run(argv, surroundings(daemon, files(contents)));
  } catch (error) {
    if (error instanceof Exit) return error;
    throw error;
  }
  throw new Error(`vrouter ${argv.join(' ')} did not fail`);
};

test('apply sends the documents of all files and prints one line per object', async (t) => {
  const asked: unknown[] = [];
  const daemon: Partial<Daemon> = {
    apply: (documents, options) => {
      asked.push(documents, options);
      return Promise.resolve([
        { kind: 'VirtualNetwork', name: 'default-domain:default-project:blue', outcome: 'created' },
        { kind: 'VirtualMachineInterface', name: 'default-domain:lab:vm1', outcome: 'unchanged' },
      ]);
    },
  };
  const contents = {
    'a.yaml': `# two documents, one empty\n---\n${BLUE}---\n`,
    '-': '{kind: x, metadata: {name: vm1}}',
  };
  const argv = ['apply', '-f', 'a.yaml', '-f', '-', '--prune'];
  t.is(
    await vrouter.run(argv, surroundings(daemon, files(contents))),
    'VirtualNetwork/blue created\nVirtualMachineInterface/default-domain:lab:vm1 unchanged\n',
  );
  t.deepEqual(asked, [
    [
      { apiVersion: 'vrouter/v1', kind: 'VirtualNetwork', metadata: { name: 'blue' } },
      { kind: 'x', metadata: { name: 'vm1' } },
    ],
    { dryRun: false, prune: true },
  ]);
});

test('a dry run shows the difference field by field', async (t) => {
  const changes = [
    { path: 'spec.mtu', from: null, to: 1400 },
    { path: 'spec.subnets[0].gateway', from: '10.0.0.1', to: '10.0.0.254' },
  ];
  const daemon: Partial<Daemon> = {
    apply: (_, { dryRun }) =>
      Promise.resolve(dryRun ? [{ kind: 'VirtualNetwork', name: 'd:p:blue', outcome: 'changed', changes }] : []),
  };
  t.is(
    await vrouter.run(['apply', '--dry-run', '-f', 'a'], surroundings(daemon, files({ a: BLUE }))),
    `VirtualNetwork/d:p:blue changed (dry run)
  spec.mtu: (none) -> 1400
  spec.subnets[0].gateway: "10.0.0.1" -> "10.0.0.254"
`,
  );
});

test('a YAML error names file, line and column', async (t) => {
  const exit = await failing({}, ['apply', '-f', 'net.yaml'], { 'net.yaml': `${BLUE}---\nkind: [a, b\nmetadata: x\n` });
  t.is(exit.status, 1);
  t.regex(exit.message, /^net\.yaml:7:1: [^\n]+; correct the YAML$/);
  const duplicate = await failing({}, ['apply', '-f', '-'], { '-': 'kind: a\nkind: b\n' });
  t.regex(duplicate.message, /^stdin:2:1: Map keys must be unique; correct the YAML$/);
  const quoting = await failing({}, ['apply', '-f', '-'], { '-': `a: b\n"c\nd ${'x'.repeat(5000)}"\n e: f\n` });
  t.regex(quoting.message, /^stdin:\d+:\d+: .{1,200}; correct the YAML$/);
});

test('a document that goes too deep, or in circles, is refused', async (t) => {
  const deep = await failing({}, ['apply', '-f', '-'], { '-': `kind: ${'['.repeat(20_000)}` });
  const lists = await failing({}, ['apply', '-f', '-'], { '-': `${'- '.repeat(20_000)}a` });
  for (const { message } of [deep, lists]) {
    t.regex(message, /^stdin:1:\d+: nested more than 100 levels deep; correct the YAML$/);
  }
  const circle = await failing({}, ['apply', '-f', '-'], { '-': 'spec: &a\n  subnets: [*a]\n' });
  t.is(circle.message, 'stdin:1:1: an alias lies in what it stands for; correct the YAML');
});

test('an alias bomb is refused', async (t) => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 0; i < 8; i++) {
    const [before, name] = ['abcdefghi'[i], 'abcdefghi'[i + 1]];
    bomb.push(`${name}: &${name} [${Array<string>(10).fill(`*${before}`).join(', ')}]`);
  }
  const exit = await failing({}, ['apply', '-f', 'bomb'], { bomb: bomb.join('\n') });
  t.regex(exit.message, /^bomb:1:1: .*alias/);
});

test('a file that is not there, or empty, is refused', async (t) => {
  t.is(
    (await failing({}, ['apply', '-f', 'nowhere.yaml'])).message,
    'nowhere.yaml: there is no such file; name a file, or - for stdin',
  );
  const exit = await failing({}, ['apply', '--prune', '-f', 'a', '-f', 'b'], { a: '', b: '# nothing\n---\n' });
  t.is(exit.message, 'a, b: no documents in it; write apiVersion, kind, metadata and spec');
  t.is(exit.status, 1);
});

test('delete takes a file, or a kind and a name', async (t) => {
  const asked: unknown[] = [];
  const daemon: Partial<Daemon> = {
    remove: (documents) => {
      asked.push(documents);
      return Promise.resolve([{ kind: 'VirtualNetwork', name: 'a:b:blue', outcome: 'deleted' }]);
    },
  };
  const document = { apiVersion: 'vrouter/v1', kind: 'VirtualNetwork', metadata: { name: 'blue' } };
  for (const argv of [
    ['delete', 'vn', 'blue'],
    ['delete', '-f', 'a'],
  ]) {
    t.is(await vrouter.run(argv, surroundings(daemon, files({ a: BLUE }))), 'VirtualNetwork/a:b:blue deleted\n');
  }
  t.deepEqual(asked, [[document], [document]]);
});

test('kinds have plural, lower-case and short forms', (t) => {
  for (const kind of [
    'vmi',
    'VMIs',
    'virtualmachineinterfaces',
    'VirtualMachineInterface',
    'virtual-machine-interface',
  ]) {
    t.like(parseArgs(['get', kind]), { kind: 'VirtualMachineInterface' });
  }
  t.like(parseArgs(['delete', 'vns', 'blue']), { object: { kind: 'VirtualNetwork', name: 'blue' } });
  for (const kind of ['np', 'NPs', 'networkpolicies', 'network-policy'])
    t.like(parseArgs(['get', kind]), { kind: 'NetworkPolicy' });
  t.like(parseArgs(['get', 'sg', 'web']), { kind: 'SecurityGroup', name: 'web' });
});

const metadata = { domain: 'default-domain', project: 'default-project', labels: {} };
const network = {
  apiVersion: 'vrouter/v1',
  kind: 'VirtualNetwork',
  metadata: { ...metadata, name: 'blue' },
  spec: { forwardingMode: 'l2_l3', subnets: [{ prefix: '5.5.5.0/24' }, { prefix: 'fd00::/64' }], policies: [] },
  status: { networkId: 4 },
};
const guest = {
  apiVersion: 'vrouter/v1',
  kind: 'VirtualMachineInterface',
  metadata: { ...metadata, project: 'lab', name: 'vm1' },
  spec: { virtualNetwork: 'default-domain:default-project:blue', host: 'server-4c' },
  status: { device: 'tapaaf088f0-65', mac: '02:aa:f0:88:f0:65', addresses: ['5.5.5.3'], vif: 3, state: 'active' },
};
const stored: Partial<Daemon> = {
  objects: (kind, name) =>
    Promise.resolve(
      [network, guest].filter(
        (one) => (kind ?? one.kind) === one.kind && (name ?? one.metadata.name) === one.metadata.name,
      ),
    ),
};

test('get shows a table of a kind', async (t) => {
  t.is(
    await vrouter.run(['get', 'vmi'], surroundings(stored)),
    `NAME                    NETWORK  HOST       VIF  DEVICE          MAC                ADDRESSES  STATE
default-domain:lab:vm1  blue     server-4c  3    tapaaf088f0-65  02:aa:f0:88:f0:65  5.5.5.3    active
`,
  );
});

test('an interface that is not active says why, and what is not known is a dash', async (t) => {
  const waiting = { ...guest, spec: { virtualNetwork: 'a:b:c' }, status: { ...guest.status, vif: undefined } };
  const status = { ...waiting.status, state: 'pending', reason: 'no namespace vm1' };
  const text = await vrouter.run(
    ['get', 'vmi', 'vm1'],
    surroundings({ objects: () => Promise.resolve([{ ...waiting, status }]) }),
  );
  t.regex(text, /\n\S+ +a:b:c +- +- +tap\S+ .* pending \(no namespace vm1\)\n$/);
});

test('get all shows a table for each kind there is something of', async (t) => {
  t.is(
    await vrouter.run(['get', 'all'], surroundings(stored)),
    `NAME                 ID  MODE   SUBNETS               POLICIES
VirtualNetwork/blue  4   l2_l3  5.5.5.0/24,fd00::/64  -

NAME                                            NETWORK  HOST       VIF  DEVICE          MAC                ADDRESSES  STATE
VirtualMachineInterface/default-domain:lab:vm1  blue     server-4c  3    tapaaf088f0-65  02:aa:f0:88:f0:65  5.5.5.3    active
`,
  );
  t.is(await vrouter.run(['get', 'all'], surroundings({ objects: () => Promise.resolve([]) })), '');
});

test('a kind there is nothing of shows its titles', async (t) => {
  const none = surroundings({ objects: () => Promise.resolve([]) });
  t.is(await vrouter.run(['get', 'vn'], none), 'NAME  ID  MODE  SUBNETS  POLICIES\n');
  t.is(await vrouter.run(['get', 'vn', '-o', 'yaml'], none), '');
  t.is(await vrouter.run(['get', 'vn', '-o', 'json'], none), '[]\n');
});

test('get -o yaml prints documents that can be applied again', async (t) => {
  const yaml = await vrouter.run(['get', 'all', '-o', 'yaml'], surroundings(stored));
  t.regex(yaml, /^apiVersion: vrouter\/v1\nkind: VirtualNetwork\n/);
  t.is(yaml.split('---\n').length, 2);
  let applied: readonly unknown[] = [];
  const daemon: Partial<Daemon> = {
    apply: (documents) => {
      applied = documents;
      return Promise.resolve([]);
    },
  };
  await vrouter.run(['apply', '-f', '-'], surroundings(daemon, files({ '-': yaml })));
  t.deepEqual(applied, [network, guest]);
});

test('get -o json prints a list, or the one object asked for by name', async (t) => {
  t.deepEqual(JSON.parse(await vrouter.run(['get', 'vn', '--json'], surroundings(stored))), [network]);
  t.deepEqual(JSON.parse(await vrouter.run(['get', 'vn', 'blue', '-o', 'json'], surroundings(stored))), network);
});

test('wait ends with status 0 when all is realised', async (t) => {
  const daemon: Partial<Daemon> = { wait: () => Promise.resolve({ realised: true, pending: [] }) };
  t.is(await vrouter.run(['wait'], surroundings(daemon)), 'all objects are realised\n');
  t.like(parseArgs(['wait']), { timeout: 60 });
});

test('wait ends with status 1 and names what is not realised', async (t) => {
  const answer = {
    realised: false,
    pending: [
      { kind: 'VirtualMachineInterface', name: 'default-domain:default-project:vm1', reason: 'no namespace vm1' },
      { kind: 'VirtualNetwork', name: 'default-domain:lab:red', reason: 'just applied' },
    ],
  };
  const daemon: Partial<Daemon> = { wait: () => Promise.resolve(answer) };
  const exit = await failing(daemon, ['wait', '--timeout', '0.5']);
  t.is(exit.status, 1);
  t.is(
    exit.message,
    'not realised after 0.5 s: VirtualMachineInterface/vm1 (no namespace vm1), VirtualNetwork/default-domain:lab:red (just applied); see vrouter status',
  );
  const asJson = await failing(daemon, ['wait', '--json', '--timeout', '1']);
  t.is(asJson.status, 1);
  t.deepEqual(JSON.parse(asJson.out), answer);
});

test('wait says once what it waits for', async (t) => {
  const pending = [{ kind: 'VirtualNetwork', name: 'default-domain:default-project:red', reason: 'just applied' }];
  let asked = 0;
  const daemon: Partial<Daemon> = { wait: () => Promise.resolve({ realised: ++asked > 3, pending }) };
  const said: string[] = [];
  const out = await vrouter.run(['wait'], surroundings(daemon, { progress: (line) => said.push(line) }));
  t.is(out, 'all objects are realised\n');
  t.deepEqual(said, ['waiting for VirtualNetwork/red (just applied)']);
});

test('status shows the daemon at a glance', async (t) => {
  const status = { ...guestView().status(), warnings: ['the clock went back'] };
  const daemon: Partial<Daemon> = { status: () => Promise.resolve(status) };
  t.is(
    await vrouter.run(['status'], surroundings(daemon)),
    `host        server-4c
version     0.1.0, pid 4711, up 1 d 1 h 1 min
store       embedded, connected, epoch e1
datapath    running, last heartbeat 250 ms ago, 2 restarts
packets     received 10 + generated 2 + copied 1 = sent 9 + dropped 3 + consumed 1
flows       40 of 629760 entries (0 %), 100 sessions made, 2 refused for want of room, 30 records written, 1 lost
tunnels     3 (1 without a way) to 2 hosts; taken here: 14 labels, 2 VNIs
networks    1
interfaces  2, 1 active
warning     the clock went back
see         dropstats for why packets were dropped, vrouter trace for where one goes
`,
  );
  t.deepEqual(JSON.parse(await vrouter.run(['status', '--json'], surroundings(daemon))), status);
});

test('the classic tools are commands', async (t) => {
  t.is(await vrouter.run(['nh', '--list'], surroundings({ nexthops: () => Promise.resolve([]) })), '');
  t.is((await failing({}, ['nh', '--bogus'])).status, 234);
  t.is((await failing({}, ['rt'])).status, 1);
  t.is((await failing({}, ['flow', '--bogus'])).status, 234);
});

test('bad options end with status 2 and one line that says where to look', (t) => {
  const bad = [
    [[], 'vrouter --help'],
    [['frobnicate'], 'vrouter --help'],
    [['apply'], 'vrouter apply --help'],
    [['apply', '-f', 'a', 'b'], 'vrouter apply --help'],
    [['delete'], 'vrouter delete --help'],
    [['delete', 'vn'], 'vrouter delete --help'],
    [['delete', 'vn', 'blue', '-f', 'a'], 'vrouter delete --help'],
    [['delete', 'all', 'x'], 'vrouter delete --help'],
    [['get'], 'vrouter get --help'],
    [['get', 'pod'], 'vrouter get --help'],
    [['get', 'all', 'blue'], 'vrouter get --help'],
    [['get', 'vn', '-o', 'xml'], 'vrouter get --help'],
    [['wait', '--timeout', '-1'], 'vrouter wait --help'],
    [['wait', '--timeout', 'soon'], 'vrouter wait --help'],
    [['status', '--verbose'], 'vrouter status --help'],
  ] as const;
  for (const [argv, help] of bad) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit }, argv.join(' '));
    t.is(exit.status, 2);
    t.is(exit.out, '');
    t.regex(exit.message, /^[^\n]+$/);
    t.true(exit.message.endsWith(`; see ${help}`), exit.message);
  }
});

test('help is there for the tool and each command', (t) => {
  for (const argv of [['--help'], ['help'], ['apply', '--help'], ['help', 'get']]) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit });
    t.is(exit.status, 0);
    t.is(exit.message, '');
    t.regex(exit.out, /^Usage: vrouter /);
  }
});

test('get hosts shows every host of the cluster, its lease, its lag and its keepalive, and tunnel endpoints', async (t) => {
  const daemon: Partial<Daemon> = {
    hosts: () => Promise.resolve(clusterHosts()),
    host: (name) => Promise.resolve(clusterHosts().find((host) => host.name === name) ?? clusterHosts()[0]),
  };
  const run = (...argv: string[]) => vrouter.run(['get', ...argv], surroundings(daemon));
  t.is(
    await run('hosts'),
    'NAME                 TUNNEL     ENCAPSULATIONS          VERSION  STATE               LEASE  LAG          ROUTES               KEEPALIVE\n' +
      'alpha (this host)    192.0.2.1  MPLSoUDP,VXLAN          0.1.0    alive               8.1 s  0            3                    -\n' +
      'beta                 192.0.2.2  MPLSoGRE (none shared)  0.1.0    keepalive answered  -      7 (1250 ms)  12 (1 not readable)  0.8 ms\n' +
      'TunnelEndpoint/vtep  192.0.2.9  VXLAN                   -        configured          -      -            2                    -\n',
  );
  t.deepEqual(JSON.parse(await run('hosts', '-o', 'json')), clusterHosts());
  t.deepEqual(JSON.parse(await run('host', 'beta', '--json')), clusterHosts()[1]);
  t.regex(await run('hosts', 'beta', '-o', 'yaml'), /^name: beta\nself: false\n/);
});

test('store copy takes a URL, or the store a configuration file names', async (t) => {
  const asked: unknown[] = [];
  const daemon: Partial<Daemon> = {
    copyStore: (request) => {
      asked.push(request);
      return Promise.resolve({ to: 'redis://r:6379', prefix: 'x:', keys: 7, objects: 12 });
    },
  };
  const contents = {
    'new.yaml': 'tunnel: {address: 192.0.2.1}\nredis: {url: redis://r, username: u}\nredisPrefix: "x:"\n',
    'old.yaml': 'tunnel: {address: 192.0.2.1}\n',
  };
  const run = (...argv: string[]) => vrouter.run(['store', 'copy', ...argv], surroundings(daemon, files(contents)));
  t.is(await run('--to', 'redis://r'), '12 objects in 7 keys copied to redis://r:6379, prefix x:\n');
  await run('--to', 'new.yaml', '--force');
  await run('--to', 'new.yaml', '--prefix', 'y:', '--json');
  t.deepEqual(asked, [
    { to: 'redis://r', force: false },
    { to: { url: 'redis://r', username: 'u' }, force: true, prefix: 'x:' },
    { to: { url: 'redis://r', username: 'u' }, force: false, prefix: 'y:' },
  ]);
  const refused = await failing(daemon, ['store', 'copy', '--to', 'old.yaml'], contents);
  t.is(refused.status, 1);
  t.regex(refused.message, /^old.yaml: redis names no store; /);
  t.is((await failing(daemon, ['store', 'copy'])).status, 2);
  t.is((await failing(daemon, ['store', 'move', '--to', 'redis://r'])).status, 2);
});
