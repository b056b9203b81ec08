import test from 'ava';

import { mirrorDump } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import { Exit } from './exit.js';
import { format, mirror } from './mirror.js';

const HEADER = `Mirror Table

Flags:D=Dynamic Mirroring, Hw=NIC Assisted Mirroring${' '}

Index    NextHop    Flags       VNI    Vlan
------------------------------------------------
`;

test('a mirror with header is printed to the column', async (t) => {
  const daemon = { mirrors: () => Promise.resolve([mirrorDump()]) };
  const text = `${HEADER}    0        129       D          0       0\n`;
  t.is(await mirror.run(['--dump'], surroundings(daemon)), text);
});

test('mirrors without header, through a tunnel and by the NIC have their columns', (t) => {
  const raw = { isDynamic: false, vni: null } as const;
  t.is(
    format([
      mirrorDump({ ...raw, index: 1, nexthop: 27 }),
      mirrorDump({ index: 254, nexthop: 524287, isDynamic: false, vni: 16777215 }),
      mirrorDump({ index: 3, nexthop: 1, isDynamic: false, isNicAssisted: true, vlan: 4094 }),
    ]).slice(HEADER.length),
    `    1         27${' '.repeat(8)}\n` +
      '  254     524287            16777215       0\n' +
      '    3          1      Hw          0    4094\n',
  );
});

test('one mirror is printed below the same header; of an index nobody uses the header is, and the error', async (t) => {
  const daemon = {
    mirror: (index: number) =>
      index === 0
        ? Promise.resolve(mirrorDump())
        : Promise.reject(new Exit(1, `No such file or directory: there is no mirror ${index}`)),
  };
  t.is(await mirror.run(['--get', '0'], surroundings(daemon)), format([mirrorDump()]));
  const exit = await t.throwsAsync(mirror.run(['--get', '9'], surroundings(daemon)), { instanceOf: Exit });
  t.deepEqual([exit.status, exit.out], [1, HEADER]);
  t.regex(exit.message, /^No such file or directory: /);
  const plain = await t.throwsAsync(mirror.run(['--get', '9', '--json'], surroundings(daemon)), { instanceOf: Exit });
  t.is(plain.out, '');
});

test('a daemon that does not answer is no header', async (t) => {
  const daemon = { mirror: () => Promise.reject(new Exit(3, 'vrouterd does not answer')) };
  const exit = await t.throwsAsync(mirror.run(['--get', '0'], surroundings(daemon)), { instanceOf: Exit });
  t.deepEqual([exit.status, exit.out], [3, '']);
});

test('--names says below each mirror who it is for, who uses it, and what was copied', async (t) => {
  const daemon = {
    mirror: () =>
      Promise.resolve(
        mirrorDump({
          users: ['VirtualMachineInterface/vnf1', 'NetworkPolicy/web rules[1]'],
          state: 'unresolved',
          reason: 'no route from traffic to 7.7.7.3',
          rateLimit: 100,
          sample: 10,
          snapLength: 96,
        }),
      ),
  };
  t.is(
    (await mirror.run(['--get', '0', '--names'], surroundings(daemon))).slice(format([mirrorDump()]).length),
    `         Analyzer:DPI State:unresolved (no route from traffic to 7.7.7.3)
         User:VirtualMachineInterface/vnf1
         User:NetworkPolicy/web rules[1]
         Limits:at most 100 a second, one of 10, the first 96 bytes
         Ingress packets:12  bytes:1176
         Egress packets:11  bytes:1078
         Discards:1 Limited:2 Sampled out:3 Failed:4 Looped:5 ICMP errors kept back:6
`,
  );
});

test('with --json the records are printed as they are', async (t) => {
  const daemon = { mirrors: () => Promise.resolve([mirrorDump()]), mirror: () => Promise.resolve(mirrorDump()) };
  t.deepEqual(JSON.parse(await mirror.run(['--dump', '--json'], surroundings(daemon))), [mirrorDump()]);
  t.deepEqual(JSON.parse(await mirror.run(['--get', '0', '--json'], surroundings(daemon))), mirrorDump());
});

test('bad options, and those that would change the table, print the usage and end with status 1', async (t) => {
  const bad = [
    [],
    ['--dump', '--get', '1'],
    ['--get', 'x'],
    ['--create', '5', '--nh', '3'],
    ['--delete', '5'],
    ['--cmd'],
  ];
  for (const argv of [...bad, ['5'], ['--dump', '--names', '--json']]) {
    const exit = await t.throwsAsync(mirror.run(argv, surroundings({})), { instanceOf: Exit });
    t.is(exit.status, 1);
    t.regex(exit.out, /^Usage: mirror /);
  }
});
