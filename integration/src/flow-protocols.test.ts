/**
 *   ┌ a ───────────────┐   ┌ host ─────────────────────┐   ┌ b ───────────────┐
 *   │ eth0 5.5.5.3     ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4     │
 *   │      fd00:5::3   │   │        network blue       │   │      fd00:5::4   │
 *   └──────────────────┘   └───────────────────────────┘   └──────────────────┘
 */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { DropstatsDump } from '../../daemon/src/control/dumps.js';
import type { FlowDump } from '../../daemon/src/control/flow-dumps.js';
import { eth } from 'vrouterd/dist/testing/packet-builder.js';
import type { Daemon } from './lab/daemon.js';
import type { Namespace } from './lab/namespace.js';
import { until } from './lab/process.js';
import { twoGuests, type TwoGuests } from './lab/topology.js';

const SEND_FRAMES = fileURLToPath(new URL('lab/send-frames.js', import.meta.url));
const PORT = 5001;
/** Sends back what comes, and closes when its client does. */
const SERVE = `require('net').createServer({ allowHalfOpen: false }, (s) => s.pipe(s))
  .listen(${PORT}, '::', () => console.log('listening'))`;
/** Is connected until it is told something, then ends: in order, or with a reset. */
const CONNECT = `const s = require('net').connect(${PORT}, process.argv[1], () => s.write('hello'));
  s.once('data', () => console.log('open'));
  s.on('close', () => process.exit());
  process.stdin.once('data', (how) => (String(how) === 'reset' ? s.resetAndDestroy() : s.end()));`;
const RECEIVE = `const s = require('dgram').createSocket('udp6');
  s.on('message', (data) => (console.log(require('crypto').createHash('md5').update(data).digest('hex')), process.exit()));
  s.bind(${PORT}, () => console.log('listening'));`;
/** Sends one datagram and says what became of it. */
const ASK = `const [family, address] = process.argv.slice(1);
  const s = require('dgram').createSocket(family);
  s.on('error', (error) => (console.log(error.code), process.exit()));
  s.connect(9, address, () => (s.send('anybody?'), setTimeout(() => process.exit(), 3000)));`;

async function dualStack(t: ExecutionContext): Promise<TwoGuests> {
  const subnets = [{ prefix: '5.5.5.0/24' }, { prefix: 'fd00:5::/64' }];
  const guests = await twoGuests(t, { subnets });
  for (const [guest, last] of [
    [guests.a, 3],
    [guests.b, 4],
  ] as const) {
    await guest.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0');
    await guest.run(`ip address add fd00:5::${last}/64 dev eth0 nodad`);
  }
  return guests;
}

const ADDRESSES = [
  ['IPv4', 'inet', '5.5.5.4'],
  ['IPv6', 'inet6', 'fd00:5::4'],
] as const;
const UDP = 17;
const TCP = 6;
const ICMP = [1, 58];
const SCTP = 132;

/** Entries of sessions of these protocols, the busiest first. */
async function flowsWith(daemon: Daemon, ...protocols: readonly number[]): Promise<FlowDump[]> {
  const flows = await daemon.dump<FlowDump[]>('flow', '-l');
  return flows.filter(({ protocol }) => protocols.includes(protocol)).sort((a, b) => b.packets - a.packets);
}

for (const [name, family, address] of ADDRESSES) {
  for (const how of ['end', 'reset']) {
    test(`a TCP session in ${name} is a pair with its letters, and gone after its ${how}`, async (t) => {
      const { daemon, a, b } = await dualStack(t);
      const server = b.spawn([process.execPath, '-e', SERVE]);
      await server.waitFor(/listening/);
      const client = a.spawn([process.execPath, '-e', CONNECT, address]);
      await client.waitFor(/open/);
      const flows = await flowsWith(daemon, TCP);
      t.is(flows.length, 2);
      for (const flow of flows) t.like(flow, { tcp: ['S', 'Sr', 'E', 'Er'], family });
      t.deepEqual([flows[0].sourcePort, flows[0].destinationPort], [flows[1].destinationPort, flows[1].sourcePort]);

      client.write(how);
      t.is(await client.ended, 0);
      await until('the session is gone', async () => (await flowsWith(daemon, TCP)).length === 0 || undefined, 5000);
    });
  }

  test(`long pings in ${name} are fragments of one session`, async (t) => {
    const { daemon, a } = await dualStack(t);
    await a.ping(address, 5, '-s 4000');
    const [forward, reverse] = (await flowsWith(daemon, ...ICMP)).filter(({ sourcePort }) => sourcePort > 0);
    // Three or four fragments a ping, as the MTU has it.
    t.true(forward.packets >= 15 && forward.packets % 5 === 0, `${forward.packets} packets`);
    t.is(reverse.packets, forward.packets);
    const drops = await daemon.dump<DropstatsDump>('dropstats');
    for (const reason of ['Fragment errors', 'Fragment Queueing Failures', 'No Fragment Entries', 'Flow Unusable']) {
      t.is(drops[reason], 0, reason);
    }
  });

  test(`a port in ${name} where nobody listens is told about in the session that asked`, async (t) => {
    const { daemon, a } = await dualStack(t);
    const asked = await a.run([process.execPath, '-e', ASK, family === 'inet' ? 'udp4' : 'udp6', address]);
    t.is(asked.trim(), 'ECONNREFUSED');
    t.deepEqual(
      (await flowsWith(daemon, UDP))
        .filter(({ sourcePort, destinationPort }) => sourcePort === 9 || destinationPort === 9)
        .map(({ packets }) => packets),
      [1, 1],
    );
    const before = (await flowsWith(daemon, UDP)).length;
    const route = await a.run(['traceroute', '-n', '-q', '1', '-w', '1', '-m', '3', '-p', '40000', address]);
    t.regex(route, new RegExp(`^ 1 {2}${address} .* ms$`, 'm'));
    t.true((await flowsWith(daemon, UDP)).length > before);
    t.deepEqual(
      (await flowsWith(daemon, ...ICMP)).filter(({ destinationPort: type }) => type === 3 || type === 1),
      [],
    );
    t.is((await daemon.dump<DropstatsDump>('dropstats'))['Flow Unusable'], 0);
  });
}

const PART = 1000;
const macsOf = async ({ a, b }: TwoGuests): Promise<{ src: string; dst: string }> => ({
  src: await a.mac(),
  dst: await b.mac(),
});

/** A UDP datagram from a to b in fragments. */
function fragments(macs: { src: string; dst: string }, family: string, payload: Uint8Array, id: number): string[] {
  const [v4, v6] = [
    { src: '5.5.5.3', dst: '5.5.5.4' },
    { src: 'fd00:5::3', dst: 'fd00:5::4' },
  ];
  const whole = family === 'inet' ? eth(macs).ipv4(v4) : eth(macs).ipv6(v6);
  const datagram = whole
    .udp(5001, PORT)
    .payload(payload)
    .bytes()
    .subarray(14 + (family === 'inet' ? 20 : 40));
  const parts: string[] = [];
  for (let at = 0; at < datagram.length; at += PART) {
    const mf = at + PART < datagram.length;
    const header = [UDP, 0, at >> 8, (at & 0xff) | (mf ? 1 : 0), 0, 0, 0, id];
    const part =
      family === 'inet'
        ? eth(macs).ipv4({ ...v4, id, protocol: UDP, fragmentOffset: at, mf })
        : eth(macs)
            .ipv6({ ...v6, nextHeader: 44 })
            .payload(header);
    parts.push(Buffer.from(part.payload(datagram.subarray(at, at + PART)).bytes()).toString('hex'));
  }
  return parts;
}

async function sendFrames(guest: Namespace, ...frames: readonly string[]): Promise<void> {
  await guest.run([process.execPath, SEND_FRAMES, ...frames]);
}

for (const [name, family] of ADDRESSES) {
  test(`a datagram in ${name} arrives whatever the order of its fragments; one without its first is given up`, async (t) => {
    const guests = await dualStack(t);
    const { daemon, a, b } = guests;
    const macs = await macsOf(guests);
    const payload = Uint8Array.from({ length: 3500 }, (_, i) => i * 13);
    const digest = createHash('md5').update(payload).digest('hex');
    for (const [id, order] of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [1, 3, 0, 2],
    ].entries()) {
      const server = b.spawn([process.execPath, '-e', RECEIVE]);
      await server.waitFor(/listening/);
      const parts = fragments(macs, family, payload, id + 1);
      await sendFrames(a, ...order.map((n) => parts[n]));
      t.is((await server.waitFor(/[\da-f]{32}/))[0], digest, `order ${order.join(' ')}`);
      await server.ended;
    }
    const forward = (await flowsWith(daemon, UDP)).find(({ destinationPort }) => destinationPort === PORT);
    t.like(forward, { packets: 12, family });

    await sendFrames(a, ...fragments(macs, family, payload, 77).slice(1));
    t.is((await daemon.dump<DropstatsDump>('dropstats'))['Fragment errors'], 0);
    await until('they were given up', async () => {
      const drops = await daemon.dump<DropstatsDump>('dropstats');
      return drops['Fragment errors'] === 3 || undefined;
    });
  });
}

test('SCTP has ports, and the host that does not speak it says so within the session', async (t) => {
  const { daemon, a, b } = await dualStack(t);
  const capture = await a.capture('eth0', 'icmp');
  const init = eth({ src: await a.mac(), dst: await b.mac() })
    .ipv4({ src: '5.5.5.3', dst: '5.5.5.4', protocol: SCTP })
    .payload([0x30, 0x39, 0x00, 0x50, ...new Array<number>(28).fill(0)]);
  await sendFrames(a, Buffer.from(init.bytes()).toString('hex'));
  await until('the answer came', async () => {
    const flows = await flowsWith(daemon, SCTP);
    return (flows.length === 2 && flows.every(({ packets }) => packets === 1)) || undefined;
  });
  t.deepEqual(
    (await flowsWith(daemon, SCTP))
      .map(({ sourcePort, destinationPort }) => [sourcePort, destinationPort])
      .sort(([one], [other]) => other - one),
    [
      [12345, 80],
      [80, 12345],
    ],
  );
  t.regex((await capture.stop()).join('\n'), /5\.5\.5\.4 > 5\.5\.5\.3: ICMP 5\.5\.5\.4 protocol 132 unreachable/);
});
