import test from 'ava';
import fc from 'fast-check';
import type { SentFrame } from '../io/memory.js';
import { VIF } from '../tables/counters.js';
import { pair } from '../testing/flow-entries.js';
import {
  bridgedLabelOf,
  FLOOD_LABEL,
  ipOf,
  ip6Of,
  macOf,
  NEXT_HOP_MAC,
  type OtherHost,
  routedLabelOf,
  TestNetwork,
  UNDERLAY_MAC,
  VNI,
} from '../testing/network.js';
import { eth, internetChecksum, type PacketBuilder, vnetHeader } from '../testing/packet-builder.js';

const FAR = '8.8.8.8';
const FAR6 = 'fd00:8::8';
const FAR_MAC = '02:00:00:00:00:99';
const HOST: OtherHost = {
  peer: 2,
  encapsulation: 'MPLSoUDP',
  routes: [
    [FAR, 20],
    [FAR6, 21],
  ],
  macs: [[FAR_MAC, 57]],
};
const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
const [ACK, PSH] = [0x10, 0x08];

interface Spec {
  readonly vif?: number;
  readonly v6?: boolean;
  readonly port?: number;
  readonly seq?: number;
  readonly flags?: number;
  readonly length?: number;
  readonly id?: number;
  readonly df?: boolean;
  readonly tos?: number;
  readonly badSum?: boolean;
  readonly udp?: boolean;
}

/** A frame with a TCP segment, or an UDP datagram, for a guest. */
function inner(o: Spec): Uint8Array {
  const { vif = 3, seq = 1000, length = 100, tos = 0 } = o;
  const start = eth({ src: FAR_MAC, dst: macOf(vif) });
  const ip = o.v6
    ? start.ipv6({ src: FAR6, dst: ip6Of(vif), trafficClass: tos })
    : start.ipv4({ src: FAR, dst: ipOf(vif), id: o.id ?? 0, df: o.df ?? true, tos });
  const port = o.port ?? 80;
  const upper = o.udp
    ? ip.udp(port, 9)
    : ip.tcp(port, 1000, { seq, flags: o.flags ?? ACK, ack: 5, options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2] });
  const frame = upper.payload(Uint8Array.from({ length }, (_, i) => seq + i)).bytes();
  if (o.badSum) frame[frame.length - 1] ^= 0x55;
  return frame;
}

const outer = (): PacketBuilder =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src: '192.168.200.22', dst: '192.168.200.11' });

type Way = 'routed' | 'bridged' | 'vxlan';
/** What a frame is in a tunnel behind the outer UDP or GRE header. */
function payload(frame: Uint8Array, way: Way): Uint8Array {
  const vif = frame[5];
  const start = eth({ src: FAR_MAC, dst: FAR_MAC });
  if (way === 'vxlan') return start.vxlan(VNI).payload(frame).bytes().subarray(14);
  const label = way === 'routed' ? routedLabelOf(vif) : bridgedLabelOf(vif);
  return start
    .mpls(label)
    .payload(way === 'routed' ? frame.subarray(14) : frame)
    .bytes()
    .subarray(14);
}

const overGre = (inside: Uint8Array): Uint8Array => outer().gre({ type: 0x8847 }).payload(inside).bytes();

interface Arrival {
  readonly frame: Uint8Array;
  readonly vnet?: Uint8Array;
}

/** One super-frame of datagrams of one size, but for the last. */
function superFrame(payloads: readonly Uint8Array[], way: Way): Arrival {
  const port = way === 'vxlan' ? 4789 : 6635;
  const frame = outer()
    .udp(50_000, port, { checksum: 'partial' })
    .payload(payloads.flatMap((one) => [...one]))
    .bytes();
  const size = payloads[0].length;
  const vnet = vnetHeader({ flags: 1, gsoType: 5, hdrLen: 42, gsoSize: size, csumStart: 34, csumOffset: 6 });
  return { frame, vnet };
}

function run(net: TestNetwork, arrivals: readonly Arrival[]): SentFrame[] {
  for (const { frame, vnet } of arrivals) net.io.inject(0, frame, vnet);
  net.io.step(net.dp.run(net.io.step(0)));
  net.dp.run(0);
  return net.io.sent.splice(0);
}

const le = (b: Uint8Array, at: number): number => b[at] | (b[at + 1] << 8);
const be16 = (b: Uint8Array, at: number): number => (b[at] << 8) | b[at + 1];
function putBe16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >> 8;
  b[at + 1] = value;
}

/** The frames a sent one stands for, by the letter of what a virtio-net header says. */
function cut({ frame, vnet }: SentFrame): Uint8Array[] {
  if (vnet[1] === 0) return [frame];
  const isIpv4 = vnet[1] === 1;
  const [size, tcpAt] = [le(vnet, 4), le(vnet, 6)];
  const headers = tcpAt + (frame[tcpAt + 12] >> 4) * 4;
  const frames: Uint8Array[] = [];
  for (let from = headers; from < frame.length; from += size) {
    const isLast = from + size >= frame.length;
    const one = Uint8Array.from([...frame.subarray(0, headers), ...frame.subarray(from, from + size)]);
    if (isIpv4) {
      putBe16(one, 16, one.length - 14);
      putBe16(one, 18, be16(one, 18) + frames.length);
      putBe16(one, 24, 0);
      putBe16(one, 24, internetChecksum(one.subarray(14, 34)));
    } else {
      putBe16(one, 18, one.length - 54);
    }
    new DataView(one.buffer).setUint32(tcpAt + 4, new DataView(one.buffer).getUint32(tcpAt + 4) + from - headers);
    if (!isLast) one[tcpAt + 13] &= ~(PSH | 1);
    putBe16(one, tcpAt + 16, 0);
    const addresses = isIpv4 ? one.subarray(26, 34) : one.subarray(22, 54);
    const message = one.subarray(tcpAt);
    putBe16(
      one,
      tcpAt + 16,
      internetChecksum([...addresses, 0, 6, message.length >> 8, message.length & 255, ...message]),
    );
    frames.push(one);
  }
  return frames;
}

/** A stream of equal segments. */
const stream = (n: number, o: Spec = {}): Uint8Array[] =>
  Array.from({ length: n }, (_, i) => inner({ ...o, seq: 1000 + i * 100, id: 7 + i }));

for (const way of ['routed', 'bridged', 'vxlan'] as const) {
  for (const v6 of [false, true]) {
    test(`segments of a super-frame are one for the guest again, ${way}, IPv${v6 ? 6 : 4}`, (t) => {
      const net = new TestNetwork({ hosts: [HOST] });
      const segments = stream(5, { v6, df: false });
      const arrival = superFrame(
        segments.map((one) => payload(one, way)),
        way,
      );
      const sent = run(net, [arrival]);
      t.is(sent.length, 1);
      const src = way === 'routed' ? '00005e000100' : '020000000099';
      t.deepEqual(
        cut(sent[0]).map(hex),
        segments.map((one) => hex(one.subarray(0, 6)) + src + hex(one.subarray(12))),
      );
      t.is(hex(sent[0].vnet.subarray(0, 2)), v6 ? '0104' : '0101');
      const [rx, tx] = [net.counters.vifAt(0), net.counters.vifAt(3)];
      t.is(net.counters.words[rx + VIF.rxPackets], 5);
      t.is(net.counters.words[tx + VIF.txPackets], 5);
      t.is(net.counters.words[tx + VIF.txBytes], 5 * segments[0].length);
      t.like(pair(net)[0], { packets: 5, bytes: 5 * (segments[0].length - (way === 'routed' ? 14 : 0)) });
      t.is(net.vrfStat('gros'), 5);
      t.is(net.imbalance(), 0);
    });
  }
}

test('segments that come one by one in a batch are put together too, as MPLSoGRE has them', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const segments = stream(5);
  const sent = run(
    net,
    segments.map((one) => ({ frame: overGre(payload(one, 'routed')) })),
  );
  t.is(sent.length, 1);
  t.is(cut(sent[0]).length, 5);
  t.is(net.imbalance(), 0);
});

test('for a port without offloads nothing is put together', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const vif = net.tables.vifs.get(3);
  if (vif) vif.offloads = false;
  const segments = stream(4);
  const sent = run(net, [
    superFrame(
      segments.map((one) => payload(one, 'bridged')),
      'bridged',
    ),
  ]);
  t.deepEqual(
    sent.map(({ frame }) => hex(frame)),
    segments.map(hex),
  );
  t.is(net.vrfStat('gros'), 0);
  t.is(net.imbalance(), 0);
});

test('a segment whose checksum is wrong reaches the guest as it is, and parts those around it', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const segments = stream(5);
  segments[2] = inner({ seq: 1200, id: 9, badSum: true });
  const sent = run(net, [
    superFrame(
      segments.map((one) => payload(one, 'bridged')),
      'bridged',
    ),
  ]);
  t.deepEqual(
    sent.map((one) => cut(one).length),
    [2, 1, 2],
  );
  t.deepEqual(sent.flatMap(cut).map(hex), segments.map(hex));
});

test('a super-frame is at most as long as an IP packet', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const segments = Array.from({ length: 60 }, (_, i) => inner({ seq: 1000 + i * 1400, length: 1400, id: i }));
  const arrivals = [segments.slice(0, 40), segments.slice(40)].map((part) =>
    superFrame(
      part.map((one) => payload(one, 'bridged')),
      'bridged',
    ),
  );
  const sent = run(net, arrivals);
  t.deepEqual(
    sent.map((one) => cut(one).length),
    [46, 14],
  );
  t.deepEqual(sent.flatMap(cut).map(hex), segments.map(hex));
  t.is(net.imbalance(), 0);
});

test('datagrams of a super-frame go on one by one', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const datagrams = [1, 2, 3].map((seq) => inner({ udp: true, seq }));
  const flooded = datagrams.map((one) => outer().udp(1, 6635).mpls(FLOOD_LABEL).payload(one).bytes().subarray(42));
  const sent = run(net, [
    superFrame(
      datagrams.map((one) => payload(one, 'bridged')),
      'bridged',
    ),
    superFrame(flooded, 'bridged'),
  ]);
  t.deepEqual(
    sent.map(({ frame }) => hex(frame)),
    [...datagrams, ...datagrams].map(hex),
  );
  t.is(net.imbalance(), 0);
});

const spec = fc.record({
  vif: fc.integer({ min: 3, max: 4 }),
  v6: fc.boolean(),
  port: fc.constantFrom(80, 80, 80, 443),
  step: fc.constantFrom(0, 0, 0, 0, 1, -100),
  flags: fc.constantFrom(ACK, ACK, ACK, ACK, ACK | PSH, ACK | 1, ACK | 0x40),
  length: fc.constantFrom(100, 100, 100, 100, 60, 0, 101),
  df: fc.boolean(),
  sameId: fc.boolean(),
  tos: fc.constantFrom(0, 0, 0, 2, 3),
  badSum: fc.constantFrom(false, false, false, true),
  udp: fc.constantFrom(false, false, false, true),
});

test('whatever comes in whatever frames, guests get it to the bit, in order', (t) => {
  const cases = fc.property(
    fc.array(fc.tuple(spec, fc.integer({ min: 1, max: 6 })), { minLength: 1, maxLength: 12 }),
    fc.constantFrom<Way>('routed', 'bridged', 'vxlan'),
    fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    (specs, way, isSuper) => {
      const net = new TestNetwork({ hosts: [HOST], rpf: false, flowsPerInterface: 1000, packetMode: 'all' });
      const frames: Uint8Array[] = [];
      const arrivals: Arrival[] = [];
      let seq = 1000;
      let id = 1;
      for (const [i, [o, n]] of specs.entries()) {
        const group = Array.from({ length: n }, () => {
          seq += o.step;
          const frame = inner({ ...o, seq, id: o.sameId ? 5 : id++ });
          seq += o.length;
          return frame;
        });
        frames.push(...group);
        const payloads = group.map((one) => payload(one, way));
        if (isSuper[i]) arrivals.push(superFrame(payloads, way));
        else {
          const port = way === 'vxlan' ? 4789 : 6635;
          for (const one of payloads) arrivals.push({ frame: outer().udp(50_000, port).payload(one).bytes() });
        }
      }
      const sent = run(net, arrivals.slice(0, 64));
      const flat = (all: readonly Uint8Array[]): string[] => all.map(withoutIds).sort();
      const want = way === 'routed' ? frames.map(fromGateway) : frames;
      t.deepEqual(flat(sent.flatMap(cut)), flat(want));
      for (const vif of [3, 4]) {
        const got = sent.filter(({ port }) => port === vif).flatMap(cut);
        t.deepEqual(got.map(withoutIds), want.filter((one) => one[5] === vif).map(withoutIds));
      }
      t.is(net.imbalance(), 0);
    },
  );
  fc.assert(cases, { numRuns: 150 });
});

function fromGateway(frame: Uint8Array): Uint8Array {
  const copy = frame.slice();
  copy.set([0, 0, 0x5e, 0, 1, 0], 6);
  return copy;
}

/** Identifications of what may not be cut mean nothing (RFC 6864 section 4.1). */
function withoutIds(frame: Uint8Array): string {
  if (be16(frame, 12) !== 0x0800 || (frame[20] & 0x40) === 0) return hex(frame);
  const copy = frame.slice();
  copy.fill(0, 18, 20);
  copy.fill(0, 24, 26);
  return hex(copy);
}

const inVxlan = (frame: Uint8Array): Uint8Array =>
  outer().udp(50_000, 4789, { checksum: 0 }).payload(payload(frame, 'vxlan')).bytes();
/** Bytes in front of an inner frame in a VXLAN. */
const WRAPPED = 50;

test('a checksum that a kernel on this machine left undone inside of its tunnel is right for the guest', (t) => {
  for (const udp of [false, true]) {
    const net = new TestNetwork({ hosts: [HOST] });
    const whole = inner({ udp });
    const start = eth({ src: FAR_MAC, dst: macOf(3) }).ipv4({ src: FAR, dst: ipOf(3), df: true });
    const upper = udp
      ? start.udp(80, 9, { checksum: 'partial' })
      : start.tcp(80, 1000, {
          seq: 1000,
          ack: 5,
          options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
          checksum: 'partial',
        });
    const partial = upper.payload(Uint8Array.from({ length: 100 }, (_, i) => 1000 + i)).bytes();
    const vnet = vnetHeader({ flags: 1, csumStart: WRAPPED + 34, csumOffset: udp ? 6 : 16 });
    const [sent] = run(net, [{ frame: inVxlan(partial), vnet }]);
    t.is(hex(sent.frame), hex(whole));
    t.is(net.imbalance(), 0);
  }
});

test('a super-frame that a kernel on this machine wrapped whole reaches the guest', (t) => {
  const start = (): PacketBuilder => eth({ src: FAR_MAC, dst: macOf(3) }).ipv4({ src: FAR, dst: ipOf(3), df: true });
  const whole = start().tcp(80, 1000, { seq: 1, checksum: 'partial' }).payload(new Uint8Array(4000).fill(3)).bytes();
  const vnet = vnetHeader({
    ...{ flags: 1, gsoType: 1, hdrLen: WRAPPED + 54, gsoSize: 1400 },
    ...{ csumStart: WRAPPED + 34, csumOffset: 16 },
  });
  for (const offloads of [true, false]) {
    const net = new TestNetwork({ hosts: [HOST] });
    const vif = net.tables.vifs.get(3);
    if (vif) vif.offloads = offloads;
    const sent = run(net, [{ frame: inVxlan(whole), vnet }]);
    t.is(sent.length, offloads ? 1 : 3);
    const segments = [0, 1400, 2800].map((at, i) =>
      eth({ src: FAR_MAC, dst: macOf(3) })
        .ipv4({ src: FAR, dst: ipOf(3), df: true, id: i })
        .tcp(80, 1000, { seq: 1 + at })
        .payload(new Uint8Array(Math.min(1400, 4000 - at)).fill(3))
        .bytes(),
    );
    t.deepEqual(sent.flatMap(cut).map(hex), segments.map(hex));
    t.is(net.counters.words[net.counters.vifAt(0) + VIF.rxPackets], 3);
    t.is(pair(net)[0].packets, 3);
    t.is(net.imbalance(), 0);
  }
});

test('a super-frame of TCP without TCP in it is dropped', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 104, gsoSize: 50, csumStart: WRAPPED + 34, csumOffset: 16 });
  t.is(run(net, [{ frame: inVxlan(inner({ udp: true })), vnet }]).length, 0);
  t.is(net.drops('invalidPacket'), 1);
  t.is(net.imbalance(), 0);
});
