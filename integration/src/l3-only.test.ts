/**
 *   ┌ a ───────────┐   ┌ host ─────────────────────┐   ┌ b ───────────┐
 *   │ eth0 5.5.5.3 ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4 │
 *   └──────────────┘   │        network blue       │   └──────────────┘
 *                      │        5.5.5.0/24 l3      │
 *                      └───────────────────────────┘
 */
import test from 'ava';
import { portOf, twoGuests } from './lab/topology.js';

const GATEWAY_MAC = '00:00:5e:00:01:00';

test('in an l3 network every neighbour is the gateway, and every packet is routed', async (t) => {
  const { daemon, a, b } = await twoGuests(t, { forwardingMode: 'l3' });
  t.deepEqual((await portOf(daemon, 'a')).vif.flags, ['P', 'L3', 'D', 'Er']);

  for (const answer of [...(await a.ping('5.5.5.4')), ...(await b.ping('5.5.5.3'))]) t.regex(answer, /ttl=63/);
  t.is(await a.neighbour('5.5.5.4'), GATEWAY_MAC);
  t.is(await b.neighbour('5.5.5.3'), GATEWAY_MAC);
  for (const answer of await a.ping('5.5.5.1')) t.regex(answer, /ttl=64/);
});

test('traceroute shows the gateway between two guests that are routed', async (t) => {
  const { a } = await twoGuests(t, { forwardingMode: 'l3' });
  const hops = await a.run('traceroute -n -q 1 -w 2 5.5.5.4');
  t.regex(hops, /^ 1 {2}5\.5\.5\.1 .*\n 2 {2}5\.5\.5\.4 /m);
});
