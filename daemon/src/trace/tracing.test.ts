import test from 'ava';
import fc from 'fast-check';
import type { LiveTrace, TraceDump, TraceRequest } from '../control/trace-dumps.js';
import { RefusedError } from '../control/refused.js';
import { GATEWAY_MAC, ipOf, macOf, type NetworkOptions, TestNetwork } from '../testing/network.js';
import type { AclRecord, AclRuleRecord } from '../tables/records.js';
import { eth } from '../testing/packet-builder.js';
import { TRACED_NAMES as NAMES, tracingParts as partsOf } from '../testing/tracing.js';
import { Tracing } from './tracing.js';

/** Traces a packet of guest `a` in a network of its own. */
function trace(packet: string, request: Partial<TraceRequest> = {}, options: NetworkOptions = {}): TraceDump {
  return new Tracing(partsOf(new TestNetwork(options))).dryRun({ vmi: 'a', packet, ...request });
}

const stages = ({ steps }: TraceDump): string[] => steps.map(({ stage }) => stage);
const step = ({ steps }: TraceDump, stage: string): string => {
  const found = steps.find((one) => one.stage === stage);
  return found ? [found.subject, found.result].filter((text) => text !== '').join(': ') : '';
};
const changes = ({ steps }: TraceDump): string[] =>
  steps.flatMap((one) => one.changes.map(({ field, from, to }) => `${one.stage} ${field} ${from} > ${to}`));

test('a bridged packet is sent, and every step names what it found', (t) => {
  const dump = trace('icmp 5.5.5.3 > 5.5.5.4');
  t.is(dump.packet, 'ICMP 5.5.5.3 > 5.5.5.4 echo request');
  t.deepEqual(stages(dump), ['input', 'parse', 'decide', 'flow', 'bridge', 'nexthop', 'output']);
  t.is(step(dump, 'input'), 'vif0/3 tap3 (a): 98 bytes, VRF 7 (test)');
  t.is(step(dump, 'flow'), 'ICMP 5.5.5.3:1 > 5.5.5.4:0, K(nh) 23: new, forward, S(nh) 23');
  t.is(step(dump, 'bridge'), 'VRF 7 (test), 02:00:00:00:00:04: nexthop 44');
  t.is(step(dump, 'nexthop'), 'nexthop 44: Encap to vif0/4 tap4 (other:project:b), bridged');
  t.like(dump, {
    vif: 3,
    vmi: NAMES[3],
    outcome: 'sent',
    drop: null,
    verdict: 'sent out of vif0/4 tap4 (other:project:b)',
  });
  t.deepEqual(changes(dump), []);
});

test('a routed packet shows its route and what was rewritten', (t) => {
  const dump = trace('tcp 5.5.5.4:22', { dstMac: GATEWAY_MAC });
  t.is(step(dump, 'route'), 'VRF 7 (test), 5.5.5.4: 5.5.5.4/32, flags P, nexthop 24');
  t.deepEqual(changes(dump), [
    'route ttl 64 > 63',
    'route mss 1460 > 1420',
    'nexthop dst mac 00:00:5e:00:01:00 > 02:00:00:00:00:04',
    'nexthop src mac 02:00:00:00:00:03 > 00:00:5e:00:01:00',
  ]);
  t.is(dump.outcome, 'sent');
});

test('an IPv6 packet is traced as well', (t) => {
  const dump = trace('icmp fd00:5::4', { dstMac: GATEWAY_MAC });
  t.is(step(dump, 'route'), 'VRF 7 (test), fd00:5::4: fd00:5::4/128, flags P, nexthop 24');
  t.true(changes(dump).includes('route hop limit 64 > 63'));
});

test('the guest sends to the MAC it is told by ARP: of the guest, or of the gateway', (t) => {
  const macIn = (dump: TraceDump): string => step(dump, 'bridge').split(', ')[1].slice(0, 17);
  t.is(macIn(trace('udp 5.5.5.4:53')), macOf(4));
  t.is(macIn(trace('udp 8.8.8.8:53', {}, { packetMode: 'all' })), GATEWAY_MAC);
  t.is(macIn(trace('udp 5.5.5.4:53', {}, { mode: 'l3' })), GATEWAY_MAC);
  t.is(macIn(trace('udp [fd00:5::4]:53')), macOf(4));
});

test('an address nobody answers for is refused, unless its MAC is named', (t) => {
  t.throws(() => trace('icmp 5.5.5.77'), {
    instanceOf: RefusedError,
    message: 'nobody answers the ARP of the guest for 5.5.5.77; name a MAC with --dst-mac',
  });
  const dump = trace('icmp 5.5.5.77', { dstMac: GATEWAY_MAC }, { packetMode: 'all' });
  t.like(dump, { outcome: 'dropped', drop: 'Discards', verdict: 'dropped: Discards (nobody has 5.5.5.77)' });
});

test('another source address than its own is refused by the flow, and the trace says so', (t) => {
  const dump = trace('tcp 5.5.5.9:1 > 5.5.5.4:2');
  t.like(dump, { outcome: 'dropped', drop: 'Flow Action Drop' });
  t.is(dump.verdict, "dropped: Flow Action Drop (NoSrcRt: its source address is not the interface's)");
});

test('the address of another guest fails the check of its source', (t) => {
  const dump = trace('icmp 5.5.5.4 > 5.5.5.1');
  t.like(dump, { outcome: 'dropped', drop: 'Invalid Source' });
  t.is(dump.verdict, 'dropped: Invalid Source (it must come from Encap to vif0/4 tap4 (other:project:b))');
});

test('another MAC than its own is refused by the flow', (t) => {
  const dump = trace('icmp 5.5.5.4', { srcMac: '02:00:00:00:00:99' });
  t.like(dump, { outcome: 'dropped', drop: 'Flow Action Drop' });
  t.regex(dump.verdict, /NoSrcRt: its source MAC 02:00:00:00:00:99 is not the interface's/);
});

test('an unknown MAC is no entry of the bridge table', (t) => {
  const dump = trace('icmp 5.5.5.4', { dstMac: '02:00:00:00:00:99' }, { packetMode: 'all' });
  t.is(step(dump, 'bridge'), 'VRF 7 (test), 02:00:00:00:00:99: not in the table');
  t.is(dump.verdict, 'dropped: No L2 Route (nobody in VRF 7 (test) has MAC 02:00:00:00:00:99)');
});

test('a ping of the gateway is the agent’s, and its answer is traced too', (t) => {
  const dump = trace('icmp 5.5.5.1');
  t.is(dump.outcome, 'agent');
  t.is(dump.verdict, 'given to the agent, which answers: ICMP 5.5.5.1 > 5.5.5.3 echo reply');
  const [answer] = dump.answers;
  t.deepEqual(stages(answer), ['input', 'parse', 'output']);
  t.is(answer.verdict, 'sent out of vif0/3 tap3 (a)');
});

test('a packet whose hops are used up is dropped, and the agent tells its sender', (t) => {
  const dump = trace('icmp 5.5.5.4', { ttl: 1, dstMac: GATEWAY_MAC });
  t.is(
    dump.verdict,
    'dropped: TTL Exceeded (its hops are used up); the agent answers: ICMP 5.5.5.1 > 5.5.5.3 time exceeded',
  );
});

test('an ARP request is answered, and who answers is said', (t) => {
  const dump = trace('arp who-has 5.5.5.1');
  t.is(dump.outcome, 'answered');
  t.is(step(dump, 'neighbour'), 'answered with the MAC of the gateway');
  t.is(step(dump, 'answer'), 'ARP reply 5.5.5.1 is-at 00:00:5e:00:01:00');
});

test('a flood names every interface', (t) => {
  const dump = trace('arp who-has 5.5.5.77', {}, { guests: 4 });
  t.is(dump.verdict, 'sent out of vif0/4 tap4 (other:project:b), vif0/5 tap5, vif0/6 tap6');
});

test('a frame in hex is traced as it is', (t) => {
  const frame = Buffer.from(
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .udp(1, 2)
      .bytes(),
  );
  const tracing = new Tracing(partsOf(new TestNetwork()));
  t.is(tracing.dryRun({ vmi: 'a', frame: frame.toString('hex') }).packet, 'UDP 5.5.5.3:1 > 5.5.5.4:2');
  t.throws(() => tracing.dryRun({ vmi: 'a', frame: 'abc' }), { message: /the frame is not in hex/ });
  t.throws(() => tracing.dryRun({ vmi: 'a', frame: '00'.repeat(9300) }), { message: /longer than 9234 bytes/ });
});

test('a frame with broken headers says so', (t) => {
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4), ihl: 15 })
    .bytes();
  const dump = new Tracing(partsOf(new TestNetwork())).dryRun({ vmi: 'a', frame: Buffer.from(frame).toString('hex') });
  t.like(dump, { outcome: 'dropped', drop: 'Invalid Packets' });
});

test('an interface is named by its short or full name, or by its vif', (t) => {
  const tracing = new Tracing(partsOf(new TestNetwork()));
  for (const vmi of ['other:project:b', 'vif0/4']) t.is(tracing.dryRun({ vmi, packet: 'icmp 5.5.5.3' }).vif, 4);
  const refused: Readonly<Record<string, string>> = {
    nobody: 'VirtualMachineInterface/nobody is not on this host; see vrouter get vmi',
    'vif0/2': 'there is no guest behind vif0/2; see vif --list',
    'vif0/99': 'there is no guest behind vif0/99; see vif --list',
    broken: 'VirtualMachineInterface/broken is not active (no namespace a); see vrouter get vmi',
  };
  for (const [vmi, message] of Object.entries(refused))
    t.throws(() => tracing.dryRun({ vmi, packet: 'icmp 5.5.5.3' }), { instanceOf: RefusedError, message });
});

test('a session that is there is found, with its packets, and stays as it is', (t) => {
  const net = new TestNetwork();
  const ping = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .ping({ ident: 1, seq: 1 })
    .bytes();
  net.receive(3, ping);
  net.receive(3, ping);
  const index = [...Array(net.flows.size).keys()].find(
    (i) => net.flows.isUsed(i) && net.flows.words[net.flows.at(i) + 2] === 23,
  );
  const dump = new Tracing(partsOf(net)).dryRun({ vmi: 'a', packet: 'icmp 5.5.5.4' });
  t.is(step(dump, 'flow'), `ICMP 5.5.5.3:1 > 5.5.5.4:0, K(nh) 23: flow ${index}, forward, S(nh) 23`);
  t.false(stages(dump).includes('decide'));
});

test('an interface with all the flows it may have gets no more', (t) => {
  const net = new TestNetwork({ flowsPerInterface: 2 });
  const udp = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  net.receive(3, udp);
  const dump = new Tracing(partsOf(net)).dryRun({ vmi: 'a', packet: 'udp 5.5.5.4:99' });
  t.is(dump.verdict, 'dropped: New Flow Drops (the interface has all the flows it may have)');
});

test('a dry run changes nothing: not the flow table, no counter, no token, nothing is sent', (t) => {
  const net = new TestNetwork({ guests: 3 });
  net.receive(
    3,
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .tcp(40000, 80, { flags: 2 })
      .bytes(),
  );
  net.receive(
    3,
    eth({ src: macOf(3), dst: GATEWAY_MAC })
      .ipv4({ src: ipOf(3), dst: '5.5.5.1' })
      .ping({ ident: 1, seq: 1 })
      .bytes(),
  );
  net.punted();
  const flows = new Uint8Array(net.flows.words.buffer).slice();
  const counters = net.counters.words.slice();
  const tokens = net.tables.vifs.get(3)?.toAgent.tokens;
  const tracing = new Tracing(partsOf(net));
  const packets = [
    ...['tcp 5.5.5.4:80 rst+ack', 'tcp 5.5.5.4:80 fin+ack', 'tcp 5.5.5.4:81', 'udp 8.8.8.8:53', 'icmp 5.5.5.1'],
    ...[
      'arp who-has 5.5.5.4',
      'arp who-has 5.5.5.99',
      'arp announce',
      'dhcp discover',
      'icmp fd00:5::4',
      'tcp 5.5.5.9 > 5.5.5.4',
    ],
  ];
  for (const packet of packets) tracing.dryRun({ vmi: 'a', packet });
  t.deepEqual(new Uint8Array(net.flows.words.buffer), flows);
  t.deepEqual(net.counters.words, counters);
  t.is(net.tables.vifs.get(3)?.toAgent.tokens, tokens);
  t.deepEqual(net.io.sent, []);
  t.deepEqual(net.punted(), []);
});

test('the agent is never asked too often by a trace', (t) => {
  const tracing = new Tracing(partsOf(new TestNetwork({ agentBurst: 1 })));
  for (let i = 0; i < 5; i++) t.is(tracing.dryRun({ vmi: 'a', packet: 'icmp 5.5.5.1' }).outcome, 'agent');
});

const NEVER = new AbortController().signal;
const ping = (to: string, dst: string): Uint8Array =>
  eth({ src: macOf(3), dst })
    .ipv4({ src: ipOf(3), dst: to, id: 1 })
    .ping({ ident: 1, seq: 1 })
    .payload(new Uint8Array(56))
    .bytes();

/** Starts a live trace; returns the rest of it once it has begun. */
async function begun(traces: AsyncIterable<LiveTrace>): Promise<AsyncIterator<LiveTrace>> {
  const iterator = traces[Symbol.asyncIterator]();
  await iterator.next();
  return iterator;
}

test('a real packet shows the steps its dry run showed', async (t) => {
  const net = new TestNetwork();
  const tracing = new Tracing(partsOf(net));
  for (const [packet, dst, to] of [
    ['icmp 5.5.5.4', macOf(4), ipOf(4)],
    ['icmp 5.5.5.1', GATEWAY_MAC, '5.5.5.1'],
  ] as const) {
    const dry = tracing.dryRun({ vmi: 'a', packet });
    const live = await begun(tracing.live('vmi a & icmp', { count: 1, timeoutMs: 10_000 }, NEVER));
    net.receive(3, ping(to, dst));
    const real = (await live.next()).value as TraceDump;
    const shown = ({ steps }: TraceDump) =>
      steps.map(({ stage, subject, result, changes }) => ({ stage, subject, result, changes }));
    t.deepEqual(shown(real), shown(dry));
    t.true((await live.next()).done);
    t.is(net.dp.tracer, null);
  }
});

test('a fragment before the first of its datagram is seen to wait, then to go on', async (t) => {
  const net = new TestNetwork();
  const live = await begun(new Tracing(partsOf(net)).live('any', { count: 3, timeoutMs: 10_000 }, NEVER));
  const fragment = (fragmentOffset: number, mf: boolean): Uint8Array =>
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4), protocol: 17, id: 7, fragmentOffset, mf })
      .payload([0, 7, 0, 9, 0, 24, 0, 0])
      .bytes();
  net.receive(3, fragment(8, false));
  net.receive(3, fragment(0, true));
  const seen = async (): Promise<TraceDump> => (await live.next()).value as TraceDump;
  const [waits, first, later] = [await seen(), await seen(), await seen()];
  t.like(waits, { outcome: 'waits', verdict: 'waits for the first fragment of its datagram', drop: null });
  t.deepEqual(stages(waits), ['input', 'parse', 'wait']);
  t.deepEqual([first.outcome, later.outcome], ['sent', 'sent']);
  t.true(step(later, 'flow').includes('5.5.5.3:7 > 5.5.5.4:9'));
});

test('a live trace first says that it waits, and ends when time is up', async (t) => {
  const net = new TestNetwork();
  const told: LiveTrace[] = [];
  for await (const one of new Tracing(partsOf(net)).live('arp', { count: 5, timeoutMs: 30 }, NEVER)) {
    told.push(one);
    net.receive(3, ping(ipOf(4), macOf(4)));
  }
  t.deepEqual(told, [{ waiting: true }]);
  t.is(net.dp.tracer, null);
});

test('a live trace ends with the one who asked for it', async (t) => {
  const net = new TestNetwork();
  const end = new AbortController();
  const live = await begun(new Tracing(partsOf(net)).live('any', { count: 5, timeoutMs: 10_000 }, end.signal));
  const next = live.next();
  end.abort();
  t.true((await next).done);
  t.is(net.dp.tracer, null);
});

test('one live trace runs at a time', async (t) => {
  const tracing = new Tracing(partsOf(new TestNetwork()));
  const live = await begun(tracing.live('any', { count: 5, timeoutMs: 10_000 }, NEVER));
  t.throws(() => tracing.live('any', { count: 5, timeoutMs: 10_000 }, NEVER), { message: /another live trace runs/ });
  await live.return?.();
  await begun(tracing.live('any', { count: 1, timeoutMs: 10 }, NEVER));
  t.pass();
});

test('a guest in packet mode has no flows, and its trace shows none', (t) => {
  const dump = trace('icmp 5.5.5.4', {}, { packetMode: 'all' });
  t.deepEqual(stages(dump), ['input', 'parse', 'bridge', 'nexthop', 'output']);
});

const ANYBODY = { network: null, prefix: null, group: null };
const HTTP: AclRuleRecord = {
  name: 'SecurityGroup/web ingress[0]',
  action: 'pass',
  protocol: 6,
  source: ANYBODY,
  destination: ANYBODY,
  sourcePorts: [],
  destinationPorts: [[80, 80]],
  log: false,
  mirrors: [],
};
const WEB: AclRecord = { id: 9, name: 'default-domain:default-project:web ingress', rules: [HTTP], otherwise: 'deny' };
const guarded: NetworkOptions = { acls: [WEB], port: (vif) => (vif === 4 ? { ingressAcl: 9 } : {}) };

test('the rule that lets a session pass is named', (t) => {
  const dump = trace('tcp 5.5.5.4:80', {}, guarded);
  t.is(step(dump, 'policy'), 'ACL 9 (web ingress): SecurityGroup/web ingress[0]: pass');
  t.is(dump.outcome, 'sent');
});

test('a session that no rule lets pass names the list that refuses it', (t) => {
  const dump = trace('tcp 5.5.5.4:81', {}, guarded);
  t.is(step(dump, 'policy'), 'ACL 9 (web ingress): no rule matches: deny');
  t.is(dump.verdict, 'dropped: Flow Action Drop (OutSG: no rule of ACL 9 (web ingress) matches)');
});

test('a rule that refuses a session is named', (t) => {
  const acls: AclRecord[] = [{ ...WEB, rules: [{ ...HTTP, name: 'NetworkPolicy/shut rules[0]', action: 'deny' }] }];
  const dump = trace('tcp 5.5.5.4:80', {}, { acls, acl: 9 });
  t.is(dump.verdict, 'dropped: Flow Action Drop (Policy: NetworkPolicy/shut rules[0])');
});

test('a fat flow shows the key it has', (t) => {
  const fatFlows = [{ protocol: 6, port: 22, ignore: 'source', source: null, destination: null } as const];
  const dump = trace('tcp 5.5.5.4:22', {}, { port: (vif) => (vif === 3 ? { fatFlows } : {}) });
  t.regex(step(dump, 'flow'), /^TCP 0\.0\.0\.0:0 > 5\.5\.5\.4:22, K\(nh\) 23: new, forward/);
  t.is(step(dump, 'decide'), 'session: forward, fat flow');
});

test('any frame can be traced, and put in words', (t) => {
  const tracing = new Tracing(partsOf(new TestNetwork()));
  const header = fc.constantFrom(
    ...[ping(ipOf(4), macOf(4)), ping('5.5.5.1', GATEWAY_MAC)],
    eth({ src: macOf(3), dst: macOf(4) })
      .vlan(5)
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .tcp(1, 2, { flags: 2, options: [2, 4, 5, 0xb4] })
      .bytes(),
  );
  const frame = fc
    .tuple(header, fc.array(fc.tuple(fc.nat({ max: 97 }), fc.nat({ max: 255 })), { maxLength: 4 }), fc.nat({ max: 98 }))
    .map(([bytes, changes, length]) => {
      const changed = bytes.slice();
      for (const [at, value] of changes) if (at < changed.length) changed[at] = value;
      return changed.subarray(0, Math.max(1, length));
    });
  t.notThrows(() => {
    fc.assert(
      fc.property(frame, (bytes) => {
        const dump = tracing.dryRun({ vmi: 'a', frame: Buffer.from(bytes).toString('hex') });
        return dump.steps.length > 1 && dump.verdict.length > 0 && dump.packet.length > 0;
      }),
      { numRuns: 200 },
    );
  });
});
