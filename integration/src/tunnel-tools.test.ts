import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Cluster, type Host, reaches } from './lab/cluster.js';
import { until } from './lab/process.js';
import { network } from './lab/topology.js';

const VROUTER = fileURLToPath(new URL('../../node_modules/.bin/vrouter', import.meta.url));

/** What `vrouter` prints at a host, in its namespace: echoes leave from there. */
async function at(host: Host, args: string) {
  return host.namespace.attempt([VROUTER, ...args.split(' '), '--socket', host.daemon.socket]);
}

/**
 *   a 5.5.5.3 ─ h1 (192.168.100.11) ═══ h2 (192.168.100.12) ─ b 5.5.5.4
 */
test('ping, traceroute and trace tell how far packets get between two hosts, and what is broken', async (t) => {
  const cluster = await Cluster.create(t, { hosts: 2 });
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.4']);
  await cluster.apply(network('blue'), a.port, b.port);
  await reaches(a.namespace, b.address);
  const [first] = cluster.hosts;
  const [h1, h2] = cluster.hosts.map(({ daemon }) => daemon);

  // The tables of both ends agree.
  const vrf = (await h1.run('vif', '--get 3')).match(/Vrf:(\d+)/)?.[1] ?? '';
  const row = (await h1.run('rt', `--dump ${vrf}`)).split('\n').find((line) => line.startsWith('5.5.5.4/32'));
  const [, , flags, label, nexthop] = row?.split(/\s+/) ?? [];
  t.is(flags, 'LP');
  t.regex(
    await h1.run('nh', `--get ${nexthop}`),
    /Type:Tunnel .*\n.*MPLSoUDP.*\n.*Oif:0 Len:14 .*\n +Sip:192\.168\.100\.11 Dip:192\.168\.100\.12\n/,
  );
  t.regex(await h2.run('mpls', `--get ${label}`), new RegExp(`\\n +${label} +\\d+\\n$`));
  t.regex(await h2.run('vrouter', 'mpls --dump'), new RegExp(`\\n +${label} `));
  t.regex(await h2.run('vxlan', '--dump'), /^VXLAN Table\n\n VNID {4}NextHop\n-{16}\n +\d+ {4}\d+\n/);

  // On the underlay, and through the tunnel.
  t.regex((await at(first, 'ping h2 -c 2 -i 0.2')).stdout, /\n2 packets transmitted, 2 received, 0% packet loss/);
  t.regex((await at(first, 'traceroute h2')).stdout, /\n 1 {2}192\.168\.100\.12 {2}[\d.]+ ms\n$/);
  const ping = (await at(first, 'ping 5.5.5.4 --network blue -c 2 -i 0.2')).stdout;
  t.regex(ping, new RegExp(`^PING 5.5.5.4 in blue through h2 \\(192.168.100.12\\), MPLSoUDP label ${label}\\n`));
  t.regex(ping, /\n2 packets transmitted, 2 received, .*\n.*\n5\.5\.5\.4 is behind label/);
  t.regex((await at(first, 'ping b --network blue -c 1')).stdout, /1 received/);
  const hops = (await at(first, 'traceroute 5.5.5.4 --network blue')).stdout;
  t.regex(
    hops,
    /^network .*\ntunnel +h2 .*\nunderlay +hop 1 +192\.168\.100\.12 .*\nhost .* answers .*\ninterface +5\.5\.5\.4 +is there\n/,
  );

  // A packet that is not real goes on on the other host.
  const whole = await h1.run('vrouter', `trace a icmp 5.5.5.4 --then ${h2.socket} --expect sent`);
  t.regex(whole, /\nsent to h2 \(192\.168\.100\.12\) by MPLSoUDP, label \d+\non h2:\n/);
  t.regex(whole, /\nsent out of vif0\/3 tap\S+ \(b\)\n$/);
  const half = await h1.run('vrouter', 'trace a icmp 5.5.5.4');
  const command = /\non h2: vrouter (trace fabric --hex [0-9a-f]+)\n$/.exec(half)?.[1] ?? '';
  t.regex(await h2.run('vrouter', command), /\nsent out of vif0\/3 tap\S+ \(b\)\n$/);
  t.regex(
    await h2.run('vrouter', `trace fabric:h1 label ${label} icmp 5.5.5.3 to 5.5.5.4`),
    /\nsent out of vif0\/3 tap\S+ \(b\)\n$/,
  );
  t.regex(await h2.run('vrouter', 'trace fabric:h1 label 999999 icmp 5.5.5.3 to 5.5.5.4'), /\ndropped: Invalid Label /);

  // Nobody has the address.
  const nobody = await at(first, 'ping 5.5.5.99 --network blue -c 1');
  t.is(nobody.code, 1);
  t.regex(nobody.stdout, /\nhere: no route to 5\.5\.5\.99 in blue/);

  // The daemon of the other host is gone, the host is not; then the host is gone too.
  await h2.stop();
  const lost = await until('vrouterd of h2 does not answer', async () => {
    const asked = await at(first, 'ping 5.5.5.4 --network blue -c 1');
    return asked.stdout.includes('transmitted, 0 received') ? asked : undefined;
  });
  t.is(lost.code, 1);
  t.regex(lost.stdout, /\n(there: h2 .* answers on the underlay, its vrouterd does not|here: no route to 5\.5\.5\.4)/);
  await cluster.fabric.run('ip link set h2 down');
  const away = await at(first, 'ping h2 -c 1');
  t.is(away.code, 1);
  t.regex(away.stdout, /100% packet loss/);
});
