import test from 'ava';

import { surroundings } from '../testing/surroundings.js';
import { Exit } from './exit.js';
import { mpls } from './mpls.js';
import { vxlan } from './vxlan.js';

const MPLS_HEADER = `MPLS Input Label Map

   Label    NextHop
-------------------
`;
const VXLAN_HEADER = `VXLAN Table

 VNID    NextHop
----------------
`;
const unknown = (what: string) => Promise.reject(new Exit(1, `No such file or directory: there is no ${what}`));

test('labels and their nexthops are printed to the column', async (t) => {
  const daemon = {
    mpls: () =>
      Promise.resolve([
        { label: 17, nexthop: 9 },
        { label: 1048575, nexthop: 123456 },
      ]),
  };
  const text = `${MPLS_HEADER}      17         9\n 1048575    123456\n`;
  t.is(await mpls.run(['--dump'], surroundings(daemon)), text);
});

test('network identifiers and their nexthops are printed to the column', async (t) => {
  const daemon = {
    vxlan: () =>
      Promise.resolve([
        { vni: 4, nexthop: 27 },
        { vni: 16777215, nexthop: 8 },
      ]),
  };
  t.is(await vxlan.run(['--dump'], surroundings(daemon)), `${VXLAN_HEADER}      4    27\n16777215    8\n`);
});

test('one label or network identifier is printed below the same header', async (t) => {
  const daemon = {
    mplsLabel: (label: number) => Promise.resolve({ label, nexthop: 27 }),
    vxlanVni: (vni: number) => Promise.resolve({ vni, nexthop: 27 }),
  };
  t.is(await mpls.run(['--get', '57'], surroundings(daemon)), `${MPLS_HEADER}      57        27\n`);
  t.is(await vxlan.run(['--get', '57'], surroundings(daemon)), `${VXLAN_HEADER}     57    27\n`);
});

test('of a number nobody uses the header is printed, and the error', async (t) => {
  const daemon = { mplsLabel: () => unknown('label 9'), vxlanVni: () => unknown('VNID 9') };
  for (const [tool, header] of [
    [mpls, MPLS_HEADER],
    [vxlan, VXLAN_HEADER],
  ] as const) {
    // prettier-ignore
    const exit = await t.throwsAsync(tool.run(['--get', '9'], surroundings(daemon)), { instanceOf: Exit });
    t.deepEqual([exit.status, exit.out], [1, header]);
    t.regex(exit.message, /^No such file or directory: /);
    const plain = await t.throwsAsync(tool.run(['--get', '9', '--json'], surroundings(daemon)), { instanceOf: Exit });
    t.is(plain.out, '');
  }
});

test('a daemon that does not answer is no header', async (t) => {
  const daemon = { mplsLabel: () => Promise.reject(new Exit(3, 'vrouterd does not answer')) };
  const exit = await t.throwsAsync(mpls.run(['--get', '9'], surroundings(daemon)), { instanceOf: Exit });
  t.deepEqual([exit.status, exit.out], [3, '']);
});

test('with --json the records are printed as they are', async (t) => {
  const entries = [{ label: 17, nexthop: 9 }];
  const daemon = { mpls: () => Promise.resolve(entries), mplsLabel: () => Promise.resolve(entries[0]) };
  t.deepEqual(JSON.parse(await mpls.run(['--dump', '--json'], surroundings(daemon))), entries);
  t.deepEqual(JSON.parse(await mpls.run(['--get', '17', '--json'], surroundings(daemon))), entries[0]);
});

test('bad options print the usage and end with status 1', async (t) => {
  for (const tool of [mpls, vxlan]) {
    for (const argv of [[], ['--dump', '--get', '1'], ['--get', 'x'], ['--create', '5'], ['--delete', '5'], ['5']]) {
      const exit = await t.throwsAsync(tool.run(argv, surroundings({})), { instanceOf: Exit });
      t.is(exit.status, 1);
      t.regex(exit.out, new RegExp(`^Usage: ${tool.name} `));
    }
  }
});

test('--help is the usage, and no failure', async (t) => {
  const exit = await t.throwsAsync(vxlan.run(['--help'], surroundings({})), { instanceOf: Exit });
  t.is(exit.status, 0);
  t.true(exit.out.includes('--get <vnid>'));
});
