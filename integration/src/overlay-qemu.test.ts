/**
 *   ┌ h1 ──────────────────────────────┐             ┌ h2 ──────────────────────────────┐
 *   │ QEMU guest 5.5.5.3 ── tap        ├── underlay ─┤        tap ── QEMU guest 5.5.5.4 │
 *   └──────────────────────────────────┘             └──────────────────────────────────┘
 */
import test from 'ava';
import { Guest } from './guest/guest.js';
import { guestImage } from './guest/image.js';
import { Cluster } from './lab/cluster.js';
import { network, port, portOf } from './lab/topology.js';

test('virtual machines on two hosts get their addresses and exchange TCP', async (t) => {
  const cluster = await Cluster.create(t);
  const image = await guestImage((line) => {
    t.log(line);
  });
  const tap = (name: string, host: string): ReturnType<typeof port> => port(name, 'blue', { type: 'tap' }, { host });
  await cluster.apply(network('blue'), tap('a', 'h1'), tap('b', 'h2'));
  const boot = async (n: number, name: string): Promise<Guest> => {
    const { daemon } = cluster.hosts[n - 1];
    const { device, mac } = await portOf(daemon, name);
    return Guest.boot(daemon.namespace, image, device, mac);
  };
  const [a, b] = await Promise.all([boot(1, 'a'), boot(2, 'b')]);
  const addresses = await Promise.all([a.dhcp(), b.dhcp()]);
  t.deepEqual(addresses, ['5.5.5.3', '5.5.5.4']);
  await a.run('ping -c 2 5.5.5.4');
  await b.run('ping -c 2 5.5.5.3');
  await b.run('iperf3 --server --daemon');
  for (const direction of ['', '--reverse']) {
    const report = await a.run(`iperf3 --client 5.5.5.4 --time 2 ${direction} --json`, 30_000);
    const { end } = JSON.parse(report) as { end: { sum_received: { bytes: number; bits_per_second: number } } };
    t.log(`${(end.sum_received.bits_per_second / 1e9).toFixed(2)} Gbit/s ${direction}`);
    t.true(end.sum_received.bytes > 1_000_000);
  }
});
