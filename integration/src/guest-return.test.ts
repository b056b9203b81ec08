/**
 *   ┌ a ────────────┐            ┌ b ────────────┐
 *   │ eth0 5.5.5.3  ├ vrouterd ──┤ eth0 5.5.5.4  │    a is deleted and made again
 *   └───────────────┘            └───────────────┘
 */
import { readdirSync, readlinkSync } from 'node:fs';
import test from 'ava';
import { run, until } from './lab/process.js';
import { twoGuests } from './lab/topology.js';

for (const port of ['veth', 'tap'] as const) {
  test(`a guest whose namespace is deleted and made again has its ${port} back`, async (t) => {
    const { daemon, a, b } = await twoGuests(t, {}, { port, configure: true });
    // Of the host's own interface (vhost0), and of the guest that stays: its port's, and the one that holds the device.
    const ofHost = 1;
    const ofGuest = port === 'tap' ? 2 : 0;
    const openTaps = (): number =>
      readdirSync(`/proc/${daemon.pid}/fd`).filter((fd) => {
        try {
          return readlinkSync(`/proc/${daemon.pid}/fd/${fd}`) === '/dev/net/tun';
        } catch {
          return false;
        }
      }).length;

    // At once, before anybody can have noticed, and a second time with the guest away for a while.
    for (const awayMs of [0, 2_000]) {
      await run(['ip', 'netns', 'delete', a.name]);
      if (awayMs > 0) {
        const state = async (): Promise<string> => (await daemon.attempt('vrouter', 'wait --timeout 0')).stderr;
        await until('the daemon misses the guest', async () => (await state()).includes('does not exist') || undefined);
        await until('nothing keeps the old namespace', () => openTaps() === ofHost + ofGuest || undefined);
      }
      await run(['ip', 'netns', 'add', a.name]);
      await until('the guest has its address', async () => {
        const { stdout } = await a.attempt('ip -4 -o address show dev eth0');
        return stdout.includes('5.5.5.3/24') || undefined;
      });
      // It is configured before the datapath knows it.
      await daemon.run('vrouter', 'wait --timeout 10');
      t.is((await b.ping('5.5.5.3')).length, 2);
    }
  });
}
