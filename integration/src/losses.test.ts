/**
 *   ┌ a ────────────────┐   ┌ host ───────────────┐
 *   │ eth0 5.5.5.3      ├───┤ vrouterd, asleep    │
 *   │ TAP of the daemon │   │                     │
 *   └───────────────────┘   └─────────────────────┘
 */
import test from 'ava';
import type { Namespace } from './lab/namespace.js';
import { inside, portOf, port, twoGuests } from './lab/topology.js';

const FRAMES = 5000;
/** Sends datagrams to a guest nobody has, behind a neighbour entry that needs no answer. */
const SEND = `const socket = require('dgram').createSocket('udp4');
  let left = ${FRAMES};
  const next = () => (left-- > 0 ? socket.send('lost', 9, '5.5.5.99', next) : socket.close());
  next();`;

async function dropsSeenByGuest(guest: Namespace): Promise<number> {
  const [link] = JSON.parse(await guest.run('ip -s -json link show dev eth0')) as {
    stats64: { tx: { dropped: number } };
  }[];
  return link.stats64.tx.dropped;
}

test('frames that a TAP loses while nobody reads it are in the books, and stay there when it is made anew', async (t) => {
  const { daemon, a } = await twoGuests(t, {}, { port: 'tap' });
  const before = (await portOf(daemon, 'a')).vif;
  t.is(before.kernelDrops, await dropsSeenByGuest(a));
  await a.run('ip neighbour replace 5.5.5.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent');

  process.kill(daemon.pid, 'SIGSTOP');
  try {
    await a.run([process.execPath, '-e', SEND]);
  } finally {
    process.kill(daemon.pid, 'SIGCONT');
  }
  const lost = await dropsSeenByGuest(a);
  t.true(lost > FRAMES / 2, `${lost} frames lost`);
  t.is((await portOf(daemon, 'a')).vif.kernelDrops, lost);

  // The device goes with everything it counted, the account of the port does not.
  await a.run('ip link delete eth0');
  await daemon.apply(port('a', 'blue', inside(a, { port: 'tap' })));
  t.is((await portOf(daemon, 'a')).vif.kernelDrops, lost);
});
