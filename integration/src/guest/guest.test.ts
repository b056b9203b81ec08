/**
 *   ┌ host ──────────────────────────────────────────┐
 *   │ tap0 10.1.0.1/24 ── QEMU guest eth0 10.1.0.2/24 │
 *   └────────────────────────────────────────────────┘
 */
import test from 'ava';
import { Lab } from '../lab/lab.js';
import { Guest } from './guest.js';
import { guestImage } from './image.js';

test('a guest boots on a TAP, talks to its host and comes back after a reboot', async (t) => {
  const lab = await Lab.create(t);
  const host = await lab.namespace('host');
  await host.run('ip tuntap add tap0 mode tap vnet_hdr');
  await host.run('ip address add 10.1.0.1/24 dev tap0');
  await host.run('ip link set tap0 up');

  const image = await guestImage((line) => {
    t.log(line);
  });
  const guest = await Guest.boot(host, image, 'tap0', '02:00:00:00:00:02');
  const configure = 'ip address add 10.1.0.2/24 dev eth0 && ip link set eth0 up';
  await guest.run(configure);
  await guest.run('ping -c 2 -W 2 10.1.0.1');
  t.is((await host.ping('10.1.0.2')).length, 2);
  t.is((await guest.attempt('exit 3 | false')).code, 1);
  t.regex(await guest.run('iperf3 --version'), /iperf 3/);

  await guest.reboot();
  await guest.run(configure);
  t.is((await host.ping('10.1.0.2')).length, 2);
});
