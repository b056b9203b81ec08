/**
 *   ┌ h1 ──────────────┐  ┌ h2 ──────────────┐  ┌ h3 ──────────────┐
 *   │ a1 5.5.5.11      │  │ b1 5.5.5.21      │  │ c1 5.5.5.31      │     network blue, which floods what it does not know
 *   │ a2 5.5.5.12      │  │ b2 5.5.5.22      │  │ other 6.6.6.31   │     network red: nothing of this is for it
 *   └────────┬─────────┘  └────────┬─────────┘  └────────┬─────────┘
 *            └───────────────── underlay ────────────────┘
 */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { eth } from 'vrouterd/dist/testing/packet-builder.js';
import { Cluster, type ClusterGuest, reaches } from './lab/cluster.js';
import { network } from './lab/topology.js';

const SEND_FRAMES = fileURLToPath(new URL('lab/send-frames.js', import.meta.url));
const FILTER = 'udp dst port 4001 or ether proto 0x88b5';
const COPIES = 5;

/** What goes to all: a broadcast, a MAC nobody has, and a group. */
const FLOODED = {
  broadcast: 'ff:ff:ff:ff:ff:ff',
  unknown: '02:00:00:00:00:99',
  multicast: '01:00:5e:01:02:03',
} as const;

/** IP, but to the MAC nobody has: who sends packets to an address nobody has is refused before. */
function frameTo(mac: string, from: ClusterGuest, source: string): string {
  if (mac === FLOODED.unknown) return `${mac}${source}`.replaceAll(':', '') + '88b5' + '00'.repeat(46);
  const to = mac === FLOODED.multicast ? '239.1.2.3' : '255.255.255.255';
  const frame = eth({ src: source, dst: mac }).ipv4({ src: from.address, dst: to }).udp(4000, 4001).payload([1, 2, 3]);
  return Buffer.from(frame.bytes()).toString('hex');
}

for (const encapsulation of ['MPLSoUDP', 'VXLAN']) {
  test(`broadcasts, unknown unicasts and multicasts arrive once at every guest over ${encapsulation}`, async (t) => {
    const cluster = await Cluster.create(t, { hosts: 3, encapsulations: [encapsulation] });
    const places = [[1, 'a1', 11], [1, 'a2', 12], [2, 'b1', 21], [2, 'b2', 22], [3, 'c1', 31]] as const; // prettier-ignore
    const guests = await Promise.all(places.map(([n, name, i]) => cluster.guest(n, name, 'blue', [`5.5.5.${i}`])));
    const other = await cluster.guest(3, 'other', 'red', ['6.6.6.31']);
    await cluster.apply(
      network('blue', { floodUnknownUnicast: true }),
      network('red', { subnets: [{ prefix: '6.6.6.0/24' }], floodUnknownUnicast: true }),
      ...[...guests, other].map(({ port }) => port),
    );
    const [a1, , b1, , c1] = guests;
    for (const sender of [a1, b1, c1]) {
      for (const { namespace, address } of guests)
        if (namespace !== sender.namespace) await reaches(sender.namespace, address);
    }
    const everybody = [...guests, other];
    const captures = await Promise.all(everybody.map(({ namespace }) => namespace.capture('eth0', FILTER)));
    const senders = await Promise.all([a1, b1, c1].map(async (from) => ({ from, mac: await from.namespace.mac() })));
    for (const { from, mac } of senders) {
      const frames = Object.values(FLOODED).flatMap((to) => Array<string>(COPIES).fill(frameTo(to, from, mac)));
      await from.namespace.run([process.execPath, SEND_FRAMES, ...frames]);
    }
    const seen = await Promise.all(captures.map((capture) => capture.stop()));
    for (const [i, { name }] of everybody.entries()) {
      for (const { from, mac } of senders) {
        for (const [kind, to] of Object.entries(FLOODED)) {
          const count = seen[i].filter((line) => line.startsWith(`${mac} > ${to}`)).length;
          // Its own frames a sender sees as they leave, and never again.
          t.is(count, name === 'other' ? 0 : COPIES, `${kind} of ${from.name} at ${name}`);
        }
      }
    }
  });
}
