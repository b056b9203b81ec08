import test from 'ava';
import type { LiveTrace, TraceDump } from '../control/trace-dumps.js';
import { aclOf, aclRule } from '../testing/acl-rules.js';
import { BOTH, mirrorPort, setMirror } from '../testing/mirrors.js';
import { ipOf, macOf, type NetworkOptions, TestNetwork } from '../testing/network.js';
import { eth, vnetHeader } from '../testing/packet-builder.js';
import { tracingParts } from '../testing/tracing.js';
import { Tracing } from './tracing.js';

/** Guests 3 (a) and 4 talk, 5 is the analyzer of mirror 0. */
function network(options: NetworkOptions = {}): TestNetwork {
  const net = new TestNetwork({ guests: 3, ...options });
  setMirror(net.tables, 0, { name: 'dpi' });
  return net;
}

const trace = (net: TestNetwork, packet = 'icmp 5.5.5.4'): TraceDump =>
  new Tracing(tracingParts(net)).dryRun({ vmi: 'a', packet });
const copies = ({ steps }: TraceDump): string[] =>
  steps.filter(({ stage }) => stage === 'mirror').map(({ subject, result }) => `${subject}: ${result}`);

test('copies of what an interface receives and is sent say where they went, and the packet ends as without', (t) => {
  const net = network();
  const plain = trace(net);
  mirrorPort(net.tables, 3, [BOTH(0)]);
  mirrorPort(net.tables, 4, [BOTH(0)]);
  const dump = trace(net);
  t.deepEqual(copies(dump), [
    'mirror 0 (dpi), what the interface receives: copied, out of vif0/5 tap5',
    'mirror 0 (dpi), what the interface is sent: copied, out of vif0/5 tap5',
  ]);
  const others = dump.steps.filter(({ stage }) => stage !== 'mirror');
  t.deepEqual({ ...dump, steps: others }, plain);
  t.deepEqual(dump.steps[2].ids, { mirror: 0, nexthop: 25 });
});

test('copies of a session are steps behind it, and a packet that is refused was only dropped', (t) => {
  const mirrors = [{ mirror: 0, forward: true, reverse: true }];
  const net = network({ acl: 1, acls: [aclOf(1, aclRule({ action: 'deny', mirrors }))] });
  const dump = trace(net);
  t.deepEqual(copies(dump), ['mirror 0 (dpi), the session: copied, out of vif0/5 tap5']);
  t.deepEqual(
    dump.steps.map(({ stage }) => stage),
    ['input', 'parse', 'policy', 'decide', 'flow', 'mirror', 'drop'],
  );
  t.like(dump, { outcome: 'dropped', drop: 'Flow Action Drop' });
});

test('a copy that is not made says why', (t) => {
  const net = network({ hosts: [{ peer: 2, encapsulation: 'VXLAN', isResolved: false, routes: [['8.8.8.8', 9]] }] });
  mirrorPort(net.tables, 3, [BOTH(0)]);
  const reasonWith = (changes: Parameters<typeof setMirror>[2]): string => {
    setMirror(net.tables, 0, { name: 'dpi', ...changes });
    return copies(trace(net))[0].split(': not copied: ')[1];
  };
  t.is(reasonWith({ analyzer: '7.7.7.3' }), 'no route to 7.7.7.3 in VRF 7 (test)');
  t.is(reasonWith({ nexthop: 0 }), 'where its analyzer is is not known');
  t.is(reasonWith({ analyzer: '8.8.8.8' }), 'the way to host2 (192.168.200.22) is not known');
  t.is(reasonWith({ nicVlan: 77 }), 'the NIC does where it leaves through the underlay, with VLAN tag 77');
  net.tables.apply({ table: 'mirror', op: 'delete', id: 0 });
  t.deepEqual(copies(trace(net)), ['mirror 0, what the interface receives: not copied: there is no such mirror']);
});

test('an analyzer on another host gets its copy through the tunnel, which is none of the packet’s', (t) => {
  const hosts = [
    {
      peer: 2,
      encapsulation: 'MPLSoUDP',
      routes: [
        ['8.8.8.8', 9],
        ['9.9.9.9', 10],
      ],
    },
  ] as const;
  const net = network({ hosts });
  setMirror(net.tables, 0, { name: 'dpi', analyzer: '8.8.8.8' });
  mirrorPort(net.tables, 3, [BOTH(0)]);
  const near = trace(net);
  t.deepEqual(copies(near), [
    'mirror 0 (dpi), what the interface receives: copied, to host2 (192.168.200.22) by MPLSoUDP, label 9',
  ]);
  t.deepEqual(near.tunnels, []);
  const far = new Tracing(tracingParts(net)).dryRun({ vmi: 'a', packet: 'icmp 9.9.9.9', dstMac: '00:00:5e:00:01:00' });
  t.is(far.verdict, 'sent to host2 (192.168.200.22) by MPLSoUDP, label 10');
  t.is(far.tunnels.length, 1);
  t.is(far.tunnels[0].label, 10);
  t.is(Buffer.from(far.tunnels[0].frame ?? '', 'hex').length, 14 + 20 + 8 + 4 + 84);
});

test('a dry run takes nothing from the sample and the limit of a mirror, and counts nothing', (t) => {
  const net = network();
  setMirror(net.tables, 0, { name: 'dpi', sample: 3, rateLimit: 1 });
  mirrorPort(net.tables, 3, [BOTH(0)]);
  const mirror = net.tables.mirrors.get(0);
  if (!mirror) return t.fail();
  mirror.untilSample = 2;
  mirror.copies.tokens = 0.5;
  const before = [mirror.untilSample, mirror.copies.tokens, mirror.copies.refilledAt, net.counters.words.slice()];
  for (let i = 0; i < 2; i++) {
    t.is(copies(trace(net))[0].split(': ')[1], 'copied as one of 3 packets, out of vif0/5 tap5');
  }
  t.deepEqual([mirror.untilSample, mirror.copies.tokens, mirror.copies.refilledAt, net.counters.words.slice()], before);
  t.deepEqual(net.io.sent, []);
});

test('a live trace tells what the sample and the limit leave out, and of the first segment of a super-frame', async (t) => {
  const net = network();
  setMirror(net.tables, 0, { name: 'dpi', sample: 2 });
  mirrorPort(net.tables, 3, [{ mirror: 0, receive: true, transmit: false }]);
  const live = new Tracing(tracingParts(net)).live(
    'any',
    { count: 3, timeoutMs: 10_000 },
    new AbortController().signal,
  );
  const records = live[Symbol.asyncIterator]();
  await records.next();
  const next = async (): Promise<string[]> => {
    const { value } = (await records.next()) as { value: LiveTrace };
    return 'steps' in value ? [...copies(value), String(value.lost)] : [];
  };
  const udp = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  net.receive(3, udp);
  net.receive(3, udp);
  const told = [await next(), await next()];
  setMirror(net.tables, 0, { name: 'dpi', sample: 1 });
  const tcp = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .tcp(1, 2, { flags: 2, checksum: 'partial' })
    .payload(new Uint8Array(40_000))
    .bytes();
  const gso = { flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 };
  t.is(net.receive(3, tcp, { vnet: vnetHeader(gso) }).length, 41);
  told.push(await next());
  await records.return?.();
  const copied = 'mirror 0 (dpi), what the interface receives: copied';
  t.deepEqual(told, [
    [`${copied} as one of 2 packets, out of vif0/5 tap5`, '0'],
    ['mirror 0 (dpi), what the interface receives: not copied: one of 2 packets is', '0'],
    [`${copied}, out of vif0/5 tap5`, '0'],
  ]);
});
