/**
 *   ┌ a ───────────┐   ┌ host ─────────────────────┐   ┌ b ───────────┐
 *   │ eth0 5.5.5.3 ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4 │
 *   └──────────────┘   │        network blue       │   └──────────────┘
 *                      │        5.5.5.0/24 l2_l3   │
 *                      └───────────────────────────┘
 */
import test from 'ava';
import type { BridgeRouteDump, InetRouteDump, NexthopDump, StatusDump } from '../../daemon/src/control/dumps.js';
import { portOf, twoGuests } from './lab/topology.js';

const GATEWAY_MAC = '00:00:5e:00:01:00';

test('two guests of a network get addresses by DHCP, are bridged to each other and reach their gateway', async (t) => {
  const { daemon, a, b } = await twoGuests(t);
  const left = await portOf(daemon, 'a');
  const right = await portOf(daemon, 'b');
  t.deepEqual([left.addresses, right.addresses], [['5.5.5.3'], ['5.5.5.4']]);
  t.deepEqual([await a.mac(), await b.mac()], [left.mac, right.mac]);

  const lease = await a.dhcp();
  t.like(lease, { ip: '5.5.5.3', mask: '24', router: '5.5.5.1', serverid: '5.5.5.2', dns: '5.5.5.2' });

  const capture = await daemon.namespace.capture(left.device, 'icmp');
  for (const answer of [...(await a.ping('5.5.5.4')), ...(await b.ping('5.5.5.3'))]) t.regex(answer, /ttl=64/);
  t.is((await capture.stop()).length, 8);
  t.is(await a.neighbour('5.5.5.4'), right.mac);
  t.is(await b.neighbour('5.5.5.3'), left.mac);

  for (const answer of await a.ping('5.5.5.1')) t.regex(answer, /ttl=64/);
  await a.ping('5.5.5.2');
  t.is(await a.neighbour('5.5.5.1'), GATEWAY_MAC);
  t.is(await a.neighbour('5.5.5.2'), GATEWAY_MAC);
});

test('nobody answers for an address no guest has', async (t) => {
  const { a } = await twoGuests(t);
  t.false(await a.answers('5.5.5.100'));
  t.is(await a.neighbour('5.5.5.100'), undefined);
});

test('the tools show interfaces, routes, bridge entries and nexthops in their classic layout', async (t) => {
  const { daemon, a } = await twoGuests(t);
  const { vif: left } = await portOf(daemon, 'a');
  const right = await portOf(daemon, 'b');
  await a.ping('5.5.5.4');
  const { vrf } = left;

  const routes = await daemon.dump<InetRouteDump[]>('rt', `--dump ${vrf}`);
  t.is(routes.filter(({ prefix }) => prefix.startsWith('5.5.5.')).length, 256);
  const route = routes.find(({ prefix }) => prefix === '5.5.5.4');
  t.like(route, { length: 32, ppl: 32, flags: ['P'], label: null, stitchedMac: right.mac });
  const bridge = await daemon.dump<BridgeRouteDump[]>('rt', `--dump ${vrf} --family bridge`);
  t.true(bridge.some(({ mac, index }) => mac === right.mac && index === route?.stitchedIndex));

  const inet = await daemon.run('rt', `--dump ${vrf}`);
  t.true(inet.includes(`vRouter inet4 routing table 0/${vrf}/unicast\n`));
  t.regex(inet, /^5\.5\.5\.4\/32 {13}32 {12}P {10}- {8} *\d+ {8}2(:[\da-f]{1,2}){5}\(\d+\)$/m);
  t.regex(inet, /^5\.5\.5\.100\/32 {11}24 {11}TF {10}- {14}1 {8}-$/m);

  const rows = await daemon.run('rt', `--dump ${vrf} --family bridge`);
  t.regex(rows, /^\d+ +0:0:5e:0:1:0 +Df +- +3 +\d+$/m);
  t.regex(rows, /^\d+ +ff:ff:ff:ff:ff:ff +LDf +\d+ +\d+ +\d+$/m);
  const hits = bridge.find(({ mac }) => mac === right.mac)?.packets ?? 0;
  t.true(hits >= 2, `${hits} frames bridged to the second guest`);

  const nexthop = await daemon.run('nh', ['--get', String(route?.nexthop)]);
  const macBytes = right.mac.replaceAll(':', ' ');
  t.regex(nexthop, /^Id:\d+ +Type:Encap {10}Fmly: AF_INET {2}Rid:0 {2}Ref_cnt:\d+ +Vrf:\d+\n {14}Flags:Valid, .*\n/);
  t.true(nexthop.includes(`\n              EncapFmly:0806 Oif:${right.vif.id} Len:14\n`));
  t.true(nexthop.includes(`\n              Encap Data: ${macBytes} 00 00 5e 00 01 00 08 00 \n`));

  const block = await daemon.run('vif', `--get ${left.id}`);
  t.true(block.includes(`vif0/${left.id}`.padEnd(12) + `OS: ${left.name}\n`));
  t.true(block.includes(`            Type:Virtual HWaddr:${GATEWAY_MAC} IPaddr:5.5.5.3\n`));
  t.regex(block, new RegExp(`^ {12}Vrf:${vrf} Mcast Vrf:${vrf} Flags:PL3L2DEr QOS:-1 Ref:\\d+$`, 'm'));
  t.regex(block, /^ {12}RX packets:[1-9]\d* {2}bytes:\d+ errors:0\n {12}TX packets:[1-9]\d* {2}bytes:\d+ errors:0$/m);
});

test('every nexthop a route or a bridge entry names is there', async (t) => {
  const { daemon } = await twoGuests(t);
  const { vrf } = (await portOf(daemon, 'a')).vif;
  const known = new Set((await daemon.dump<NexthopDump[]>('nh', '--list')).map(({ id }) => id));
  const inet = await daemon.dump<InetRouteDump[]>('rt', `--dump ${vrf}`);
  const bridge = await daemon.dump<BridgeRouteDump[]>('rt', `--dump ${vrf} --family bridge`);
  for (const { nexthop } of [...inet, ...bridge]) t.true(known.has(nexthop), `nexthop ${nexthop}`);
});

test('the books balance after traffic that was forwarded, answered, flooded and dropped', async (t) => {
  const { daemon, a, b } = await twoGuests(t);
  await a.ping('5.5.5.4');
  await b.ping('5.5.5.1');
  t.false(await a.answers('5.5.5.100'));
  await a.run('ip route add 7.7.7.0/24 via 5.5.5.1');
  t.false(await a.answers('7.7.7.7'));
  const { books } = (await daemon.dump<StatusDump>('vrouter', 'status')).datapath;
  t.is(books.received + books.generated + books.copied, books.sent + books.dropped + books.consumed);
  t.true(books.dropped >= 2, JSON.stringify(books));
});
