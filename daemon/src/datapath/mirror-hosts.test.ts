import test from 'ava';
import type { InterfacePlan } from '../agent/compile.js';
import { MIRROR } from '../tables/counters.js';
import { NH_FLAG, NH_TYPE } from '../tables/records.js';
import { aclOf, aclRule } from '../testing/acl-rules.js';
import { BOTH, mirrorPort, setMirror, wrappedCopies } from '../testing/mirrors.js';
import {
  bridgedLabelOf,
  GATEWAY_MAC,
  INNER_MAC,
  ipOf,
  macOf,
  OUTER_ETHERNET,
  type OtherHost,
  routedLabelOf,
  TestNetwork,
} from '../testing/network.js';
import { eth, vnetHeader } from '../testing/packet-builder.js';
import { tunnelPackets } from '../testing/tunnel-decoder.js';

const FAR = '8.8.8.8';
const FAR_MAC = '02:00:00:00:00:99';
/** Nexthop of the tunnel to the host with peer number 2. */
const TUNNEL = 62;
const ENCAPSULATIONS = ['MPLSoUDP', 'MPLSoGRE', 'VXLAN'] as const;

const host = (encapsulation: OtherHost['encapsulation'], more: Partial<OtherHost> = {}): OtherHost => ({
  peer: 2,
  encapsulation,
  routes: [[FAR, 20]],
  macs: [[FAR_MAC, 57]],
  ...more,
});

const datagram = (length: number): Uint8Array =>
  eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4), tos: 3 })
    .udp(1000, 53)
    .payload(Uint8Array.from({ length }, (_, i) => i * 7))
    .bytes();

const counted = (network: TestNetwork, word: keyof typeof MIRROR): number =>
  network.counters.words[network.counters.mirrorAt(0) + MIRROR[word]];

for (const encapsulation of ENCAPSULATIONS) {
  test(`a copy for an analyzer on another host goes there in ${encapsulation}, in fragments where it is too long`, (t) => {
    const network = new TestNetwork({ hosts: [host(encapsulation)] });
    setMirror(network.tables, 0, { analyzer: FAR });
    mirrorPort(network.tables, 3, [BOTH(0)]);
    for (const length of [20, 1422]) {
      const sent = network.receive(3, datagram(length));
      const packets = sent.filter(({ port }) => port === 0).flatMap(tunnelPackets);
      t.is(packets.length, length === 20 ? 1 : 2);
      for (const packet of packets) {
        t.like(packet, { encapsulation, label: 20, labelTtl: encapsulation === 'VXLAN' ? -1 : 63, tos: 0 });
        t.true(packet.length <= 1500);
      }
      const macs = `${INNER_MAC}${GATEWAY_MAC}`.replaceAll(':', '');
      const header = Buffer.from(encapsulation === 'VXLAN' ? '' : '0'.repeat(24) + '0800', 'hex');
      const frames = packets.map(({ payload }) => Uint8Array.of(...header, ...payload));
      if (encapsulation === 'VXLAN') t.is(Buffer.from(frames[0].subarray(0, 12)).toString('hex'), macs);
      const [copy] = wrappedCopies(frames);
      t.like(copy, { source: ipOf(3), destination: FAR, ttl: 63 });
      t.deepEqual(copy.frame, datagram(length));
      t.deepEqual(
        sent.filter(({ port }) => port === 4).map(({ frame }) => frame),
        [datagram(length)],
      );
    }
    t.is(counted(network, 'ingressPackets'), 2);
    t.is(network.imbalance(), 0);
  });
}

test('fragments of a copy are not longer than what an interface of the network takes, the other host has ones like it', (t) => {
  const network = new TestNetwork({ hosts: [host('MPLSoUDP')] });
  setMirror(network.tables, 0, { analyzer: FAR });
  mirrorPort(network.tables, 3, [BOTH(0)]);
  const record = network.tables.vifs.get(3)?.record;
  if (!record) throw new Error('no interface 3');
  network.tables.apply({ table: 'vif', op: 'set', record: { ...record, mtu: 1450 } });
  const sent = network.receive(3, datagram(1422));
  const lengths = sent
    .filter(({ port }) => port === 0)
    .flatMap(tunnelPackets)
    .map(({ payload }) => payload.length);
  t.is(lengths.length, 2);
  t.is(Math.max(...lengths), 20 + 1424);
  t.is(network.imbalance(), 0);
});

test('fragments of a copy of a session are as long as its interfaces take, whatever was copied before', (t) => {
  const acls = [aclOf(1, aclRule({ mirrors: [{ mirror: 0, forward: true, reverse: true }] }))];
  const port = (vif: number): Partial<InterfacePlan> => (vif === 5 ? { packetMode: true } : {});
  const network = new TestNetwork({ guests: 3, acl: 1, acls, port, hosts: [host('MPLSoUDP')] });
  setMirror(network.tables, 0, { analyzer: FAR });
  mirrorPort(network.tables, 5, [BOTH(0)]);
  const record = network.tables.vifs.get(5)?.record;
  if (!record) throw new Error('no interface 5');
  network.tables.apply({ table: 'vif', op: 'set', record: { ...record, mtu: 600 } });
  const arp = eth({ src: macOf(5), dst: 'ff:ff:ff:ff:ff:ff' })
    .arp({ op: 1, senderMac: macOf(5), senderIp: ipOf(5), targetIp: ipOf(4) })
    .bytes();
  t.true(network.receive(5, arp).some((one) => one.port === 0));
  const sent = network.receive(3, datagram(1422)).filter((one) => one.port === 0);
  t.is(sent.flatMap(tunnelPackets).length, 2);
  t.is(network.imbalance(), 0);
});

test('copies that a tunnel could not take are discards', (t) => {
  const network = new TestNetwork({ hosts: [host('VXLAN')] });
  setMirror(network.tables, 0, { analyzer: FAR });
  mirrorPort(network.tables, 3, [BOTH(0)]);
  const record = network.tables.nexthops.get(TUNNEL)?.record;
  if (!record?.tunnel) throw new Error('no tunnel');
  const withoutMac = { ...record, tunnel: { ...record.tunnel, innerMac: null } };
  network.tables.apply({ table: 'nexthop', op: 'set', record: withoutMac });
  t.is(network.receive(3, datagram(20)).length, 1);
  network.tables.apply({ table: 'nexthop', op: 'set', record });
  network.tables.apply({ table: 'vif', op: 'delete', id: 0 });
  t.is(network.receive(3, datagram(20)).length, 1);
  t.is(counted(network, 'discards'), 2);
  t.is(counted(network, 'ingressPackets'), 0);
  t.is(network.imbalance(), 0);
});

test('a copy without header goes to the analyzer as it is, on this host and on another', (t) => {
  const network = new TestNetwork({ guests: 3, hosts: [host('MPLSoUDP')] });
  // 45: the bridge nexthop of vif 5.
  setMirror(network.tables, 0, { nexthop: 45 });
  mirrorPort(network.tables, 3, [BOTH(0)]);
  const sent = network.receive(3, datagram(20));
  t.deepEqual(
    sent.map(({ port, frame }) => [port, frame]),
    [
      [5, datagram(20)],
      [4, datagram(20)],
    ],
  );

  setMirror(network.tables, 0, { nexthop: TUNNEL, vni: 205 });
  const [tunnelled] = network
    .receive(3, datagram(20))
    .filter(({ port }) => port === 0)
    .flatMap(tunnelPackets);
  t.like(tunnelled, { label: 205, labelTtl: 63, tos: 3 });
  t.deepEqual(tunnelled.payload, datagram(20));

  // Too long for the tunnel: nothing of it would be as it was.
  t.is(network.receive(3, datagram(1500)).length, 1);
  t.is(counted(network, 'failed'), 1);
  t.is(network.drops('fragment'), 1);
  // The analyzer's own frames do not come back to it.
  setMirror(network.tables, 0, { nexthop: 43 });
  t.is(network.receive(3, datagram(20)).length, 1);
  t.is(network.drops('packetLoop'), 1);
  t.is(network.imbalance(), 0);
});

test('a static copy is a VXLAN for an endpoint that is no host of the cluster', (t) => {
  const network = new TestNetwork({ hosts: [host('MPLSoUDP')] });
  const record = {
    id: 950,
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.tunnelVxlan,
    vrf: 0,
    oif: 0,
    rewrite: OUTER_ETHERNET,
    tunnel: {
      encapsulation: 'VXLAN',
      source: '192.168.200.11',
      destination: '10.9.9.9',
      peer: -1,
      mtu: 1500,
      innerMac: null,
    },
    members: [],
  } as const;
  network.tables.apply({ table: 'nexthop', op: 'set', record });
  setMirror(network.tables, 0, { nexthop: 950, vni: 777 });
  mirrorPort(network.tables, 3, [BOTH(0)]);
  const arp = eth({ src: macOf(3), dst: 'ff:ff:ff:ff:ff:ff' })
    .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: ipOf(3) })
    .bytes();
  for (const frame of [datagram(33), arp]) {
    const [packet] = network
      .receive(3, frame)
      .filter(({ port }) => port === 0)
      .flatMap(tunnelPackets);
    t.like(packet, { encapsulation: 'VXLAN', label: 777, source: '192.168.200.11', destination: '10.9.9.9' });
    t.deepEqual(packet.payload, frame);
  }
  t.is(network.imbalance(), 0);
});

test('frames for a NIC that mirrors leave through the underlay with its tag, and only there', (t) => {
  const network = new TestNetwork({ hosts: [host('MPLSoUDP')] });
  const far = eth({ src: macOf(3), dst: FAR_MAC })
    .ipv4({ src: ipOf(3), dst: FAR })
    .udp(1, 2)
    .bytes();
  const [plain] = network.receive(3, far);
  setMirror(network.tables, 0, { nexthop: 0, nicVlan: 55 });
  mirrorPort(network.tables, 3, [BOTH(0)]);
  const [tagged, ...others] = network.receive(3, far);
  t.is(others.length, 0);
  t.deepEqual([...tagged.frame.subarray(0, 12)], [...plain.frame.subarray(0, 12)]);
  t.deepEqual([...tagged.frame.subarray(12, 16)], [0x81, 0, 0, 55]);
  const [packet] = tunnelPackets({
    ...tagged,
    frame: Uint8Array.of(...tagged.frame.subarray(0, 12), ...tagged.frame.subarray(16)),
  });
  t.deepEqual(packet.payload, far);
  t.deepEqual(
    network.receive(3, datagram(20)).map(({ frame }) => frame),
    [datagram(20)],
  );

  const payload = new Uint8Array(3000);
  const superFrame = eth({ src: macOf(3), dst: FAR_MAC })
    .ipv4({ src: ipOf(3), dst: FAR })
    .tcp(1000, 80, { checksum: 'partial' })
    .payload(payload)
    .bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  const segments = network.receive(3, superFrame, { vnet });
  t.is(segments.length, 3);
  for (const { frame } of segments) t.deepEqual([...frame.subarray(12, 16)], [0x81, 0, 0, 55]);
  // The next frame, of a guest nobody mirrors, has none.
  const other = network.receive(
    4,
    eth({ src: macOf(4), dst: FAR_MAC })
      .ipv4({ src: ipOf(4), dst: FAR })
      .udp(1, 2)
      .bytes(),
  );
  t.is(other[0].frame[12], 8);
  t.is(network.imbalance(), 0);
});

/** Two hosts on one underlay; lets a frame of guest 3 of the first arrive there, and what follows wherever it goes. */
function exchange(first: TestNetwork, second: TestNetwork, frame: Uint8Array): number {
  const waiting = first.receive(3, frame).map((sent) => ({ from: first, sent }));
  let delivered = 0;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    if (++delivered > 100) return delivered;
    if (next.sent.port !== 0) continue;
    const to = next.from === first ? second : first;
    for (const sent of to.receive(0, next.sent.frame, { vnet: next.sent.vnet })) waiting.push({ from: to, sent });
  }
  return delivered;
}

function pair(): [TestNetwork, TestNetwork] {
  const [ours, theirs] = ['192.168.200.11', '192.168.200.22'];
  const routes = (address: string): [string, number][] => [[address, routedLabelOf(3)]];
  const first = host('MPLSoUDP', { source: ours, destination: theirs, routes: routes('8.8.8.8') });
  const second = host('MPLSoUDP', { source: theirs, destination: ours, routes: routes('9.9.9.9') });
  const at = (address: string) => (vif: number) => (vif === 3 ? { addresses: [address] } : {});
  return [
    new TestNetwork({ packetMode: 'all', hosts: [first], port: at('9.9.9.9') }),
    new TestNetwork({ packetMode: 'all', hosts: [second], port: at('8.8.8.8') }),
  ];
}

test('a copy without header reaches an analyzer of another network on another host, past its sessions and as it was', (t) => {
  const [ours, theirs] = ['192.168.200.11', '192.168.200.22'];
  const [first, second] = [
    new TestNetwork({ hosts: [host('MPLSoUDP', { source: ours, destination: theirs })] }),
    new TestNetwork({ hosts: [host('MPLSoUDP', { source: theirs, destination: ours })] }),
  ];
  setMirror(first.tables, 0, { nexthop: TUNNEL, vni: bridgedLabelOf(4) });
  mirrorPort(first.tables, 3, [BOTH(0)]);
  const stranger = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
    .tcp(1000, 80, { flags: 2, options: [2, 4, 0x23, 0x00] })
    .bytes();
  const [copy] = first.receive(3, stranger).filter(({ port }) => port === 0);
  t.deepEqual(
    second.receive(0, copy.frame, { vnet: copy.vnet }).map(({ port, frame }) => [port, frame]),
    [[4, stranger]],
  );
  t.is(second.imbalance(), 0);
});

test('mirrors with header that lead to each other from host to host come to an end', (t) => {
  const [first, second] = pair();
  setMirror(first.tables, 0, { analyzer: '8.8.8.8' });
  setMirror(second.tables, 0, { analyzer: '9.9.9.9' });
  for (const network of [first, second]) mirrorPort(network.tables, 3, [BOTH(0)]);
  for (const length of [20, 1400]) {
    const delivered = exchange(first, second, datagram(length));
    t.true(delivered > 3 && delivered < 40, `${delivered} frames`);
  }
  t.true(counted(first, 'looped') > 0);
  for (const network of [first, second]) t.is(network.imbalance(), 0);
});

test('mirrors without header that lead to each other from host to host come to an end', (t) => {
  const [first, second] = pair();
  for (const network of [first, second]) {
    setMirror(network.tables, 0, { nexthop: TUNNEL, vni: bridgedLabelOf(3) });
    mirrorPort(network.tables, 3, [BOTH(0)]);
  }
  const broadcast = eth({ src: macOf(3), dst: 'ff:ff:ff:ff:ff:ff', type: 0x88cc })
    .payload(new Uint8Array(46))
    .bytes();
  for (const frame of [datagram(20), broadcast]) {
    const delivered = exchange(first, second, frame);
    t.true(delivered > 3 && delivered < 20, `${delivered} frames`);
  }
  t.true(counted(first, 'looped') + counted(second, 'looped') > 0);
  for (const network of [first, second]) t.is(network.imbalance(), 0);
});
