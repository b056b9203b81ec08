import test from 'ava';

import type { BridgeRouteDump } from '../control/dumps.js';
import { inetRoute } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import { Exit } from './exit.js';
import { formatBridge, formatInet, parseArgs, rt } from './rt.js';

const INET_HEADER = `Flags: L=Label Valid, P=Proxy ARP, T=Trap ARP, F=Flood ARP
vRouter inet4 routing table 0/7/unicast
Destination           PPL        Flags        Label         Nexthop    Stitched MAC(Index)
`;
const BRIDGE_HEADER = `Flags: L=Label Valid, Df=DHCP flood, Mm=Mac Moved, L2c=L2 Evpn Control Word, N=New Entry, Ec=EvpnControlProcessing
vRouter bridge table 0/7
Index       DestMac                  Flags           Label/VNID      Nexthop           Stats
`;

const remote = inetRoute({
  prefix: '5.5.5.4',
  ppl: 32,
  flags: ['L', 'P'],
  label: 53,
  nexthop: 27,
  stitchedMac: '02:1d:96:2a:60:e8',
  stitchedIndex: 27324,
});

test('inet routes are printed to the column', (t) => {
  const vip = inetRoute({
    ...remote,
    prefix: '192.168.20.254',
    flags: ['P', 'T'],
    label: null,
    nexthop: 42,
    stitchedMac: '00:00:5e:00:01:01',
    stitchedIndex: 144100,
  });
  t.is(
    formatInet(7, 'inet', [remote, inetRoute(), vip]),
    `${INET_HEADER}5.5.5.4/32             32           LP         53             27        2:1d:96:2a:60:e8(27324)
5.5.5.100/32           24           TF          -              1        -
192.168.20.254/32      32           PT          -             42        0:0:5e:0:1:1(144100)
`,
  );
});

test('a route of one digit length keeps the column', (t) => {
  t.is(
    formatInet(7, 'inet', [inetRoute({ prefix: '0.0.0.0', length: 8, ppl: 0, flags: [] })]).slice(INET_HEADER.length),
    '0.0.0.0/8               0                       -              1        -\n',
  );
});

test('inet6 routes say so in the title and may push their columns', (t) => {
  const route = inetRoute({ prefix: 'fd00:0:0:1:2:3:4:5', length: 128, ppl: 64, flags: ['P'] });
  t.is(
    formatInet(7, 'inet6', [route]),
    `${INET_HEADER.replace('inet4', 'inet6')}fd00:0:0:1:2:3:4:5/128  64            P          -              1        -\n`,
  );
});

test('bridge entries are printed to the column', (t) => {
  const entry = (index: number, mac: string, flags: string[], label: number | null, nexthop: number, packets: number) =>
    ({ index, mac, flags, label, nexthop, packets }) satisfies BridgeRouteDump;
  t.is(
    formatBridge(7, [
      entry(27324, '02:1d:96:2a:60:e8', ['L', 'Df'], 57, 27, 8),
      entry(27684, '02:00:00:00:00:01', ['Df'], null, 12, 0),
      entry(41308, '02:aa:f0:88:f0:65', [], null, 85, 0),
      entry(145660, 'ff:ff:ff:ff:ff:ff', ['L', 'Df'], 10, 88, 15),
      entry(222652, '00:00:5e:00:01:00', ['Df'], null, 3, 378),
    ]),
    `${BRIDGE_HEADER}27324       2:1d:96:2a:60:e8           LDf                   57           27               8
27684       2:0:0:0:0:1                 Df                    -           12               0
41308       2:aa:f0:88:f0:65                                  -           85               0
145660      ff:ff:ff:ff:ff:ff          LDf                   10           88              15
222652      0:0:5e:0:1:0                Df                    -            3             378
`,
  );
});

test('a VRF without routes prints the three lines above them', async (t) => {
  const daemon = { inetRoutes: () => Promise.resolve([]), bridgeRoutes: () => Promise.resolve([]) };
  t.is(await rt.run(['--dump', '7'], surroundings(daemon)), INET_HEADER);
  t.is(await rt.run(['--dump', '7', '--family', 'bridge'], surroundings(daemon)), BRIDGE_HEADER);
});

test('bridge entries appear in the order of their index', async (t) => {
  const entry = (index: number) => ({
    index,
    mac: '02:00:00:00:00:01',
    flags: [],
    label: null,
    nexthop: 1,
    packets: 0,
  });
  const daemon = { bridgeRoutes: () => Promise.resolve([entry(12), entry(4), entry(8)]) };
  const text = await rt.run(['--dump', '7', '--family', 'bridge'], surroundings(daemon));
  t.deepEqual(text.match(/^\d+/gm), ['4', '8', '12']);
});

test('--get shows what was asked, then the row', async (t) => {
  const asked: unknown[] = [];
  const daemon = {
    inetRoute: (...args: unknown[]) => {
      asked.push(args);
      return Promise.resolve(remote);
    },
  };
  const text = await rt.run(['--get', '5.5.5.4/24', '--vrf', '7'], surroundings(daemon));
  t.deepEqual(asked, [[7, 'inet', '5.5.5.0', 24]]);
  t.is(text, `Match 5.5.5.0/24 in vRouter inet4 table 0/7/unicast\n\n${formatInet(7, 'inet', [remote])}`);
  t.deepEqual(JSON.parse(await rt.run(['--get', '5.5.5.4/32', '--vrf', '7', '--json'], surroundings(daemon))), remote);
});

test('--get of a MAC looks in the bridge table', async (t) => {
  const entry = { index: 4, mac: '02:aa:f0:88:f0:65', flags: [], label: null, nexthop: 85, packets: 0 };
  const daemon = { bridgeRoute: (vrf: number, mac: string) => Promise.resolve({ ...entry, mac, nexthop: vrf }) };
  const text = await rt.run(['--get', '2:AA:f0:88:f0:65', '--vrf', '7'], surroundings(daemon));
  t.is(
    text,
    `Match 2:aa:f0:88:f0:65 in vRouter bridge table 0/7/unicast\n\n${formatBridge(7, [{ ...entry, nexthop: 7 }])}`,
  );
});

test('the family of --get is known by what is asked', (t) => {
  t.like(parseArgs(['--get', 'FD00::0:5/64', '--vrf', '1']), { family: 'inet6', address: 'fd00::', length: 64 });
  t.like(parseArgs(['--get', '1.2.3.4/0', '--vrf', '1', '--family', 'inet']), { address: '0.0.0.0', length: 0 });
});

test('bad options print the usage and end with status 1', (t) => {
  const bad = [
    [],
    ['--dump'],
    ['--dump', 'x'],
    ['--dump', '1', '--family', 'mpls'],
    ['--dump', '1', '--vrf', '1'],
    ['--get', '5.5.5.4/32'],
    ['--get', '5.5.5.4', '--vrf', '1'],
    ['--get', '5.5.5.4/33', '--vrf', '1'],
    ['--get', '5.5.5/24', '--vrf', '1'],
    ['--get', '5.5.5.4/x', '--vrf', '1'],
    ['--get', 'fd00::/129', '--vrf', '1'],
    ['--get', 'fd00::1/64', '--vrf', '1', '--family', 'inet'],
    ['--get', '2:0:0:0:0:1', '--vrf', '1', '--family', 'inet6'],
    ['--get', '2:0:0:0:0:1:2', '--vrf', '1'],
    ['--monitor'],
    ['--cmd'],
  ];
  for (const argv of bad) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit });
    t.is(exit.status, 1, argv.join(' '));
    t.regex(exit.out, /^Usage: rt /);
  }
});
