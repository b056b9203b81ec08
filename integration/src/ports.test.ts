/**
 * Ports in a host namespace of their own, whose stack forwards, IPv4 and IPv6.
 *
 *     guest │ eth0 ── veth ── tapblue │ host │ out0 ── veth ── eth0 │ outside
 *     192.0.2.2/24             no address      198.51.100.1/24        198.51.100.2
 */
import { fileURLToPath } from 'node:url';
import { readSync, writeSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { closeFd, openTap } from 'tuntap2';
import type { PortSpec } from 'vrouterd/dist/agent/ports.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import type { Answer, Request } from './lab/ports-host.js';
import { run, type Background } from './lab/process.js';

const PROGRAM = fileURLToPath(new URL('lab/ports-host.js', import.meta.url));
const MAC = '02:00:00:00:00:02';

/** A run of the program that has the ports, in the host's namespace. */
class Host {
  #program: Background;

  private constructor(
    readonly lab: Lab,
    readonly namespace: Namespace,
    /** Whose ports they are: unique, as tests may run at the same time. */
    readonly owner: string,
  ) {
    this.#program = this.#start();
  }

  static async create(t: ExecutionContext): Promise<Host> {
    const lab = await Lab.create(t);
    const namespace = await lab.namespace('host');
    await namespace.run('sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
    return new Host(lab, namespace, namespace.name);
  }

  /** Another one with ports in the same namespace. */
  neighbour(): Host {
    return new Host(this.lab, this.namespace, `${this.owner}-2`);
  }

  async ask(request: Request): Promise<Answer> {
    const from = this.#program.output.length;
    this.#program.write(JSON.stringify(request) + '\n');
    const [line] = await this.#program.waitFor(/^\{.*\}$/m, 10_000, from);
    return JSON.parse(line) as Answer;
  }

  /** Kills the program and starts another. */
  async restart(): Promise<void> {
    await this.#program.stop('SIGKILL');
    this.#program = this.#start();
  }

  /** Names of the devices there are besides the loopback, and what nft has. */
  async remains(): Promise<string> {
    const links = JSON.parse(await this.namespace.run('ip -j link')) as { ifname: string }[];
    const names = links.map(({ ifname }) => ifname).filter((name) => name !== 'lo');
    return [...names, await this.namespace.run('/usr/sbin/nft list ruleset')].join(' ').trim();
  }

  #start(): Background {
    return this.namespace.spawn([process.execPath, PROGRAM, this.owner]);
  }
}

type NetnsSpec = PortSpec & { readonly attach: { readonly type: 'netns' } };

function netnsPort(
  guest: Namespace,
  attach: Partial<NetnsSpec['attach']> = {},
  rest: Partial<PortSpec> = {},
): PortSpec {
  return {
    vifId: 3,
    device: 'tapblue',
    attach: {
      type: 'netns',
      netns: guest.name,
      ifName: 'eth0',
      port: 'veth',
      configure: true,
      offloads: true,
      ...attach,
    },
    mac: MAC,
    mtu: 1400,
    addresses: [
      { address: '192.0.2.2', prefixLength: 24 },
      { address: '2001:db8::2', prefixLength: 64 },
    ],
    gateways: ['192.0.2.1', '2001:db8::1'],
    ...rest,
  };
}

interface Link {
  readonly ifname: string;
  readonly ifindex: number;
  readonly address: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly ifalias?: string;
  readonly addr_info: readonly { local: string; prefixlen: number; scope: string; tentative?: boolean }[];
  readonly linkinfo?: { info_kind: string; info_data?: Readonly<Record<string, unknown>> };
}

async function show(namespace: Namespace, device: string): Promise<Link> {
  const [link] = JSON.parse(await namespace.run(['ip', '-j', '-d', 'address', 'show', 'dev', device])) as Link[];
  return link;
}

const globals = ({ addr_info }: Link): string[] =>
  addr_info.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`);

for (const port of ['veth', 'tap'] as const) {
  test(`a ${port} port has its guest configured, and keeps its device and the guest's own doing over a kill`, async (t) => {
    const host = await Host.create(t);
    const guest = await host.lab.namespace('guest');
    const spec = netnsPort(guest, { port });
    const answer = await host.ask({ ensure: [spec] });
    t.like(answer['3'], { kind: port === 'veth' ? 'packet' : 'tap', vnetHeader: true });

    const eth0 = await show(guest, 'eth0');
    t.like(eth0, { address: MAC, mtu: 1400 });
    t.true(eth0.flags.includes('UP'));
    t.deepEqual(globals(eth0), ['192.0.2.2/24', '2001:db8::2/64']);
    t.regex(await guest.run('ip route'), /default via 192\.0\.2\.1 dev eth0/);
    t.regex(await guest.run('ip -6 route'), /default via 2001:db8::1 dev eth0/);
    if (port === 'veth') {
      const { ifindex, mtu, addr_info } = await show(host.namespace, 'tapblue');
      t.like(answer['3'], { ifindex });
      t.is(mtu, 1400);
      t.deepEqual(addr_info, []);
    }

    await guest.run('ip address add 192.0.2.77/24 dev eth0');
    await host.restart();
    const again = await host.ask({ ensure: [spec] });
    t.deepEqual(again['3'], answer['3']);
    t.true(again.processes <= 1, `${again.processes} processes`);
    const kept = await show(guest, 'eth0');
    t.is(kept.ifindex, eth0.ifindex);
    t.true(globals(kept).includes('192.0.2.77/24'));

    // Asked for something else, it is configured again, and keeps its device.
    const addresses = [{ address: '192.0.2.9', prefixLength: 24 }];
    await host.ask({ ensure: [{ ...spec, mtu: 1300, addresses, gateways: ['192.0.2.1'] }] });
    const changed = await show(guest, 'eth0');
    t.like(changed, { ifindex: eth0.ifindex, mtu: 1300 });
    t.deepEqual(globals(changed), ['192.0.2.9/24']);

    await host.ask({ remove: [spec] });
    t.is(await host.remains(), '');
    await t.throwsAsync(guest.run('ip link show eth0'), { message: /does not exist/ });
  });
}

test('a port that configures nothing sets MAC and MTU and leaves the rest to DHCP', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  await host.ask({ ensure: [netnsPort(guest, { configure: false })] });
  const eth0 = await show(guest, 'eth0');
  t.like(eth0, { address: MAC, mtu: 1400 });
  t.true(eth0.flags.includes('UP'));
  t.deepEqual(globals(eth0), []);
});

test('without offloads neither end of a veth leaves work to the other', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const answer = await host.ask({ ensure: [netnsPort(guest, { offloads: false })] });
  t.like(answer['3'], { kind: 'packet', vnetHeader: false });
  for (const [namespace, device] of [
    [host.namespace, 'tapblue'],
    [guest, 'eth0'],
  ] as const) {
    const features = await namespace.run(['ethtool', '-k', device]);
    for (const feature of ['tx-checksumming', '\\ttx-tcp-segmentation', 'generic-segmentation-offload']) {
      t.regex(features, new RegExp(`^${feature}: off`, 'm'));
    }
    t.regex(features, /^generic-receive-offload: off/m);
  }
});

/** Features of a device that are on, as ethtool names them. */
async function featuresOf(namespace: Namespace, device: string): Promise<readonly string[]> {
  const lines = (await namespace.run(['ethtool', '-k', device])).split('\n');
  return lines.flatMap((line) => /^\s*(\S+): on\b/.exec(line)?.[1] ?? []);
}

const TOLD = ['tx-checksumming', 'tx-checksum-ip-generic', 'tx-tcp-segmentation', 'tx-tcp6-segmentation'];

test('a guest is left no offload that a virtio-net header cannot tell of, nor is one that another daemon left it', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const untold = /^tx-(gre|ipxip|udp_tnl|sctp|esp|gso-(list|partial)|checksum-sctp)/;
  const untoldOf = async (): Promise<readonly string[]> =>
    (await featuresOf(guest, 'eth0')).filter((feature) => untold.test(feature));
  await host.ask({ ensure: [netnsPort(guest)] });
  t.deepEqual(await untoldOf(), []);
  const features = await featuresOf(guest, 'eth0');
  t.deepEqual(
    TOLD.filter((feature) => !features.includes(feature)),
    [],
  );

  await guest.run('ethtool -K eth0 tx-udp_tnl-segmentation on tx-checksum-sctp on tso off');
  t.is((await untoldOf()).length, 2);
  await host.restart();
  await host.ask({ ensure: [netnsPort(guest)] });
  t.deepEqual(await untoldOf(), []);
  t.false((await featuresOf(guest, 'eth0')).includes('tx-tcp-segmentation'), 'what the guest chose is kept');
});

test('offloads that were off and are asked for again come back, and do not bring merging along', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const both = async (): Promise<readonly (readonly string[])[]> => [
    await featuresOf(host.namespace, 'tapblue'),
    await featuresOf(guest, 'eth0'),
  ];
  await host.ask({ ensure: [netnsPort(guest)] });
  const before = await both();
  await host.ask({ ensure: [netnsPort(guest, { offloads: false })] });
  for (const features of await both())
    t.deepEqual(
      features.filter((feature) => /^tx-(checksum|.*-segmentation|gso-list|gso-partial)/.test(feature)),
      [],
    );
  await host.ask({ ensure: [netnsPort(guest)] });
  const [outer, inner] = await both();
  t.deepEqual(inner, before[1]);
  for (const feature of [...TOLD, 'tx-udp-segmentation']) t.true(outer.includes(feature), feature);
  t.false(outer.includes('generic-receive-offload'));
});

test('a TAP port that another process holds is an error that says so', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const spec = netnsPort(guest, { port: 'tap' });
  await host.ask({ ensure: [spec] });
  await host.restart();
  const { fd } = openTap({ netns: `/run/netns/${guest.name}`, name: 'eth0', vnetHeader: true });
  const answer = await host.ask({ ensure: [spec] });
  t.is(answer['3'], `eth0 in namespace ${guest.name} is held by another process; end that one`);
  closeFd(fd);
  t.like((await host.ask({ ensure: [spec] }))['3'], { kind: 'tap' });
});

test('a TAP for a hypervisor waits persistent and up for its user, and survives while it is open', async (t) => {
  const host = await Host.create(t);
  const spec: PortSpec = {
    ...netnsPort(host.namespace),
    attach: { type: 'tap', owner: 'nobody', group: 4321, offloads: true },
  };
  const answer = await host.ask({ ensure: [spec] });
  const link = await show(host.namespace, 'tapblue');
  t.deepEqual(answer['3'], { kind: 'packet', ifindex: link.ifindex, vnetHeader: true });
  t.like(link.linkinfo?.info_data, { type: 'tap', persist: true, vnet_hdr: true, multi_queue: false, group: 4321 });
  t.is(link.mtu, 1400);
  t.true(link.flags.includes('UP'));

  const file = `/run/netns/${host.namespace.name}`;
  const { fd } = openTap({ netns: file, name: 'tapblue', vnetHeader: true });
  await host.restart();
  t.deepEqual(await host.ask({ ensure: [spec] }), { ...answer, processes: 2 });
  const inUse = await host.ask({ ensure: [{ ...spec, attach: { type: 'tap', queues: 2, offloads: true } }] });
  t.regex(inUse['3'] as string, /tapblue is open in a hypervisor; stop that/);
  closeFd(fd);

  t.like((await host.ask({ ensure: [{ ...spec, attach: { type: 'tap', queues: 2, offloads: true } }] }))['3'], {
    kind: 'packet',
  });
  const remade = await show(host.namespace, 'tapblue');
  t.like(remade.linkinfo?.info_data, { multi_queue: true });
  await host.ask({ remove: [spec] });
  t.is(await host.remains(), '');
});

test('a device that is there already is taken over and given back as it was', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const peer = `peer name eth0 netns ${guest.name}`;
  await host.namespace.run(`ip link add mon0 mtu 1300 type veth ${peer}`);
  await host.namespace.run(['ip', 'link', 'set', 'mon0', 'alias', 'the monitor']);
  const spec: PortSpec = { ...netnsPort(guest), device: 'mon0', attach: { type: 'device', device: 'mon0' } };
  const answer = await host.ask({ ensure: [spec] });
  const link = await show(host.namespace, 'mon0');
  t.deepEqual(answer['3'], { kind: 'packet', ifindex: link.ifindex, vnetHeader: true });
  t.is(link.mtu, 1400);
  t.true(link.flags.includes('UP'));
  t.regex(await host.namespace.run('/usr/sbin/nft list ruleset'), /device "mon0".*policy drop/);

  await host.restart();
  t.deepEqual((await host.ask({ ensure: [spec] }))['3'], answer['3']);
  await host.ask({ remove: [spec] });
  const back = await show(host.namespace, 'mon0');
  t.like(back, { mtu: 1300, ifalias: 'the monitor' });
  t.false(back.flags.includes('UP'));
  t.is((await host.namespace.run('cat /proc/sys/net/ipv6/conf/mon0/disable_ipv6')).trim(), '0');
  t.is(await host.remains(), 'mon0');
});

test('what is not ours is refused and left alone, and other ports come up all the same', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  await host.namespace.run('ip link add tapred type bridge');
  await host.namespace.run('ip link add addressed type bridge');
  await host.namespace.run('ip address add 203.0.113.1/24 dev addressed');
  await guest.run('ip link add eth1 type bridge');
  const answer = await host.ask({
    ensure: [
      netnsPort(guest),
      netnsPort(guest, { ifName: 'eth2' }, { vifId: 4, device: 'tapred' }),
      netnsPort(guest, { ifName: 'eth1' }, { vifId: 5, device: 'tapgreen' }),
      netnsPort(guest, { ifName: 'eth1', port: 'tap' }, { vifId: 6, device: 'tapgrey' }),
      netnsPort(guest, { netns: 'nowhere' }, { vifId: 7, device: 'tapwhite' }),
      { ...netnsPort(guest), vifId: 8, device: 'lo', attach: { type: 'device', device: 'lo' } },
      { ...netnsPort(guest), vifId: 9, device: 'addressed', attach: { type: 'device', device: 'addressed' } },
      { ...netnsPort(guest), vifId: 10, device: 'none', attach: { type: 'device', device: 'none' } },
      { ...netnsPort(guest), vifId: 11, device: 'tap11', attach: { type: 'tap', owner: 'nosuch', offloads: true } },
      netnsPort(guest, { ifName: 'eth3' }, { vifId: 12, device: 'tapodd', gateways: ['198.51.100.7'] }),
    ],
  });
  t.like(answer['3'], { kind: 'packet' });
  const messages = Object.fromEntries(Object.entries(answer).filter(([, value]) => typeof value === 'string'));
  t.deepEqual(messages, {
    4: 'tapred exists and is not ours; remove it or choose another name',
    5: `eth1 in namespace ${guest.name} exists and is not ours; remove it or choose another name`,
    6: `eth1 in namespace ${guest.name} exists and is not ours; remove it or choose another name`,
    7: 'namespace nowhere does not exist; create it with: ip netns add nowhere',
    8: "device lo is the host's loopback; choose another one",
    9: 'device addressed has the address 203.0.113.1, which its host needs; remove it first',
    10: 'device none does not exist; create it or choose another attachment',
    11: 'there is no user nosuch on this host; create it or choose another',
    12: 'ip route replace default via 198.51.100.7 dev eth3: Nexthop has invalid gateway.',
  });
  t.regex(await host.namespace.run('ip -d link show tapred'), /bridge/);
  // Nothing of a port that failed remains.
  const names = await host.remains();
  t.false(/tapgreen|tapgrey|tapwhite|tap11|tapodd/.test(names), names);
});

test('the host neither answers nor forwards for a guest, whatever it forwards otherwise', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const outside = await host.lab.namespace('outside');
  await host.namespace.run(`ip link add out0 type veth peer name eth0 netns ${outside.name}`);
  await host.namespace.run('ip address add 198.51.100.1/24 dev out0');
  await host.namespace.run('ip link set out0 up');
  await outside.run('ip address add 198.51.100.2/24 dev eth0');
  await outside.run('ip link set eth0 up');
  await outside.waitForLink();
  const spec = netnsPort(guest);
  await host.ask({ ensure: [spec] });
  await host.restart();
  await host.ask({ ensure: [spec] });

  const { address } = await show(host.namespace, 'tapblue');
  const atPort = await host.namespace.capture('tapblue');
  const atOutside = await outside.capture('eth0', 'net 192.0.2.0/24 or net 2001:db8::/64');
  // The guest does what it can to be heard: it knows the host's MAC address, and asks for any address of it.
  const talk = async (): Promise<readonly boolean[]> => {
    for (const [gateway, version] of [
      ['192.0.2.1', '-4'],
      ['2001:db8::1', '-6'],
    ])
      await guest.run(`ip ${version} neighbour replace ${gateway} lladdr ${address} dev eth0 nud permanent`);
    await guest.attempt('arping -q -c 1 -w 1 -I eth0 198.51.100.1');
    await guest.attempt('ping -q -c 1 -W 1 ff02::1%eth0');
    return [await guest.answers('198.51.100.1', 1), await guest.answers('198.51.100.2', 1)];
  };
  t.deepEqual(await talk(), [false, false]);
  const seen = await atPort.stop();
  t.true(
    seen.some((line) => line.startsWith(MAC)),
    'the packet socket gets what the guest sends',
  );
  t.deepEqual(
    seen.filter((line) => !line.startsWith(MAC)),
    [],
  );
  t.deepEqual(await atOutside.stop(), []);

  // The same guest is heard as soon as the chain is gone: the silence was its doing.
  await host.namespace.run('/usr/sbin/nft delete table netdev vrouterd');
  await host.namespace.run('ip route add 192.0.2.0/24 dev tapblue');
  t.deepEqual((await talk())[0], true);
});

test('what a hypervisor sends through its TAP does not reach the host', async (t) => {
  const host = await Host.create(t);
  await host.namespace.run('ip address add 198.51.100.1/24 dev lo');
  const spec: PortSpec = { ...netnsPort(host.namespace), attach: { type: 'tap', offloads: true } };
  await host.ask({ ensure: [spec] });
  const { fd } = openTap({ netns: `/run/netns/${host.namespace.name}`, name: 'tapblue', vnetHeader: true });
  t.teardown(() => {
    closeFd(fd);
  });
  const capture = await host.namespace.capture('tapblue');
  // Who has 198.51.100.1? RFC 826: Ethernet, IPv4, 6, 4, request, sender, target.
  const request = 'ffffffffffff020000000002080600010800060400010200000000026336640900000000000063366401';
  writeSync(
    fd,
    Buffer.from('00'.repeat(10) + request.replace('63366409', 'c6336409').replace('63366401', 'c6336401'), 'hex'),
  );
  const seen = await capture.stop();
  t.is(seen.length, 1);
  t.throws(() => readSync(fd, Buffer.alloc(2048)), { code: 'EAGAIN' });
});

test('fifty ports come up in a few processes and are taken over in one', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const specs = Array.from({ length: 50 }, (_, i) =>
    netnsPort(
      guest,
      { ifName: `eth${i}`, configure: false },
      { vifId: i + 3, device: `tap-${i}`, mac: `02:00:00:00:01:${i.toString(16).padStart(2, '0')}` },
    ),
  );
  const first = await host.ask({ ensure: specs });
  t.is(Object.values(first).filter((value) => typeof value === 'object').length, 50);
  t.is(first.processes, 4);
  await host.restart();
  const second = await host.ask({ ensure: specs });
  t.deepEqual(second, { ...first, processes: 1 });
  await host.ask({ remove: specs });
  t.is(await host.remains(), '');
});

test('a namespace that was deleted and made again gets its ports again', async (t) => {
  const host = await Host.create(t);
  const guest = await host.lab.namespace('guest');
  const specs = [netnsPort(guest), netnsPort(guest, { port: 'tap', ifName: 'eth1' }, { vifId: 4, device: 'tapred' })];
  await host.ask({ ensure: specs });
  await run(['ip', 'netns', 'delete', guest.name]);
  t.regex((await host.ask({ ensure: specs }))['3'] as string, /does not exist; create it with/);
  await run(['ip', 'netns', 'add', guest.name]);
  const answer = await host.ask({ ensure: specs });
  t.like(answer, { 3: { kind: 'packet' }, 4: { kind: 'tap' } });
  t.is((await show(guest, 'eth1')).address, MAC);
});

test('what a daemon left of ports that were deleted while it was down goes, and the ports of its neighbour stay', async (t) => {
  const host = await Host.create(t);
  const neighbour = host.neighbour();
  const guest = await host.lab.namespace('guest');
  await host.namespace.run('ip link add mon0 mtu 1300 type veth peer name mon1');
  const own = [
    netnsPort(guest),
    netnsPort(guest, { ifName: 'eth1', port: 'tap' }, { vifId: 4, device: 'tapred' }),
    { ...netnsPort(guest), vifId: 5, device: 'tapgrey', attach: { type: 'tap', offloads: true } as const },
    { ...netnsPort(guest), vifId: 6, device: 'mon0', attach: { type: 'device', device: 'mon0' } as const },
    netnsPort(guest, { ifName: 'eth4' }, { vifId: 7, device: 'tapkept' }),
  ];
  const others = [
    netnsPort(guest, { ifName: 'eth2' }, { vifId: 3, device: 'tapgreen' }),
    netnsPort(guest, { ifName: 'eth3', port: 'tap' }, { vifId: 4, device: 'tapgold' }),
  ];
  await host.ask({ ensure: own });
  await neighbour.ask({ ensure: others });
  const taken = await host.ask({ ensure: [{ ...others[0], vifId: 8 }] });
  t.is(taken['8'], 'tapgreen belongs to another vrouterd; remove it or choose another name');

  await host.restart();
  const { removed } = await host.ask({ removeOthers: ['tapkept'] });
  t.deepEqual([...(removed ?? [])].sort(), ['mon0', 'tapblue', 'tapgrey', 'tapred']);
  const names = async (namespace: Namespace): Promise<readonly string[]> =>
    (JSON.parse(await namespace.run('ip -j link')) as Link[]).map(({ ifname }) => ifname).sort();
  t.deepEqual(await names(host.namespace), ['lo', 'mon0', 'mon1', 'tapgreen', 'tapkept']);
  t.deepEqual(await names(guest), ['eth2', 'eth3', 'eth4', 'lo']);
  t.is((await show(host.namespace, 'mon0')).mtu, 1300);
  const rules = await host.namespace.run('/usr/sbin/nft list ruleset');
  t.deepEqual([...rules.matchAll(/chain port-(\w+)/g)].map(([, port]) => port).sort(), ['tapgreen', 'tapkept']);
});
