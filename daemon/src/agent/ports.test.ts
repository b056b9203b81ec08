import test from 'ava';
import type { Outcome } from './command.js';
import type { Kernel, Link } from './kernel.js';
import { PortMarks } from './port-mark.js';
import { Ports, type PortSpec } from './ports.js';

const log = { info: () => undefined };
const GUEST = '/run/netns/guest';
/** Of a daemon called `here`: the first digits of its SHA-256. */
const MARK = 'vrouterd:fcec9150:';

const link = (name: string, ifindex: number, rest: Partial<Link> = {}): Link => ({
  name,
  ifindex,
  flags: 0,
  up: false,
  carrier: false,
  operUp: false,
  mtu: 1500,
  address: '',
  alias: '',
  kind: '',
  peer: 0,
  ...rest,
});

/** Interfaces by namespace (the daemon's is ''), and what is done about them. */
function world(
  links: Record<string, Link[]>,
  outcome: (command: string, input: string) => Partial<Outcome> = () => ({}),
) {
  const done: string[] = [];
  const namespaces: Record<string, string> = {};
  const missing = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
  let fd = 100;
  const kernel: Kernel = {
    links(netns = '') {
      if (!(netns in links)) throw missing;
      return links[netns];
    },
    namespaces: () => Object.keys(links).filter((netns) => netns !== ''),
    namespaceOf: (netns) => namespaces[netns] ?? (netns in links ? 'first' : undefined),
    openTap(options) {
      done.push(`open ${JSON.stringify(options)}`);
      return { fd: fd++, name: options.name ?? '', ifindex: 9 };
    },
    setPersist: (of, on) => void done.push(`persist ${of} ${on}`),
    duplicateFd(of) {
      done.push(`duplicate ${of}`);
      return of + 1000;
    },
    closeFd: (of) => void done.push(`close ${of}`),
    openRouteSocket: () => 50,
    sendDrops: () => 0,
    setLinkOffloads: (name, on, netns = '') => void done.push(`offloads ${netns} ${name} ${on}`),
    limitLinkOffloads: (name, netns = '') => void done.push(`limit offloads ${netns} ${name}`),
    ipv6Disabled: () => false,
    setIpv6Disabled: (device, disabled) => void done.push(`ipv6 ${device} ${disabled ? 'off' : 'on'}`),
  };
  const run = (command: readonly string[], input = ''): Promise<Outcome> => {
    const [program] = command;
    const where = program === 'nsenter' ? `${command[1].slice('--net='.length)}: ` : '';
    const lines = input.split('\n').filter((line) => line !== '');
    for (const line of lines) done.push(`${where}${program === 'nsenter' ? 'ip' : program} ${line}`);
    return Promise.resolve({
      code: 0,
      stdout: '',
      stderr: '',
      ...(command.includes('-j') ? { stdout: '[]' } : outcome(command.join(' '), input)),
    });
  };
  return { done, namespaces, ports: new Ports({ kernel, run, log, marks: new PortMarks('here') }) };
}

const DROP =
  'nft add chain netdev vrouterd port-tap0 { type filter hook ingress device "tap0" priority -500; policy drop; }';

const veth: PortSpec & { attach: { type: 'netns' } } = {
  vifId: 3,
  device: 'tap0',
  attach: { type: 'netns', netns: 'guest', ifName: 'eth0', port: 'veth', configure: true, offloads: true },
  mac: '02:00:00:00:00:01',
  mtu: 1400,
  addresses: [
    { address: '5.5.5.3', prefixLength: 24 },
    { address: 'fd00::3', prefixLength: 64 },
  ],
  gateways: ['5.5.5.1'],
};
const LIMIT = `limit offloads ${GUEST} eth0`;
const VETH_ALIAS = `${MARK}tap0 d278d08e91302af4`;

test('a new veth is isolated before it goes up, and its guest configured last', async (t) => {
  const links: Record<string, Link[]> = { '': [], [GUEST]: [] };
  const { done, ports } = world(links, (_command, input) => {
    if (input.startsWith('link add')) links[''] = [link('tap0', 7)];
    return {};
  });
  t.deepEqual([...(await ports.ensure([veth]))], [[3, { kind: 'packet', ifindex: 7, vnetHeader: true }]]);
  t.deepEqual(done, [
    `ip link add name tap0 mtu 1400 type veth peer name eth0 address 02:00:00:00:00:01 mtu 1400 netns ${GUEST}`,
    `ip link set dev tap0 alias ${MARK}tap0`,
    LIMIT,
    'ipv6 tap0 off',
    'nft add table netdev vrouterd',
    DROP,
    'ip link set dev tap0 up',
    `${GUEST}: ip link set dev lo up`,
    `${GUEST}: ip link set dev eth0 address 02:00:00:00:00:01 mtu 1400 gso_max_size 62000 up`,
    `${GUEST}: ip address flush dev eth0 scope global`,
    `${GUEST}: ip address add 5.5.5.3/24 dev eth0`,
    `${GUEST}: ip address add fd00::3/64 dev eth0 nodad`,
    `${GUEST}: ip route replace default via 5.5.5.1 dev eth0`,
    `${GUEST}: ip link set dev eth0 alias "${VETH_ALIAS}"`,
  ]);
});

const adopted = () => ({
  '': [link('tap0', 7, { alias: `${MARK}tap0`, kind: 'veth', peer: 2, mtu: 1400, up: true })],
  [GUEST]: [link('eth0', 2, { alias: VETH_ALIAS, kind: 'veth', peer: 7 })],
});

test('a veth that is there is taken over untouched, but for its isolation and offloads we cannot take', async (t) => {
  const { done, ports } = world(adopted());
  t.deepEqual([...(await ports.ensure([veth]))], [[3, { kind: 'packet', ifindex: 7, vnetHeader: true }]]);
  t.deepEqual(done, [LIMIT, 'ipv6 tap0 off', 'nft add table netdev vrouterd', DROP]);
});

test('a veth whose other end is somebody else is made anew', async (t) => {
  const links = adopted();
  links[GUEST] = [];
  const { done, ports } = world(links);
  await ports.ensure([veth]);
  t.is(done[0], 'ip link delete dev tap0');
  t.regex(done[1], /^ip link add name tap0/);
});

test('what a guest is asked to be is compared with what it was made for', async (t) => {
  const { done, ports } = world(adopted());
  await ports.ensure([{ ...veth, gateways: [], attach: { ...veth.attach, configure: false, offloads: false } }]);
  t.deepEqual(done.slice(0, 2), ['offloads  tap0 false', `offloads ${GUEST} eth0 false`]);
  const inside = done.filter((line) => line.startsWith(GUEST));
  t.is(inside[0], `${GUEST}: ip link set dev eth0 address 02:00:00:00:00:01 mtu 1400 gso_max_size 62000 up`);
  t.regex(inside[1], /alias "vrouterd:fcec9150:tap0 [0-9a-f]{16}"$/);
  t.false(inside[1].includes(VETH_ALIAS));
});

test('a TAP in a namespace becomes persistent when it is configured, and is opened once', async (t) => {
  const links: Record<string, Link[]> = { '': [], [GUEST]: [] };
  const { done, ports } = world(links);
  const tap: PortSpec = { ...veth, attach: { ...veth.attach, port: 'tap', configure: false } };
  t.deepEqual([...(await ports.ensure([tap]))], [[3, { kind: 'tap', fd: 1100, vnetHeader: true }]]);
  t.is(done[0], `open {"netns":"${GUEST}","name":"eth0","vnetHeader":true}`);
  t.deepEqual(done.slice(-2), ['persist 100 true', 'duplicate 100']);

  const alias = /alias "(.*)"/.exec(done.join('\n'))?.[1];
  links[GUEST] = [link('eth0', 9, { alias: alias ?? '', kind: 'tun' })];
  done.length = 0;
  t.deepEqual([...(await ports.ensure([tap]))], [[3, { kind: 'tap', fd: 1100, vnetHeader: true }]]);
  t.deepEqual(done, ['persist 100 true', 'duplicate 100']);

  // Deleted behind our back and made by somebody else in the meantime: another device, not ours.
  links[GUEST] = [link('eth0', 10, { kind: 'tun' })];
  const [, refused] = [...(await ports.ensure([tap]))][0];
  t.is((refused as Error).message, 'eth0 in namespace guest exists and is not ours; remove it or choose another name');
});

test('a namespace that was deleted is not kept alive by the TAP in it, and is missed when there is another of its name', async (t) => {
  const links: Record<string, Link[]> = { '': [], [GUEST]: [] };
  const { done, namespaces, ports } = world(links);
  const tap: PortSpec = { ...veth, attach: { ...veth.attach, port: 'tap' } };
  await ports.ensure([tap]);
  t.deepEqual(ports.displaced(), []);

  Reflect.deleteProperty(links, GUEST);
  t.deepEqual(ports.displaced(), ['tap0']);
  done.length = 0;
  await ports.ensure([tap]);
  t.deepEqual(done, ['close 50', 'close 100']);

  links[GUEST] = [];
  namespaces[GUEST] = 'second';
  await ports.ensure([tap]);
  t.deepEqual(ports.displaced(), []);
  namespaces[GUEST] = 'third';
  t.deepEqual(ports.displaced(), ['tap0']);
  await ports.remove([tap]);
  t.deepEqual(ports.displaced(), []);
});

test('what vanishes while it is being removed is removed', async (t) => {
  const links: Record<string, Link[]> = {
    '': [link('tap0', 7, { alias: `${MARK}tap0`, kind: 'veth' })],
    [GUEST]: [link('eth1', 3, { alias: `${MARK}tap1 0`, kind: 'tun' })],
  };
  const failing = {
    code: 1,
    stdout: 'table netdev vrouterd {\n}\n',
    stderr: 'Cannot find device\nCommand failed -:1\n',
  };
  const { ports } = world(links, (command) => {
    if (command.startsWith('nsenter')) Reflect.deleteProperty(links, GUEST);
    else if (command.startsWith('ip')) links[''] = [];
    else return { ...failing, code: 0 };
    return failing;
  });
  const inside = { device: 'tap1', attach: { ...veth.attach, port: 'tap', ifName: 'eth1' } as const };
  await t.notThrowsAsync(ports.remove([veth, inside]));
});

test('a TAP for a hypervisor bears its mark before it is persistent, and is up after it is isolated', async (t) => {
  const { done, ports } = world({ '': [] });
  const attach = { type: 'tap', owner: 1, group: 2, queues: 2, offloads: false } as const;
  await ports.ensure([{ ...veth, attach }]);
  t.deepEqual(done.slice(0, 9), [
    'open {"name":"tap0","vnetHeader":false,"multiQueue":true,"owner":1,"group":2}',
    `ip link set dev tap0 alias "${MARK}tap0 multi 1 2"`,
    'ip link set dev tap0 mtu 1400',
    'persist 100 true',
    'close 100',
    'ipv6 tap0 off',
    'nft add table netdev vrouterd',
    DROP,
    'ip link set dev tap0 up',
  ]);
});

test('ports that cannot be say why, and nothing is done about them', async (t) => {
  const { done, ports } = world({
    '': [
      link('tap0', 5),
      link('tap1', 6, { alias: `${MARK}tapold`, kind: 'veth' }),
      link('tap2', 7, { alias: `${MARK}tap2 single - -`, kind: 'tun', carrier: true }),
      link('tap6', 8, { alias: 'vrouterd:0badcafe:tap6', kind: 'veth' }),
      link('tap7', 9, { alias: 'vrouterd:tap7', kind: 'veth' }),
    ],
    [GUEST]: [link('eth9', 5)],
  });
  const attach = veth.attach;
  const results = await ports.ensure([
    veth,
    { ...veth, vifId: 4, device: 'tap1' },
    { ...veth, vifId: 5, device: 'tap2', attach: { type: 'tap', queues: 2, offloads: true } },
    { ...veth, vifId: 6, device: 'tap3', attach: { ...attach, ifName: 'eth9' } },
    { ...veth, vifId: 7, device: 'tap4', attach: { ...attach, netns: 'gone' } },
    { ...veth, vifId: 8, device: 'tap5', attach: { ...attach, netns: '/proc/0/ns/net' } },
    { ...veth, vifId: 9, device: 'tap5', attach: { type: 'device', device: 'tap5' } },
    { ...veth, vifId: 10, device: 'tap6' },
    { ...veth, vifId: 11, device: 'tap7', attach: { type: 'device', device: 'tap7' } },
  ]);
  t.deepEqual(
    [...results].map(([vif, result]) => `${vif}: ${result instanceof Error ? result.message : 'open'}`),
    [
      '3: tap0 exists and is not ours; remove it or choose another name',
      '4: tap1 belongs to the port tapold; delete that one or choose another name',
      '5: tap2 is open in a hypervisor; stop that to change queues, owner or group',
      '6: eth9 in namespace guest exists and is not ours; remove it or choose another name',
      '7: namespace gone does not exist; create it with: ip netns add gone',
      '8: namespace /proc/0/ns/net does not exist; name the file of a network namespace',
      '9: two ports ask for the device tap5; rename one',
      '10: tap6 belongs to another vrouterd; remove it or choose another name',
      '11: tap7 belongs to another vrouterd; remove it or choose another name',
    ],
  );
  t.deepEqual(done, []);
});

test('a port that fails halfway is taken back with its isolation', async (t) => {
  const { done, ports } = world({ '': [], [GUEST]: [] }, (command) =>
    command.startsWith('nsenter')
      ? { code: 1, stderr: 'Error: Nexthop has invalid gateway.\nCommand failed -:6\n' }
      : { stdout: 'table netdev vrouterd {\n}\n' },
  );
  const [, result] = [...(await ports.ensure([veth]))][0];
  t.is((result as Error).message, 'ip route replace default via 5.5.5.1 dev eth0: Nexthop has invalid gateway.');
  t.deepEqual(done.slice(-6), [
    'ip link delete dev tap0',
    'nft add table netdev vrouterd',
    'nft add chain netdev vrouterd port-tap0',
    'nft delete chain netdev vrouterd port-tap0',
    'nft list table netdev vrouterd',
    'nft delete table netdev vrouterd',
  ]);
});

test('isolation is renewed for what is ours', async (t) => {
  const { done, ports } = world({
    '': [...adopted()[''], link('eth0', 2), link('odd', 3, { alias: `${MARK}tap0` })],
  });
  await ports.renewIsolation();
  t.deepEqual(done, ['ipv6 tap0 off', 'nft add table netdev vrouterd', DROP]);
});

test('removal deletes what is ours wherever it is, gives devices back, and minds nothing that is gone', async (t) => {
  const { done, ports } = world({
    '': [
      link('tap0', 7, { alias: `${MARK}tap0`, kind: 'veth' }),
      link('mon0', 8, { alias: `${MARK}mon0 was down mtu 1300 ipv6 on alias the monitor`, mtu: 1400, up: true }),
      link('tap9', 9),
    ],
    [GUEST]: [link('eth1', 3, { alias: `${MARK}tap1 0`, kind: 'tun' }), link('eth0', 2, { alias: `${MARK}tap0 0` })],
  });
  const { attach } = veth;
  await ports.remove([
    { device: 'tap0', attach },
    { device: 'tap1', attach: { ...attach, port: 'tap', ifName: 'eth1' } },
    { device: 'mon0', attach: { type: 'device', device: 'mon0' } },
    { device: 'tap9', attach: { type: 'tap', offloads: true } },
    { device: 'tap8', attach: { ...attach, netns: 'gone' } },
  ]);
  t.deepEqual(done.slice(0, 6), [
    'ipv6 mon0 on',
    'ip link delete dev tap0',
    'ip link set dev mon0 down',
    'ip link set dev mon0 mtu 1300',
    'ip link set dev mon0 alias "the monitor"',
    `${GUEST}: ip link delete dev eth1`,
  ]);
});

test('what is left of interfaces that were deleted while the daemon was down is removed, and nothing of another daemon', async (t) => {
  const foreign = 'vrouterd:0badcafe:';
  const { done, namespaces, ports } = world({
    '': [
      link('tap0', 7, { alias: `${MARK}tap0`, kind: 'veth' }),
      link('tap1', 8, { alias: `${MARK}tap1`, kind: 'veth' }),
      link('tap2', 9, { alias: `${MARK}tap2 single - -`, kind: 'tun' }),
      link('mon0', 10, { alias: `${MARK}mon0 was up mtu 1300 ipv6 on alias `, mtu: 1400, up: true }),
      link('tap3', 11, { alias: `${foreign}tap3`, kind: 'veth' }),
      link('tap4', 12, { alias: 'vrouterd:tap4', kind: 'veth' }),
      link('renamed', 13, { alias: `${MARK}tap9`, kind: 'veth' }),
      link('eth0', 14),
    ],
    [GUEST]: [
      link('eth0', 2, { alias: `${MARK}tap1 0`, kind: 'veth' }),
      link('eth1', 3, { alias: `${MARK}tap5 0`, kind: 'tun' }),
      link('eth2', 4, { alias: `${MARK}tap6 0`, kind: 'tun' }),
      link('eth3', 5, { alias: `${foreign}tap7 0`, kind: 'tun' }),
    ],
    '/run/netns/host': [link('tap2', 9, { alias: `${MARK}tap2 single - -`, kind: 'tun' })],
  });
  // The daemon's own namespace may have a name too.
  namespaces['/run/netns/host'] = 'own';
  namespaces['/proc/self/ns/net'] = 'own';
  t.deepEqual(await ports.removeOthers(new Set(['tap0', 'tap6'])), ['tap1', 'tap2', 'mon0', 'tap5']);
  t.deepEqual(done.slice(0, 6), [
    'ipv6 mon0 on',
    'ip link delete dev tap1',
    'ip link delete dev tap2',
    'ip link set dev mon0 mtu 1300',
    'ip link set dev mon0 alias ""',
    `${GUEST}: ip link delete dev eth1`,
  ]);
  done.length = 0;
  t.deepEqual(await ports.removeOthers(new Set(['tap0', 'tap1', 'tap2', 'mon0', 'tap5', 'tap6'])), []);
  t.deepEqual(done, []);
});
