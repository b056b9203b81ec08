import test from 'ava';
import {
  GATEWAY_MAC,
  INNER_MAC,
  ipOf,
  macOf,
  type OtherHost,
  OUTER_ETHERNET,
  TestNetwork,
} from '../testing/network.js';
import { eth, vnetHeader } from '../testing/packet-builder.js';
import { tunnelPackets } from '../testing/tunnel-decoder.js';
import { TraceNames } from '../trace/names.js';
import { renderTrace } from '../trace/render.js';
import { PUNT } from '../tables/punt.js';
import { type TraceRecord, Tracer } from './tracer.js';
import { floodToTunnels, toTunnel } from './tunnel-output.js';

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
const bytes = (text: string): string => text.replaceAll(/\s/g, '');
const FAR_MAC = '02:00:00:00:00:99';
const FAR = '8.8.8.8';

/** A frame whose IP packet has `length` bytes. */
const packet = (
  dst: string,
  to: string,
  { length = 84, ttl = 64, tos = 0, id = 0x1234, df = false } = {},
): Uint8Array =>
  eth({ src: macOf(3), dst })
    .ipv4({ src: ipOf(3), dst: to, ttl, tos, id, df })
    .ping({ ident: 1, seq: 1 })
    .payload(new Uint8Array(length - 28).fill(7))
    .bytes();

const host = (encapsulation: OtherHost['encapsulation'], more: Partial<OtherHost> = {}): OtherHost => ({
  peer: 2,
  encapsulation,
  routes: [[FAR, 20]],
  macs: [[FAR_MAC, 57]],
  ...more,
});

test('a routed packet leaves as MPLSoGRE without its Ethernet header', (t) => {
  const seed = host('MPLSoGRE', { source: '192.168.100.3', destination: '192.168.100.1' });
  const net = new TestNetwork({ hosts: [seed], outerDf: false });
  const frame = packet(GATEWAY_MAC, FAR);
  const [{ port, frame: sent }, ...others] = net.receive(3, frame);
  t.is(others.length, 0);
  t.is(port, 0);
  t.is(
    hex(sent.subarray(0, 14 + 28)),
    OUTER_ETHERNET + bytes('45 00 00 70 12 34 00 00 40 2f 1e d6 c0 a8 64 03 c0 a8 64 01  00 00 88 47  00 01 41 3f'),
  );
  const inner = hex(frame.subarray(14));
  t.is(hex(sent.subarray(42, 42 + 8)), inner.slice(0, 16));
  t.is(sent[42 + 8], 63);
  t.is(hex(sent.subarray(42 + 12)), inner.slice(24));
  t.is(net.vrfStat('greMplsTunnels'), 1);
  t.is(net.imbalance(), 0);
});

test('a bridged frame leaves as MPLSoUDP as it is', (t) => {
  const seed = host('MPLSoUDP', { destination: '192.168.200.13' });
  const net = new TestNetwork({ hosts: [seed], outerDf: false });
  const frame = packet(FAR_MAC, FAR);
  const [{ frame: sent }] = net.receive(3, frame);
  t.is(hex(sent.subarray(14, 34)), bytes('45 00 00 82 00 01 00 00 40 11 69 00 c0 a8 c8 0b c0 a8 c8 0d'));
  t.is(hex(sent.subarray(36, 46)), bytes('19 eb 00 6e 00 00  00 03 91 40'));
  t.is(hex(sent.subarray(46)), hex(frame));
  t.is(net.vrfStat('udpMplsTunnels'), 1);
  t.is(net.imbalance(), 0);
});

test('a bridged frame leaves in a VXLAN as it is', (t) => {
  const net = new TestNetwork({ hosts: [host('VXLAN', { macs: [[FAR_MAC, 3333]] })] });
  const frame = packet(FAR_MAC, FAR);
  const [{ frame: sent }] = net.receive(3, frame);
  t.is(hex(sent.subarray(36, 50)), bytes('12 b5 00 72 00 00  08 00 00 00 00 0d 05 00'));
  t.is(hex(sent.subarray(50)), hex(frame));
  t.is(net.vrfStat('vxlanTunnels'), 1);
});

test('a routed packet gets an Ethernet header of its own in a VXLAN', (t) => {
  const net = new TestNetwork({ hosts: [host('VXLAN', { routes: [[FAR, 3333]] })] });
  const [{ frame: sent }] = net.receive(3, packet(GATEWAY_MAC, FAR));
  t.is(hex(sent.subarray(50, 64)), `${INNER_MAC}${GATEWAY_MAC}`.replaceAll(':', '') + '0800');
  t.is(sent[64 + 8], 63);
  t.is(sent.length, 14 + 36 + 14 + 84);
});

test('outer headers forbid fragments, unless configured otherwise', (t) => {
  for (const [outerDf, flags] of [
    [undefined, 0x40],
    [true, 0x40],
    [false, 0],
  ] as const) {
    const net = new TestNetwork({ hosts: [host('MPLSoUDP')], ...(outerDf !== undefined && { outerDf }) });
    t.is(net.receive(3, packet(FAR_MAC, FAR))[0].frame[20], flags);
  }
});

test('a broadcast goes to every guest and every host of the network, once each', (t) => {
  const hosts = [
    host('MPLSoUDP', { peer: 1, flood: 1001 }),
    host('VXLAN', { peer: 2, flood: 4444 }),
    host('MPLSoGRE', { peer: 3, flood: 1003 }),
    host('MPLSoGRE', { peer: 4 }),
  ];
  const net = new TestNetwork({ guests: 3, hosts });
  const frame = packet('ff:ff:ff:ff:ff:ff', '5.5.5.255');
  const sent = net.receive(3, frame);
  t.deepEqual(
    sent.map(({ port }) => port),
    [4, 5, 0, 0, 0],
  );
  for (const { frame: copy } of sent) t.is(hex(copy.subarray(-frame.length)), hex(frame));
  t.deepEqual(
    sent.slice(2).map(({ frame: f }) => f[33]),
    [21, 22, 23],
  );
  t.is(net.vrfStat('evpnComposites'), 1);
  t.is(net.imbalance(), 0);
});

test('a host whose way is not known gets nothing, and that is counted', (t) => {
  const net = new TestNetwork({ hosts: [host('MPLSoUDP', { isResolved: false, flood: 1001 })] });
  t.is(net.receive(3, packet(FAR_MAC, FAR)).length, 0);
  t.is(net.receive(3, packet('ff:ff:ff:ff:ff:ff', '5.5.5.255')).length, 1);
  t.is(net.drops('invalidNh'), 2);
  t.is(net.imbalance(), 0);
});

test('packets of one session have one source port, those of many have many', (t) => {
  for (const packetMode of [[], 'all'] as const) {
    const net = new TestNetwork({ hosts: [host('MPLSoUDP')], packetMode });
    const portOf = (source: number): number => {
      const frame = eth({ src: macOf(3), dst: GATEWAY_MAC })
        .ipv4({ src: ipOf(3), dst: FAR })
        .udp(source, 53)
        .bytes();
      const [{ frame: sent }] = net.receive(3, frame);
      return (sent[34] << 8) | sent[35];
    };
    const ports = Array.from({ length: 64 }, (_, i) => portOf(1000 + i));
    t.deepEqual(
      ports,
      Array.from({ length: 64 }, (_, i) => portOf(1000 + i)),
    );
    t.true(ports.every((port) => port >= 49152 && port <= 65534));
    t.true(new Set(ports).size > 55);
  }
});

test('the longest packet is what the way leaves of it, and what is longer is not sent', (t) => {
  for (const [encapsulation, routed, bridged] of [
    ['MPLSoGRE', 1472, 1458],
    ['MPLSoUDP', 1468, 1454],
    ['VXLAN', 1450, 1450],
  ] as const) {
    for (const [dst, longest] of [
      [GATEWAY_MAC, routed],
      [FAR_MAC, bridged],
    ] as const) {
      const net = new TestNetwork({ hosts: [host(encapsulation)] });
      t.is(net.receive(3, packet(dst, FAR, { length: longest, df: true })).length, 1);
      t.is(net.receive(3, packet(dst, FAR, { length: longest + 1, df: true })).length, 0);
      const [{ command, parameter }] = net.punted();
      t.deepEqual({ command, parameter }, { command: PUNT.handleDf, parameter: longest });
      t.is(net.drops('trapOriginal'), 1);
      t.is(net.imbalance(), 0);
    }
  }
});

test('a frame that is not IP and too long is dropped', (t) => {
  const net = new TestNetwork({ hosts: [host('VXLAN', { flood: 4444 })], guests: 1 });
  const frame = (dst: string): Uint8Array =>
    eth({ src: macOf(3), dst, type: 0x88b5 })
      .payload(new Uint8Array(1500))
      .bytes();
  t.is(net.receive(3, frame(FAR_MAC)).length, 0);
  t.is(net.drops('fragment'), 1);
  t.is(net.receive(3, frame('ff:ff:ff:ff:ff:ff')).length, 0);
  t.is(net.drops('jumboMcast'), 1);
  t.is(net.imbalance(), 0);
});

test('what came from a host does not go back there, and only routed packets go on to another', (t) => {
  const net = new TestNetwork({ hosts: [host('MPLSoUDP')] });
  net.receive(3, packet(FAR_MAC, FAR));
  const { dp } = net;
  const nexthop = net.tables.nexthops.get(62);
  if (!nexthop) return t.fail('no tunnel');
  for (const [peer, routed, reason] of [
    [2, true, 'packetLoop'],
    [2, false, 'packetLoop'],
    [3, false, 'invalidSource'],
  ] as const) {
    const before = net.drops(reason);
    dp.p.peer = peer;
    dp.p.routed = routed;
    toTunnel(dp, nexthop);
    t.is(net.drops(reason), before + 1);
    t.is(dp.queued, 0);
  }
  // The outer headers are where the virtio-net header was.
  dp.b.fill(0, dp.p.at - 10, dp.p.at);
  dp.p.peer = 3;
  dp.p.routed = true;
  toTunnel(dp, nexthop);
  t.is(dp.queued, 1);
});

test('a broadcast from another host is not sent on to others', (t) => {
  const net = new TestNetwork({ hosts: [host('MPLSoUDP', { flood: 1001 })], guests: 1 });
  net.receive(3, packet('ff:ff:ff:ff:ff:ff', '5.5.5.255'));
  net.dp.p.peer = 3;
  const evpn = net.tables.nexthops.get(90);
  t.is(evpn && floodToTunnels(net.dp, evpn, 0), 0);
  t.is(net.dp.queued, 0);
});

test('a kernel that refuses super-frames of UDP gets single packets from then on', (t) => {
  const net = new TestNetwork({ hosts: [host('MPLSoUDP')] });
  const frame = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv4({ src: ipOf(3), dst: FAR, df: true })
    .tcp(1000, 80, { checksum: 'partial' })
    .payload(new Uint8Array(3000))
    .bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  t.is(net.receive(3, frame, { vnet }).length, 1);
  net.io.refusing.set(0, 22);
  t.is(net.receive(3, frame, { vnet }).length, 0);
  t.is(net.drops('ifTxDiscard'), 3);
  net.io.refusing.clear();
  t.is(net.receive(3, frame, { vnet }).length, 3);
  t.is(net.imbalance(), 0);
});

test('a flood to more hosts than fit into the scratch area reaches all of them whole', (t) => {
  const hosts = Array.from({ length: 700 }, (_, i) =>
    host('MPLSoUDP', { peer: i + 100, destination: '192.168.200.9', flood: 1000 + i, macs: [], routes: [] }),
  );
  const net = new TestNetwork({ hosts, guests: 1 });
  const frame = packet('ff:ff:ff:ff:ff:ff', '5.5.5.255', { length: 1400 });
  const sent = net.receive(3, frame).flatMap((one) => tunnelPackets(one));
  t.deepEqual(
    sent.map(({ label }) => label),
    Array.from({ length: 700 }, (_, i) => 1000 + i),
  );
  for (const { payload } of sent) t.is(hex(payload), hex(frame));
  t.is(net.imbalance(), 0);
});

test('a trace tells the tunnel, its label and the host', (t) => {
  const net = new TestNetwork({ hosts: [host('MPLSoUDP')] });
  net.tables.apply({ table: 'peer', op: 'set', record: { id: 2, address: '192.168.200.22', name: 'host-b' } });
  const records: TraceRecord[] = [];
  net.dp.tracer = new Tracer(net.dp, null, (record) => records.push(record));
  net.receive(3, packet(FAR_MAC, FAR));
  const names = new TraceNames({
    tables: net.tables,
    flows: net.flows,
    nameOf: () => undefined,
    indexOf: () => undefined,
  });
  const { steps, verdict } = renderTrace(records[0], names);
  const { subject, result } = steps.find(({ stage }) => stage === 'tunnel') ?? { subject: '', result: '' };
  t.is(subject, 'host-b (192.168.200.22)');
  t.regex(result, /^tunnel by MPLSoUDP, label 57, source port \d+, 144 bytes$/);
  t.is(verdict, 'sent to host-b (192.168.200.22) by MPLSoUDP, label 57');
});
