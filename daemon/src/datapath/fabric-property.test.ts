import test from 'ava';
import fc from 'fast-check';
import type { SentFrame } from '../io/memory.js';
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
import { eth, type PacketBuilder } from '../testing/packet-builder.js';

const [OURS, THEIRS] = ['192.168.200.11', '192.168.200.22'];
const [OURS6, THEIRS6] = ['fd00:c8::11', 'fd00:c8::22'];
const SENDER = 5;
const HOST: OtherHost = {
  peer: 2,
  encapsulation: 'MPLSoUDP',
  routes: [
    [ipOf(SENDER), 20],
    [ip6Of(SENDER), 21],
  ],
  macs: [[macOf(SENDER), 57]],
};

const frames = fc.record({
  dst: fc.constantFrom(macOf(3), macOf(4), GATEWAY_MAC, 'ff:ff:ff:ff:ff:ff', '33:33:00:00:00:77', '02:00:00:00:00:77'),
  to: fc.integer({ min: 3, max: 4 }),
  v6: fc.boolean(),
  upper: fc.constantFrom('tcp', 'udp', 'ping', 'none'),
  flags: fc.constantFrom(2, 0x10, 0x12),
  tos: fc.nat(255),
  ttl: fc.constantFrom(2, 64, 255),
  payload: fc.uint8Array({ maxLength: 200 }),
});
type Frame = typeof frames extends fc.Arbitrary<infer T> ? T : never;

/** What the guest at vif 5 sends, be it of this host or another; `hops` less than it says. */
function frameOf(o: Frame, hops = 0): Uint8Array {
  const start = eth({ src: macOf(SENDER), dst: o.dst });
  const ip = o.v6
    ? start.ipv6({ src: ip6Of(SENDER), dst: ip6Of(o.to), trafficClass: o.tos, hopLimit: o.ttl - hops })
    : start.ipv4({ src: ipOf(SENDER), dst: ipOf(o.to), tos: o.tos, ttl: o.ttl - hops });
  return upperOf(ip, o).payload(o.payload).bytes();
}

function upperOf(ip: PacketBuilder, { upper, flags, v6 }: Frame): PacketBuilder {
  switch (upper) {
    case 'tcp':
      return ip.tcp(1000, 80, { flags, options: [2, 4, 5, 180] });
    case 'udp':
      return ip.udp(1000, 53);
    case 'ping':
      return v6 ? ip.ping6({ ident: 1, seq: 1 }) : ip.ping({ ident: 1, seq: 1 });
    case 'none':
      return ip;
  }
}

const outers = fc.record({
  kind: fc.constantFrom('udp', 'old', 'gre', 'vxlan'),
  v6: fc.boolean(),
  checksum: fc.boolean(),
  key: fc.boolean(),
});
type Outer = typeof outers extends fc.Arbitrary<infer T> ? T : never;

function wrapped(o: Outer, label: number, payload: Uint8Array): Uint8Array {
  const start = eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC });
  const ip = o.v6 ? start.ipv6({ src: THEIRS6, dst: OURS6 }) : start.ipv4({ src: THEIRS, dst: OURS });
  const sum = o.checksum || o.v6 ? {} : { checksum: 0 };
  switch (o.kind) {
    case 'vxlan':
      return ip.udp(50_000, 4789, sum).vxlan(VNI).payload(payload).bytes();
    case 'gre':
      return ip
        .gre({ ...(o.checksum && { checksum: true }), ...(o.key && { key: 7 }) })
        .mpls(label)
        .payload(payload)
        .bytes();
    default:
      return ip
        .udp(50_000, o.kind === 'old' ? 51_234 : 6635, sum)
        .mpls(label)
        .payload(payload)
        .bytes();
  }
}

const shown = (sent: readonly SentFrame[]): string[] =>
  sent.map(({ port, frame }) => `${port} ${Buffer.from(frame).toString('hex')}`);

/** A host with the sender on it, and one that knows it behind a tunnel. */
const here = (): TestNetwork => new TestNetwork({ guests: 3, packetMode: [SENDER], floodUnknownUnicast: true });
const elsewhere = (v6: boolean): TestNetwork => {
  const addresses = v6 ? { source: OURS6, destination: THEIRS6 } : {};
  return new TestNetwork({ hosts: [{ ...HOST, ...addresses }], floodUnknownUnicast: true });
};

test('a frame of a guest elsewhere is delivered as if it were of this host', (t) => {
  const [local, over4, over6] = [here(), elsewhere(false), elsewhere(true)];
  const same = fc.property(frames, outers, (frame, outer) => {
    const remote = outer.v6 ? over6 : over4;
    const expected = shown(local.receive(SENDER, frameOf(frame)));
    const isUnknown = frame.dst === '02:00:00:00:00:77';
    const isFlooded = isUnknown || frame.dst.startsWith('ff') || frame.dst.startsWith('33');
    const isRouted = frame.dst === GATEWAY_MAC;
    const label = isFlooded ? FLOOD_LABEL : isRouted ? ROUTING_LABEL : bridgedLabelOf(Number(frame.dst.at(-1)));
    const sent = frameOf(frame);
    const payload = isRouted && outer.kind !== 'vxlan' ? sent.subarray(14) : sent;
    t.deepEqual(shown(remote.receive(0, wrapped(outer, label, payload))), expected);
    t.is(remote.imbalance(), 0);
  });
  fc.assert(same, { numRuns: 300 });
});

test('a packet that was routed elsewhere is delivered by its label as if it had been routed here', (t) => {
  const [local, over4, over6] = [here(), elsewhere(false), elsewhere(true)];
  const same = fc.property(
    frames,
    outers.filter(({ kind }) => kind !== 'vxlan'),
    (frame, outer) => {
      const remote = outer.v6 ? over6 : over4;
      const expected = shown(local.receive(SENDER, frameOf({ ...frame, dst: GATEWAY_MAC })));
      const payload = frameOf(frame, 1).subarray(14);
      t.deepEqual(shown(remote.receive(0, wrapped(outer, routedLabelOf(frame.to), payload))), expected);
      t.is(remote.imbalance(), 0);
    },
  );
  fc.assert(same, { numRuns: 300 });
});

/** RFC 6040 figure 4: rows are what the inner header says, columns what the outer does; -1: dropped. */
const ECN = [
  [0, 0, 0, -1],
  [1, 1, 1, 3],
  [2, 1, 2, 3],
  [3, 3, 3, 3],
] as const;

test('what the outer header says about congestion reaches the guest', (t) => {
  for (const v6 of [false, true]) {
    for (const [inner, row] of ECN.entries()) {
      for (const [outer, expected] of row.entries()) {
        const net = elsewhere(false);
        const start = eth({ src: macOf(SENDER), dst: macOf(3) });
        const ip = v6
          ? start.ipv6({ src: ip6Of(SENDER), dst: ip6Of(3), trafficClass: 0xb8 | inner })
          : start.ipv4({ src: ipOf(SENDER), dst: ipOf(3), tos: 0xb8 | inner });
        const frame = ip.udp(1, 2).bytes();
        const tunnel = eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src: THEIRS, dst: OURS, tos: outer });
        const sent = net.receive(0, tunnel.udp(1, 6635).mpls(bridgedLabelOf(3)).payload(frame).bytes());
        t.is(net.imbalance(), 0);
        if (expected < 0) {
          t.is(sent.length, 0);
          t.is(net.drops('discards'), 1);
          continue;
        }
        const got = sent[0].frame;
        const clean = eth({ src: macOf(SENDER), dst: macOf(3) });
        const whole = v6
          ? clean
              .ipv6({ src: ip6Of(SENDER), dst: ip6Of(3), trafficClass: 0xb8 | expected })
              .udp(1, 2)
              .bytes()
          : clean
              .ipv4({ src: ipOf(SENDER), dst: ipOf(3), tos: 0xb8 | expected })
              .udp(1, 2)
              .bytes();
        t.is(Buffer.from(got).toString('hex'), Buffer.from(whole).toString('hex'));
      }
    }
  }
});

test('outer headers that are not sound are dropped and counted as what they are', (t) => {
  const net = elsewhere(false);
  const inner = frameOf({
    dst: macOf(3),
    to: 3,
    v6: false,
    upper: 'udp',
    flags: 2,
    tos: 0,
    ttl: 64,
    payload: new Uint8Array(9),
  });
  const start = eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC });
  const sent = (frame: Uint8Array): number => net.receive(0, frame).length;
  const inside = (ip: PacketBuilder, sum?: number): Uint8Array =>
    ip
      .udp(1, 6635, sum === undefined ? {} : { checksum: sum })
      .mpls(bridgedLabelOf(3))
      .payload(inner)
      .bytes();
  t.is(sent(inside(start.ipv4({ src: THEIRS, dst: OURS }))), 1);
  t.is(sent(inside(eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src: THEIRS, dst: OURS }), 0x1234)), 0);
  t.is(sent(inside(eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src: THEIRS, dst: OURS, checksum: 1 }))), 0);
  t.is(net.drops('checksum'), 2);
  t.is(sent(inside(eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src: THEIRS, dst: OURS, mf: true }))), 0);
  t.is(net.drops('fragment'), 1);
  t.is(sent(inside(eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src: THEIRS, dst: OURS, ihl: 3 }))), 0);
  t.is(net.drops('invalidPacket'), 1);
  const six = elsewhere(true);
  const over6 = eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv6({ src: THEIRS6, dst: OURS6 });
  t.is(six.receive(0, inside(over6, 0)).length, 0);
  t.is(six.drops('checksum'), 1);
  t.is(net.imbalance() + six.imbalance(), 0);
});

test('ICMP errors about tunnel packets are for the agent, anything else is for nobody', (t) => {
  const net = elsewhere(false);
  const start = (): PacketBuilder => eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC });
  const error = start()
    .ipv4({ src: '192.168.200.1', dst: OURS })
    .icmp({ type: 3, code: 4 })
    .payload(new Uint8Array(28))
    .bytes();
  t.is(net.receive(0, error).length, 0);
  const [punted] = net.punted();
  t.like(punted, { vif: 0, command: 13 });
  t.deepEqual(punted.frame, error);
  net.receive(0, start().ipv4({ src: THEIRS, dst: OURS }).ping({ ident: 1, seq: 1 }).bytes());
  net.receive(0, start().ipv4({ src: THEIRS, dst: OURS }).udp(1, 53).bytes());
  net.receive(0, start().arp({ op: 1, senderMac: NEXT_HOP_MAC, senderIp: THEIRS, targetIp: OURS }).bytes());
  t.is(net.drops('ifRxDiscard'), 3);
  t.is(net.imbalance(), 0);
});
