import test from 'ava';
import {
  bridgedLabelOf,
  FLOOD_LABEL,
  GATEWAY_MAC,
  ip6Of,
  ipOf,
  macOf,
  NEXT_HOP_MAC,
  type OtherHost,
  routedLabelOf,
  ROUTING_LABEL,
  TestNetwork,
  UNDERLAY_MAC,
  VNI,
} from '../testing/network.js';
import { eth, type PacketBuilder, vnetHeader } from '../testing/packet-builder.js';

const OURS = '192.168.200.11';
const THEIRS = '192.168.200.22';
const FAR = '8.8.8.8';
const FAR_MAC = '02:00:00:00:00:99';
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

const HOST: OtherHost = {
  peer: 2,
  encapsulation: 'MPLSoUDP',
  routes: [[FAR, 20]],
  macs: [[FAR_MAC, 57]],
  flood: 70,
};

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

/** What another host's frame begins with. */
const outer = (src = THEIRS, tos = 0): PacketBuilder =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src, dst: OURS, tos });
const overUdp = (): PacketBuilder => outer().udp(50_000, 6635, { checksum: 0 });

/** A guest of the other host pings one of ours. */
const ping = (dst: string, to = ipOf(3)): Uint8Array =>
  eth({ src: FAR_MAC, dst }).ipv4({ src: FAR, dst: to, ttl: 63 }).ping({ ident: 1, seq: 1 }).payload([1, 2, 3]).bytes();
const packet = (frame: Uint8Array): Uint8Array => frame.subarray(14);

test('a packet that came by MPLSoGRE reaches the guest of its label with an Ethernet header', (t) => {
  const net = new TestNetwork({ hosts: [{ ...HOST, destination: '192.168.100.3' }] });
  const inner = packet(ping(macOf(3)));
  const head = bytes(`0c0000000001 0c0000000002 0800
    45 00 00 3b 12 34 00 00 40 2f 1f 0b c0 a8 64 03 c0 a8 64 01  00 00 88 47  00 06 71 3f`);
  const [{ port, frame }, ...others] = net.receive(0, Uint8Array.from([...head, ...inner]));
  t.is(others.length, 0);
  t.is(port, 3);
  t.is(hex(frame), '020000000003' + '00005e000100' + '0800' + hex(inner));
  t.is(net.vrfStat('encaps'), 1);
  t.is(net.imbalance(), 0);
});

test('a frame that came by MPLSoUDP reaches the guest of its label as it is, also by the old port', (t) => {
  for (const port of [6635, 51_234]) {
    const net = new TestNetwork({ hosts: [HOST] });
    const frame = ping(macOf(4), ipOf(4));
    const [sent] = net.receive(
      0,
      outer().udp(50_000, port, { checksum: 0 }).mpls(bridgedLabelOf(4)).payload(frame).bytes(),
    );
    t.is(sent.port, 4);
    t.deepEqual(sent.frame, frame);
    t.is(net.imbalance(), 0);
  }
});

test('a frame that came in a VXLAN is bridged by its MAC', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const frame = ping(macOf(4), ipOf(4));
  const [sent] = net.receive(0, outer().udp(50_000, 4789).vxlan(VNI).payload(frame).bytes());
  t.is(sent.port, 4);
  t.deepEqual(sent.frame, frame);
  t.is(net.vrfStat('vrfTranslates'), 1);
  t.is(net.imbalance(), 0);
});

test('a checksum in a tunnel that a kernel on this machine left to offload is completed', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const inner = (checksum?: 'partial'): Uint8Array =>
    eth({ src: FAR_MAC, dst: macOf(4) })
      .ipv4({ src: FAR, dst: ipOf(4) })
      .tcp(40_000, 80, { flags: 2, ...(checksum && { checksum }) })
      .payload([1, 2, 3])
      .bytes();
  const frame = outer().udp(50_000, 4789, { checksum: 0 }).vxlan(VNI).payload(inner('partial')).bytes();
  const csumStart = frame.length - inner().length + 34;
  const vnet = vnetHeader({ flags: 1, csumStart, csumOffset: 16 });
  const [sent] = net.receive(0, frame, { vnet });
  t.deepEqual(sent.frame, inner());
  t.is(net.imbalance(), 0);
});

test('a frame in a VXLAN for the gateway is routed', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const [{ port, frame }] = net.receive(
    0,
    outer()
      .udp(1, 4789)
      .vxlan(VNI)
      .payload(ping(GATEWAY_MAC, ipOf(4)))
      .bytes(),
  );
  t.is(port, 4);
  t.is(hex(frame.subarray(0, 12)), '020000000004' + '00005e000100');
  t.is(frame[22], 62);
});

test('a label of the routing table has the packet routed, IPv6 too', (t) => {
  const net = new TestNetwork({
    hosts: [
      {
        ...HOST,
        routes: [
          [FAR, 20],
          ['fd00:8::8', 21],
        ],
      },
    ],
  });
  const frame = eth({ src: FAR_MAC, dst: macOf(3) })
    .ipv6({ src: 'fd00:8::8', dst: ip6Of(4), hopLimit: 9 })
    .ping6({ ident: 1, seq: 1 })
    .bytes();
  const [sent] = net.receive(0, overUdp().mpls(ROUTING_LABEL).payload(packet(frame)).bytes());
  t.is(sent.port, 4);
  t.is(hex(sent.frame.subarray(12, 14)), '86dd');
  t.is(sent.frame[21], 8);
  t.is(net.imbalance(), 0);
});

test('a broadcast of another host reaches the guests of this one, and no third host', (t) => {
  const net = new TestNetwork({ guests: 3, hosts: [HOST, { ...HOST, peer: 3 }] });
  const frame = eth({ src: FAR_MAC, dst: BROADCAST, type: 0x88b5 }).payload([1, 2, 3]).bytes();
  for (const tunnel of [overUdp().mpls(FLOOD_LABEL), outer().udp(1, 4789).vxlan(VNI)]) {
    const sent = net.receive(0, tunnel.payload(frame).bytes());
    t.deepEqual(
      sent.map(({ port }) => port),
      [3, 4, 5],
    );
    t.true(sent.every((one) => hex(one.frame) === hex(frame)));
  }
  t.is(net.imbalance(), 0);
});

test('a frame of another host to a MAC nobody has reaches the guests where the network floods it', (t) => {
  const frame = eth({ src: FAR_MAC, dst: '02:00:00:00:00:77', type: 0x88b5 }).payload([1, 2, 3]).bytes();
  for (const floodUnknownUnicast of [true, false]) {
    const net = new TestNetwork({ guests: 3, hosts: [HOST], floodUnknownUnicast });
    const sent = net.receive(0, outer().udp(1, 4789).vxlan(VNI).payload(frame).bytes());
    t.deepEqual(
      sent.map(({ port }) => port),
      floodUnknownUnicast ? [3, 4, 5] : [],
    );
    t.is(net.drops('l2NoRoute'), floodUnknownUnicast ? 0 : 1);
    t.is(net.imbalance(), 0);
  }
});

test('a control word in front of a flooded frame is taken off', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const frame = eth({ src: FAR_MAC, dst: BROADCAST, type: 0x88b5 }).payload([1, 2, 3]).bytes();
  const [sent] = net.receive(
    0,
    overUdp()
      .mpls(FLOOD_LABEL)
      .payload([0, 0, 0, 0, ...frame])
      .bytes(),
  );
  t.deepEqual(sent.frame, frame);
});

test('what a stranger sends is dropped, its label being as good as it may', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const inner = packet(ping(macOf(3)));
  t.is(net.receive(0, outer('192.168.200.99').udp(1, 6635).mpls(routedLabelOf(3)).payload(inner).bytes()).length, 0);
  t.is(net.drops('invalidSource'), 1);
  t.is(net.imbalance(), 0);
});

test('labels and network identifiers that nobody has are dropped and counted as such', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const inner = packet(ping(macOf(3)));
  net.receive(0, overUdp().mpls(4711).payload(inner).bytes());
  net.receive(0, overUdp().mpls(routedLabelOf(3), { bottom: false }).mpls(77).payload(inner).bytes());
  t.is(net.drops('invalidLabel'), 2);
  net.receive(
    0,
    outer()
      .udp(1, 4789)
      .vxlan(4711)
      .payload(ping(macOf(3)))
      .bytes(),
  );
  t.is(net.drops('invalidVnid'), 1);
  net.receive(0, overUdp().mpls(routedLabelOf(3), { ttl: 1 }).payload(inner).bytes());
  t.is(net.drops('ttlExceeded'), 1);
  net.receive(
    0,
    outer()
      .udp(1, 4789)
      .vxlan(VNI, { flags: 0 })
      .payload(ping(macOf(3)))
      .bytes(),
  );
  t.is(net.drops('invalidPacket'), 1);
  t.is(net.imbalance(), 0);
});

test('the entry that only announces more labels is skipped', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const stack = overUdp().mpls(0xfffff, { bottom: false }).mpls(routedLabelOf(3));
  t.is(net.receive(0, stack.payload(packet(ping(macOf(3)))).bytes()).length, 1);
});

test('GRE may have a checksum and a key, and nothing else', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const inner = packet(ping(macOf(3)));
  const gre = (o: Parameters<PacketBuilder['gre']>[0]): number =>
    net.receive(0, outer().gre(o).mpls(routedLabelOf(3)).payload(inner).bytes()).length;
  t.deepEqual([gre({}), gre({ checksum: true }), gre({ key: 5 }), gre({ checksum: true, key: 5 })], [1, 1, 1, 1]);
  t.is(gre({ checksum: 0x1234 }), 0);
  t.is(net.drops('checksum'), 1);
  t.is(gre({ flags: 0x1000 }), 0);
  t.is(net.drops('invalidPacket'), 1);
  t.is(gre({ type: 0x0800 }), 0);
  t.is(net.drops('invalidProtocol'), 1);
  t.is(net.imbalance(), 0);
});
