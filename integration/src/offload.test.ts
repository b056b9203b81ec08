/**
 *   ┌ a ────────────────┐   ┌ host ─────────────────────┐   ┌ b ────────────────┐
 *   │ eth0 5.5.5.3      ├───┤ (TAP)  vrouterd      tapB ├───┤ eth0 5.5.5.4      │
 *   │ TAP of the daemon │   │        network blue       │   │ end of a veth     │
 *   └───────────────────┘   └───────────────────────────┘   └───────────────────┘
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { DropstatsDump } from '../../daemon/src/control/dumps.js';
import type { Namespace } from './lab/namespace.js';
import { inside, network, port, portOf, twoGuests, type TwoGuests } from './lab/topology.js';

const PORT = 5001;
const SEND = `require('fs').createReadStream(process.argv[1]).pipe(require('net').connect(${PORT}, process.argv[2]))`;
const RECEIVE = `require('net').createServer((s) => s.pipe(require('fs').createWriteStream(process.argv[1]))
  .on('close', () => process.exit())).listen(${PORT}, () => console.log('listening'))`;

/** Guest `a` behind a TAP the daemon reads, guest `b` behind a veth. */
async function tapAndVeth(t: ExecutionContext): Promise<TwoGuests> {
  const guests = await twoGuests(t);
  const { daemon, a, b } = guests;
  await daemon.run('vrouter', 'delete VirtualMachineInterface a');
  await daemon.apply(network('blue'), port('a', 'blue', inside(a, { port: 'tap' })), port('b', 'blue', inside(b)));
  await a.dhcp();
  return guests;
}

async function iperf(server: Namespace, client: Namespace, address: string): Promise<void> {
  const listening = server.spawn('iperf3 --server --one-off --forceflush');
  await listening.waitFor(/listening/);
  await client.run(['iperf3', '--client', address, '--time', '2'], { timeoutMs: 20_000 });
  await listening.ended;
}

/** Sends 8 MB of random bytes over TCP; whether they arrive as they were. */
async function fileArrives({ lab }: TwoGuests, from: Namespace, to: Namespace, address: string): Promise<boolean> {
  const sent = join(lab.directory, 'sent');
  const received = join(lab.directory, 'received');
  const content = randomBytes(8 << 20);
  await writeFile(sent, content);
  const receiver = to.spawn([process.execPath, '-e', RECEIVE, received]);
  await receiver.waitFor(/listening/);
  await from.run([process.execPath, '-e', SEND, sent, address], { timeoutMs: 60_000 });
  await receiver.ended;
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  return digest(await readFile(received)) === digest(content);
}

test('TCP between a TAP and a veth crosses as super-frames in both directions', async (t) => {
  const { daemon, a, b } = await tapAndVeth(t);
  await iperf(b, a, '5.5.5.4');
  await iperf(a, b, '5.5.5.3');
  for (const name of ['a', 'b']) {
    const { superFrames, rx, tx } = (await portOf(daemon, name)).vif;
    t.log(`${name}: super-frames ${JSON.stringify(superFrames)}, packets ${rx.packets} received, ${tx.packets} sent`);
    t.true(superFrames.rx > 100 && superFrames.tx > 100);
    // A counted super-frame is many packets.
    t.true(rx.packets > 2 * superFrames.rx && tx.packets > 2 * superFrames.tx);
  }
});

const OFF = 'rx off tx off sg off tso off gso off gro off';

for (const [side, features] of [
  ['nobody', undefined],
  ['the TAP guest', 'a'],
  ['the veth guest', 'b'],
] as const) {
  test(`a file arrives unharmed in both directions with offloads off on the side of ${side}`, async (t) => {
    const guests = await tapAndVeth(t);
    const { a, b } = guests;
    // Some of these cannot be changed on every device; ethtool then says so and changes the rest.
    if (features !== undefined) await guests[features].attempt(`ethtool -K eth0 ${OFF}`);
    t.true(await fileArrives(guests, a, b, '5.5.5.4'));
    t.true(await fileArrives(guests, b, a, '5.5.5.3'));
  });
}

test('a port that was asked for without offloads gets whole checksums and frames no longer than its MTU', async (t) => {
  const guests = await twoGuests(t);
  const { daemon, a, b } = guests;
  await daemon.run('vrouter', 'delete VirtualMachineInterface a');
  const plain = inside(a, { port: 'tap', offloads: false });
  await daemon.apply(network('blue'), port('a', 'blue', plain), port('b', 'blue', inside(b)));
  await a.dhcp();
  const capture = await a.capture('eth0', 'tcp');
  t.true(await fileArrives(guests, b, a, '5.5.5.3'));
  t.true(await fileArrives(guests, a, b, '5.5.5.4'));
  const frames = (await capture.stop()).filter((line) => line.includes('5.5.5.4.'));
  const { mtu } = (await portOf(daemon, 'a')).vif;
  const lengths = frames.map((line) => Number(/ length (\d+): /.exec(line)?.[1] ?? 0));
  t.true(Math.max(...lengths) <= mtu + 14, `longest frame ${Math.max(...lengths)}`);
});

test('TCP in a VXLAN between guests is as fast as it should be, and no frame of it is an Invalid Packet', async (t) => {
  const guests = await twoGuests(t);
  const { daemon, a, b } = guests;
  for (const [guest, own, other] of [
    [a, 3, 4],
    [b, 4, 3],
  ] as const) {
    await guest.run(`ip link add vx0 type vxlan id 7 local 5.5.5.${own} remote 5.5.5.${other} dstport 4789 dev eth0`);
    await guest.run(`ip address add 10.9.9.${own}/24 dev vx0`);
    await guest.run('ip link set vx0 up');
  }
  const began = Date.now();
  t.true(await fileArrives(guests, a, b, '10.9.9.4'));
  t.true(await fileArrives(guests, b, a, '10.9.9.3'));
  const seconds = (Date.now() - began) / 1000;
  t.log(`16 MB in ${seconds} s`);
  t.true(seconds < 10, `16 MB took ${seconds} s`);
  t.is((await daemon.dump<DropstatsDump>('dropstats'))['Invalid Packets'], 0);
});
