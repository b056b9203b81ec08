import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { SentFrame } from '../io/memory.js';
import { DROP } from '../packet/drop.js';
import { VIF } from '../tables/counters.js';
import { FLOW, FLOW_DOUBLE } from '../tables/flow.js';
import { FRAGMENT_MS } from '../tables/fragment.js';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { expireFragments } from './fragment.js';

const DATA = Uint8Array.from({ length: 3000 }, (_, i) => i * 7);
/** Bytes of the datagram in each fragment but the last. */
const PART = 1024;

interface FragmentOptions {
  readonly id?: number;
  readonly from?: number;
  readonly src?: string;
  readonly dst?: string;
  /** The datagram, with its UDP header. */
  readonly bytes?: number;
}

/** Fragment `n` of a UDP datagram from port 1000 to 53. */
function fragment(
  n: number,
  { id = 1, from = 3, src = ipOf(from), dst = macOf(4), bytes = 3000 }: FragmentOptions = {},
): Uint8Array {
  const datagram = [3, 232, 0, 53, bytes >> 8, bytes & 0xff, 0, 0, ...DATA.subarray(8, bytes)];
  const part = datagram.slice(n * PART, (n + 1) * PART);
  return eth({ src: macOf(from), dst })
    .ipv4({ src, dst: ipOf(4), id, protocol: 17, fragmentOffset: n * PART, mf: (n + 1) * PART < bytes })
    .payload(part)
    .bytes();
}

/** The same in IPv6, the data cut at the same places. */
const fragment6 = (n: number, id = 1): Uint8Array =>
  eth({ src: macOf(3), dst: macOf(4) })
    .ipv6({ src: ip6Of(3), dst: ip6Of(4), nextHeader: 44 })
    .payload([17, 0, (n * PART) >> 8, ((n * PART) & 0xf8) | (n < 2 ? 1 : 0), 0, 0, id >> 8, id & 0xff])
    .payload([3, 232, 0, 53, 3000 >> 8, 3000 & 0xff, 0, 0, ...DATA.subarray(8)].slice(n * PART, (n + 1) * PART))
    .bytes();

interface Entry {
  readonly ports: readonly [number, number];
  readonly packets: number;
}

function entries({ flows }: TestNetwork): Entry[] {
  const found: Entry[] = [];
  for (let index = 0; index < flows.size; index++) {
    if (!flows.isUsed(index)) continue;
    const ports = flows.words[flows.at(index) + FLOW.ports];
    const packets = flows.doubles[flows.doubleAt(index) + FLOW_DOUBLE.packets];
    found.push({ ports: [ports >>> 16, ports & 0xffff], packets });
  }
  return found.sort((one, other) => other.packets - one.packets);
}

function letTimePass(net: TestNetwork, ms: number): void {
  net.io.clock[0] += ms;
  net.dp.run(0);
  while (expireFragments(net.dp));
}

const framesOf = (sent: readonly SentFrame[]): Uint8Array[] => sent.map(({ frame }) => frame);

function balanced(t: ExecutionContext, net: TestNetwork): void {
  t.is(net.imbalance(), 0);
  t.is(net.dp.fragments.table.used, 0);
  t.is(net.dp.fragments.queue.used, 0);
}

test('all fragments of a datagram belong to the session of the first', (t) => {
  const net = new TestNetwork();
  for (const n of [0, 1, 2]) {
    const [sent] = net.receive(3, fragment(n));
    t.is(sent.port, 4);
    t.deepEqual(sent.frame, fragment(n));
  }
  t.deepEqual(entries(net), [
    { ports: [1000, 53], packets: 3 },
    { ports: [53, 1000], packets: 0 },
  ]);
  balanced(t, net);
});

test('fragments that come before the first wait, and follow it in the order they came', (t) => {
  const net = new TestNetwork();
  t.deepEqual(net.receive(3, fragment(2)), []);
  t.is(net.imbalance(), 0);
  t.deepEqual(net.receive(3, fragment(1)), []);
  t.deepEqual(entries(net), [], 'no session is made of them');
  t.deepEqual(framesOf(net.receive(3, fragment(0))), [fragment(0), fragment(2), fragment(1)]);
  t.is(entries(net)[0].packets, 3);
  const [rx, tx] = [net.counters.vifAt(3), net.counters.vifAt(4)];
  t.is(net.counters.words[rx + VIF.rxPackets], 3);
  t.is(net.counters.words[tx + VIF.txPackets], 3);
  balanced(t, net);
});

test('a whole datagram that comes in one batch in any order is delivered', (t) => {
  const net = new TestNetwork();
  for (const n of [2, 0, 1]) net.io.inject(3, fragment(n));
  t.deepEqual(framesOf(net.receive(3, fragment(0, { id: 2 }))), [
    ...[0, 2, 1].map((n) => fragment(n)),
    fragment(0, { id: 2 }),
  ]);
  t.is(net.imbalance(), 0);
});

test('IPv6 fragments do the same', (t) => {
  const net = new TestNetwork();
  t.deepEqual(net.receive(3, fragment6(1)), []);
  t.deepEqual(framesOf(net.receive(3, fragment6(0))), [fragment6(0), fragment6(1)]);
  t.deepEqual(framesOf(net.receive(3, fragment6(2))), [fragment6(2)]);
  t.deepEqual(entries(net)[0], { ports: [1000, 53], packets: 3 });
  balanced(t, net);
});

test('a fragment whose first does not come is dropped after two seconds', (t) => {
  const net = new TestNetwork();
  net.receive(3, fragment(1));
  letTimePass(net, FRAGMENT_MS - 1);
  t.is(net.drops('fragment'), 0);
  letTimePass(net, 1);
  t.is(net.counters.vifDrops(3, DROP.fragment), 1);
  t.deepEqual(framesOf(net.receive(3, fragment(0))), [fragment(0)]);
  letTimePass(net, FRAGMENT_MS);
  balanced(t, net);
});

test('a fragment later than two seconds behind the first waits for another first', (t) => {
  const net = new TestNetwork();
  net.receive(3, fragment(0));
  t.deepEqual(net.receive(3, fragment(1), { afterMs: FRAGMENT_MS }), []);
  letTimePass(net, FRAGMENT_MS);
  t.is(net.drops('fragment'), 1);
  balanced(t, net);
});

test('fragments of another datagram, or another interface, are not taken for those of one', (t) => {
  const net = new TestNetwork({ guests: 3 });
  net.receive(3, fragment(0));
  t.deepEqual(net.receive(3, fragment(1, { id: 2 })), []);
  t.deepEqual(net.receive(5, fragment(1)), []);
  t.is(net.dp.fragments.queue.used, 2);
});

test('fragments of a session that is refused are dropped like the first', (t) => {
  const net = new TestNetwork();
  const nobodys = { src: '9.9.9.9' };
  for (const n of [1, 0, 2]) t.deepEqual(net.receive(3, fragment(n, nobodys)), []);
  t.is(net.drops('flowActionDrop'), 3);
  balanced(t, net);
});

test('a later fragment begins no session, even if its ports are known', (t) => {
  const net = new TestNetwork({ flowsPerInterface: 0 });
  net.receive(3, fragment(0));
  t.is(net.drops('newFlow'), 1);
  t.deepEqual(net.receive(3, fragment(1)), []);
  t.is(net.drops('flowUnusable'), 1);
  t.deepEqual(entries(net), []);
});

test('a guest that sends nothing but later fragments fills its own share of the queue', (t) => {
  const net = new TestNetwork({ guests: 3 });
  for (let id = 0; id < 100; id++) net.receive(3, fragment(1, { id }));
  t.is(net.drops('fragmentQueue'), 36);
  t.deepEqual(net.receive(5, fragment(1, { from: 5 })), []);
  t.deepEqual(framesOf(net.receive(5, fragment(0, { from: 5 }))).length, 2);
  letTimePass(net, FRAGMENT_MS);
  t.is(net.drops('fragment'), 64);
  t.is(net.imbalance(), 0);
});

test('a guest that sends nothing but first fragments fills its own share of the table', (t) => {
  const net = new TestNetwork({ guests: 3 });
  for (let id = 0; id < 2400; id++) net.receive(3, fragment(0, { id }));
  t.is(net.counters.vifDrops(3, DROP.noFragmentEntry), 96);
  t.is(net.receive(5, fragment(0, { from: 5 })).length, 1);
  t.is(net.receive(5, fragment(1, { from: 5 })).length, 1);
  letTimePass(net, FRAGMENT_MS);
  balanced(t, net);
});

test('a routed fragment that waits at the end of its way has its hop taken off once', (t) => {
  for (const mode of ['l2_l3', 'l3'] as const) {
    const net = new TestNetwork({ packetMode: [3], mode });
    const toGateway = { dst: GATEWAY_MAC };
    t.deepEqual(net.receive(3, fragment(1, toGateway)), []);
    const sent = net.receive(3, fragment(0, toGateway));
    t.deepEqual(
      sent.map(({ port, frame }) => [port, frame[14 + 8], Buffer.from(frame.subarray(0, 6)).toString('hex')]),
      [
        [4, 63, '020000000004'],
        [4, 63, '020000000004'],
      ],
    );
    t.deepEqual(sent[1].frame.subarray(34), fragment(1).subarray(34));
    t.is(entries(net)[0].packets, 2);
    t.is(net.vrfStat('encaps'), 2);
    t.is(net.imbalance(), 0);
  }
});

test('a fragment that waits for nobody any more is given up with its interface', (t) => {
  const net = new TestNetwork({ guests: 3 });
  net.receive(5, fragment(1, { from: 5 }));
  net.configure({ guests: 2 });
  net.configure({ guests: 3 });
  t.is(net.receive(5, fragment(0, { from: 5 })).length, 1);
  t.is(net.drops('fragment'), 1);
  t.is(net.counters.vifDrops(5, DROP.fragment), 0);
  t.is(net.imbalance(), 0);
});

test('fragments of a session a fat flow folds are in its entry', (t) => {
  const fat = { protocol: 17, port: 53, ignore: 'none', source: null, destination: null } as const;
  const net = new TestNetwork({ port: () => ({ fatFlows: [fat] }) });
  for (const n of [1, 0, 2]) net.receive(3, fragment(n));
  t.deepEqual(entries(net)[0], { ports: [0, 53], packets: 3 });
  balanced(t, net);
});

test('fragments to an unknown address are flooded whole after they waited', (t) => {
  const net = new TestNetwork({ guests: 5, floodUnknownUnicast: true, port: () => ({ portSecurity: false }) });
  const somewhere = { dst: '02:00:00:00:77:77' };
  for (const n of [1, 2]) net.receive(3, fragment(n, somewhere));
  const sent = net.receive(3, fragment(0, somewhere));
  for (const n of [0, 1, 2]) {
    const copies = sent.filter(({ frame }) => Buffer.from(frame).equals(Buffer.from(fragment(n, somewhere))));
    t.deepEqual(copies.map(({ port }) => port).sort(), [4, 5, 6, 7]);
  }
  balanced(t, net);
});

test('every fragment whose first comes in time is delivered once, and the books balance all the time', (t) => {
  const arrival = fc.record({ id: fc.nat(4), n: fc.nat(2), afterMs: fc.constantFrom(0, 0, 0, 0, 300, 1500) });
  const property = fc.property(fc.array(arrival, { maxLength: 30 }), (arrivals) => {
    const net = new TestNetwork();
    // Each fragment arrives once. What waits, and since when; the datagrams whose first has come.
    const done = new Set<string>();
    const heads = new Map<number, number>();
    let waiting: { id: number; n: number; since: number }[] = [];
    let [now, expired] = [0, 0];
    for (const { id, n, afterMs } of arrivals) {
      if (done.has(`${id} ${n}`)) continue;
      done.add(`${id} ${n}`);
      now += afterMs;
      letTimePass(net, afterMs);
      expired += waiting.filter(({ since }) => now >= since + FRAGMENT_MS).length;
      waiting = waiting.filter(({ since }) => now < since + FRAGMENT_MS);
      const expected: Uint8Array[] = [];
      const head = heads.get(id);
      if (n === 0) {
        heads.set(id, now);
        expected.push(fragment(0, { id }), ...waiting.filter((w) => w.id === id).map((w) => fragment(w.n, { id })));
        waiting = waiting.filter((w) => w.id !== id);
      } else if (head !== undefined && now < head + FRAGMENT_MS) {
        expected.push(fragment(n, { id }));
      } else {
        waiting.push({ id, n, since: now });
      }
      t.deepEqual(framesOf(net.receive(3, fragment(n, { id }))), expected);
      t.is(net.dp.fragments.queue.used, waiting.length);
      t.is(net.drops('fragment'), expired);
      t.is(net.imbalance(), 0);
    }
  });
  t.notThrows(() => {
    fc.assert(property, { numRuns: 40 });
  });
});
