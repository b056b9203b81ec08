import test from 'ava';

import { guestVif } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import { Exit } from './exit.js';
import { format, parseArgs, vif } from './vif.js';

const HEADER = `Vrouter Interface Table

Flags: P=Policy, X=Cross Connect, S=Service Chain, Mr=Receive Mirror
       Mt=Transmit Mirror, Tc=Transmit Checksum Offload, L3=Layer 3, L2=Layer 2
       D=DHCP, Vp=Vhost Physical, Pr=Promiscuous, Vnt=Native Vlan Tagged
       Mnp=No MAC Proxy, Dpdk=DPDK PMD Interface, Rfl=Receive Filtering Offload, Mon=Interface is Monitored
       Uuf=Unknown Unicast Flood, Vof=VLAN insert/strip offload, Df=Drop New Flows, L=MAC Learning Enabled
       Proxy=MAC Requests Proxied Always, Er=Etree Root, Mn=Mirror without Vlan Tag, Ig=Igmp Trap Enabled

`;

const GUEST = `vif0/8      OS: tapaaf088f0-65
            Type:Virtual HWaddr:00:00:5e:00:01:00 IPaddr:5.5.5.3
            Vrf:7 Mcast Vrf:7 Flags:PL3L2DEr QOS:-1 Ref:6
            RX packets:479  bytes:41541 errors:0
            TX packets:612  bytes:51267 errors:0
            Drops:21

`;

test('an interface is printed to the column, behind the legend', (t) => {
  t.is(format([guestVif()]), HEADER + GUEST);
});

test('a vrouter without interfaces prints the legend alone', async (t) => {
  t.is(await vif.run(['--list'], surroundings({ vifs: () => Promise.resolve([]) })), HEADER);
});

test('an IPv6 address has a line of its own', (t) => {
  const block = format([guestVif({ ip6: 'fd00::3' })]);
  t.true(block.includes('IPaddr:5.5.5.3\n            IP6addr:fd00::3\n            Vrf:7 '));
});

test('the underlay interface shows speed and duplex when it knows them', (t) => {
  const physical = { id: 0, type: 'Physical', name: 'eth1', flags: ['L3', 'L2'], mcastVrf: 65535 } as const;
  t.true(
    format([guestVif({ ...physical, link: { speed: 10000, duplex: 1 } })]).includes(
      'vif0/0      OS: eth1 (Speed 10000, Duplex 1)\n            Type:Physical HWaddr:',
    ),
  );
  t.true(format([guestVif(physical)]).includes('vif0/0      OS: eth1\n'));
});

test('the interface into the host is printed with its device', (t) => {
  const host = guestVif({
    ...{ id: 1, type: 'Host', name: 'vhost0', ip: '169.254.42.1', ip6: 'fe80::1', vrf: 0, mcastVrf: 0 },
    ...{ flags: ['Tc', 'L3', 'Er'], ref: 2, vmi: null, drops: 0 },
  });
  t.is(
    format([host]).slice(format([]).length),
    `vif0/1      OS: vhost0
            Type:Host HWaddr:00:00:5e:00:01:00 IPaddr:169.254.42.1
            IP6addr:fe80::1
            Vrf:0 Mcast Vrf:0 Flags:TcL3Er QOS:-1 Ref:2
            RX packets:479  bytes:41541 errors:0
            TX packets:612  bytes:51267 errors:0
            Drops:0

`,
  );
});

test('the interface of the agent has no device', (t) => {
  t.true(format([guestVif({ id: 2, type: 'Agent', name: 'pkt0' })]).includes('vif0/2          pkt0\n'));
});

test('an interface without flags prints NULL', (t) => {
  t.true(format([guestVif({ flags: [] })]).includes(' Flags:NULL QOS:-1 '));
});

test('an index longer than its column pushes the name', (t) => {
  t.true(format([guestVif({ id: 123456789 })]).includes('vif0/123456789OS: tap'));
});

test('--list, -l and -b are the same', (t) => {
  for (const option of ['--list', '-l', '-b']) t.like(parseArgs([option]), { op: 'list', rate: false });
});

test('--get and -g take an index', (t) => {
  t.like(parseArgs(['--get', '8']), { op: 'get', id: 8, drops: false });
  t.like(parseArgs(['-g', '8', '--get-drop-stats', '--socket', '/tmp/s']), { id: 8, drops: true, socket: '/tmp/s' });
});

test('bad options print the usage and end with status 0, as the classic tool does', (t) => {
  const bad = [
    [],
    ['--list', '--get', '3'],
    ['--get', 'tap0'],
    ['--get', '-1'],
    ['--get'],
    ['--list', '--get-drop-stats'],
    ['--list', '--core', '0'],
    ['--add', 'eth0'],
    ['--rate'],
    ['--list', 'more'],
  ];
  for (const argv of bad) {
    const exit = t.throws(() => parseArgs(argv), { instanceOf: Exit });
    t.is(exit.status, 0, argv.join(' '));
    t.regex(exit.out, /^Usage: vif /);
    t.regex(exit.message, /^[^\n]+; use it as shown$/);
  }
});

test('--help prints the usage and nothing on stderr', (t) => {
  const exit = t.throws(() => parseArgs(['--help']), { instanceOf: Exit });
  t.is(exit.status, 0);
  t.is(exit.message, '');
  t.regex(exit.out, /--get-drop-stats/);
});

test('--get-drop-stats adds the drop counters of the interface', async (t) => {
  const daemon = {
    vif: () => Promise.resolve(guestVif()),
    vifDrops: (id: number) => Promise.resolve({ 'Invalid Source': id }),
  };
  const text = await vif.run(['--get', '8', '--get-drop-stats'], surroundings(daemon));
  t.true(text.startsWith(`${HEADER}${GUEST}Invalid IF                    `));
  t.true(text.includes('\nInvalid Source                8\n'));
  const json: unknown = JSON.parse(await vif.run(['--get', '8', '--get-drop-stats', '--json'], surroundings(daemon)));
  t.deepEqual(json, { ...guestVif(), dropCounters: { 'Invalid Source': 8 } });
});

test('--json prints the records as the daemon gave them', async (t) => {
  const daemon = { vifs: () => Promise.resolve([guestVif()]), vif: () => Promise.resolve(guestVif()) };
  t.deepEqual(JSON.parse(await vif.run(['--list', '--json'], surroundings(daemon))), [guestVif()]);
  t.deepEqual(JSON.parse(await vif.run(['--get', '8', '--json'], surroundings(daemon))), guestVif());
});

test('--rate shows screens until q is pressed', async (t) => {
  const keys = [undefined, 'q'];
  const shown: string[] = [];
  let packets = 0;
  let now = 0;
  const screen = {
    rows: () => 24,
    show: (text: string) => void shown.push(text),
    key: () => Promise.resolve(keys.shift()),
    now: () => new Date((now += 500)),
  };
  const daemon = {
    vif: () => Promise.resolve(guestVif({ rx: { packets: (packets += 10), bytes: 0, errors: 0 } })),
  };
  t.is(await vif.run(['--get', '8', '--rate'], surroundings(daemon, { screen })), '');
  t.is(shown.length, 2);
  t.regex(shown[0], /Virtual: tapaaf088f0-65 {7}vif0\/8 {18}0 {8}0 /);
  t.regex(shown[1], /vif0\/8 {18}0 {8}10 /);
});
