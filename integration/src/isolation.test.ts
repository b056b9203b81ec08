/**
 *   ┌ a ───────────┐   ┌ host, forwarding IPv4 and IPv6 ──────┐   ┌ outside ──────┐
 *   │ eth0 5.5.5.3 ├───┤ tapA   vrouterd       eth1 10.9.0.1  ├───┤ eth0 10.9.0.2 │
 *   └──────────────┘   │        network blue       fd09::1    │   │      fd09::2  │
 *                      └──────────────────────────────────────┘   └───────────────┘
 */
import test from 'ava';
import type { Daemon } from './lab/daemon.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import { run } from './lab/process.js';
import { inside, network, port, portOf } from './lab/topology.js';

/** A host that routes for whoever asks, with a network behind it. */
async function routingHost(lab: Lab): Promise<{ daemon: Daemon; outside: Namespace }> {
  const daemon = await lab.daemon();
  const host = daemon.namespace;
  for (const setting of ['ipv4.ip_forward', 'ipv6.conf.all.forwarding', 'ipv4.conf.all.proxy_arp']) {
    await host.run(['sysctl', '-qw', `net.${setting}=1`]);
  }
  await host.run('sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv6.conf.all.disable_ipv6=0');
  const outside = await lab.namespace('outside');
  const peer = ['peer', 'name', 'eth0', 'netns', outside.name];
  await run(['ip', 'link', 'add', 'eth1', 'netns', host.name, 'type', 'veth', ...peer]);
  for (const [namespace, device, last] of [
    [host, 'eth1', '1'],
    [outside, 'eth0', '2'],
  ] as const) {
    await namespace.run(['ip', 'link', 'set', device, 'up']);
    await namespace.run(['ip', 'address', 'add', `10.9.0.${last}/24`, 'dev', device]);
    await namespace.run(['ip', 'address', 'add', `fd09::${last}/64`, 'dev', device, 'nodad']);
  }
  await outside.run('ip route add 5.5.5.0/24 via 10.9.0.1');
  await host.ping('10.9.0.2');
  return { daemon, outside };
}

for (const kind of ['veth', 'tap']) {
  test(`the host neither answers nor forwards what a guest sends to it, on a ${kind} port`, async (t) => {
    const lab = await Lab.create(t);
    const { daemon, outside } = await routingHost(lab);
    const a = await lab.namespace('a');
    await daemon.apply(network('blue'), port('a', 'blue', inside(a, { port: kind })));
    await a.dhcp();
    const { device } = await portOf(daemon, 'a');
    const onHost = await daemon.namespace.attempt(['cat', `/sys/class/net/${device}/address`]);
    const hostMac = onHost.code === 0 ? onHost.stdout.trim() : await daemon.namespace.mac('eth1');

    const received = await a.capture('eth0');
    const forwarded = await outside.capture('eth0');
    // The guest asks who has the host's address, then sends to the host's MAC what the host would answer or forward.
    await a.run('ip route add 10.9.0.0/24 dev eth0');
    t.false(await a.answers('10.9.0.1'));
    for (const address of ['10.9.0.1', '10.9.0.2']) {
      await a.run(['ip', 'neigh', 'replace', address, 'lladdr', hostMac, 'dev', 'eth0']);
      t.false(await a.answers(address));
    }
    await a.run('ip -6 route add fd09::/64 dev eth0');
    for (const address of ['fd09::1', 'fd09::2']) {
      t.false(await a.answers(address, 1));
      await a.run(['ip', 'neigh', 'replace', address, 'lladdr', hostMac, 'dev', 'eth0']);
      t.false(await a.answers(address, 1));
    }
    // All nodes, all routers: the guest answers itself; what comes from elsewhere shows in the capture.
    await a.answers('ff02::1%eth0', 1);
    await a.answers('ff02::2%eth0', 1);

    const mac = await a.mac();
    const fromOthers = (await received.stop()).filter((line) => !line.startsWith(mac));
    t.deepEqual(
      fromOthers.filter((line) => !line.startsWith('00:00:5e:00:01:00')),
      [],
      'only the gateway answers',
    );
    const leaked = (await forwarded.stop()).filter((line) => line.includes('5.5.5.3') || line.includes(mac));
    t.deepEqual(leaked, []);
    await a.ping('5.5.5.1');
  });
}

test('the host cannot reach a guest through its tap either', async (t) => {
  const lab = await Lab.create(t);
  const { daemon } = await routingHost(lab);
  const a = await lab.namespace('a');
  await daemon.apply(network('blue'), port('a', 'blue', inside(a)));
  await a.dhcp();
  const { device } = await portOf(daemon, 'a');
  const addresses = await daemon.namespace.run(['ip', '-o', 'address', 'show', 'dev', device]);
  t.is(addresses, '', 'the host end has no address, not even a link-local one');
  t.false(await daemon.namespace.answers('5.5.5.3', 1));
});
