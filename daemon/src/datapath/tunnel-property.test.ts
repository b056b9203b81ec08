import test from 'ava';
import fc from 'fast-check';
import type { SentFrame } from '../io/memory.js';
import { VIF } from '../tables/counters.js';
import { PUNT } from '../tables/punt.js';
import {
  GATEWAY_MAC,
  HOST_MAC,
  INNER_MAC,
  ip6Of,
  ipOf,
  macOf,
  type OtherHost,
  TestNetwork,
} from '../testing/network.js';
import { eth, internetChecksum, vnetHeader } from '../testing/packet-builder.js';
import { tunnelPackets } from '../testing/tunnel-decoder.js';

/** What a guest sends, what stands between it and the other host, and what must arrive there. */
interface Case {
  readonly encapsulation: OtherHost['encapsulation'];
  readonly outerIpv6: boolean;
  readonly outerDf: boolean;
  readonly mtu: number;
  /** Whether the underlay's port takes virtio-net headers. */
  readonly offloads: boolean;
  readonly packetMode: boolean;
  readonly way: 'routed' | 'bridged' | 'flooded';
  readonly ip: 4 | 6;
  readonly tcp: boolean;
  readonly tos: number;
  readonly ttl: number;
  readonly df: boolean;
  readonly options: boolean;
  readonly length: number;
  /** Payload bytes of a segment; 0: no super-frame. */
  readonly gsoSize: number;
  readonly partial: boolean;
  readonly sourcePort: number;
}

const arbitrary: fc.Arbitrary<Case> = fc.record({
  encapsulation: fc.constantFrom('MPLSoUDP' as const, 'MPLSoGRE' as const, 'VXLAN' as const),
  outerIpv6: fc.boolean(),
  outerDf: fc.boolean(),
  mtu: fc.constantFrom(1280, 1500, 9000),
  offloads: fc.boolean(),
  packetMode: fc.boolean(),
  way: fc.constantFrom('routed' as const, 'bridged' as const, 'flooded' as const),
  ip: fc.constantFrom(4 as const, 6 as const),
  tcp: fc.boolean(),
  tos: fc.nat(255),
  ttl: fc.integer({ min: 2, max: 255 }),
  df: fc.boolean(),
  options: fc.boolean(),
  length: fc.oneof(fc.integer({ min: 1, max: 1600 }), fc.integer({ min: 1, max: 12_000 })),
  gsoSize: fc.oneof(fc.constant(0), fc.integer({ min: 300, max: 1600 })),
  partial: fc.boolean(),
  sourcePort: fc.integer({ min: 1024, max: 65535 }),
});

const FAR_MAC = '02:00:00:00:00:99';
const FAR = { 4: '8.8.8.8', 6: 'fd00:9::9' } as const;
const NEAR = { 4: ipOf(3), 6: ip6Of(3) } as const;
const LABELS = { routed: 20, bridged: 57, flooded: 1001 } as const;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
/** Longest frame a guest sends that is no super-frame: jumbo frames. */
const JUMBO = 8900;
/** Record route (first fragment only), and one that all fragments have. */
const OPTIONS = [7, 3, 4, 0x94, 4, 0, 0, 0];
const OPTIONS_LATER = [1, 1, 1, 0x94, 4, 0, 0, 0];

const destinationMac = { routed: GATEWAY_MAC, bridged: FAR_MAC, flooded: BROADCAST } as const;

/** The packet of the segment with this number, as the guest's stack would have made it itself. */
function built(c: Case, segment: number, last: boolean, payload: Uint8Array, macs: string[], ttl: number): Uint8Array {
  const [dst, src] = macs;
  const ip = eth({ src, dst });
  if (c.ip === 4) {
    const options = c.options ? OPTIONS : [];
    ip.ipv4({ src: NEAR[4], dst: FAR[4], tos: c.tos, id: 77 + segment, ttl, df: c.df, options });
  } else {
    ip.ipv6({ src: NEAR[6], dst: FAR[6], trafficClass: c.tos, hopLimit: ttl });
  }
  const seq = 1000 + segment * c.gsoSize;
  const checksum = c.partial && segment === 0 && payload.length === c.length ? { checksum: 'partial' as const } : {};
  const l4 = c.tcp
    ? ip.tcp(c.sourcePort, 80, { seq, flags: last ? 0x18 : 0x10, ...checksum })
    : ip.udp(c.sourcePort, 53, checksum);
  return l4.payload(payload).bytes();
}

const ipLen = (c: Case): number => (c.ip === 6 ? 40 : 20 + (c.options ? OPTIONS.length : 0));
const content = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

/** What the guest's port gives us. */
function given(c: Case): { frame: Uint8Array; vnet: Uint8Array } {
  const frame = built(c, 0, true, content(c.length), [destinationMac[c.way], macOf(3)], c.ttl);
  const checksum = { flags: 1, csumStart: 14 + ipLen(c), csumOffset: c.tcp ? 16 : 6 };
  if (c.gsoSize === 0) return { frame, vnet: c.partial ? vnetHeader(checksum) : vnetHeader() };
  const gsoType = c.tcp ? (c.ip === 4 ? 1 : 4) : 5;
  return {
    frame,
    vnet: vnetHeader({ ...checksum, gsoType, hdrLen: checksum.csumStart + (c.tcp ? 20 : 8), gsoSize: c.gsoSize }),
  };
}

/** What must come out of the tunnel, were it not for its size: whole frames, routed ones with an Ethernet header that is not looked at. */
function expected(c: Case): Uint8Array[] {
  const macs = c.way === 'routed' ? [INNER_MAC, GATEWAY_MAC] : [destinationMac[c.way], macOf(3)];
  const ttl = c.way === 'routed' ? c.ttl - 1 : c.ttl;
  const whole = content(c.length);
  const size = c.gsoSize === 0 ? c.length : c.gsoSize;
  const count = Math.ceil(c.length / size);
  return Array.from({ length: count }, (_, i) => {
    const part = whole.slice(i * size, (i + 1) * size);
    return built({ ...c, partial: false }, i, i === count - 1, part, macs, ttl);
  });
}

const overheadOf = (c: Case): number =>
  (c.outerIpv6 ? 40 : 20) + { MPLSoUDP: 12, MPLSoGRE: 8, VXLAN: 16 }[c.encapsulation];

/** Puts IPv4 fragments of frames together again; other frames stay as they are. */
function reassembled(frames: readonly Uint8Array[]): Uint8Array[] {
  const done: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (const frame of frames) {
    const field = frame[12] === 0x08 ? frame[20] * 256 + frame[21] : 0;
    if ((field & 0x3fff) === 0) {
      done.push(frame);
      continue;
    }
    const headerLen = (frame[14] & 15) * 4;
    if (internetChecksum(frame.subarray(14, 14 + headerLen)) !== 0) throw new Error('header checksum of a fragment');
    const before = parts.reduce((sum, part) => sum + part.length - 14 - headerLen, 0);
    if ((field & 0x1fff) * 8 !== before) throw new Error('a gap between fragments');
    const options = before === 0 ? OPTIONS : OPTIONS_LATER;
    if (headerLen > 20 && String(frame.slice(34, 34 + options.length)) !== String(options)) throw new Error('options');
    parts.push(frame);
    if ((field & 0x2000) !== 0) continue;
    const [first] = parts;
    const whole = Uint8Array.from([...first, ...parts.slice(1).flatMap((part) => [...part.subarray(14 + headerLen)])]);
    const total = whole.length - 14;
    whole.set([total >> 8, total & 0xff], 16);
    whole.set([0, 0], 20);
    whole.set([0, 0], 24);
    const checksum = internetChecksum(whole.subarray(14, 14 + headerLen));
    whole.set([checksum >> 8, checksum & 0xff], 24);
    done.push(whole);
    parts = [];
  }
  if (parts.length > 0) throw new Error('a fragment is missing');
  return done;
}

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

function network(c: Case): TestNetwork {
  const label = c.encapsulation === 'VXLAN' ? LABELS : { ...LABELS };
  const other: OtherHost = {
    peer: 2,
    encapsulation: c.encapsulation,
    mtu: c.mtu,
    ...(c.outerIpv6 && { source: 'fd00:a::11', destination: 'fd00:a::22' }),
    routes: [
      [FAR[4], label.routed],
      [FAR[6], label.routed],
    ],
    macs: [[FAR_MAC, label.bridged]],
    flood: label.flooded,
  };
  const net = new TestNetwork({
    guests: 1,
    hosts: [other],
    outerDf: c.outerDf,
    ...(c.packetMode && { packetMode: 'all' }),
  });
  const underlay = net.tables.vifs.get(0);
  if (underlay) underlay.offloads = c.offloads;
  return net;
}

test('whatever a guest sends comes out of the tunnel whole, or its sender is told how long it may be', (t) => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(arbitrary, (any) => {
      // Only super-frames are longer than jumbo frames.
      const c = { ...any, length: any.gsoSize === 0 ? Math.min(any.length, JUMBO - ipLen(any)) : any.length };
      const net = network(c);
      const { frame, vnet } = given(c);
      const sent = net.receive(3, frame, { vnet });
      if (net.imbalance() !== 0) return false;
      const fits = expected(c)[0].length - lostOf(c) + overheadOf(c) <= c.mtu;
      const isCut = c.ip === 4 && !c.df;
      seen.add(fits ? (c.gsoSize > 0 ? 'super-frame' : 'plain') : isCut ? 'cut' : 'refused');
      return fits || isCut ? arrives(c, net, sent, fits) : isRefused(c, net, sent);
    }),
    { numRuns: 200 },
  );
  t.deepEqual([...seen].sort(), ['cut', 'plain', 'refused', 'super-frame']);
});

/** Bytes of the Ethernet header that do not go through the tunnel. */
const lostOf = (c: Case): number => (c.way === 'routed' && c.encapsulation !== 'VXLAN' ? 14 : 0);

function arrives(c: Case, net: TestNetwork, sent: readonly SentFrame[], fits: boolean): boolean {
  const packets = sent.flatMap((one) => tunnelPackets(one));
  const [first] = packets;
  for (const packet of packets) {
    const { tos, df, ttl, label, labelTtl, length, encapsulation, port } = packet;
    const innerTtl = c.way === 'routed' ? c.ttl - 1 : 64;
    if (encapsulation !== c.encapsulation || tos !== (c.tos & 3) || ttl !== 64 || length > c.mtu) return false;
    if (!c.outerIpv6 && df !== c.outerDf) return false;
    if (label !== LABELS[c.way] || (labelTtl >= 0 && labelTtl !== innerTtl)) return false;
    if (c.encapsulation !== 'MPLSoGRE' && (port !== first.port || port < 49152 || port > 65534)) return false;
  }
  const lost = lostOf(c);
  const header = hex(expected(c)[0].subarray(0, lost));
  const inner = packets.map(({ payload }) => Uint8Array.from(Buffer.from(header + hex(payload), 'hex')));
  const whole = fits ? inner : reassembled(inner);
  const wire = packets.reduce((sum, packet) => sum + packet.length + 14, 0);
  const at = net.counters.vifAt(0);
  const isCounted =
    net.counters.words[at + VIF.txPackets] === packets.length && net.counters.words[at + VIF.txBytes] === wire;
  const isGrouped = sent.length < packets.length;
  const mayBeGrouped = c.gsoSize > 0 && c.gsoSize < c.length && fits && c.offloads && c.encapsulation !== 'MPLSoGRE';
  return isCounted && isGrouped === mayBeGrouped && String(whole.map(hex)) === String(expected(c).map(hex));
}

function isRefused(c: Case, net: TestNetwork, sent: readonly SentFrame[]): boolean {
  const punted = net.punted();
  if (sent.length > 0) return false;
  const count = expected(c).length;
  if (c.way === 'flooded') return punted.length === 0 && net.drops('jumboMcast') === count;
  const [{ command, parameter, vif, frame }] = punted;
  const most = c.mtu - overheadOf(c) - 14 + lostOf(c);
  const quoted = expected(c)[0].subarray(14);
  return (
    punted.length === 1 &&
    command === PUNT.handleDf &&
    parameter === most &&
    vif === 3 &&
    net.drops('trapOriginal') === count &&
    hex(frame.subarray(14)) === hex(quoted)
  );
}

test('a frame for the address of the host itself does not enter a tunnel', (t) => {
  const hosts = [{ peer: 2, encapsulation: 'MPLSoUDP' as const, macs: [[FAR_MAC, 57] as const] }];
  const net = new TestNetwork({ hosts });
  const frame = eth({ src: macOf(3), dst: HOST_MAC })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  t.deepEqual(
    net.receive(3, frame).map(({ port }) => port),
    [4],
  );
});
