/**
 * No guest is needed to be refused: one host, one daemon, documents that are wrong.
 *   ┌ host ────────────────────────┐
 *   │ vrouterd   eth9 (not ours)   │
 *   └──────────────────────────────┘
 */
import { join } from 'node:path';
import test from 'ava';
import { yaml, type Daemon } from './lab/daemon.js';
import { Lab } from './lab/lab.js';
import type { Outcome } from './lab/process.js';
import { network, port, type Document } from './lab/topology.js';

const TAP: Document = { type: 'tap' };
const GOOD = [network('blue'), port('a', 'blue', TAP, { addresses: ['5.5.5.10'], mac: '02:00:00:00:00:10' })];
/** Room for two guests: .3 and .4 of 10.0.0.0/29 without .1 and .2, and the pool says so. */
const SMALL = network('small', {
  subnets: [{ prefix: '10.0.0.0/29', allocationPools: [{ start: '10.0.0.3', end: '10.0.0.4' }] }],
});

interface Case {
  readonly title: string;
  /** Text given to `vrouter apply -f -`. */
  readonly text: string;
  /** What the line on standard error has to say: where, and what is wrong. */
  readonly says: readonly RegExp[];
}

const documents = (...given: readonly Document[]): string => yaml(given);

const CASES: readonly Case[] = [
  { title: 'malformed YAML', text: 'kind: [VirtualNetwork\nmetadata: {', says: [/^vrouter: stdin:\d+:\d+: /] },
  { title: 'something that is no resource', text: '- 1\n- 2\n', says: [/not a resource/] },
  {
    title: 'an unknown kind',
    text: documents({ ...network('red'), kind: 'Network' }),
    says: [/"Network" is not a kind/],
  },
  {
    title: 'an unknown field',
    text: documents(network('red', { forwarding: 'l2' })),
    says: [/VirtualNetwork\/red/, /spec\.forwarding/],
  },
  {
    title: 'an unknown field deep inside, beside good documents',
    text: documents(network('red'), network('green', { subnets: [{ prefix: '6.6.6.0/24', gatway: '6.6.6.9' }] })),
    says: [/VirtualNetwork\/green/, /spec\.subnets\[0\]\.gatway/],
  },
  {
    title: 'a value of the wrong type',
    text: documents(network('red', { mtu: 'large' })),
    says: [/spec\.mtu/],
  },
  {
    title: 'a network that does not exist',
    text: documents(port('b', 'nowhere', TAP)),
    says: [/VirtualMachineInterface\/b/, /spec\.virtualNetwork/, /nowhere/],
  },
  {
    title: 'an address outside the subnet',
    text: documents(port('b', 'blue', TAP, { addresses: ['6.6.6.6'] })),
    says: [/VirtualMachineInterface\/b/, /spec\.addresses\[0\]/, /6\.6\.6\.6/],
  },
  {
    title: 'an address another guest has',
    text: documents(port('b', 'blue', TAP, { addresses: ['5.5.5.10'] })),
    says: [/VirtualMachineInterface\/b/, /spec\.addresses\[0\]/, /5\.5\.5\.10/],
  },
  {
    title: 'the address of the gateway',
    text: documents(port('b', 'blue', TAP, { addresses: ['5.5.5.1'] })),
    says: [/VirtualMachineInterface\/b/, /spec\.addresses\[0\]/, /5\.5\.5\.1/],
  },
  {
    title: 'a MAC another guest of the network has',
    text: documents(port('b', 'blue', TAP, { mac: '02:00:00:00:00:10' })),
    says: [/VirtualMachineInterface\/b/, /spec\.mac/, /02:00:00:00:00:10/],
  },
  {
    title: 'more guests than the pool has addresses',
    text: documents(SMALL, port('s1', 'small', TAP), port('s2', 'small', TAP), port('s3', 'small', TAP)),
    says: [/VirtualMachineInterface\/s3/, /small/],
  },
  {
    title: 'a device that is there and is not ours',
    text: documents(port('b', 'blue', { type: 'tap', device: 'eth9' })),
    says: [/VirtualMachineInterface\/b/, /spec\.attach\.device/, /eth9/],
  },
];

/** Everything a refused document could have changed. */
async function everything(daemon: Daemon): Promise<string> {
  const objects = await daemon.run('vrouter', 'get all -o yaml');
  const links = await daemon.namespace.run('ip -o link');
  return objects + links + (await daemon.run('vif', '--list')) + (await daemon.run('nh', '--list'));
}

/** One line: who speaks, what is wrong. */
function oneLine({ stderr }: Outcome, tool: string): boolean {
  return stderr.endsWith('\n') && stderr.trimEnd().split('\n').length === 1 && stderr.startsWith(`${tool}: `);
}

test('what is wrong is refused whole, with the field and the reason, and changes nothing', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  await daemon.namespace.run('ip link add eth9 type veth peer name eth8');
  await daemon.apply(...GOOD);
  const before = await everything(daemon);

  for (const { title, text, says } of CASES) {
    const refused = await daemon.attempt('vrouter', 'apply -f -', { input: text });
    t.is(refused.code, 1, title);
    t.is(refused.stdout, '', title);
    t.true(oneLine(refused, 'vrouter'), `${title}: ${refused.stderr}`);
    for (const pattern of says) t.regex(refused.stderr, pattern, title);
  }
  t.is(await everything(daemon), before);
});

test('an object that others refer to is not deleted, and the answer names them', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  await daemon.apply(...GOOD);
  const refused = await daemon.attempt('vrouter', 'delete VirtualNetwork blue');
  t.is(refused.code, 1);
  t.true(oneLine(refused, 'vrouter'), refused.stderr);
  t.regex(refused.stderr, /VirtualMachineInterface\/a/);
  await daemon.run('vrouter', 'delete VirtualMachineInterface a');
  await daemon.run('vrouter', 'delete VirtualNetwork blue');
});

test('a dry run shows and changes nothing; the same file twice changes nothing either', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  await daemon.run('vrouter', 'apply --dry-run -f -', { input: yaml(GOOD) });
  t.is((await daemon.run('vrouter', 'get all -o yaml')).trim(), '');
  t.regex(await daemon.apply(...GOOD), /VirtualMachineInterface\/a.* created/);
  t.notRegex(await daemon.apply(...GOOD), /created|changed(?<!unchanged)/);
  const backup = await daemon.run('vrouter', 'get all -o yaml');
  t.notRegex(await daemon.run('vrouter', 'apply -f -', { input: backup }), /created|changed(?<!unchanged)/);
});

test('a file that is not there is named', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  const missing = join(lab.directory, 'missing.yaml');
  const refused = await daemon.attempt('vrouter', ['apply', '-f', missing]);
  t.not(refused.code, 0);
  t.true(oneLine(refused, 'vrouter') && refused.stderr.includes(missing), refused.stderr);
});

test('without a daemon every tool says so in one line and ends with 3', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  await daemon.stop();
  for (const [tool, args] of [
    ['vrouter', 'status'],
    ['vrouter', 'get all'],
    ['vif', '--list'],
    ['nh', '--list'],
    ['rt', '--dump 0'],
    ['mpls', '--dump'],
    ['vxlan', '--dump'],
    ['dropstats', ''],
    ['vrfstats', '--dump'],
  ]) {
    const outcome = await daemon.attempt(tool, args);
    t.is(outcome.code, 3, tool);
    t.is(outcome.stdout, '', tool);
    t.true(oneLine(outcome, tool) && outcome.stderr.includes(daemon.socket), outcome.stderr);
  }
});

test('a configuration that is wrong is refused with field and reason before anything starts', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  const bad = join(lab.directory, 'bad.yaml');
  for (const [text, says] of [
    ['host: [', /bad\.yaml:\d+:\d+: /],
    ['host: alpha\ntunnel: { address: 300.1.1.1 }', /tunnel\.address/],
    ['host: alpha\ntunnel: { address: 10.0.0.1 }\nstatedir: /tmp', /statedir/],
  ] as const) {
    await daemon.namespace.run(['sh', '-c', 'printf "%s\\n" "$1" > "$2"', 'sh', text, bad]);
    for (const check of [['--check'], []]) {
      const refused = await daemon.attempt('vrouterd', ['--config', bad, ...check]);
      t.is(refused.code, 1, text);
      t.true(oneLine(refused, 'vrouterd'), refused.stderr);
      t.regex(refused.stderr, says);
    }
  }
  t.is((await daemon.attempt('vrouterd', ['--config', daemon.configFile, '--check'])).code, 0);
});
