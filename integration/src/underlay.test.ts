/**
 * A daemon on an underlay; the tests play the other hosts:
 *
 *   ┌ host ───────────────────┐         ┌ other ─────────────┐
 *   │ vrouterd   eth1         ├─────────┤ eth1               │
 *   │            192.168.90.1 │         │ 192.168.90.2       │
 *   │            fd90::1      │         │ fd90::2            │
 *   └─────────────────────────┘         └────────────────────┘
 */
import test, { type ExecutionContext } from 'ava';
import { Cluster, reaches } from './lab/cluster.js';
import type { Daemon } from './lab/daemon.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import { run, until } from './lab/process.js';
import { inside, network, port } from './lab/topology.js';

interface Underlay {
  readonly lab: Lab;
  readonly daemon: Daemon;
  readonly host: Namespace;
  readonly other: Namespace;
}

const US = { 4: '192.168.90.1', 6: 'fd90::1' } as const;

async function underlay(t: ExecutionContext, family: 4 | 6 = 4, config = ''): Promise<Underlay> {
  const lab = await Lab.create(t);
  const host = await lab.namespace('host');
  const other = await lab.namespace('other');
  await join(host, other);
  const daemon = await lab.daemon({ namespace: host, tunnel: `{ address: '${US[family]}' }`, config });
  return { lab, daemon, host, other };
}

/** A veth between the two, with addresses. */
async function join(host: Namespace, other: Namespace): Promise<void> {
  await run([
    'ip',
    '-n',
    host.name,
    'link',
    'add',
    'eth1',
    'type',
    'veth',
    'peer',
    'name',
    'eth1',
    'netns',
    other.name,
  ]);
  for (const [namespace, last] of [
    [host, 1],
    [other, 2],
  ] as const) {
    await namespace.run('ip link set eth1 up');
    await namespace.run(`ip address add 192.168.90.${last}/24 dev eth1`);
    await namespace.run(`ip address add fd90::${last}/64 dev eth1 nodad`);
  }
}

interface VifDump {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly mac: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly rx: { readonly packets: number };
  readonly link?: { readonly speed: number; readonly duplex: number };
}

const physical = (daemon: Daemon): Promise<VifDump> => daemon.dump<VifDump>('vif', '--get 0');

/** Waits for a line of the daemon's log. */
async function says(daemon: Daemon, what: RegExp): Promise<void> {
  await until(`the daemon says ${String(what)}`, () => Promise.resolve(what.test(daemon.log) || undefined), 15_000);
}

/** Sends UDP datagrams to each of these ports from the other host, and a GRE packet. */
async function sendTunnelPackets(other: Namespace, address: string, ports: readonly number[]): Promise<void> {
  const code = `
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
for port in sys.argv[2:]:
    socket.socket(family, socket.SOCK_DGRAM).sendto(b'\\0' * 40, (sys.argv[1], int(port)))
raw = socket.socket(family, socket.SOCK_RAW, 47)
raw.sendto(bytes.fromhex('00008847000101 40'.replace(' ', '')) + b'\\0' * 40, (sys.argv[1], 0))
`;
  await other.run(['python3', '-c', code, address, ...ports.map(String)]);
}

test('vif0/0 is the underlay interface, and takes the tunnel packets to us alone', async (t) => {
  const { daemon, other } = await underlay(t);
  const before = await physical(daemon);
  t.is(before.name, 'eth1');
  t.is(before.type, 'Physical');
  t.is(before.mac, await daemon.namespace.mac('eth1'));
  t.is(before.mtu, 1500);
  t.deepEqual(before.flags, ['Tc', 'L3', 'L2', 'Vp', 'Er']);
  t.regex(await daemon.run('vif', '--get 0'), /^vif0\/0 {6}OS: eth1 \(Speed 10000, Duplex 1\)$/m);

  await other.ping(US[4]);
  await sendTunnelPackets(other, US[4], [6635, 51234, 4789, 6636, 53]);
  await until('the packets are counted', async () => ((await physical(daemon)).rx.packets >= 4 ? true : undefined));
  t.is((await physical(daemon)).rx.packets, 4, 'three ports and GRE; neither pings nor other ports');
});

for (const family of [4, 6] as const) {
  test(`the host never answers tunnel packets over IPv${family}, and everything else as always`, async (t) => {
    const { daemon, other } = await underlay(t, family);
    const captured = await other.capture('eth1', 'icmp or icmp6');
    await sendTunnelPackets(other, US[family], [6635, 51234, 4789]);
    await other.ping(US[family], 1);
    t.deepEqual(
      (await captured.stop()).filter((line) => /unreachable/.test(line)),
      [],
    );
    // The other address of the host is its own affair.
    const usual = await other.capture('eth1', 'icmp or icmp6');
    await sendTunnelPackets(other, US[family === 4 ? 6 : 4], [6635]);
    await other.ping(US[family], 1);
    t.true((await usual.stop()).some((line) => /unreachable/.test(line)));

    t.is(await daemon.stop(), 0);
    const { stdout } = await daemon.namespace.attempt(['/usr/sbin/nft', 'list', 'ruleset']);
    t.notRegex(stdout, /underlay/, 'what was made on the host is taken back');
  });
}

test('rules that somebody flushed are back soon', async (t) => {
  const { daemon, host } = await underlay(t);
  const rules = async (): Promise<string> => (await host.attempt(['/usr/sbin/nft', 'list', 'ruleset'])).stdout;
  await until('the rules are there', async () => ((await rules()).includes('4789') ? true : undefined));
  await host.run('/usr/sbin/nft flush ruleset');
  await until('the rules are back', async () => ((await rules()).includes('4789') ? true : undefined), 15_000);
  t.true(daemon.running);
});

test('the underlay interface may go and come back as another one, with another MAC and MTU', async (t) => {
  const { daemon, host, other } = await underlay(t);
  await host.run('ip link delete eth1');
  await join(host, other);
  await host.run('ip link set eth1 mtu 1400 address 02:00:00:00:90:01');
  await until('the new interface is known', async () => {
    const { mac, mtu } = await physical(daemon);
    return mac === '02:00:00:00:90:01' && mtu === 1400 ? true : undefined;
  });
  const { rx } = await physical(daemon);
  const captured = await other.capture('eth1', 'icmp');
  await sendTunnelPackets(other, US[4], [6635]);
  await until('packets arrive', async () =>
    (await physical(daemon)).rx.packets === rx.packets + 2 ? true : undefined,
  );
  t.deepEqual(
    (await captured.stop()).filter((line) => /unreachable/.test(line)),
    [],
  );
});

test('vif0/1 is vhost0, an interface of the host with link-local addresses only, which outlives the daemon', async (t) => {
  const { daemon, host } = await underlay(t);
  const shown = await daemon.run('vif', '--get 1');
  const mac = await host.mac('vhost0');
  const linkLocal = /fe80:\S+(?=\/64)/.exec(await host.run('ip -6 address show dev vhost0'))?.[0];
  t.true(
    shown.includes(`vif0/1      OS: vhost0\n            Type:Host HWaddr:00:00:5e:00:01:00 IPaddr:169.254.42.1\n`),
  );
  t.true(shown.includes(`            IP6addr:${linkLocal}\n            Vrf:0 Mcast Vrf:0 Flags:TcL3Er QOS:-1 `));
  const addresses = await host.run('ip -o address show dev vhost0');
  t.is(addresses.match(/inet6? /g)?.length, 2, addresses);
  t.notRegex(await host.run('ip route'), /169\.254/, 'other link-local addresses are where they were');

  const known = await daemon.run('vif', '--list');
  t.deepEqual(known.match(/^vif0\/\d+/gm), ['vif0/0', 'vif0/1', 'vif0/2']);
  await daemon.stop();
  t.is(await host.mac('vhost0'), mac);
  await daemon.start();
  t.is(await host.mac('vhost0'), mac);
  await host.waitForLink('vhost0');
  await host.run('ip link delete vhost0');
  await host.waitForLink('vhost0', 15_000);
});

test('a vhost0 that is somebody else’s is left alone, and the daemon says what to do', async (t) => {
  const lab = await Lab.create(t);
  const host = await lab.namespace('host');
  await host.run('ip link add vhost0 type bridge');
  const first = await lab.daemon({ namespace: host });
  await says(first, /vhost0 exists and is not ours.*datapath\.hostInterface/);
  t.regex(await host.run('ip -d link show vhost0'), /bridge/);
  const second = await lab.daemon({ namespace: host, host: 'second', config: 'datapath: { hostInterface: vhost1 }' });
  t.regex(await second.run('vif', '--get 1'), /OS: vhost1/);
  const third = await lab.daemon({ namespace: host, host: 'third', config: 'datapath: { hostInterface: vhost1 }' });
  await says(third, /vhost1 belongs to another vrouterd/);
});

test('a router that wants shorter packets to another host is heard, and believed only about tunnel packets', async (t) => {
  const { daemon, other } = await underlay(t);
  const code = `
import socket, struct, sys
def checksum(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
for port, mtu in ((53, 1200), (6635, 1300)):
    quoted = struct.pack('!BBHHHBBH4s4sHHHH', 0x45, 0, 1500, 1, 0x4000, 60, 17, 0, socket.inet_aton('192.168.90.1'),
                         socket.inet_aton('192.168.90.2'), 50000, port, 1480, 0)
    error = struct.pack('!BBHHH', 3, 4, 0, 0, mtu) + quoted
    error = error[:2] + struct.pack('!H', checksum(error)) + error[4:]
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).sendto(error, ('192.168.90.1', 0))
`;
  await other.run(['python3', '-c', code]);
  await says(daemon, /"destination":"192\.168\.90\.2","mtu":1300.*the path to another host/);
  t.notRegex(daemon.log, /"mtu":1200/);
});

/** A policy that lets networks called blue reach the underlay. */
const TO_FABRIC = {
  apiVersion: 'vrouter/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'to-fabric' },
  spec: {
    rules: [{ action: 'pass', source: { virtualNetwork: 'blue' }, destination: { virtualNetwork: 'ip-fabric' } }],
  },
};

test('a policy to ip-fabric lets guests reach the host and who is on the underlay, and be reached', async (t) => {
  const { lab, daemon, host, other } = await underlay(t);
  const a = await lab.namespace('a');
  const forwarding = (device: string): Promise<string> =>
    host.run(['cat', `/proc/sys/net/ipv4/conf/${device}/forwarding`]).then((text) => text.trim());
  t.is(await forwarding('eth1'), '0');
  const blue = network('blue', { subnets: ['5.5.5.0/24', 'fd55::/64'].map((prefix) => ({ prefix })) });
  const guest = port('a', 'blue', inside(a, { configure: true }), { addresses: ['5.5.5.3', 'fd55::3'] });
  await daemon.apply(blue, guest);
  await other.run(`ip route add 5.5.5.0/24 via ${US[4]}`);
  await other.run(`ip route add fd55::/64 via ${US[6]}`);
  t.false(await a.answers(US[4], 1), 'nothing connects them');

  await daemon.apply(TO_FABRIC, { ...blue, spec: { ...(blue['spec'] as object), policies: ['to-fabric'] } });
  await until('the host has the routes', async () => {
    const routes = await host.run('ip route show dev vhost0');
    const routes6 = await host.run('ip -6 route show dev vhost0');
    return (
      (/^5\.5\.5\.3 proto 118 .*src 192\.168\.90\.1/m.test(routes) && /^fd55::3 proto 118/m.test(routes6)) || undefined
    );
  });
  const seen = await other.capture('eth1', 'icmp or icmp6');
  await a.ping(US[4]);
  await a.ping('192.168.90.2');
  await a.ping(US[6]);
  await a.ping('fd90::2');
  await host.ping('5.5.5.3');
  await other.ping('5.5.5.3');
  const lines = (await seen.stop()).join('\n');
  t.regex(lines, /5\.5\.5\.3 > 192\.168\.90\.2: ICMP echo request/);
  t.regex(lines, /192\.168\.90\.2 > 5\.5\.5\.3: ICMP echo reply/);
  t.is(await forwarding('eth1'), '1');

  // A network that comes to the underlay later is reached as well.
  await other.run('ip address add 10.77.0.1/32 dev lo');
  await host.run('ip route add 10.77.0.0/16 via 192.168.90.2');
  await until('guests know the new route', async () => ((await a.answers('10.77.0.1', 1)) ? true : undefined));
  t.regex(await daemon.run('rt', '--dump 0'), /10\.77\.0\.0\/16/);

  await daemon.apply({ ...blue });
  await until('the host is as before', async () => {
    const routes = await host.run('ip route show proto 118');
    return routes === '' && (await forwarding('eth1')) === '0' ? true : undefined;
  });
  t.false(await a.answers('192.168.90.2', 1));
});

test('a daemon that was killed leaves no forwarding behind once it was started and stopped', async (t) => {
  const { lab, daemon, host } = await underlay(t);
  const a = await lab.namespace('a');
  const forwarding = (): Promise<string> => host.run('cat /proc/sys/net/ipv4/conf/eth1/forwarding');
  await daemon.apply(
    TO_FABRIC,
    network('blue', { policies: ['to-fabric'] }),
    port('a', 'blue', inside(a, { configure: true })),
  );
  await until('the host forwards', async () => ((await forwarding()) === '1\n' ? true : undefined));
  await daemon.stop('SIGKILL');
  t.is(await forwarding(), '1\n');
  await daemon.start();
  await daemon.run('vrouter', 'wait --timeout 10');
  await a.ping(US[4], 1);
  await daemon.stop();
  t.is(await forwarding(), '0\n');
  t.is(await host.run('ip route show proto 118'), '');
});

test('a host with a raw socket and one with a packet socket understand each other', async (t) => {
  const driver = (n: number): 'packet' | 'raw' => (n === 1 ? 'raw' : 'packet');
  const cluster = await Cluster.create(t, { encapsulations: ['MPLSoGRE'], driver });
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.4']);
  await cluster.apply(network('blue'), a.port, b.port);
  await reaches(a.namespace, b.address);
  const captured = await cluster.capture(1, 'proto gre or icmp');
  await a.namespace.ping(b.address, 3, '-s 1400');
  await b.namespace.ping(a.address, 3);
  const lines = (await captured.stop()).filter((line) => line.includes('192.168.100'));
  t.true(lines.length >= 12);
  t.true(lines.every((line) => line.includes('GREv0')));
  // What the collector runs over meanwhile must not close the socket.
  await a.namespace.ping(b.address, 50, '-i 0.02');
});

test('hosts behind a router: the router’s MAC, a MAC that moves, a router that wants shorter packets', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  const { lab } = cluster;
  // The router has a leg beside each host; hosts reach each other through it alone.
  const router = await lab.namespace('router');
  await run([
    'ip',
    'link',
    'add',
    'r',
    'netns',
    cluster.fabric.name,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    router.name,
  ]);
  await cluster.fabric.run('ip link set r master br-fabric up');
  await router.run('ip link set eth0 up');
  await router.run('ip address add 192.168.100.1/24 dev eth0');
  await router.run(
    'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0',
  );
  for (const [one, other] of [
    [h1, h2],
    [h2, h1],
  ]) {
    await one.namespace.run('sysctl -qw net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.fabric0.accept_redirects=0');
    await one.namespace.run(`ip route add ${other.address}/32 via 192.168.100.1`);
  }
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.4']);
  await cluster.apply(network('blue'), a.port, b.port);
  await reaches(a.namespace, b.address);
  const passing = await router.capture('eth0', 'udp port 6635');
  await a.namespace.ping(b.address);
  t.true((await passing.stop()).length >= 8, 'each packet comes in and goes out');

  await router.run('ip link set eth0 address 02:00:00:00:00:77');
  await router.run('arping -c 2 -A -I eth0 192.168.100.1');
  await reaches(a.namespace, b.address, 5000);

  // The way to h2 becomes narrow: the router says so, and h1 tells its guest.
  await router.run(`ip route add ${h2.address}/32 dev eth0 mtu lock 1300`);
  await a.namespace.attempt(['ping', '-n', '-c', '2', '-i', '0.3', '-W', '1', '-M', 'do', '-s', '1350', b.address]);
  await until('the guest knows the narrow path', async () => {
    const { stdout, stderr } = await a.namespace.attempt([
      'ping',
      '-n',
      '-c',
      '1',
      '-W',
      '1',
      '-M',
      'do',
      '-s',
      '1350',
      b.address,
    ]);
    return /Frag needed|too long/i.test(stdout + stderr) ? true : undefined;
  });
  await a.namespace.ping(b.address, 2, '-s 1100 -M do');
  t.regex(h1.daemon.log, /the path to another host/);
});

test('a host that is not there yet is found as soon as it answers', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  // Its underlay is cut, so nobody resolves its MAC; Redis is reached another way.
  await cluster.fabric.run('ip link set h2 down');
  await h1.namespace.run('ip neigh flush dev fabric0');
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.4']);
  await cluster.apply(network('blue'), a.port, b.port);
  t.false(await a.namespace.answers(b.address));
  await cluster.fabric.run('ip link set h2 up');
  await reaches(a.namespace, b.address, 10_000);
  t.true(h2.daemon.running);
});
