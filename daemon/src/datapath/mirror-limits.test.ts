import test from 'ava';
import fc from 'fast-check';
import { MIRROR } from '../tables/counters.js';
import { FLOW_HEADER } from '../tables/flow.js';
import { BOTH, mirrorPort, setMirror, wrappedCopies } from '../testing/mirrors.js';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';

const ANALYZER = 5;

function mirrored(changes: Parameters<typeof setMirror>[2] = {}): TestNetwork {
  const network = new TestNetwork({ guests: 3 });
  setMirror(network.tables, 0, changes);
  mirrorPort(network.tables, 3, [BOTH(0)]);
  return network;
}

const datagram = (port = 53, length = 20): Uint8Array =>
  eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1000, port)
    .payload(new Uint8Array(length).fill(9))
    .bytes();

const copies = (sent: ReturnType<TestNetwork['receive']>): ReturnType<typeof wrappedCopies> =>
  wrappedCopies(sent.filter(({ port }) => port === ANALYZER).map(({ frame }) => frame));

const counted = (network: TestNetwork, word: keyof typeof MIRROR): number =>
  network.counters.words[network.counters.mirrorAt(0) + MIRROR[word]];

test('one of so many frames is copied, from the first one on', (t) => {
  const network = mirrored({ sample: 3 });
  const made = Array.from({ length: 8 }, () => copies(network.receive(3, datagram())).length);
  t.deepEqual(made, [1, 0, 0, 1, 0, 0, 1, 0]);
  t.is(counted(network, 'sampledOut'), 5);
  t.is(network.imbalance(), 0);
});

test('no more than the limit is copied in a second, and originals go on', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(400), { maxLength: 60 }), (rateLimit, gaps) => {
      const network = mirrored({ rateLimit });
      let tokens = rateLimit;
      let expected = 0;
      for (const afterMs of gaps) {
        tokens = Math.min(rateLimit, tokens + (afterMs * rateLimit) / 1000);
        const passes = tokens >= 1;
        if (passes) tokens--;
        expected += passes ? 1 : 0;
        const sent = network.receive(3, datagram(), { afterMs });
        t.is(sent.length, passes ? 2 : 1);
      }
      t.is(counted(network, 'ingressPackets'), expected);
      t.is(counted(network, 'limited'), gaps.length - expected);
      t.is(network.imbalance(), 0);
    }),
    { numRuns: 20 },
  );
});

test('a frame is copied as far as the mirror says, but not less than its Ethernet header', (t) => {
  const network = mirrored({ snapLength: 40 });
  t.deepEqual(copies(network.receive(3, datagram()))[0].frame, datagram().subarray(0, 40));
  t.is(counted(network, 'ingressBytes'), 40);
  setMirror(network.tables, 0, { snapLength: 4 });
  t.is(copies(network.receive(3, datagram()))[0].frame.length, 14);
  setMirror(network.tables, 0, { snapLength: 4000 });
  t.deepEqual(copies(network.receive(3, datagram()))[0].frame, datagram());
});

/** The analyzer tells the guest that nobody listens, about the copy it got. */
function unreachable(copy: Uint8Array, isIpv6 = false): Uint8Array {
  const head = eth({ src: macOf(ANALYZER), dst: macOf(3) });
  if (isIpv6)
    return head
      .ipv6({ src: ip6Of(ANALYZER), dst: ip6Of(3) })
      .icmpv6({ type: 1, code: 4 })
      .payload(copy.subarray(14))
      .bytes();
  return head
    .ipv4({ src: ipOf(ANALYZER), dst: ipOf(3) })
    .icmp({ type: 3, code: 3 })
    .payload(copy.subarray(14))
    .bytes();
}

test('an ICMP error about a copy is kept from the guest, and not copied; other errors are not', (t) => {
  for (const isIpv6 of [false, true]) {
    const network = mirrored({ analyzer: isIpv6 ? ip6Of(ANALYZER) : ipOf(ANALYZER) });
    const copy = network.receive(3, datagram()).find(({ port }) => port === ANALYZER);
    if (!copy) return t.fail('no copy');
    t.is(network.receive(ANALYZER, unreachable(copy.frame, isIpv6)).length, 0);
    t.is(network.drops('mirrorError'), 1);
    t.is(counted(network, 'suppressed'), 1);

    // One about a session of the guest's own passes.
    network.receive(3, datagram());
    const about = eth({ src: macOf(4), dst: macOf(3) })
      .ipv4({ src: ipOf(4), dst: ipOf(3) })
      .icmp({ type: 3, code: 3 })
      .payload(datagram().subarray(14))
      .bytes();
    t.deepEqual(
      network
        .receive(4, about)
        .map(({ port }) => port)
        .sort(),
      [3, ANALYZER],
    );
    t.is(network.imbalance(), 0);
  }
});

test('where errors about copies are wanted, the guest gets them, and so does the analyzer', (t) => {
  const network = mirrored({ suppressErrors: false });
  const ping = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .ping({ ident: 1, seq: 1 })
    .payload(new Uint8Array(56))
    .bytes();
  const first = network.receive(3, ping).find(({ port }) => port === ANALYZER);
  if (!first) return t.fail('no copy');
  const error = unreachable(first.frame);
  const sent = network.receive(ANALYZER, error);
  t.deepEqual(
    sent.map(({ port }) => port),
    [ANALYZER, 3],
  );
  t.deepEqual(sent[1].frame, error);
  t.deepEqual(copies(sent)[0].frame, error);
  t.is(network.flows.header[FLOW_HEADER.active], 2);

  // Not of somebody who is not where the error seems to come from.
  const forged = eth({ src: macOf(4), dst: macOf(3) })
    .ipv4({ src: ipOf(ANALYZER), dst: ipOf(3) })
    .icmp({ type: 3, code: 3 })
    .payload(first.frame.subarray(14))
    .bytes();
  t.is(network.receive(4, forged).length, 0);
  t.is(network.imbalance(), 0);
});

test('the port of a copy says nothing of what a fat flow folds', (t) => {
  const ports = (network: TestNetwork): Set<number> =>
    new Set([53, 54, 55].map((port) => copies(network.receive(3, datagram(port)))[0].sourcePort));
  t.is(ports(mirrored()).size, 3);
  const folded = new TestNetwork({
    guests: 3,
    port: (vif) =>
      vif === 3 ? { fatFlows: [{ protocol: 17, port: 0, ignore: 'none', source: null, destination: null }] } : {},
  });
  setMirror(folded.tables, 0);
  mirrorPort(folded.tables, 3, [BOTH(0)]);
  t.is(ports(folded).size, 1);
});

test('a mirrored analyzer is copied for its own analyzer, and no copy is copied on the host that made it', (t) => {
  const network = new TestNetwork({ guests: 4 });
  setMirror(network.tables, 0);
  setMirror(network.tables, 1, { analyzer: ipOf(6) });
  mirrorPort(network.tables, 3, [BOTH(0)]);
  mirrorPort(network.tables, ANALYZER, [BOTH(1)]);
  const sent = network.receive(3, datagram());
  t.deepEqual(
    sent.map(({ port }) => port),
    [ANALYZER, 4],
  );
  // What the analyzer sends itself is copied; a copy that another host made is, too, once.
  const own = eth({ src: macOf(ANALYZER), dst: GATEWAY_MAC })
    .ipv4({ src: ipOf(ANALYZER), dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  t.deepEqual(
    network.receive(ANALYZER, own).map(({ port }) => port),
    [6, 4],
  );
  const [{ frame: wrapped }] = sent;
  const resent = Uint8Array.of(
    ...Buffer.from(`${macOf(ANALYZER)}${macOf(4)}`.replaceAll(':', ''), 'hex'),
    ...wrapped.subarray(12),
  );
  resent.set([5, 5, 5, 4], 26);
  t.deepEqual(
    network.receive(4, fixed(resent)).map(({ port }) => port),
    [6, ANALYZER],
  );
  t.is(network.imbalance(), 0);
});

/** The same datagram with the checksums of its addresses; UDP without one. */
function fixed(frame: Uint8Array): Uint8Array {
  return eth({ src: macOf(4), dst: macOf(ANALYZER) })
    .ipv4({ src: ipOf(4), dst: ipOf(ANALYZER), ttl: 63 })
    .udp(50_000, 8099)
    .payload(frame.subarray(42))
    .bytes();
}
