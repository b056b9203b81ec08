import test from 'ava';
import { FLOW_ACTION, FLOW_DROP, FLOW_HEADER, FLOW_OWN, TCP_FLAG } from '../tables/flow.js';
import { VIF } from '../tables/counters.js';
import { NH_ID, VIF_ID } from '../tables/records.js';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import { entries, pair } from '../testing/flow-entries.js';
import { eth } from '../testing/packet-builder.js';
import { flowUpkeep } from './flow-upkeep.js';

const { syn, synReverse, established, establishedReverse } = TCP_FLAG;
const SYN = 0x02;
const ACK = 0x10;
const FIN = 0x01;

const ping = (from: number, to: number, { src = ipOf(from), dst = ipOf(to), mac = macOf(to) } = {}): Uint8Array =>
  eth({ src: macOf(from), dst: mac })
    .ipv4({ src, dst })
    .ping({ ident: 7, seq: 1 })
    .payload(new Uint8Array(10))
    .bytes();

const udp = (from: number, to: number, sport: number, dport: number): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to) })
    .udp(sport, dport)
    .bytes();

const segment = (from: number, to: number, flags: number, seq: number, ack: number): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to) })
    .tcp(from * 1000, to * 1000, { flags, seq, ack })
    .bytes();

test('a session between two guests is a pair of entries, one for each direction', (t) => {
  const net = new TestNetwork();
  const echo = ping(3, 4);
  t.is(net.receive(3, echo)[0].port, 4);
  t.is(net.receive(4, ping(4, 3))[0].port, 3);
  t.is(net.receive(3, echo)[0].port, 4);
  const [forward, reverse] = pair(net);
  t.like(forward, {
    reverse: reverse.index,
    keyNh: 23,
    source: ipOf(3),
    ports: [7, 0],
    action: FLOW_ACTION.forward,
    rpfNh: 23,
    packets: 2,
    bytes: 2 * echo.length,
    source1: 3,
  });
  t.like(reverse, {
    reverse: forward.index,
    keyNh: 24,
    source: ipOf(4),
    ports: [7, 0],
    action: FLOW_ACTION.forward,
    rpfNh: 24,
    packets: 1,
    bytes: echo.length,
    source1: 4,
  });
  t.true([forward, reverse].every(({ outerPort }) => outerPort >= 49_152 && outerPort <= 65_534));
  t.is(net.imbalance(), 0);
});

test('ports of the other direction are swapped', (t) => {
  const net = new TestNetwork();
  net.receive(3, udp(3, 4, 1000, 53));
  net.receive(4, udp(4, 3, 53, 1000));
  t.deepEqual(
    pair(net).map(({ ports, packets }) => [ports, packets]),
    [
      [[1000, 53], 1],
      [[53, 1000], 1],
    ],
  );
});

test('a TCP session shows its letters, and its pair is gone once it is closed', (t) => {
  const net = new TestNetwork();
  net.receive(3, segment(3, 4, SYN, 100, 0));
  net.receive(4, segment(4, 3, SYN | ACK, 500, 101));
  net.receive(3, segment(3, 4, ACK, 101, 501));
  const letters = syn | synReverse | established | establishedReverse;
  t.deepEqual(
    pair(net).map(({ tcp }) => tcp),
    [letters, letters],
  );
  net.receive(3, segment(3, 4, FIN | ACK, 101, 501));
  net.receive(4, segment(4, 3, FIN | ACK, 501, 102));
  net.receive(3, segment(3, 4, ACK, 102, 502));
  t.deepEqual(net.receive(4, segment(4, 3, ACK, 502, 102)), []);
  t.is(net.drops('flowEvict'), 1);
  t.false(flowUpkeep(net.dp));
  t.deepEqual(entries(net), []);
  t.is(net.imbalance(), 0);
});

test('a session may begin anew on the ports of one that was closed a moment ago', (t) => {
  const net = new TestNetwork();
  net.receive(3, segment(3, 4, SYN, 100, 0));
  net.receive(4, segment(4, 3, SYN | ACK, 500, 101));
  net.receive(3, segment(3, 4, FIN | ACK, 101, 501));
  net.receive(4, segment(4, 3, FIN | ACK, 501, 102));
  net.receive(3, segment(3, 4, ACK, 102, 502));
  t.is(net.receive(3, segment(3, 4, SYN, 900, 0)).length, 1);
  t.deepEqual(
    pair(net).map(({ tcp, packets }) => [tcp, packets]),
    [
      [syn, 1],
      [synReverse, 0],
    ],
  );
  flowUpkeep(net.dp);
  t.is(entries(net).length, 2);
});

test('an address nobody has is refused by a flow that is to be removed soon', (t) => {
  const net = new TestNetwork();
  t.deepEqual(net.receive(3, ping(3, 100, { mac: GATEWAY_MAC })), []);
  t.is(net.drops('flowActionDrop'), 1);
  t.like(pair(net)[0], { action: FLOW_ACTION.drop, reason: FLOW_DROP.noDstRt, packets: 1 });
  t.true(entries(net).every(({ own }) => (own & FLOW_OWN.short) !== 0));
});

test('who takes an address that is not his, or a MAC, is dropped', (t) => {
  const net = new TestNetwork({ guests: 3 });
  t.deepEqual(net.receive(3, ping(3, 4, { src: '5.5.5.77' })), []);
  t.like(pair(net)[0], { action: FLOW_ACTION.drop, reason: FLOW_DROP.noSrcRt });
  t.is(net.drops('flowActionDrop'), 1);

  const another = new TestNetwork({ guests: 3 });
  t.deepEqual(another.receive(3, ping(3, 4, { src: ipOf(5) })), []);
  t.is(another.drops('invalidSource'), 1);
  t.is(entries(another).length, 1, 'answers would go to somebody else');
  t.like(entries(another)[0], { action: FLOW_ACTION.forward, rpfNh: 25, packets: 1, reverse: -1 });

  const mac = new TestNetwork({ guests: 3 });
  const forged = ping(3, 4);
  forged[11] = 0x99;
  t.deepEqual(mac.receive(3, forged), []);
  t.is(mac.drops('flowActionDrop'), 1);
  t.like(pair(mac)[0], { action: FLOW_ACTION.drop, reason: FLOW_DROP.noSrcRt });
});

test('a MAC that is not the guest’s is dropped in the midst of a session too', (t) => {
  const net = new TestNetwork();
  net.receive(3, ping(3, 4));
  const forged = ping(3, 4);
  forged[11] = 0x99;
  t.deepEqual(net.receive(3, forged), []);
  t.is(net.drops('invalidSource'), 1);
  t.is(pair(net)[0].packets, 2);
});

test('a guest and its gateway have a session', (t) => {
  const net = new TestNetwork();
  t.deepEqual(net.receive(3, ping(3, 1, { dst: '5.5.5.1', mac: GATEWAY_MAC })), []);
  t.is(net.punted().length, 1);
  t.like(pair(net)[1], { keyNh: NH_ID.agent, rpfNh: NH_ID.agent, packets: 0 });
  const answer = eth({ src: GATEWAY_MAC, dst: macOf(3) })
    .ipv4({ src: '5.5.5.1', dst: ipOf(3) })
    .ping({ type: 0, ident: 7, seq: 1 })
    .bytes();
  t.is(net.fromAgent(3, answer)[0].port, 3);
  t.like(pair(net)[1], { packets: 1, bytes: answer.length, source1: VIF_ID.agent });
  const other = eth({ src: GATEWAY_MAC, dst: macOf(3) })
    .ipv4({ src: '5.5.5.1', dst: ipOf(3) })
    .udp(67, 68)
    .bytes();
  for (const frame of [other, other.subarray(0, 36), other.subarray(0, 13), answer.subarray(0, 40)])
    t.is(net.fromAgent(3, frame).length, 1);
  t.is(entries(net).length, 2);
  t.is(net.imbalance(), 0);
});

test('guests without flows have none, and with a guest that has they have its', (t) => {
  const none = new TestNetwork({ packetMode: 'all' });
  none.receive(3, ping(3, 4));
  t.deepEqual(entries(none), []);
  const one = new TestNetwork({ packetMode: [3] });
  t.is(one.receive(3, ping(3, 4)).length, 1);
  t.is(one.receive(4, ping(4, 3)).length, 1);
  t.deepEqual(
    pair(one).map(({ keyNh, rpfNh, packets }) => [keyNh, rpfNh, packets]),
    [
      [24, 0, 1],
      [24, 24, 1],
    ],
  );
  const other = new TestNetwork({ packetMode: [4] });
  t.is(other.receive(3, ping(3, 4, { mac: GATEWAY_MAC })).length, 1);
  t.is(other.receive(4, ping(4, 3, { mac: GATEWAY_MAC })).length, 1);
  t.deepEqual(
    pair(other).map(({ keyNh, packets }) => [keyNh, packets]),
    [
      [23, 1],
      [23, 1],
    ],
  );
});

test('IPv6 has flows, neighbour discovery has none', (t) => {
  const net = new TestNetwork();
  const to = eth({ src: macOf(3), dst: macOf(4) }).ipv6({ src: ip6Of(3), dst: ip6Of(4), hopLimit: 255 });
  net.receive(3, to.neighbourSolicitation({ target: ip6Of(4), mac: macOf(3) }).bytes());
  t.deepEqual(entries(net), []);
  const echo = eth({ src: macOf(3), dst: macOf(4) }).ipv6({ src: ip6Of(3), dst: ip6Of(4) });
  t.is(net.receive(3, echo.ping6({ ident: 9, seq: 1 }).bytes()).length, 1);
  t.deepEqual(
    pair(net).map(({ ports }) => ports),
    [
      [9, 129],
      [9, 129],
    ],
  );
});

test('an interface has a share of the table, and no new sessions beyond it', (t) => {
  const net = new TestNetwork({ flowsPerInterface: 6 });
  for (let port = 1; port <= 5; port++) net.receive(3, udp(3, 4, port, 53));
  t.is(entries(net).length, 6);
  t.is(net.drops('newFlow'), 2);
  t.is(net.flows.header[FLOW_HEADER.limited], 2);
  t.is(net.counters.words[net.counters.vifAt(3) + VIF.flows], 6);
  t.is(net.receive(4, udp(4, 3, 53, 1)).length, 1);
  t.is(net.receive(4, udp(4, 3, 99, 99)).length, 1);
  t.is(net.imbalance(), 0);
});

test('a full table refuses new sessions and carries those it has', (t) => {
  const net = new TestNetwork({ flowEntries: 4, flowOverflow: 1 });
  for (let port = 1; port <= 3; port++) net.receive(3, udp(3, 4, port, 53));
  t.is(net.drops('flowTableFull'), 1);
  t.is(entries(net).length, 4);
  t.is(net.receive(4, udp(4, 3, 53, 1)).length, 1);
  t.is(net.imbalance(), 0);
});

test('who talks to himself harms nobody', (t) => {
  const net = new TestNetwork();
  t.deepEqual(net.receive(3, ping(3, 3)), []);
  t.deepEqual(net.receive(3, udp(3, 3, 5, 5)), []);
  t.true(
    entries(net).every(({ index, reverse, reason }) => index === reverse && reason === FLOW_DROP.sameFlowRflowKey),
  );
  t.is(net.counters.words[net.counters.vifAt(3) + VIF.flows], 2);
  net.configure({ guests: 0 });
  while (flowUpkeep(net.dp));
  t.deepEqual(entries(net), []);
  t.is(net.imbalance(), 0);
});

test('a session goes with the interface of either end', (t) => {
  const net = new TestNetwork();
  net.receive(3, ping(3, 4));
  net.configure({ guests: 1 });
  while (flowUpkeep(net.dp));
  t.deepEqual(entries(net), []);
  t.is(net.counters.words[net.counters.vifAt(3) + VIF.flows], 0);
});

test('pairs that were idle for the time that was asked are removed, others stay', (t) => {
  const net = new TestNetwork();
  net.receive(3, udp(3, 4, 1, 53));
  net.receive(3, udp(3, 4, 2, 53), { afterMs: 5000 });
  net.receive(4, udp(4, 3, 53, 2), { afterMs: 1000 });
  const old = entries(net).map(({ index }) => [index, net.flows.generation(index), 2000]);
  net.dp.flow.ageing.push(Int32Array.from(old.flat()));
  net.dp.flow.ageing.push(Int32Array.of(9999, 1, 0, -1, 0, 0));
  while (flowUpkeep(net.dp));
  t.deepEqual(
    pair(net).map(({ ports }) => ports),
    [
      [2, 53],
      [53, 2],
    ],
  );
});

test('ICMP errors pass with the session they are about, and begin none', (t) => {
  const net = new TestNetwork();
  const request = udp(3, 4, 1000, 53);
  const error = eth({ src: macOf(4), dst: macOf(3) })
    .ipv4({ src: ipOf(4), dst: ipOf(3) })
    .icmp({ type: 3, code: 3 })
    .payload(request.subarray(14))
    .bytes();
  t.deepEqual(net.receive(4, error), []);
  t.is(net.drops('flowUnusable'), 1);
  t.deepEqual(entries(net), []);
  net.receive(3, request);
  t.is(net.receive(4, error)[0].port, 3);
  t.deepEqual(
    pair(net).map(({ packets }) => packets),
    [1, 1],
  );
  t.is(net.imbalance(), 0);
});
