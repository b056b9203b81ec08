/**
 *   ┌ h1 ───────────────┐             ┌ h2 ───────────────────┐
 *   │ a  5.5.5.3        ├── underlay ─┤ b  5.5.5.4            │
 *   │    192.168.100.11 │             │    192.168.100.12     │     packets made with scapy leave h2 beside those of its daemon
 *   └───────────────────┘             └───────────────────────┘
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { DropstatsDump } from '../../daemon/src/control/dumps.js';
import { Cluster, type ClusterGuest, reaches } from './lab/cluster.js';
import { type HandMade, sendHandMade } from './lab/hand-made.js';
import { network } from './lab/topology.js';
import { tunnelTo } from './lab/tunnels.js';

const STRANGER = '192.168.100.99';

interface Ends {
  readonly cluster: Cluster;
  readonly a: ClusterGuest;
  readonly b: ClusterGuest;
  /** What the other host sends to `a` with. */
  readonly label: number;
  readonly vni: number;
  send(...packets: readonly HandMade[]): Promise<void>;
  drops(): Promise<DropstatsDump>;
}

async function ends(t: ExecutionContext): Promise<Ends> {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.4']);
  await cluster.apply(network('blue', { forwardingMode: 'l3' }), a.port, b.port);
  await reaches(b.namespace, a.address);
  const { label } = await tunnelTo(h2.daemon, 'b', a.address);
  const { status } = await h1.daemon.object<{ status: { networkId: number } }>('VirtualNetwork', 'blue');
  const mac = await h1.namespace.mac('fabric0');
  return {
    ...{ cluster, a, b, label, vni: status.networkId },
    send: (...packets) => sendHandMade(h2.namespace, { address: h1.address, mac }, packets),
    drops: () => h1.daemon.dump<DropstatsDump>('dropstats'),
  };
}

const pingOf = (
  { a, b, cluster, label }: Ends,
  kind: HandMade['kind'],
  id: number,
  more: Partial<HandMade> = {},
): HandMade => ({
  kind,
  label,
  id,
  source: cluster.hosts[1].address,
  inner: { source: b.address, destination: a.address },
  ...more,
});

test('packets others make by hand are delivered and answered, whatever of the formats they choose', async (t) => {
  const of = await ends(t);
  const kinds = ['gre', 'gre-key-checksum', 'udp', 'udp-old', 'udp-no-checksum', 'vxlan'] as const;
  const capture = await of.b.namespace.capture('eth0', 'icmp[0] == 0');
  await of.send(...kinds.map((kind, i) => pingOf(of, kind, 100 + i, kind === 'vxlan' ? { label: of.vni } : {})));
  const answers = await capture.stop();
  for (const [i, kind] of kinds.entries()) {
    t.is(answers.filter((line) => line.includes(`echo reply, id ${100 + i},`)).length, 1, kind);
  }
});

test('a stranger with a valid label is dropped and counted, and the kernel answers no tunnel packet', async (t) => {
  const of = await ends(t);
  const inside = await of.a.namespace.capture('eth0', 'icmp[0] == 8');
  const answers = await of.cluster.capture(1, `src host ${of.cluster.hosts[0].address} and ip proto 1`);
  const before = await of.drops();
  const strange = (['gre', 'udp', 'udp-old'] as const).map((kind, i) =>
    pingOf(of, kind, 200 + i, { source: STRANGER }),
  );
  await of.send(...strange, pingOf(of, 'vxlan', 203, { source: STRANGER, label: of.vni }));
  const between = await of.drops();
  t.is(between['Invalid Source'] - before['Invalid Source'], 4);

  const nowhere = { label: 999_999 };
  await of.send(pingOf(of, 'gre', 204, nowhere), pingOf(of, 'udp', 205, nowhere), pingOf(of, 'vxlan', 206, nowhere));
  await of.send(pingOf(of, 'gre-other', 207), pingOf(of, 'garbage', 208));
  const after = await of.drops();
  t.is(after['Invalid Label'] - between['Invalid Label'], 2);
  t.is(after['Invalid VNID'] - between['Invalid VNID'], 1);
  t.is(after['Invalid Protocol'] - between['Invalid Protocol'], 1);
  t.deepEqual(await inside.stop(), []);
  t.deepEqual(await answers.stop(), []);
});
