/**
 *   ┌ a ───────────┐   ┌ host ─────────────────────┐   ┌ b ───────────┐
 *   │ eth0 5.5.5.3 ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4 │
 *   └──────────────┘   │  apply, apply, apply ...  │   └──────────────┘
 *                      └───────────────────────────┘
 */
import test from 'ava';
import { network, port, twoGuests } from './lab/topology.js';

test('no frame is lost while networks and interfaces come, change and go', async (t) => {
  const { daemon, a } = await twoGuests(t);
  await a.ping('5.5.5.4');
  const pinging = a.run('ping -q -i 0.005 -c 2000 -W 2 5.5.5.4', { timeoutMs: 60_000 });
  for (let round = 0; round < 3; round++) {
    await daemon.apply(network('green', { subnets: [{ prefix: '6.6.6.0/24' }] }), port('x', 'green', { type: 'tap' }));
    await daemon.apply(network('blue', { floodUnknownUnicast: round % 2 === 0 }), port('y', 'blue', { type: 'tap' }));
    await daemon.run('vrouter', 'delete VirtualMachineInterface x');
    await daemon.run('vrouter', 'delete VirtualMachineInterface y');
    await daemon.run('vrouter', 'delete VirtualNetwork green');
  }
  t.regex(await pinging, / 2000 received, 0% packet loss/);
});
