/**
 *   ┌ a ───────────────┐   ┌ host ─────────────────────┐   ┌ b ───────────────┐
 *   │ eth0 5.5.5.3     ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4     │
 *   │  or 172.30.0.3   │   │        network blue       │   │  or 172.30.0.4   │
 *   └──────────────────┘   │        5.5.5.0/24 l2      │   └──────────────────┘
 *                          └───────────────────────────┘
 */
import test from 'ava';
import type { BridgeRouteDump, DropstatsDump } from '../../daemon/src/control/dumps.js';
import type { Namespace } from './lab/namespace.js';
import { inside, network, port, portOf, twoGuests } from './lab/topology.js';

async function readdress(guest: Namespace, address: string): Promise<void> {
  await guest.run('ip -4 address flush dev eth0');
  await guest.run(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
}

async function changeMac(guest: Namespace, mac: string): Promise<void> {
  await guest.run('ip link set eth0 down');
  await guest.run(['ip', 'link', 'set', 'eth0', 'address', mac]);
  await guest.run('ip link set eth0 up');
  await guest.waitForLink();
}

test('an l2 network is a switch: DHCP works, the gateway is silent, guests choose their addresses', async (t) => {
  const { daemon, a, b } = await twoGuests(t, { forwardingMode: 'l2' });
  const { vif } = await portOf(daemon, 'a');
  t.deepEqual(vif.flags, ['L2', 'D', 'Er']);
  t.is((await daemon.run('rt', `--dump ${vif.vrf}`)).trimEnd().split('\n').length, 3);
  t.deepEqual(await daemon.dump<unknown[]>('rt', `--dump ${vif.vrf}`), []);

  for (const answer of await a.ping('5.5.5.4')) t.regex(answer, /ttl=64/);
  t.false(await a.answers('5.5.5.1'));

  await readdress(a, '172.30.0.3');
  await readdress(b, '172.30.0.4');
  for (const answer of [...(await a.ping('172.30.0.4')), ...(await b.ping('172.30.0.3'))]) t.regex(answer, /ttl=64/);
});

test('a guest with another MAC is reached only where the network floods, and no entry is learnt', async (t) => {
  const { daemon, a, b } = await twoGuests(t, { forwardingMode: 'l2' });
  const { vrf } = (await portOf(daemon, 'a')).vif;
  const macs = async (): Promise<string[]> =>
    (await daemon.dump<BridgeRouteDump[]>('rt', `--dump ${vrf} --family bridge`)).map(({ mac }) => mac);
  const noRoute = async (): Promise<number> => (await daemon.dump<DropstatsDump>('dropstats'))['No L2 Route'];
  const before = await macs();

  await changeMac(a, '04:03:02:01:02:03');
  await readdress(a, '172.30.0.3');
  await readdress(b, '172.30.0.4');
  const dropped = await noRoute();
  t.false(await a.answers('172.30.0.4'));
  t.true((await noRoute()) > dropped);

  const flooding = network('blue', { forwardingMode: 'l2', floodUnknownUnicast: true });
  await daemon.apply(flooding, port('a', 'blue', inside(a)), port('b', 'blue', inside(b)));
  t.deepEqual((await portOf(daemon, 'a')).vif.flags, ['L2', 'D', 'Uuf', 'Er']);
  await a.ping('172.30.0.4');
  await b.ping('172.30.0.3');
  t.deepEqual(await macs(), before);
});
