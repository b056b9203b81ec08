/**
 *   ┌ host ─────────────────────────────────────┐   ┌ b ───────────┐
 *   │ QEMU guest ── tapA   vrouterd        tapB ├───┤ eth0 5.5.5.4 │
 *   │ eth0 5.5.5.3         network blue         │   └──────────────┘
 *   └───────────────────────────────────────────┘
 */
import test from 'ava';
import { Guest } from './guest/guest.js';
import { guestImage } from './guest/image.js';
import { Lab } from './lab/lab.js';
import { inside, network, port, portOf } from './lab/topology.js';

test('a virtual machine on a TAP gets its address, talks to a namespace, and does so again after a reboot', async (t) => {
  const lab = await Lab.create(t);
  const image = await guestImage((line) => {
    t.log(line);
  });
  const daemon = await lab.daemon();
  const b = await lab.namespace('b');
  await daemon.apply(network('blue'), port('a', 'blue', { type: 'tap' }), port('b', 'blue', inside(b)));
  const { device, mac } = await portOf(daemon, 'a');
  await b.dhcp();

  const guest = await Guest.boot(daemon.namespace, image, device, mac);
  t.is(await guest.dhcp(), '5.5.5.3');
  const capture = await daemon.namespace.capture(device, 'icmp');
  t.regex(await guest.run('ping -c 2 5.5.5.4'), /ttl=64/);
  await b.ping('5.5.5.3');
  const frames = await capture.stop();
  t.is(frames.filter((line) => line.includes('5.5.5.3 > 5.5.5.4: ICMP echo request')).length, 2);
  t.is(frames.filter((line) => line.includes('5.5.5.4 > 5.5.5.3: ICMP echo request')).length, 2);

  const server = b.spawn('iperf3 --server --forceflush');
  await server.waitFor(/listening/);
  for (const direction of ['', '--reverse']) {
    const report = await guest.run(`iperf3 --client 5.5.5.4 --time 2 ${direction} --json`, 30_000);
    const { end } = JSON.parse(report) as { end: { sum_received: { bytes: number; bits_per_second: number } } };
    t.log(`${(end.sum_received.bits_per_second / 1e9).toFixed(2)} Gbit/s ${direction}`);
    t.true(end.sum_received.bytes > 1_000_000);
  }

  await guest.reboot();
  t.is(await guest.dhcp(), '5.5.5.3');
  await guest.run('ping -c 2 5.5.5.4');
  await b.ping('5.5.5.3');
});
