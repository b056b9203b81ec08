import type { Daemon } from '../../../../integration/dist/lab/daemon.js';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import { inside, network, port, type Document } from '../../../../integration/dist/lab/topology.js';
import type { Path } from './contender.js';
import type { FlowDurations, FlowGroup, FlowRow, FlowValues } from './flow-groups.js';
import { ADDRESS, guestNamespaces, NamespaceGuest, NETWORK, settled } from './guest.js';
import { count, WARM_UP } from './measures.js';

/** Two guests of one host, one of which is mirrored to a third one there: how many packets still get from one to the other. */

const ANALYZER = '10.99.0.5';
const MTU = 1500;

export async function mirrorGroup(lab: Lab): Promise<FlowGroup> {
  const daemon = await lab.daemon({ host: 'mirrors' });
  const mirror = (more: Document): Document => ({ analyzerName: 'bench', analyzerIp: ANALYZER, ...more });
  const rows: FlowRow[] = [];
  for (const [name, title, mirrors] of [
    ['plain', 'not mirrored', []],
    ['header', 'mirrored both ways, with header', [mirror({})]],
    ['sample', 'the same, one of ten packets', [mirror({ analyzerName: 'tenth', sample: 10 })]],
  ] as const) {
    const { path, analyzer } = await guests(lab, daemon, name, mirrors);
    rows.push({ title, run: (durations) => measured(path, analyzer, durations) });
  }
  return {
    id: 'mirrors',
    title: 'A mirrored guest',
    columns: [
      { key: 'packets', title: '60 B', digits: 0, unit: 1000 },
      { key: 'copies', title: 'copies', digits: 0, unit: 1000 },
      { key: 'cpu', title: 'CPU', digits: 0, unit: 1 },
    ],
    rows,
    ratio: { key: 'packets', title: 'packets to the first' },
    remark:
      'Datagrams of 60 bytes from the mirrored guest to the other, and copies that reach the analyzer, in thousands a second; the daemon’s CPU time for a packet that arrives, copies included, in nanoseconds. The target is 0.45 of the packets that get through when nobody is mirrored.',
  };
}

/** Two guests, the first of which has these mirrors, and the analyzer, in a network of their own. */
async function guests(
  lab: Lab,
  daemon: Daemon,
  name: string,
  mirrors: readonly Document[],
): Promise<{ path: Path; analyzer: NamespaceGuest }> {
  const namespaces = [...(await guestNamespaces(lab, name)), await lab.namespace(`${name}-c`)];
  const addresses = [ADDRESS.a, ADDRESS.b, ANALYZER];
  await daemon.apply(
    network(name, { mtu: MTU, subnets: [{ prefix: NETWORK }] }),
    ...namespaces.map((namespace, i) =>
      port(`${name}-${i}`, name, inside(namespace, { port: 'tap', configure: true }), {
        addresses: [addresses[i]],
        mirrors: i === 0 ? mirrors : [],
      }),
    ),
  );
  const made: NamespaceGuest[] = [];
  for (const [i, namespace] of namespaces.entries()) {
    made.push(new NamespaceGuest(namespace, addresses[i], await namespace.mac()));
  }
  const [a, b, analyzer] = made;
  const pair = await settled({ a, b });
  await settled({ a: analyzer, b });
  // Nobody listens: what arrives is counted, and no error is made of it.
  await analyzer.namespace.run(['/usr/sbin/nft', 'add rule netdev bench ingress udp dport 8099 drop']);
  return { path: { ...pair, forwarder: daemon.pid }, analyzer };
}

/** Packets that reach the other guest and copies that reach the analyzer, at the same time. */
async function measured(
  path: Path,
  analyzer: NamespaceGuest,
  { packets: seconds }: FlowDurations,
): Promise<FlowValues> {
  const over = path.a.generate(path.b, { bytes: 60, rate: 0, seconds: WARM_UP + seconds + 0.1 });
  const [through, copies] = await Promise.all([count(path.b, seconds, path.forwarder), count(analyzer, seconds)]);
  await over;
  if (through.packets === 0) throw new Error('nothing got through');
  return {
    packets: through.packets / through.seconds,
    copies: copies.packets / copies.seconds,
    cpu: through.cpuNs / through.packets,
  };
}
