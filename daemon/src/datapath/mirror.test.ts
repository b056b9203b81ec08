import test from 'ava';
import { MIRROR } from '../tables/counters.js';
import { FLOW_HEADER } from '../tables/flow.js';
import { BOTH, mirrorPort, setMirror, type WrappedCopy, wrappedCopies } from '../testing/mirrors.js';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, type NetworkOptions, TestNetwork } from '../testing/network.js';
import { eth, vnetHeader } from '../testing/packet-builder.js';

/** Guest 3 is mirrored, 4 is who it talks to, 5 the analyzer. */
const ANALYZER = 5;
const NETWORK = 'default-domain:tim:traffic-net';
const META = (type: number): Uint8Array => Uint8Array.of(type, NETWORK.length, ...Buffer.from(NETWORK), 255, 0);

function mirrored(options: NetworkOptions = {}, mirrors = [BOTH(0)]): TestNetwork {
  const network = new TestNetwork({ guests: 3, ...options });
  const vrf = network.tables.vrfs[7];
  if (!vrf) throw new Error('no VRF');
  network.tables.apply({ table: 'vrf', op: 'set', record: { ...vrf.record, name: NETWORK } });
  setMirror(network.tables, 0);
  mirrorPort(network.tables, 3, mirrors);
  return network;
}

const ping = (from: number, to: number, seq = 0): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to), df: true })
    .ping({ ident: 44_801, seq })
    .payload(new Uint8Array(56))
    .bytes();

type Sent = ReturnType<TestNetwork['receive']>;

/** What the analyzer got; and what everybody else did, with whom. */
const copiesIn = (sent: Sent): WrappedCopy[] =>
  wrappedCopies(sent.filter(({ port }) => port === ANALYZER).map(({ frame }) => frame));
const othersIn = (sent: Sent): (readonly [number, Uint8Array])[] =>
  sent.filter(({ port }) => port !== ANALYZER).map(({ port, frame }) => [port, frame] as const);

const counted = (network: TestNetwork, word: keyof typeof MIRROR, mirror = 0): number =>
  network.counters.words[network.counters.mirrorAt(mirror) + MIRROR[word]];

test('what a guest sends and is sent is copied in metadata, UDP and IP, as Contrail does', (t) => {
  const network = mirrored();
  const request = ping(3, 4);
  const sent = network.receive(3, request);
  const [copy] = copiesIn(sent);
  t.is(sent.length, 2);
  const wrapped = (id: number, port: number, type: number, frame: Uint8Array): Uint8Array =>
    eth({ src: GATEWAY_MAC, dst: macOf(ANALYZER) })
      .ipv4({ src: ipOf(3), dst: ipOf(ANALYZER), ttl: 63, id })
      .udp(port, 8099)
      .payload([...META(type), ...frame])
      .bytes();
  const to = sent.find(({ port }) => port === ANALYZER);
  t.deepEqual(to?.frame, wrapped(1, copy.sourcePort, 3, request));
  t.is(to?.frame.length, 14 + 20 + 8 + 132);
  t.deepEqual(othersIn(sent), [[4, request]]);

  const reply = eth({ src: macOf(4), dst: macOf(3) })
    .ipv4({ src: ipOf(4), dst: ipOf(3) })
    .ping({ type: 0, ident: 44_801, seq: 0 })
    .payload(new Uint8Array(56))
    .bytes();
  const back = network.receive(4, reply);
  const [answer] = copiesIn(back);
  t.deepEqual(back.find(({ port }) => port === ANALYZER)?.frame, wrapped(2, answer.sourcePort, 4, reply));
  t.not(answer.sourcePort, copy.sourcePort);
  for (const { sourcePort } of [copy, answer]) t.true(sourcePort >= 49_152 && sourcePort <= 65_534);
  t.is(copiesIn(network.receive(3, ping(3, 4, 1)))[0].sourcePort, copy.sourcePort);
  t.is(counted(network, 'ingressPackets'), 2);
  t.is(counted(network, 'ingressBytes'), 2 * 98);
  t.is(counted(network, 'egressPackets'), 1);
  t.is(network.vrfStat('udpTunnels'), 3);
  t.is(network.imbalance(), 0);
});

test('a copy makes no flow and meets no rule, and its analyzer may be the guest itself', (t) => {
  const network = mirrored();
  setMirror(network.tables, 0, { analyzer: ipOf(3) });
  const sent = network.receive(3, ping(3, 4));
  t.deepEqual(
    sent.map(({ port }) => port),
    [3, 4],
  );
  t.deepEqual(wrappedCopies([sent[0].frame])[0].frame, ping(3, 4));
  t.is(network.flows.header[FLOW_HEADER.active], 2);
  t.is(network.receive(4, ping(4, 3)).length, 2);
  t.is(network.imbalance(), 0);
});

test('frames that are not IP come from the port of the nexthop, and those of the datapath are copied, too', (t) => {
  const network = mirrored();
  const request = eth({ src: macOf(3), dst: 'ff:ff:ff:ff:ff:ff' })
    .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: '5.5.5.1' })
    .bytes();
  const sent = network.receive(3, request);
  const copies = copiesIn(sent);
  t.deepEqual(
    copies.map(({ sourcePort, metadata }) => [sourcePort, metadata[0][0]]),
    [
      [8097, 3],
      [8097, 4],
    ],
  );
  t.deepEqual(copies[0].frame, request);
  t.deepEqual(othersIn(sent), [[3, copies[1].frame]]);

  const probe = eth({ src: GATEWAY_MAC, dst: 'ff:ff:ff:ff:ff:ff' })
    .arp({ op: 1, senderMac: GATEWAY_MAC, senderIp: '5.5.5.2', targetIp: ipOf(3) })
    .bytes();
  const probed = network.fromAgent(3, probe);
  t.deepEqual(othersIn(probed), [[3, probe]]);
  t.deepEqual(copiesIn(probed)[0].frame, probe);
  t.is(network.imbalance(), 0);
});

test('what the guest may not send is copied before it is dropped', (t) => {
  const network = mirrored();
  const spoofed = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: '9.9.9.9', dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  const sent = network.receive(3, spoofed);
  t.deepEqual(othersIn(sent), []);
  t.deepEqual(copiesIn(sent)[0].frame, spoofed);
  const malformed = eth({ src: macOf(3), dst: macOf(4), type: 0x0800 })
    .payload([0x45, 0, 0])
    .bytes();
  const copies = copiesIn(network.receive(3, malformed));
  t.deepEqual(copies[0].frame, malformed);
  t.is(copies[0].sourcePort, 8097);
  t.is(network.imbalance(), 0);
});

test('an analyzer with an IPv6 address gets copies over IPv6', (t) => {
  const network = mirrored();
  setMirror(network.tables, 0, { analyzer: ip6Of(ANALYZER), port: 8888 });
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv6({ src: ip6Of(3), dst: ip6Of(4) })
    .ping6({ ident: 1, seq: 2 })
    .bytes();
  const [copy] = copiesIn(network.receive(3, frame));
  t.like(copy, { source: ip6Of(3), destination: ip6Of(ANALYZER), ttl: 63, destinationPort: 8888 });
  t.deepEqual(copy.frame, frame);
  t.is(network.imbalance(), 0);
});

test('copies come from this host where the nexthop does not copy the address, or there is none to copy', (t) => {
  const network = mirrored();
  setMirror(network.tables, 0, { copySip: false });
  t.is(copiesIn(network.receive(3, ping(3, 4)))[0].source, '192.168.200.11');
  setMirror(network.tables, 0);
  const record = network.tables.vifs.get(3)?.record;
  if (record) network.tables.apply({ table: 'vif', op: 'set', record: { ...record, ip: '0.0.0.0' } });
  t.is(copiesIn(network.receive(3, ping(3, 4)))[0].source, '192.168.200.11');
});

test('an analyzer nobody has a route to gets nothing, the original goes on, and both are counted', (t) => {
  const network = mirrored();
  setMirror(network.tables, 0, { analyzer: '7.7.7.3' });
  t.deepEqual(othersIn(network.receive(3, ping(3, 4))), [[4, ping(3, 4)]]);
  t.is(counted(network, 'discards'), 1);
  t.is(counted(network, 'ingressPackets'), 0);
  t.is(network.drops('discards'), 1);
  t.is(network.vrfStat('discards'), 1);
  t.is(network.imbalance(), 0);

  mirrorPort(network.tables, 3, [BOTH(200)]);
  t.is(network.receive(3, ping(3, 4)).length, 1);
  t.is(network.imbalance(), 0);
  network.tables.apply({ table: 'mirror', op: 'delete', id: 0 });
  t.is(counted(network, 'discards'), 0);
});

test('a super-frame is copied as its segments, and stays what it is', (t) => {
  const network = mirrored();
  const payload = Uint8Array.from({ length: 2500 }, (_, i) => i);
  const head = eth({ src: macOf(3), dst: macOf(4) }).ipv4({ src: ipOf(3), dst: ipOf(4), id: 7 });
  const frame = head.tcp(1000, 80, { seq: 5, flags: 0x18, checksum: 'partial' }).payload(payload).bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  const sent = network.receive(3, frame, { vnet });
  const segment = (i: number): Uint8Array =>
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4), id: 7 + i })
      .tcp(1000, 80, { seq: 5 + 1000 * i, flags: i === 2 ? 0x18 : 0x10 })
      .payload(payload.subarray(1000 * i, 1000 * (i + 1)))
      .bytes();
  t.deepEqual(
    copiesIn(sent).map((copy) => copy.frame),
    [0, 1, 2].map(segment),
  );
  t.deepEqual(othersIn(sent), [[4, frame]]);
  t.deepEqual(sent.at(-1)?.vnet, vnet);
  t.is(counted(network, 'ingressPackets'), 3);
  t.is(network.imbalance(), 0);
});

test('a checksum left to others is complete in the copy, and left in the original', (t) => {
  const network = mirrored();
  const frame = (checksum?: 'partial'): Uint8Array =>
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .udp(1000, 53, checksum === undefined ? {} : { checksum })
      .payload([1, 2, 3])
      .bytes();
  const vnet = vnetHeader({ flags: 1, csumStart: 34, csumOffset: 6 });
  const sent = network.receive(3, frame('partial'), { vnet });
  t.deepEqual(copiesIn(sent)[0].frame, frame());
  t.deepEqual(othersIn(sent), [[4, frame('partial')]]);
  t.deepEqual(sent.at(-1)?.vnet, vnet);
});

test('a copy longer than the interface of the analyzer takes is cut into fragments', (t) => {
  for (const analyzer of [ipOf(ANALYZER), ip6Of(ANALYZER)]) {
    const network = mirrored();
    setMirror(network.tables, 0, { analyzer });
    const frame = eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .udp(1000, 53)
      .payload(Uint8Array.from({ length: 1422 }, (_, i) => i))
      .bytes();
    const sent = network.receive(3, frame);
    const parts = sent.filter(({ port }) => port === ANALYZER);
    t.is(parts.length, 2);
    for (const part of parts) t.true(part.frame.length <= 1450 + 14);
    const [copy] = copiesIn(sent);
    t.deepEqual(copy.frame, frame);
    t.is(network.imbalance(), 0);
  }
});

test('an interface with several mirrors is copied for each in its direction', (t) => {
  const network = mirrored({}, [
    { mirror: 0, receive: true, transmit: false },
    { mirror: 1, receive: false, transmit: true },
    { mirror: 2, receive: true, transmit: true },
  ]);
  setMirror(network.tables, 1, { port: 1001 });
  setMirror(network.tables, 2, { port: 1002 });
  const ports = (sent: Sent): number[] => copiesIn(sent).map(({ destinationPort }) => destinationPort);
  t.deepEqual(ports(network.receive(3, ping(3, 4))), [8099, 1002]);
  t.deepEqual(ports(network.receive(4, ping(4, 3))), [1001, 1002]);
  t.is(network.imbalance(), 0);
});

test('what is too short for an Ethernet header is not copied', (t) => {
  const network = mirrored();
  t.deepEqual(
    network.fromAgent(3, Uint8Array.of(0xff, 0xff)).map(({ port }) => port),
    [3],
  );
  t.is(network.fromAgent(3, new Uint8Array(14)).length, 2);
  t.is(network.imbalance(), 0);
});
