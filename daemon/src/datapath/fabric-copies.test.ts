import test from 'ava';
import type { SentFrame } from '../io/memory.js';
import { aclOf, aclRule } from '../testing/acl-rules.js';
import { BOTH, mirrorPort, setMirror } from '../testing/mirrors.js';
import {
  bridgedLabelOf,
  ipOf,
  macOf,
  NEXT_HOP_MAC,
  type NetworkOptions,
  routedLabelOf,
  ROUTING_LABEL,
  TestNetwork,
  UNDERLAY_MAC,
  VNI,
} from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';

const FAR = '8.8.8.8';
const HOSTS = [
  { peer: 2, encapsulation: 'MPLSoUDP' },
  { peer: 3, encapsulation: 'MPLSoUDP', routes: [[FAR, 20]] },
] as const;
/** TTL of the label of a copy that was copied once. */
const COPIED = 63;

function run(network: TestNetwork, arrivals: readonly (readonly [port: number, frame: Uint8Array])[]): SentFrame[] {
  for (const [port, frame] of arrivals) network.io.inject(port, frame);
  network.io.step(network.dp.run(network.io.step(0)));
  network.dp.run(0);
  return network.io.sent.splice(0);
}

const segment = (dst: string, i: number, mac = macOf(3)): Uint8Array =>
  eth({ src: macOf(9), dst: mac })
    .ipv4({ src: '7.7.7.7', dst, df: true })
    .tcp(80, 1000, { seq: 1000 + 100 * i, flags: 0x10 })
    .payload(new Uint8Array(100))
    .bytes();

/** In a tunnel from host 2. */
const wrapped = (payload: Uint8Array, label: number, ttl = 64): Uint8Array =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC })
    .ipv4({ src: '192.168.200.22', dst: '192.168.200.11' })
    .udp(50_000, 6635)
    .mpls(label, { ttl })
    .payload(payload)
    .bytes();

const network = (options: NetworkOptions = {}): TestNetwork => new TestNetwork({ hosts: HOSTS, ...options });

test('segments another host has copied as they are come to the analyzer as they are', (t) => {
  for (const ttl of [64, COPIED]) {
    const net = network({ packetMode: 'all' });
    const segments = [0, 1, 2].map((i) => segment(ipOf(3), i));
    const sent = run(
      net,
      segments.map((one) => [0, wrapped(one, bridgedLabelOf(3), ttl)]),
    );
    if (ttl === 64) t.is(sent.length, 1);
    else
      t.deepEqual(
        sent.map(({ frame }) => frame),
        segments,
      );
    t.is(net.imbalance(), 0);
  }
});

test('packets whose TTL is that of a copy are put together as others are', (t) => {
  const net = network({ packetMode: 'all' });
  const packets = [0, 1, 2].map((i) => segment(ipOf(3), i).subarray(14));
  const sent = run(
    net,
    packets.map((one) => [0, wrapped(one, routedLabelOf(3), COPIED)]),
  );
  t.is(sent.length, 1);
});

test('who is no host of the cluster does not get past sessions by the mark of a copy', (t) => {
  const nothing = { acl: 1, acls: [aclOf(1, aclRule({ action: 'deny' }))] };
  for (const isForeign of [false, true]) {
    const net = network(nothing);
    const record = { id: 2, address: '192.168.200.22', name: 'host-b', isForeign };
    net.tables.apply({ table: 'peer', op: 'set', record });
    const sent = run(net, [[0, wrapped(segment(ipOf(3), 0, macOf(8)), bridgedLabelOf(3), COPIED)]]);
    t.is(sent.length, isForeign ? 0 : 1);
    t.is(net.imbalance(), 0);
  }
});

test('what is for the guest itself does not get past its sessions by the mark of a copy', (t) => {
  const net = network({ acl: 1, acls: [aclOf(1, aclRule({ action: 'deny' }))] });
  t.deepEqual(run(net, [[0, wrapped(segment(ipOf(3), 0), bridgedLabelOf(3), COPIED)]]), []);
  t.is(net.imbalance(), 0);
});

test('a frame that is flooded as nobody is known to have its MAC does not get past the sessions of who has it', (t) => {
  const net = network({ mode: 'l3', floodUnknownUnicast: true, acl: 1, acls: [aclOf(1, aclRule({ action: 'deny' }))] });
  const frame = segment(ipOf(3), 0);
  const flooded = eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC })
    .ipv4({ src: '192.168.200.22', dst: '192.168.200.11' })
    .udp(50_000, 4789)
    .vxlan(VNI)
    .payload(frame)
    .bytes();
  t.false(run(net, [[0, flooded]]).some(({ port }) => port === 3));
  t.is(net.imbalance(), 0);
});

test('the tag for a NIC that mirrors a guest is not put on what another host has sent before', (t) => {
  const net = network({ packetMode: 'all' });
  setMirror(net.tables, 0, { nexthop: 0, nicVlan: 55 });
  mirrorPort(net.tables, 3, [BOTH(0)]);
  const transit = [0, 1].map((i) => wrapped(segment(FAR, i).subarray(14), ROUTING_LABEL));
  const own = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1000, 53)
    .bytes();
  const sent = run(net, [...transit.map((frame) => [0, frame] as const), [3, own]]).filter(({ port }) => port === 0);
  t.true(sent.length > 0);
  for (const { frame } of sent) t.deepEqual([...frame.subarray(12, 14)], [8, 0]);
  t.is(net.imbalance(), 0);
});
