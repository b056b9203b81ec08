import test from 'ava';
import { MIRROR } from '../tables/counters.js';
import { BOTH, mirrorPort, setMirror, wrappedCopies } from '../testing/mirrors.js';
import { ipOf, macOf, routedLabelOf, TestNetwork } from '../testing/network.js';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';
import { tunnelPackets } from '../testing/tunnel-decoder.js';

const guestOf = (host: number): string => `9.9.9.${host}`;
const underlayOf = (host: number): string => `192.168.200.${11 + host}`;

/** Hosts whose guests 3 are mirrored to each other in a circle: everything each of them sends and gets goes to the next one. */
function circle(size: number, snapLength: number): TestNetwork[] {
  const hosts = Array.from({ length: size }, (_, i) => i);
  return hosts.map((host) => {
    const others = hosts.filter((other) => other !== host);
    const network = new TestNetwork({
      packetMode: 'all',
      port: (vif) => (vif === 3 ? { addresses: [guestOf(host)] } : {}),
      hosts: others.map((peer) => ({
        peer,
        encapsulation: 'MPLSoUDP',
        source: underlayOf(host),
        destination: underlayOf(peer),
        routes: [[guestOf(peer), routedLabelOf(3)]],
      })),
    });
    setMirror(network.tables, 0, { analyzer: guestOf((host + 1) % size), snapLength });
    mirrorPort(network.tables, 3, [BOTH(0)]);
    return network;
  });
}

const datagram = (length: number): Uint8Array =>
  eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: guestOf(0), dst: ipOf(4) })
    .udp(1000, 53)
    .payload(new Uint8Array(length).fill(7))
    .bytes();

/** Lets guest 3 of the first host send a frame, and what follows arrive wherever it goes; returns how many frames were sent. */
function exchange(networks: readonly TestNetwork[], frame: Uint8Array): number {
  const waiting = networks[0].receive(3, frame);
  let sent = 0;
  for (let next = waiting.shift(); next && sent <= 200; next = waiting.shift()) {
    sent++;
    if (next.port !== 0) continue;
    const [{ destination }] = tunnelPackets(next);
    const to = networks.find((_, host) => underlayOf(host) === destination);
    if (!to) throw new Error(`nobody is at ${destination}`);
    waiting.push(...to.receive(0, next.frame, { vnet: next.vnet }));
  }
  return sent;
}

for (const size of [2, 3])
  for (const snapLength of [0, 14, 20, 64, 100])
    test(`${size} hosts whose mirrors lead to each other come to an end, with ${snapLength || 'all'} bytes of a frame`, (t) => {
      const networks = circle(size, snapLength);
      for (const length of [20, 1400]) {
        const sent = exchange(networks, datagram(length));
        t.true(sent >= 3 && sent < 40, `${sent} frames`);
      }
      const looped = networks.map(({ counters }) => counters.words[counters.mirrorAt(0) + MIRROR.looped]);
      t.true(Math.max(...looped) > 0);
      for (const network of networks) t.is(network.imbalance(), 0);
    });

const ANALYZER = 5;
const END = [255, 0];
const copiesIn = (sent: ReturnType<TestNetwork['receive']>): ReturnType<typeof wrappedCopies> =>
  wrappedCopies(sent.filter(({ port }) => port === ANALYZER).map(({ frame }) => frame));

const forAnalyzer = (head: PacketBuilder): Uint8Array =>
  head
    .ipv4({ src: ipOf(3), dst: ipOf(ANALYZER) })
    .udp(50_000, 8099)
    .payload([...END, ...new Uint8Array(60)])
    .bytes();

function mirrored(changes: Parameters<typeof setMirror>[2] = {}): TestNetwork {
  const network = new TestNetwork({ guests: 3 });
  setMirror(network.tables, 0, changes);
  mirrorPort(network.tables, 3, [BOTH(0)]);
  return network;
}

test('a guest hides nothing from its mirror by what looks like a copy inside', (t) => {
  const network = mirrored();
  const inside = forAnalyzer(eth({ src: macOf(3), dst: macOf(ANALYZER) }));
  for (const [from, to] of [
    [3, 4],
    [4, 3],
  ]) {
    const hiding = eth({ src: macOf(from), dst: macOf(to) })
      .ipv4({ src: ipOf(from), dst: ipOf(to) })
      .udp(50_000, 8099)
      .payload([...END, ...inside])
      .bytes();
    t.deepEqual(copiesIn(network.receive(from, hiding))[0]?.frame, hiding);
  }
  t.is(network.imbalance(), 0);
});

test('fragments a guest sends to its analyzer are copied', (t) => {
  const network = new TestNetwork({ guests: 3, packetMode: 'all' });
  setMirror(network.tables, 0);
  mirrorPort(network.tables, 3, [BOTH(0)]);
  const fragment = eth({ src: macOf(3), dst: macOf(ANALYZER) })
    .ipv4({ src: ipOf(3), dst: ipOf(ANALYZER), protocol: 17, fragmentOffset: 64 })
    .payload(new Uint8Array(40))
    .bytes();
  t.is(network.receive(3, fragment).length, 2);
  t.is(network.imbalance(), 0);
});

test('an analyzer that mirrors what it gets to itself gets fragments of copies once', (t) => {
  const network = new TestNetwork({ guests: 3, packetMode: 'all' });
  setMirror(network.tables, 0);
  mirrorPort(network.tables, ANALYZER, [BOTH(0)]);
  const fragment = eth({ src: macOf(3), dst: macOf(ANALYZER) })
    .ipv4({ src: ipOf(3), dst: ipOf(ANALYZER), protocol: 17, fragmentOffset: 64 })
    .payload(new Uint8Array(40))
    .bytes();
  t.is(network.receive(3, fragment).length, 1);
  const whole = forAnalyzer(eth({ src: macOf(3), dst: macOf(ANALYZER) }));
  t.is(network.receive(3, whole).length, 1);
  t.is(network.imbalance(), 0);
});

test('what is not copied as it is a copy uses up neither sample nor limit', (t) => {
  const ordinary = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1000, 53)
    .bytes();
  for (const changes of [{ sample: 2 }, { rateLimit: 1 }]) {
    const network = mirrored(changes);
    t.is(network.receive(3, forAnalyzer(eth({ src: macOf(3), dst: macOf(ANALYZER) }))).length, 1);
    t.is(copiesIn(network.receive(3, ordinary)).length, 1);
  }
});
