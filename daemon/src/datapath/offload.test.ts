import test from 'ava';
import fc from 'fast-check';
import { eth, internetChecksum, type PacketBuilder, vnetHeader } from '../testing/packet-builder.js';
import * as vnet from '../wire/vnet.js';
import { checkVnet, completeChecksum, isPlain, isSuperFrame, Segmenter, wireBytes, wirePackets } from './offload.js';

/** What a super-frame is made of; `headers` are those of each segment, its IP id, sequence number and flags as given. */
interface Flow {
  readonly ip: 4 | 6;
  readonly tcp: boolean;
  /** VLAN tags, IPv4 options or an IPv6 extension header, TCP options: more than the minimum. */
  readonly long: boolean;
  readonly tags: number;
}

interface Segment {
  readonly id: number;
  readonly seq: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly checksum?: 'partial';
}

const ETHERNET = { src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' };
const TIMESTAMP = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];

function build(flow: Flow, s: Segment): Uint8Array {
  let b: PacketBuilder = eth(ETHERNET);
  if (flow.tags === 2) b = b.vlan(7, { tpid: 0x88a8 });
  if (flow.tags > 0) b = b.vlan(5, { pcp: 3 });
  if (flow.ip === 4) {
    b = b.ipv4({ src: '10.0.0.1', dst: '10.0.0.2', id: s.id, df: true, options: flow.long ? [0x94, 4, 0, 0] : [] });
  } else {
    b = b.ipv6({ src: 'fd00::1', dst: 'fd00::2', flowLabel: 0x12345 });
    if (flow.long) b = b.extension(60);
  }
  const checksum = s.checksum ? { checksum: s.checksum } : {};
  const options = flow.long ? TIMESTAMP : [];
  b = flow.tcp
    ? b.tcp(40000, 80, { seq: s.seq, ack: 9, flags: s.flags, options, ...checksum })
    : b.udp(40000, 80, checksum);
  return b.payload(s.payload).bytes();
}

function l4Offset(flow: Flow): number {
  const ip = flow.ip === 4 ? 20 + (flow.long ? 4 : 0) : 40 + (flow.long ? 8 : 0);
  return 14 + flow.tags * 4 + ip;
}

function gsoType(flow: Flow): number {
  if (!flow.tcp) return vnet.GSO_UDP_L4;
  return flow.ip === 4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6;
}

function headerOf(flow: Flow, gsoSize: number): Uint8Array {
  return vnetHeader({
    flags: vnet.NEEDS_CSUM,
    gsoType: gsoType(flow),
    hdrLen: l4Offset(flow) + 8,
    gsoSize,
    csumStart: l4Offset(flow),
    csumOffset: flow.tcp ? 16 : 6,
  });
}

/** Puts header and frame into an array as the arena holds them, room behind them; returns where the frame begins. */
const AT = 258;
function arena(header: Uint8Array, frame: Uint8Array, room = 0): Uint8Array {
  const b = new Uint8Array(AT + frame.length + room).fill(0xa5);
  b.set(header, AT - vnet.LEN);
  b.set(frame, AT);
  return b;
}

/** The frames the segmenter makes of it. */
function segments(header: Uint8Array, frame: Uint8Array): Uint8Array[] {
  const b = arena(header, frame, 1600);
  const segmenter = new Segmenter();
  if (!segmenter.begin(b, AT, frame.length, AT - vnet.LEN)) return [];
  const out = AT + frame.length + 6;
  const frames = [];
  while (segmenter.more) {
    const announced = segmenter.frameLength;
    const length = segmenter.next(out);
    if (length !== announced) throw new Error(`announced ${announced}, wrote ${length}`);
    frames.push(b.slice(out, out + length));
  }
  return frames;
}

const flows: fc.Arbitrary<Flow> = fc.record({
  ip: fc.constantFrom<4 | 6>(4, 6),
  tcp: fc.boolean(),
  long: fc.boolean(),
  tags: fc.nat(2),
});

test('a super-frame becomes the frames that would have been sent without offload, byte by byte', (t) => {
  const cases = fc.record({
    flow: flows,
    gsoSize: fc.integer({ min: 1, max: 1400 }),
    pieces: fc.integer({ min: 1, max: 5 }),
    last: fc.nat(1400),
    id: fc.constantFrom(0, 0x1234, 0xfffe),
    seq: fc.constantFrom(1, 0x7fffffff, 0xffffff00),
    flags: fc.constantFrom(0x10, 0x18, 0x19, 0x98, 0xd9),
    fill: fc.nat(255),
  });
  fc.assert(
    fc.property(cases, ({ flow, gsoSize, pieces, last, id, seq, flags, fill }) => {
      const payload = new Uint8Array((pieces - 1) * gsoSize + 1 + (last % gsoSize)).map((_, i) => fill + i * 31);
      const expected = Array.from({ length: pieces }, (_, i) =>
        build(flow, {
          id: (id + i) & 0xffff,
          seq: (seq + i * gsoSize) % 2 ** 32,
          flags: flags & ~(i > 0 ? 0x80 : 0) & ~(i < pieces - 1 ? 0x09 : 0),
          payload: payload.slice(i * gsoSize, (i + 1) * gsoSize),
        }),
      );
      const frame = build(flow, { id, seq, flags, payload, checksum: 'partial' });
      const header = headerOf(flow, gsoSize);
      t.deepEqual(segments(header, frame), expected);

      const b = arena(header, frame);
      t.is(wirePackets(b, AT, frame.length, AT - vnet.LEN), pieces);
      const bytes = expected.reduce((sum, segment) => sum + segment.length, 0);
      t.is(wireBytes(b, AT, frame.length, AT - vnet.LEN), bytes);
    }),
  );
});

const TCP4: Flow = { ip: 4, tcp: true, long: false, tags: 0 };
const UDP6: Flow = { ip: 6, tcp: false, long: false, tags: 0 };
const segment = (length: number, checksum?: 'partial'): Segment => ({
  ...{ id: 1, seq: 1, flags: 0x18, payload: new Uint8Array(length).fill(1) },
  ...(checksum ? { checksum } : {}),
});

test('segments do not depend on a partial checksum: verified super-frames come without', (t) => {
  const frame = build(TCP4, segment(3000));
  const header = vnetHeader({ flags: vnet.DATA_VALID, gsoType: vnet.GSO_TCPV4, gsoSize: 1448 });
  t.deepEqual(segments(header, frame), segments(headerOf(TCP4, 1448), build(TCP4, segment(3000, 'partial'))));
});

test('a super-frame of headers only is one frame', (t) => {
  const frames = segments(headerOf(TCP4, 1448), build(TCP4, segment(0, 'partial')));
  t.deepEqual(frames, [build(TCP4, segment(0))]);
});

test('one segmenter serves one super-frame after the other', (t) => {
  const b = arena(headerOf(TCP4, 100), build(TCP4, segment(300, 'partial')), 400);
  const length = b.length - 400 - AT;
  const segmenter = new Segmenter();
  t.false(segmenter.more);
  t.true(segmenter.begin(b, AT, length, AT - vnet.LEN));
  segmenter.next(AT + length);
  t.true(segmenter.begin(b, AT, length, AT - vnet.LEN));
  let frames = 0;
  for (; segmenter.more; frames++) segmenter.next(AT + length);
  t.is(frames, 3);
  t.false(segmenter.begin(b, AT, length, AT), 'what is no header of a super-frame starts nothing');
  t.false(segmenter.more);
});

test('a plain frame counts as itself', (t) => {
  const frame = build(TCP4, segment(100));
  for (const flags of [0, vnet.DATA_VALID, vnet.NEEDS_CSUM]) {
    const b = arena(vnetHeader({ flags, csumStart: 34, csumOffset: 16 }), frame);
    t.is(isPlain(b, AT - vnet.LEN), flags !== vnet.NEEDS_CSUM);
    t.false(isSuperFrame(b, AT - vnet.LEN));
    t.true(checkVnet(b, AT, frame.length, AT - vnet.LEN));
    t.is(wirePackets(b, AT, frame.length, AT - vnet.LEN), 1);
    t.is(wireBytes(b, AT, frame.length, AT - vnet.LEN), frame.length);
  }
});

test('a partial checksum is completed as if the sender had', (t) => {
  fc.assert(
    fc.property(flows, fc.uint8Array({ maxLength: 300 }), (flow, payload) => {
      const s = { ...segment(0), payload };
      const partial = build(flow, { ...s, checksum: 'partial' });
      const header = vnetHeader({ flags: 3, csumStart: l4Offset(flow), csumOffset: flow.tcp ? 16 : 6 });
      const b = arena(header, partial, 4);
      completeChecksum(b, AT, partial.length, AT - vnet.LEN);
      const expected = build(flow, s);
      const field = l4Offset(flow) + (flow.tcp ? 16 : 6);
      // Of the two forms of zero, all ones is right in every protocol.
      if (expected[field] === 0 && expected[field + 1] === 0) expected.fill(0xff, field, field + 2);
      t.deepEqual(b.slice(AT, AT + partial.length), expected);
      t.is(vnet.flags(b, AT - vnet.LEN), vnet.DATA_VALID);
    }),
  );
});

test('a UDP checksum that comes out as zero is completed to all ones', (t) => {
  // Pseudo header, ports and length sum up to some s; data of ~s makes the whole sum 0xffff.
  const zero = build(UDP6, { ...segment(0), payload: Uint8Array.of(0, 0) });
  const sum = zero.slice(60, 62);
  const frame = build(UDP6, { ...segment(0), payload: sum, checksum: 'partial' });
  const b = arena(vnetHeader({ flags: 1, csumStart: 54, csumOffset: 6 }), frame);
  completeChecksum(b, AT, frame.length, AT - vnet.LEN);
  t.deepEqual(b.slice(AT + 60, AT + 62), Uint8Array.of(0xff, 0xff));
});

test('a complete checksum stays as it is', (t) => {
  const frame = build(UDP6, segment(9));
  const b = arena(vnetHeader({ csumStart: 54, csumOffset: 6 }), frame);
  completeChecksum(b, AT, frame.length, AT - vnet.LEN);
  t.deepEqual(b.slice(AT), frame);
});

const GOOD = { flags: 1, gsoType: vnet.GSO_TCPV4, hdrLen: 54, gsoSize: 1448, csumStart: 34, csumOffset: 16 };
const BAD_HEADERS = {
  'a checksum that starts in the Ethernet header': { gsoType: 0, csumStart: 13 },
  'a checksum that starts behind the frame': { gsoType: 0, csumStart: 65535 },
  'a checksum field that ends behind the frame': { gsoType: 0, csumStart: 3000, csumOffset: 53 },
  'a checksum that does not start at TCP': { csumStart: 36 },
  'a checksum field that is not that of TCP': { csumOffset: 6 },
  'segments without payload': { gsoSize: 0 },
  'too many segments': { gsoSize: 2 },
  'headers longer than the frame': { hdrLen: 4000 },
  'UDP fragmentation': { gsoType: vnet.GSO_UDP },
  'UDP in a TCP frame': { gsoType: vnet.GSO_UDP_L4, csumOffset: 6 },
  'IPv6 in an IPv4 frame': { gsoType: vnet.GSO_TCPV6 },
  'ECN in UDP': { gsoType: vnet.GSO_UDP_L4 | vnet.GSO_ECN },
  'ECN without a type': { gsoType: vnet.GSO_ECN },
  'an unknown type': { gsoType: 77 },
};
for (const [name, change] of Object.entries(BAD_HEADERS)) {
  test(`a header is refused that announces ${name}`, (t) => {
    const frame = build(TCP4, segment(3000, 'partial'));
    t.is(frame.length, 3054);
    t.true(checkVnet(arena(vnetHeader(GOOD), frame), AT, frame.length, AT - vnet.LEN));
    t.true(checkVnet(arena(vnetHeader({ ...GOOD, gsoType: 0x81 }), frame), AT, frame.length, AT - vnet.LEN));
    const header = vnetHeader({ ...GOOD, ...change });
    t.false(checkVnet(arena(header, frame), AT, frame.length, AT - vnet.LEN));
    t.deepEqual(segments(header, frame), []);
  });
}

const v4 = { src: '10.0.0.1', dst: '10.0.0.2' };
const v6 = { src: 'fd00::1', dst: 'fd00::2' };
const DATA = new Uint8Array(2000);
const BAD_FRAMES = {
  'a fragment': eth(ETHERNET)
    .ipv4({ ...v4, mf: true })
    .tcp(1, 2)
    .payload(DATA),
  'an IP length that is not the frame': eth(ETHERNET)
    .ipv4({ ...v4, totalLength: 1500 })
    .tcp(1, 2)
    .payload(DATA),
  'an IP header longer than the packet': eth(ETHERNET)
    .ipv4({ ...v4, ihl: 15, totalLength: 24 })
    .payload([1, 2, 3, 4]),
  'a TCP header longer than the packet': eth(ETHERNET).ipv4(v4).tcp(1, 2, { dataOffset: 15 }),
  'a TCP header shorter than one': eth(ETHERNET).ipv4(v4).tcp(1, 2, { dataOffset: 4 }).payload(DATA),
  'half a TCP header': eth(ETHERNET)
    .ipv4({ ...v4, protocol: 6 })
    .payload(new Uint8Array(10)),
  UDP: eth(ETHERNET).ipv4(v4).udp(1, 2).payload(DATA),
  ARP: eth({ ...ETHERNET, type: 0x0806 }).payload(DATA),
  'three VLAN tags': eth(ETHERNET).vlan(1).vlan(2).vlan(3).ipv4(v4).tcp(1, 2).payload(DATA),
  'no EtherType': eth({ ...ETHERNET, type: 0x8100 }).payload([0, 1]),
  'IPv6 fragment header': eth(ETHERNET).ipv6(v6).fragment6({}).tcp(1, 2).payload(DATA),
  'another IPv6 length': eth(ETHERNET)
    .ipv6({ ...v6, payloadLength: 1500 })
    .tcp(1, 2)
    .payload(DATA),
  'IPv6 and UDP': eth(ETHERNET).ipv6(v6).udp(1, 2).payload(DATA),
};
for (const [name, builder] of Object.entries(BAD_FRAMES)) {
  test(`no TCP super-frame: ${name}`, (t) => {
    const frame = builder.bytes();
    for (const type of [vnet.GSO_TCPV4, vnet.GSO_TCPV6]) {
      t.false(checkVnet(arena(vnetHeader({ gsoType: type, gsoSize: 500 }), frame), AT, frame.length, AT - vnet.LEN));
    }
  });
}

/** The array, but reading outside [from, end) throws. */
function guarded(b: Uint8Array, from: number, end: number): Uint8Array {
  return new Proxy(b, {
    get(target, name) {
      const at = Number(name);
      if (at < from || at >= end) throw new Error(`read at ${at}, beyond ${from}..${end}`);
      return Reflect.get(target, name, target) as unknown;
    },
  });
}

test('no header of a guest makes us read or write beyond its frame', (t) => {
  const header = fc.record({
    flags: fc.nat(3),
    gsoType: fc.oneof(fc.constantFrom(0, 1, 4, 5, 0x81), fc.nat(255)),
    hdrLen: fc.oneof(fc.nat(200), fc.nat(65535)),
    gsoSize: fc.oneof(fc.nat(100), fc.nat(65535)),
    csumStart: fc.oneof(fc.nat(200), fc.nat(65535)),
    csumOffset: fc.oneof(fc.constantFrom(6, 16), fc.nat(65535)),
  });
  const changes = fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 3 });
  let accepted = 0;
  fc.assert(
    fc.property(
      flows,
      header,
      changes,
      fc.nat(300),
      fc.nat(100),
      fc.boolean(),
      (flow, fields, edits, payload, cut, sane) => {
        const whole = build(flow, segment(payload, 'partial'));
        for (const [at, value] of edits) whole[at % whole.length] = value;
        const frame = whole.subarray(0, whole.length - (cut < 70 ? 0 : cut));
        const vnetBytes = sane ? headerOf(flow, Math.max(1, fields.gsoSize % 100)) : vnetHeader(fields);
        const b = arena(vnetBytes, frame, 500);
        const end = AT + frame.length;
        const view = guarded(b, AT - vnet.LEN, end);
        if (!checkVnet(view, AT, frame.length, AT - vnet.LEN)) return;
        accepted++;
        const packets = wirePackets(view, AT, frame.length, AT - vnet.LEN);
        const bytes = wireBytes(view, AT, frame.length, AT - vnet.LEN);
        t.true(packets >= 1 && packets <= 1024);

        const before = b.slice();
        const segmenter = new Segmenter();
        let left = { packets, bytes };
        if (segmenter.begin(b, AT, frame.length, AT - vnet.LEN)) {
          while (segmenter.more) {
            const length = segmenter.next(end);
            left = { packets: left.packets - 1, bytes: left.bytes - length };
            t.deepEqual(b.subarray(0, end), before.subarray(0, end));
            t.deepEqual(b.subarray(end + length + 400), before.subarray(end + length + 400));
          }
          t.deepEqual(left, { packets: 0, bytes: 0 });
        } else {
          completeChecksum(b, AT, frame.length, AT - vnet.LEN);
          const field = AT + (vnet.csumStart(b, AT - vnet.LEN) + vnet.csumOffset(b, AT - vnet.LEN));
          const changed = [...b.keys()].filter((i) => b[i] !== before[i] && i !== AT - vnet.LEN);
          t.true(changed.every((i) => (i === field || i === field + 1) && i < end));
        }
      },
    ),
    { numRuns: 1000 },
  );
  t.true(accepted > 100);
});

test('the model itself: a built segment has checksums that verify', (t) => {
  const frame = build(TCP4, segment(5));
  t.is(internetChecksum(frame.subarray(14, 34)), 0);
  const pseudo = [...frame.subarray(26, 34), 0, 6, 0, frame.length - 34];
  t.is(internetChecksum([...pseudo, ...frame.subarray(34)]), 0);
});
