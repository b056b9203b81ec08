import test from 'ava';
import fc from 'fast-check';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';
import { hex } from '../testing/hex.js';
import type { Format, Frame } from './frame.js';
import { LINK } from './link-type.js';
import { Session } from './session.js';
import type { Sink } from './sink.js';
import { MALFORMED_REASONS, type InputStatistics } from './statistics.js';
import { Unwrapper, type UnwrapOptions } from './unwrap.js';

const MACS = { src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' };
const V4 = { src: '192.0.2.1', dst: '192.0.2.9' };
const V6 = { src: '2001:db8::1', dst: '2001:db8::9' };
const outer = (): PacketBuilder => eth(MACS);

/** An echo request as a guest sends it, 98 bytes. */
const PING = eth({ src: '02:f8:65:91:36:11', dst: '02:aa:bb:cc:dd:ee' })
  .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
  .ping({ ident: 1, seq: 1 })
  .payload(new Uint8Array(56))
  .bytes();

const ascii = (text: string): number[] => [...Buffer.from(text)];
const tlv = (type: number, value: readonly number[]): number[] => [type, value.length, ...value];
const END = [0xff, 0];
const NETWORK = 'default-domain:tim:traffic-net';

const portCopy = (frame: Uint8Array, network = NETWORK, type = 3): number[] => [
  ...tlv(type, ascii(network)),
  ...END,
  ...frame,
];

/** What came out, in values of its own. */
interface Found {
  readonly bytes: readonly number[];
  readonly originalLength: number;
  readonly comment: string;
  readonly port: number;
}

class Collected implements Sink {
  readonly frames: Found[] = [];
  frame({ bytes, at, length, originalLength, origin }: Frame): void {
    const { comment, port } = origin;
    this.frames.push({ bytes: [...bytes.subarray(at, at + length)], originalLength, comment, port });
  }
  readonly flush = (): void => undefined;
  readonly statistics = this.flush;
  readonly close = this.flush;
}

interface Outcome {
  readonly frames: readonly Found[];
  readonly statistics: InputStatistics;
}

function unwrap(
  packets: readonly Uint8Array[],
  options: Partial<UnwrapOptions> = {},
  link: number = LINK.ethernet,
): Outcome {
  const session = new Session();
  const sink = new Collected();
  session.addSink(sink);
  const decoder = session.addInput('test');
  const unwrapper = new Unwrapper(decoder, { format: null, ports: new Map(), ...options });
  for (const [i, packet] of packets.entries()) {
    decoder.statistics.received++;
    decoder.frame.seconds = i;
    // Amid other bytes, where an input keeps it.
    const b = new Uint8Array(packet.length + 20).fill(0xa5);
    b.set(packet, 7);
    unwrapper.packet(link, b, 7, 7 + packet.length, packet.length);
  }
  unwrapper.close();
  return { frames: sink.frames, statistics: decoder.statistics };
}

const malformed = ({ statistics }: Outcome): number =>
  MALFORMED_REASONS.reduce((sum, reason) => sum + statistics.malformed[reason], 0);

test('the copies of the documents have payloads of 132, 236 and 170 bytes, and the frames come out', (t) => {
  const unreachable = eth({ src: '02:00:5e:00:00:01', dst: '02:f8:65:91:36:11' })
    .ipv4({ src: '7.7.7.3', dst: '4.4.4.3' })
    .icmp({ type: 3, code: 3 })
    .payload(new Uint8Array(160))
    .bytes();
  const flow = [
    ...[...tlv(1, [192, 0, 2, 7]), ...tlv(2, [0x40, 0, 0, 0xa0])],
    ...[...tlv(3, ascii('default-domain:admin:left-net')), ...tlv(4, ascii('default-domain:admin:rnet'))],
    ...[...END, ...PING],
  ];
  const payloads = [portCopy(PING), portCopy(unreachable, NETWORK, 4), flow];
  t.deepEqual(
    payloads.map(({ length }) => length),
    [132, 236, 170],
  );
  const { frames } = unwrap(payloads.map((payload) => outer().ipv4(V4).udp(64035, 8888).payload(payload).bytes()));
  t.deepEqual(
    frames.map(({ bytes }) => bytes),
    [[...PING], [...unreachable], [...PING]],
  );
  t.deepEqual(
    frames.map(({ comment }) => comment),
    [
      `dir=ingress;host=192.0.2.1;src_vn=${NETWORK}`,
      `dir=egress;host=192.0.2.1;dst_vn=${NETWORK}`,
      'dir=ingress;host=192.0.2.7;action=pass,mirror;flags=0x400000a0;' +
        'src_vn=default-domain:admin:left-net;dst_vn=default-domain:admin:rnet',
    ],
  );
});

test('metadata is found behind tags, labels and tunnels, over IPv4 and IPv6', (t) => {
  const copy = portCopy(PING);
  const inner = (around: PacketBuilder): Uint8Array => around.ipv4(V4).udp(50000, 8099).payload(copy).bytes();
  const carriers: Readonly<Record<string, Uint8Array>> = {
    plain: inner(outer()),
    IPv6: outer().ipv6(V6).udp(50000, 8099).payload(copy).bytes(),
    'IPv6 with options': outer().ipv6(V6).extension(60).udp(50000, 8099).payload(copy).bytes(),
    VLAN: inner(outer().vlan(7)),
    QinQ: inner(outer().vlan(7, { tpid: 0x88a8 }).vlan(9)),
    'MPLS over UDP, IP': inner(outer().ipv4(V4).udp(50001, 6635).mpls(17)),
    'MPLS over UDP, two labels': inner(outer().ipv4(V4).udp(50001, 6635).mpls(17, { bottom: false }).mpls(18)),
    'MPLS over UDP, old port': inner(outer().ipv4(V4).udp(50001, 51234).mpls(17)),
    'MPLS over UDP, Ethernet': outer().ipv4(V4).udp(50001, 6635).mpls(17).payload(inner(outer())).bytes(),
    'MPLS over UDP, control word': outer()
      .ipv4(V4)
      .udp(50001, 6635)
      .mpls(17)
      .payload([0, 0, 0, 0, ...inner(outer())])
      .bytes(),
    'MPLS over GRE': inner(outer().ipv4(V4).gre().mpls(17)),
    'MPLS over GRE with key': inner(outer().ipv4(V4).gre({ key: 5, checksum: true }).mpls(17)),
    'IP in GRE': inner(outer().ipv4(V4).gre()),
    VXLAN: outer().ipv4(V4).udp(50001, 4789).vxlan(5).payload(inner(outer())).bytes(),
    'VXLAN in VLAN over IPv6': outer().vlan(3).ipv6(V6).udp(50001, 4789).vxlan(5).payload(inner(outer())).bytes(),
  };
  for (const [name, packet] of Object.entries(carriers)) {
    const { frames, statistics } = unwrap([packet]);
    t.deepEqual(
      frames.map(({ bytes, port }) => [bytes, port]),
      [[[...PING], 8099]],
      name,
    );
    t.is(statistics.others, 0, name);
  }
});

test('frames that tunnels carry are mirrored themselves, with what the tunnel says of them', (t) => {
  const erspan3 = hex('20 00 00 2a 00 00 00 01 00 00 00 08');
  const carriers: readonly (readonly [Uint8Array, Format, string])[] = [
    [
      outer().ipv4(V4).udp(1, 4789).vxlan(77).payload(PING).bytes(),
      'vxlan',
      'unknown;host=192.0.2.1;format=vxlan;id=77',
    ],
    [
      outer()
        .ipv4(V4)
        .gre({ type: 0x88be, flags: 0x1000 })
        .payload(hex('00 00 00 01 10 00 00 2a 00 00 00 00'))
        .payload(PING)
        .bytes(),
      'erspan',
      'unknown;host=192.0.2.1;format=erspan;id=42',
    ],
    [outer().ipv4(V4).gre({ type: 0x88be }).payload(PING).bytes(), 'erspan', 'unknown;host=192.0.2.1;format=erspan'],
    [
      outer()
        .ipv4(V4)
        .gre({ type: 0x22eb, flags: 0x1000 })
        .payload([0, 0, 0, 1, ...erspan3])
        .payload(PING)
        .bytes(),
      'erspan',
      'egress;host=192.0.2.1;format=erspan;id=42',
    ],
    [outer().ipv4(V4).gre({ type: 0x6558, key: 9 }).payload(PING).bytes(), 'teb', 'unknown;host=192.0.2.1;format=teb'],
  ];
  for (const [packet, format, said] of carriers) {
    t.deepEqual(
      unwrap([packet]).frames.map(({ bytes, comment }) => [bytes, comment]),
      [[[...PING], `dir=${said}`]],
      said,
    );
    t.is(unwrap([packet], { format }).frames.length, 1, said);
    t.is(unwrap([packet], { format: 'jmirror' }).frames.length, 0, said);
  }
});

test('packets of jmirror get an Ethernet header, and raw frames are taken as they are', (t) => {
  const ip = PING.slice(14);
  const packet = outer().ipv4(V4).udp(1, 30030).payload([0, 0, 0, 7, 0, 0, 0, 9]).payload(ip).bytes();
  const [found] = unwrap([packet]).frames;
  t.deepEqual(found.bytes, [...new Uint8Array(12), 8, 0, ...ip]);
  t.true(found.comment.endsWith('format=jmirror;id=7/9'));
  t.deepEqual(
    unwrap([PING], { format: 'raw' }).frames.map(({ bytes }) => bytes),
    [[...PING]],
  );
  const { frames, statistics } = unwrap([PING]);
  t.deepEqual([frames.length, statistics.others], [0, 1]);
});

test('packets of captures at all interfaces and of tunnels without Ethernet are taken apart', (t) => {
  const packet = outer().ipv4(V4).udp(1, 8099).payload(portCopy(PING)).bytes().slice(14);
  const cooked = Uint8Array.of(...new Uint8Array(14), 8, 0, ...packet);
  const cooked2 = Uint8Array.of(8, 0, ...new Uint8Array(18), ...packet);
  for (const [link, b] of [
    [101, packet],
    [113, cooked],
    [276, cooked2],
  ] as const) {
    t.deepEqual(
      unwrap([b], {}, link).frames.map(({ bytes }) => bytes),
      [[...PING]],
      `link type ${link}`,
    );
  }
  t.is(unwrap([packet], {}, 999).statistics.others, 1);
});

test('what is no metadata counts by its reason at ports of analyzers, and is another packet at others', (t) => {
  const bad: readonly (readonly [readonly number[], string])[] = [
    [[], 'noEnd'],
    [[3], 'noEnd'],
    [[3, 200, 1, 2], 'badLength'],
    [[3, 1, 65], 'noEnd'],
    [[9, 1, 1, ...END, ...PING], 'unknownType'],
    [[3, 1, 65, 3, 1, 65, ...END, ...PING], 'duplicate'],
    [[...END, ...PING.slice(0, 13)], 'noFrame'],
    [[1, 3, 1, 1, 1, ...END, ...PING], 'badLength'],
  ];
  for (const [payload, reason] of bad) {
    const at = (port: number): Uint8Array => outer().ipv4(V4).udp(1, port).payload(payload).bytes();
    const expected = { ...Object.fromEntries(MALFORMED_REASONS.map((one) => [one, 0])), [reason]: 1 };
    const usual = unwrap([at(8099)]);
    t.deepEqual([usual.statistics.malformed, usual.statistics.others], [expected, 0], reason);
    const chosen = unwrap([at(8888), at(8099)], { ports: new Map([[8888, 'tlv']]) });
    t.deepEqual([chosen.statistics.malformed, chosen.statistics.others], [expected, 1], reason);
    const other = unwrap([at(9000)]);
    t.deepEqual([malformed(other), other.statistics.others], [0, 1], reason);
  }
});

test('a frame of 9000 bytes comes out of fragments, in any order, over IPv4 and IPv6 and inside a tunnel', (t) => {
  const large = Uint8Array.from([...PING.slice(0, 14), ...Array.from({ length: 8986 }, (_, i) => (i * 7) & 0xff)]);
  const datagram = outer().ipv4(V4).udp(5, 8099).payload(portCopy(large)).bytes().slice(34);
  const orders = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 });
  fc.assert(
    fc.property(orders, fc.constantFrom('IPv4', 'IPv6', 'tunnel'), fc.option(fc.nat(6)), (order, kind, twice) => {
      const pieces = order.concat(twice ?? []).map((piece) => {
        const [offset, end] = [piece * 1304, Math.min((piece + 1) * 1304, datagram.length)];
        const data = datagram.slice(offset, end);
        const mf = end < datagram.length;
        if (kind === 'IPv6') {
          return outer()
            .ipv6({ ...V6, nextHeader: 44 })
            .payload([17, 0, (offset >>> 8) & 255, (offset & 0xf8) | (mf ? 1 : 0), 0, 0, 0, 9])
            .payload(data)
            .bytes();
        }
        const around = kind === 'tunnel' ? outer().ipv4(V4).udp(1, 6635).mpls(3) : outer();
        return around
          .ipv4({ ...V4, id: 77, mf, fragmentOffset: offset, protocol: 17 })
          .payload(data)
          .bytes();
      });
      const { frames, statistics } = unwrap(pieces);
      t.is(frames.length, 1);
      t.deepEqual(frames[0].bytes, [...large]);
      t.is(frames[0].originalLength, 9000);
      t.is(statistics.fragments, pieces.length);
    }),
    { numRuns: 30 },
  );
});

test('a last fragment below others does not complete a datagram with bytes that never came', (t) => {
  const piece = (id: number, offset: number, length: number, mf: boolean): Uint8Array =>
    outer()
      .ipv4({ ...V4, id, mf, fragmentOffset: offset, protocol: 17 })
      .payload(offset === 0 ? [0, 1, 31, 163, 0, 0, 0, 0] : [])
      .payload(new Uint8Array(offset === 0 ? length - 8 : length))
      .bytes();
  // Units 0, 3 and 4, then the end at 3 units: as many as there are, but units 1 and 2 are missing.
  const beyond = unwrap([piece(1, 24, 16, true), piece(1, 0, 8, true), piece(1, 16, 8, false)]);
  // The end within a unit that is there as a whole.
  const within = unwrap([piece(2, 16, 8, true), piece(2, 0, 16, true), piece(2, 16, 3, false)]);
  for (const { frames, statistics } of [beyond, within]) {
    t.deepEqual(frames, []);
    t.is(statistics.malformed.incomplete, 1);
    t.is(statistics.malformed.noEnd + statistics.malformed.noFrame, 0);
  }
});

test('flags of two bytes do not say a direction, as they have no bit for it', (t) => {
  const of = (...metadata: readonly number[][]): string => {
    const payload = [...tlv(2, [0, 0xa0]), ...metadata.flat(), ...END, ...PING];
    return unwrap([outer().ipv4(V4).udp(1, 8099).payload(payload).bytes()]).frames[0].comment.split(';')[0];
  };
  const [source, destination] = [tlv(3, ascii('a')), tlv(4, ascii('b'))];
  t.deepEqual(
    [of(source, destination), of(source), of(destination), of()],
    ['dir=unknown', 'dir=ingress', 'dir=egress', 'dir=unknown'],
  );
});

test('fragments whose rest never comes are counted, and hold no more than so many datagrams', (t) => {
  const first = (id: number): Uint8Array =>
    outer()
      .ipv4({ ...V4, id, mf: true, protocol: 17 })
      .payload(new Uint8Array(64))
      .bytes();
  const { frames, statistics } = unwrap(Array.from({ length: 200 }, (_, i) => first(i)));
  t.is(frames.length, 0);
  t.is(statistics.malformed.incomplete, 200);
});

test('a frame that was cut when its packet was captured has the length it had', (t) => {
  const packet = outer().ipv4(V4).udp(1, 8099).payload(portCopy(PING)).bytes();
  const session = new Session();
  const sink = new Collected();
  session.addSink(sink);
  const unwrapper = new Unwrapper(session.addInput('test'), { format: null, ports: new Map() });
  unwrapper.packet(LINK.ethernet, packet, 0, 120, packet.length);
  unwrapper.packet(LINK.ethernet, packet, 0, 60, packet.length);
  t.deepEqual(
    sink.frames.map(({ bytes, originalLength }) => [bytes, originalLength]),
    [[[...PING.slice(0, 120 - 76)], 98]],
  );
  t.like(session.statistics.inputs[0].malformed, { cut: 1 });
});

test('whatever is sniffed is a frame, another packet, a fragment or malformed, once, and nothing throws', (t) => {
  const seeds = [
    outer().ipv4(V4).udp(1, 8099).payload(portCopy(PING)).bytes(),
    outer().ipv6(V6).udp(1, 4789).vxlan(4).payload(PING).bytes(),
    outer().vlan(4).ipv4(V4).gre().mpls(4).payload(PING).bytes(),
    outer()
      .ipv4({ ...V4, mf: true, protocol: 17 })
      .payload(new Uint8Array(64))
      .bytes(),
    outer().ipv4(V4).udp(1, 30030).payload([0, 0, 0, 7, 0, 0, 0, 9]).payload(PING.slice(14)).bytes(),
  ];
  const changed = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(150), fc.nat(255)), { maxLength: 5 }), fc.nat(200))
    .map(([seed, changes, length]) => {
      const b = seed.slice(0, Math.max(length, 1));
      for (const [at, value] of changes) if (at < b.length) b[at] = value;
      return b;
    });
  fc.assert(
    fc.property(fc.array(changed, { maxLength: 4 }), (packets) => {
      const { frames, statistics } = unwrap(packets);
      t.is(frames.length, statistics.frames);
      const { incomplete, ...others } = statistics.malformed;
      const bad = Object.values(others).reduce((sum, one) => sum + one, 0);
      t.true(incomplete <= statistics.fragments);
      const told = statistics.frames + statistics.others + bad;
      t.true(told <= packets.length && packets.length <= told + statistics.fragments);
    }),
    { numRuns: 1000 },
  );
});
