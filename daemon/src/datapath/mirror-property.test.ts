import test from 'ava';
import fc from 'fast-check';
import type { VifMirrorRecord } from '../tables/records.js';
import { mirrorPort, setMirror, wrappedCopies } from '../testing/mirrors.js';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth, vnetHeader } from '../testing/packet-builder.js';
import { tunnelPackets } from '../testing/tunnel-decoder.js';

/** Guests 3 and 4 talk to each other, to another host and to everybody; 5 is the analyzer on this host, 8.8.8.8 that on another. */
const ANALYZER = 5;
const FAR = { ip: '8.8.8.8', ip6: 'fd00:9::9', mac: '02:00:00:00:00:99', label: 20 } as const;
const BRIDGED = { local: 45, tunnel: 62 } as const;

type Sent = ReturnType<TestNetwork['receive']>;

interface Frame {
  readonly from: 3 | 4;
  readonly by: 'guest' | 'agent';
  readonly to: 'neighbour' | 'far' | 'gateway' | 'all';
  readonly kind: 'udp' | 'tcp' | 'ping' | 'udp6' | 'arp' | 'other' | 'malformed' | 'tagged' | 'spoofed';
  readonly length: number;
  /** Bytes of a segment of a super-frame of TCP; 0: it is none. */
  readonly gso: number;
  readonly partial: boolean;
}

interface World {
  readonly frames: readonly Frame[];
  readonly mirrors: readonly {
    readonly kind: 'wrapped' | 'wrapped6' | 'far' | 'far6' | 'plain' | 'plainFar';
    readonly three: Pick<VifMirrorRecord, 'receive' | 'transmit'>;
    readonly four: Pick<VifMirrorRecord, 'receive' | 'transmit'>;
  }[];
  readonly packetMode: boolean;
  readonly mode: 'l2_l3' | 'l2' | 'l3';
  readonly offloads: boolean;
  readonly mtu: number;
  readonly encapsulation: 'MPLSoUDP' | 'MPLSoGRE' | 'VXLAN';
}

const sides = fc.record({ receive: fc.boolean(), transmit: fc.boolean() });
const worlds: fc.Arbitrary<World> = fc.record({
  frames: fc.array(
    fc.record({
      from: fc.constantFrom(3 as const, 4 as const),
      by: fc.constantFrom('guest' as const, 'guest' as const, 'agent' as const),
      to: fc.constantFrom('neighbour' as const, 'far' as const, 'gateway' as const, 'all' as const),
      kind: fc.constantFrom(
        ...(['udp', 'tcp', 'tcp', 'ping', 'udp6', 'arp', 'other', 'malformed', 'tagged', 'spoofed'] as const),
      ),
      length: fc.oneof(fc.nat(100), fc.nat(1380)),
      gso: fc.oneof(fc.constant(0), fc.integer({ min: 200, max: 1300 })),
      partial: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  mirrors: fc.array(
    fc.record({
      kind: fc.constantFrom(...(['wrapped', 'wrapped6', 'far', 'far6', 'plain', 'plainFar'] as const)),
      three: sides,
      four: sides,
    }),
    { minLength: 1, maxLength: 1 },
  ),
  packetMode: fc.boolean(),
  mode: fc.constantFrom('l2_l3' as const, 'l2' as const, 'l3' as const),
  offloads: fc.boolean(),
  mtu: fc.constantFrom(1500, 900),
  encapsulation: fc.constantFrom('MPLSoUDP' as const, 'MPLSoGRE' as const, 'VXLAN' as const),
});

function made(world: World): TestNetwork {
  const network = new TestNetwork({
    guests: 3,
    mode: world.mode,
    ...(world.packetMode && { packetMode: 'all' }),
    port: () => ({ portSecurity: false }),
    mtu: world.mtu,
    hosts: [
      {
        peer: 2,
        encapsulation: world.encapsulation,
        mtu: 1600,
        routes: [
          [FAR.ip, FAR.label],
          [FAR.ip6, FAR.label],
        ],
        macs: [[FAR.mac, 57]],
        flood: 1001,
      },
    ],
  });
  for (const vif of [3, 4]) {
    const port = network.tables.vifs.get(vif);
    if (port) port.offloads = world.offloads;
  }
  return network;
}

/** Payload bytes that all differ from their neighbours. */
const data = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 37 + (i >> 8));

/** A frame and its virtio-net header; and the frames it is on the wire, made by the definition. */
function built({ from, by, to, kind, length, gso, partial }: Frame): {
  frame: Uint8Array;
  vnet: Uint8Array;
  wire: Uint8Array[];
} {
  const other = from === 3 ? 4 : 3;
  const macs = { neighbour: macOf(other), far: FAR.mac, gateway: GATEWAY_MAC, all: 'ff:ff:ff:ff:ff:ff' } as const;
  const isFar = to === 'far' || to === 'gateway';
  const head = eth({ src: macOf(from), dst: macs[to] });
  const inet = { src: kind === 'spoofed' ? '9.9.9.9' : ipOf(from), dst: isFar ? FAR.ip : ipOf(other), id: 77 };
  const plain = (frame: Uint8Array): ReturnType<typeof built> => ({ frame, vnet: vnetHeader(), wire: [frame] });
  switch (kind) {
    case 'tcp':
      break;
    case 'udp':
    case 'spoofed':
      return plain(head.ipv4(inet).udp(1000, 2000).payload(data(length)).bytes());
    case 'tagged':
      return plain(head.vlan(9).ipv4(inet).udp(1000, 2000).payload(data(length)).bytes());
    case 'ping':
      return plain(head.ipv4(inet).ping({ ident: 5, seq: 6 }).payload(data(length)).bytes());
    case 'udp6':
      return plain(
        head
          .ipv6({ src: ip6Of(from), dst: isFar ? FAR.ip6 : ip6Of(other) })
          .udp(1000, 2000)
          .payload(data(length))
          .bytes(),
      );
    case 'arp':
      return plain(
        head
          .arp({ op: 1, senderMac: macOf(from), senderIp: ipOf(from), targetIp: isFar ? '5.5.5.1' : ipOf(other) })
          .bytes(),
      );
    case 'other':
      return plain(
        eth({ src: macOf(from), dst: macs[to], type: 0x88cc })
          .payload(data(length))
          .bytes(),
      );
    case 'malformed':
      return plain(
        eth({ src: macOf(from), dst: macs[to], type: 0x0800 })
          .payload(data(length))
          .bytes(),
      );
  }
  const isSuper = by === 'guest' && gso > 0 && length > 0;
  const isPartial = by === 'guest' && (partial || isSuper);
  const bytes = isSuper ? data(length * 4) : data(length);
  const tcp = (payload: Uint8Array, i: number, isLast: boolean, checksum?: 'partial'): Uint8Array =>
    eth({ src: macOf(from), dst: macs[to] })
      .ipv4({ ...inet, id: 77 + i })
      .tcp(1000, 80, { seq: 5 + i * gso, flags: isLast ? 0x18 : 0x10, ...(checksum && { checksum }) })
      .payload(payload)
      .bytes();
  const count = isSuper ? Math.ceil(bytes.length / gso) : 1;
  const csum = { csumStart: 34, csumOffset: 16 };
  return {
    frame: tcp(bytes, 0, true, isPartial ? 'partial' : undefined),
    vnet: isPartial
      ? vnetHeader({ flags: 1, ...csum, ...(isSuper && { gsoType: 1, hdrLen: 54, gsoSize: gso }) })
      : vnetHeader(),
    wire: Array.from({ length: count }, (_, i) =>
      tcp(isSuper ? bytes.subarray(i * gso, (i + 1) * gso) : bytes, i, i === count - 1),
    ),
  };
}

function run(network: TestNetwork, frame: Frame): Sent {
  const { frame: bytes, vnet } = built(frame);
  return frame.by === 'agent' ? network.fromAgent(frame.from, bytes) : network.receive(frame.from, bytes, { vnet });
}

const u16 = (b: Uint8Array, at: number): number => b[at] * 256 + b[at + 1];
const sum = (words: readonly number[]): number => {
  let total = 0;
  for (let i = 0; i < words.length; i += 2) total += words[i] * 256 + (words[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
};

/** What a frame sent to a port is on the wire: of TCP over IPv4 alone something may be left to do. */
function onWire({ frame, vnet }: Sent[number]): Uint8Array[] {
  const size = vnet[1] === 0 ? frame.length : vnet[4] + vnet[5] * 256;
  if (vnet[0] === 0 && vnet[1] === 0) return [frame];
  const headers = 54;
  const count = Math.max(1, Math.ceil((frame.length - headers) / size));
  return Array.from({ length: count }, (_, i) => {
    const part = Uint8Array.of(
      ...frame.subarray(0, headers),
      ...frame.subarray(headers + i * size, headers + (i + 1) * size),
    );
    const put = (at: number, value: number): void => part.set([(value >> 8) & 0xff, value & 0xff], at);
    put(16, part.length - 14);
    put(18, u16(part, 18) + i);
    put(24, 0);
    put(24, 0xffff - sum([...part.subarray(14, 34)]));
    put(40, u16(part, 40) + i * size);
    if (i < count - 1) part[47] &= ~0x09;
    put(50, 0);
    put(
      50,
      0xffff -
        sum(
          [...part.subarray(26, 34), 0, 6, 0, 0, ...part.subarray(34)]
            .with(10, (part.length - 34) >> 8)
            .with(11, (part.length - 34) & 0xff),
        ),
    );
    return part;
  });
}

/** What a frame is, or what a tunnel packet carries where: outer headers have numbers that copies use up, too. */
const contents = (one: Sent[number]): string =>
  hexes(
    one.port === 0
      ? tunnelPackets(one).map(({ label, payload }) => Uint8Array.of(label >> 8, label, ...payload))
      : [one.frame],
  ).join();

/** The copies among what was sent, as frames; and the rest, which is what would have been sent without mirrors. */
function divided(world: World, sent: Sent, originals: Sent): { copies: Uint8Array[]; rest: Sent } {
  const rest: Sent = [];
  const copies: Sent = [];
  for (const one of sent) {
    const next = originals[rest.length] as Sent[number] | undefined;
    const isNext = next !== undefined && next.port === one.port && contents(next) === contents(one);
    if (isNext) rest.push(one);
    else copies.push(one);
  }
  const { kind } = world.mirrors[0];
  const frames = copies.flatMap((one) =>
    one.port === 0 ? tunnelPackets(one).map(({ payload }) => payload) : [one.frame],
  );
  if (kind === 'plain' || kind === 'plainFar') return { copies: frames, rest };
  const isRouted = (kind === 'far' || kind === 'far6') && world.encapsulation !== 'VXLAN';
  const type = kind === 'far6' ? [0x86, 0xdd] : [0x08, 0x00];
  const whole = frames.map((frame) =>
    isRouted ? Uint8Array.of(...new Array<number>(12).fill(0), ...type, ...frame) : frame,
  );
  return { copies: wrappedCopies(whole).map(({ frame }) => frame), rest };
}

const hexes = (frames: readonly Uint8Array[]): string[] => frames.map((frame) => Buffer.from(frame).toString('hex'));

test('copies are what was on the wire, one for each, in order; and what was sent is the same as without mirrors', (t) => {
  t.timeout(60_000);
  fc.assert(
    fc.property(worlds, (world) => {
      const [mirror] = world.mirrors;
      const plain = made(world);
      const network = made(world);
      const analyzers = { wrapped: ipOf(ANALYZER), wrapped6: ip6Of(ANALYZER), far: FAR.ip, far6: FAR.ip6 } as const;
      if (mirror.kind === 'plain') setMirror(network.tables, 0, { nexthop: BRIDGED.local });
      else if (mirror.kind === 'plainFar') setMirror(network.tables, 0, { nexthop: BRIDGED.tunnel, vni: 205 });
      else setMirror(network.tables, 0, { analyzer: analyzers[mirror.kind], port: 4000 });
      mirrorPort(network.tables, 3, [{ mirror: 0, ...mirror.three }]);
      mirrorPort(network.tables, 4, [{ mirror: 0, ...mirror.four }]);
      const side = (vif: number): Pick<VifMirrorRecord, 'receive' | 'transmit'> | undefined =>
        vif === 3 ? mirror.three : vif === 4 ? mirror.four : undefined;

      // A network of layer 2 has no routes to its guests.
      const isReachable = world.mode !== 'l2' || !mirror.kind.startsWith('wrapped');
      for (const frame of world.frames) {
        const originals = run(plain, frame);
        const sent = run(network, frame);
        const { copies, rest } = divided(world, sent, originals);
        t.deepEqual(rest.map(contents), originals.map(contents));

        const expected: Uint8Array[] = [];
        if (frame.by === 'guest' && side(frame.from)?.receive) expected.push(...built(frame).wire);
        for (const one of originals) if (side(one.port)?.transmit) expected.push(...onWire(one));
        t.deepEqual(hexes(copies), isReachable ? hexes(expected) : []);
        t.is(network.imbalance(), 0);
      }
    }),
    { numRuns: 60 },
  );
});
