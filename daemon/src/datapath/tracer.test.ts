import test from 'ava';
import { GATEWAY_MAC, ipOf, macOf, type NetworkOptions, routedLabelOf, TestNetwork } from '../testing/network.js';
import { eth, vnetHeader } from '../testing/packet-builder.js';
import { DROP } from '../packet/drop.js';
import { FLOW_ACTION, FLOW_DROP } from '../tables/flow.js';
import { PUNT } from '../tables/punt.js';
import { VIF_ID } from '../tables/records.js';
import { ANSWER, HEAD_BYTES, STEP, STEP_WORD, type TraceFilter, Tracer, type TraceRecord } from './tracer.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const NAMES = Object.keys(STEP);
const ANY: TraceFilter = { vif: -1, vrf: -1, protocol: -1, etherType: -1, ends: [] };

/** A network without flows whose packets are traced. */
function traced(options: NetworkOptions = {}, filter: TraceFilter | null = null) {
  const net = new TestNetwork({ packetMode: 'all', ...options });
  const records: TraceRecord[] = [];
  net.dp.tracer = new Tracer(net.dp, filter, (record) => records.push(record));
  return { net, records };
}

/** Names of the steps with their first number. */
function told({ steps }: TraceRecord): (string | number)[][] {
  const rows = [];
  for (let at = 0; at < steps.length; at += STEP_WORD.words) rows.push([NAMES[steps[at]], steps[at + STEP_WORD.a]]);
  return rows;
}

const word = ({ steps }: TraceRecord, step: number, name: keyof typeof STEP_WORD): number =>
  steps[step * STEP_WORD.words + STEP_WORD[name]];

const ping = (from: number, to: string, dst: string, ttl = 64): Uint8Array =>
  eth({ src: macOf(from), dst })
    .ipv4({ src: ipOf(from), dst: to, ttl })
    .ping({ ident: 1, seq: 1 })
    .bytes();

const arpFor = (targetIp: string, senderIp = ipOf(3)): Uint8Array =>
  eth({ src: macOf(3), dst: BROADCAST })
    .arp({ op: 1, senderMac: macOf(3), senderIp, targetIp })
    .bytes();

test('a routed packet tells its way: interface, headers, bridge, route, nexthop, interface', (t) => {
  const { net, records } = traced();
  net.receive(3, ping(3, ipOf(4), GATEWAY_MAC));
  t.deepEqual(told(records[0]), [
    ['input', 3],
    ['parse', 0x0800],
    ['bridge', 7],
    ['route', 32],
    ['nexthop', 24],
    ['output', 4],
  ]);
  t.is(records.length, 1);
});

test('the frame is kept as it was at each step, so that what was rewritten shows', (t) => {
  const { net, records } = traced();
  net.receive(3, ping(3, ipOf(4), GATEWAY_MAC));
  const [{ heads }] = records;
  const ttl = 14 + 8;
  t.deepEqual([heads[3 * HEAD_BYTES + ttl], heads[4 * HEAD_BYTES + ttl]], [64, 63]);
  t.is(Buffer.from(heads.subarray(5 * HEAD_BYTES, 5 * HEAD_BYTES + 6)).toString('hex'), '020000000004');
});

test('a dropped packet ends with the reason', (t) => {
  const { net, records } = traced({ packetMode: 'all' });
  net.receive(3, ping(3, '5.5.5.100', GATEWAY_MAC));
  t.deepEqual(told(records[0]).slice(-2), [
    ['nexthop', 1],
    ['drop', DROP.discards],
  ]);
  net.receive(3, ping(3, ipOf(4), '02:00:00:00:00:99'));
  t.deepEqual(told(records[1]).slice(-1), [['drop', DROP.l2NoRoute]]);
  t.is(word(records[1], 2, 'b'), -1);
});

test('an ARP request tells who answers for the address', (t) => {
  const { net, records } = traced();
  for (const frame of [arpFor(ipOf(4)), arpFor('5.5.5.1'), arpFor('5.5.5.100'), arpFor(ipOf(3))]) net.receive(3, frame);
  const answers = records.map((record) => told(record).find(([name]) => name === 'neighbour')?.[1]);
  t.deepEqual(answers, [ANSWER.stitched, ANSWER.gateway, ANSWER.owner, ANSWER.announcement]);
  t.deepEqual(
    told(records[0]).map(([name]) => name),
    ['input', 'parse', 'route', 'neighbour', 'answer', 'bridge', 'output'],
  );
});

test('what goes to the agent says why, and whether it is a copy', (t) => {
  const { net, records } = traced();
  net.receive(3, ping(3, '5.5.5.1', GATEWAY_MAC));
  t.deepEqual(told(records[0]).at(-1), ['agent', PUNT.nexthop]);
  net.receive(3, ping(3, ipOf(4), GATEWAY_MAC, 1));
  t.deepEqual(told(records[1]).slice(-2), [
    ['agent', PUNT.zeroTtl],
    ['drop', DROP.ttlExceeded],
  ]);
  t.deepEqual([word(records[0], 5, 'c'), word(records[1], 4, 'c')], [0, 1]);
});

test('an agent that is asked too often is no step that succeeds', (t) => {
  const { net, records } = traced({ agentBurst: 0 });
  net.receive(3, ping(3, '5.5.5.1', GATEWAY_MAC));
  t.is(word(records[0], 5, 'b'), DROP.ifTxDiscard);
});

test('a flood tells every interface', (t) => {
  const { net, records } = traced({ guests: 5 });
  net.receive(3, arpFor('5.5.5.100'));
  const outputs = told(records[0]).filter(([name]) => name === 'output');
  t.deepEqual(
    outputs,
    [4, 5, 6, 7].map((vif) => ['output', vif]),
  );
});

test('steps there is no room for are counted', (t) => {
  const { net, records } = traced();
  const { tracer } = net.dp;
  tracer?.begin(-1);
  for (let i = 1; i < 1000; i++) tracer?.step(STEP.output, i);
  tracer?.end();
  const kept = told(records[0]).length;
  t.is(kept + records[0].lost, 1000);
  t.true(kept >= 100 && kept < 200);
});

test('segments are told one by one', (t) => {
  const { net, records } = traced();
  const out = net.tables.vifs.get(4);
  if (out) out.offloads = false;
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .tcp(1000, 80, { flags: 0x18, checksum: 'partial' })
    .payload(new Uint8Array(2500))
    .bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  net.receive(3, frame, { vnet });
  t.deepEqual(told(records[0]).slice(-4), [
    ['segments', 4],
    ['output', 4],
    ['output', 4],
    ['output', 4],
  ]);
});

test('a frame of the agent is traced from its interface to the guest', (t) => {
  const { net, records } = traced({}, { ...ANY, vif: 4 });
  net.fromAgent(3, ping(4, ipOf(3), macOf(3)));
  net.fromAgent(4, ping(3, ipOf(4), macOf(4)));
  t.deepEqual(records.map(told), [
    [
      ['input', VIF_ID.agent],
      ['parse', 0x0800],
      ['output', 4],
    ],
  ]);
});

test('a session is decided once, and its packets say which it is', (t) => {
  const { net, records } = traced({ packetMode: [] });
  for (let i = 0; i < 2; i++) net.receive(3, ping(3, ipOf(4), macOf(4)));
  const [first, second] = records.map((record) => told(record).map(([name]) => name));
  t.deepEqual(first, ['input', 'parse', 'decide', 'flow', 'bridge', 'nexthop', 'output']);
  t.deepEqual(second, ['input', 'parse', 'flow', 'bridge', 'nexthop', 'output']);
  const index = word(records[0], 3, 'a');
  t.true(net.flows.isUsed(index));
  t.deepEqual([word(records[0], 3, 'b'), word(records[1], 2, 'b')], [1, 0]);
  t.is(word(records[1], 2, 'a'), index);
});

test('a session of another source is decided to be dropped, and is', (t) => {
  const { net, records } = traced({ packetMode: [] });
  const strange = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: '5.5.5.99', dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  net.receive(3, strange);
  t.deepEqual(
    told(records[0]).map(([name]) => name),
    ['input', 'parse', 'decide', 'flow', 'drop'],
  );
  t.deepEqual([word(records[0], 2, 'b'), word(records[0], 2, 'c')], [FLOW_ACTION.drop, FLOW_DROP.noSrcRt]);
});

test('a filter lets only its packets be traced', (t) => {
  const tcp = (from: number, to: number, source: number, destination: number): Uint8Array =>
    eth({ src: macOf(from), dst: macOf(to) })
      .ipv4({ src: ipOf(from), dst: ipOf(to) })
      .tcp(source, destination)
      .bytes();
  const end = (last: number, port = -1) => ({ family: 4, address: [0x05050500 + last], port });
  const port = (number: number) => ({ family: 0, address: [], port: number });
  const cases: [string, Partial<TraceFilter>, boolean][] = [
    ['everything', {}, true],
    ['its interface', { vif: 3 }, true],
    ['another interface', { vif: 4 }, false],
    ['its VRF', { vrf: 7 }, true],
    ['another VRF', { vrf: 8 }, false],
    ['its protocol', { protocol: 6 }, true],
    ['another protocol', { protocol: 17 }, false],
    ['its EtherType', { etherType: 0x0800 }, true],
    ['another EtherType', { etherType: 0x0806 }, false],
    ['its source', { ends: [end(3)] }, true],
    ['its destination with the port', { ends: [end(4, 80)] }, true],
    ['its destination with another port', { ends: [end(4, 81)] }, false],
    ['a port of either side', { ends: [port(1000)] }, true],
    ['a port of neither side', { ends: [port(1001)] }, false],
    ['both ends', { ends: [end(3, 1000), end(4)] }, true],
    ['both ends the other way round', { ends: [end(4), end(3, 1000)] }, true],
    ['both ends with a wrong port', { ends: [end(3, 80), end(4)] }, false],
    ['one end twice', { ends: [end(3), end(3)] }, false],
    ['an address of the other family', { ends: [{ family: 6, address: [0, 0, 0, 0], port: -1 }] }, false],
  ];
  for (const [what, filter, wanted] of cases) {
    const { net, records } = traced({}, { ...ANY, ...filter });
    net.receive(3, tcp(3, 4, 1000, 80));
    t.is(records.length, wanted ? 1 : 0, what);
  }
});

test('a filter by address finds ARP too', (t) => {
  const { net, records } = traced({}, { ...ANY, ends: [{ family: 4, address: [0x05050504], port: -1 }] });
  net.receive(3, arpFor(ipOf(4)));
  net.receive(3, arpFor('5.5.5.1'));
  t.is(records.length, 1);
});

test('a frame with broken headers is traced unless its protocol or addresses are asked for', (t) => {
  const frame = ping(3, ipOf(4), macOf(4));
  frame[14] = 0x4f; // a header length beyond the packet
  const traces = (filter: Partial<TraceFilter>): (string | number)[][][] => {
    const { net, records } = traced({}, { ...ANY, ...filter });
    net.receive(3, frame);
    return records.map(told);
  };
  const way = [
    ['input', 3],
    ['drop', DROP.invalidPacket],
  ];
  t.deepEqual(traces({ vif: 3 }), [way]);
  t.deepEqual(traces({ protocol: 1 }), []);
  t.deepEqual(traces({ etherType: 0x0800 }), []);
});

test('a traced packet is forwarded and counted as any other', (t) => {
  const { net } = traced();
  const plain = new TestNetwork({ packetMode: 'all' });
  for (const frame of [ping(3, ipOf(4), macOf(4)), ping(3, '5.5.5.1', GATEWAY_MAC), arpFor('5.5.5.100')]) {
    t.deepEqual(net.receive(3, frame), plain.receive(3, frame));
  }
  t.deepEqual(net.counters.words, plain.counters.words);
});

test('a packet of another host is found by what is inside its tunnel, and traced from there to the guest', (t) => {
  const hosts = [{ peer: 2, encapsulation: 'MPLSoUDP', routes: [['8.8.8.8', 20]] }] as const;
  const ends = [{ family: 4, address: [0x08080808], port: -1 }];
  const { net, records } = traced({ hosts }, { ...ANY, protocol: 1, ends });
  const arriving = (source: string): Uint8Array =>
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: '192.168.200.22', dst: '192.168.200.11' })
      .udp(50_000, 6635)
      .mpls(routedLabelOf(3))
      .payload(
        eth({ src: macOf(3), dst: macOf(4) })
          .ipv4({ src: source, dst: ipOf(3) })
          .ping({ ident: 1, seq: 1 })
          .bytes()
          .subarray(14),
      )
      .bytes();
  net.receive(0, arriving('8.8.8.9'));
  t.is(records.length, 0);
  net.receive(0, arriving('8.8.8.8'));
  t.deepEqual(
    told(records[0]).map(([name]) => name),
    ['input', 'parse', 'arrival', 'parse', 'nexthop', 'output'],
  );
  t.is(word(records[0], 2, 'b'), routedLabelOf(3));
  t.is(word(records[0], 3, 'vrf'), 7);
});
