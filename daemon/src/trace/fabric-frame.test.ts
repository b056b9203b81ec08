import test from 'ava';
import { RefusedError } from '../control/refused.js';
import type { TraceDump, TraceRequest } from '../control/trace-dumps.js';
import { GATEWAY_MAC, macOf, type NetworkOptions, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { formatMac } from '../wire/addr.js';
import * as ipv4 from '../wire/ipv4.js';
import * as mpls from '../wire/mpls.js';
import * as udp from '../wire/udp.js';
import * as vxlan from '../wire/vxlan.js';
import { fabricFrame } from './fabric-frame.js';
import { Tracing } from './tracing.js';

const OUTER = 14 + 20 + 8;

/** A network with another host that has 5.5.5.20, and labels of its own. */
function networkOf(options: NetworkOptions = {}): TestNetwork {
  const net = new TestNetwork({
    hosts: [
      { peer: 2, encapsulation: 'MPLSoUDP', routes: [['5.5.5.20', 57]], macs: [['02:00:00:00:01:20', 58]], flood: 59 },
    ],
    ...options,
  });
  net.tables.apply({ table: 'peer', op: 'set', record: { id: 2, name: 'host-b', address: '192.168.200.22' } });
  net.tables.apply({ table: 'label', op: 'set', record: { label: 17, nexthop: 23 } });
  net.tables.apply({ table: 'label', op: 'set', record: { label: 18, nexthop: 43 } });
  const underlay = net.tables.vifs.get(0);
  if (underlay)
    net.tables.apply({ table: 'vif', op: 'set', record: { ...underlay.record, ip: '192.168.200.11', ip6: null } });
  return net;
}

function frameOf(packet: string, changes: Partial<TraceRequest> = {}): Uint8Array {
  const { tables } = networkOf();
  const underlay = tables.vifs.get(0);
  if (!underlay) throw new Error('no vif 0');
  return fabricFrame({ vmi: 'fabric:host-b', packet, ...changes }, underlay, tables);
}

test('a packet for an L3 label comes without an Ethernet header', (t) => {
  const b = frameOf('label 17 icmp 5.5.5.20 to 5.5.5.3');
  t.is(ipv4.src(b, 14), 0xc0a8c816);
  t.is(ipv4.dst(b, 14), 0xc0a8c80b);
  t.true(ipv4.checksumOk(b, 14));
  t.is(ipv4.totalLength(b, 14), b.length - 14);
  t.is(udp.dstPort(b, 34), 6635);
  t.is(udp.length(b, 34), b.length - 34);
  t.is(mpls.label(b, OUTER), 17);
  t.true(mpls.isBottom(b, OUTER));
  t.is(ipv4.dst(b, OUTER + mpls.LEN), 0x05050503);
  t.is(b.length, OUTER + mpls.LEN + 84);
});

test('a packet for an L2 label is a frame for the guest behind it', (t) => {
  const b = frameOf('label 18 icmp 5.5.5.20 to 5.5.5.3');
  t.is(formatMac(b, OUTER + mpls.LEN), macOf(3));
  t.is(b.length, OUTER + mpls.LEN + 98);
  t.is(
    formatMac(frameOf('label 18 icmp 5.5.5.20 to 5.5.5.3', { dstMac: '2:0:0:0:0:9' }), OUTER + mpls.LEN),
    '02:00:00:00:00:09',
  );
});

test('a packet with a VNI is a frame for who has the address, or for the gateway', (t) => {
  const b = frameOf('vni 7 udp 5.5.5.20:1 to 5.5.5.3:2');
  t.is(udp.dstPort(b, 34), vxlan.UDP_PORT);
  t.is(vxlan.vni(b, OUTER), 7);
  t.is(formatMac(b, OUTER + vxlan.LEN), GATEWAY_MAC);
});

test('between hosts with IPv6 addresses the outer headers are IPv6, with a UDP checksum', (t) => {
  const net = networkOf();
  const underlay = net.tables.vifs.get(0);
  if (!underlay) throw new Error('no vif 0');
  net.tables.apply({ table: 'vif', op: 'set', record: { ...underlay.record, ip6: 'fd00::11' } });
  const v6 = net.tables.vifs.get(0) ?? underlay;
  const packet = 'label 17 icmp 5.5.5.20 to 5.5.5.3';
  const b = fabricFrame({ vmi: 'fabric:fd00::12', packet }, v6, net.tables);
  t.is(b.length, 14 + 40 + 8 + mpls.LEN + 84);
  t.is(mpls.label(b, 14 + 40 + 8), 17);
  t.not((b[14 + 40 + 6] << 8) | b[14 + 40 + 7], 0);
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['fabric:host-b', 'icmp 5.5.5.20 to 5.5.5.3', /begin with label N or vni N/],
  ['fabric:host-b', 'label 1048576 icmp 5.5.5.20 to 5.5.5.3', /1048576 is no label/],
  ['fabric:host-b', 'vni 16777216 icmp 5.5.5.20 to 5.5.5.3', /16777216 is no vni/],
  ['fabric:host-b', 'label 17 icmp 5.5.5.3', /write the source too/],
  ['fabric:host-z', 'label 17 icmp 5.5.5.20 to 5.5.5.3', /no host 'host-z' is known; name one of: host-b/],
  ['fabric:fd00::12', 'label 17 icmp 5.5.5.20 to 5.5.5.3', /has no address of the family/],
];
for (const [vmi, packet, message] of REFUSED) {
  test(`${vmi} '${packet}' is refused`, (t) => {
    const error = t.throws(() => frameOf(packet, { vmi }), { instanceOf: RefusedError });
    t.regex(error.message, message);
  });
}

function tracingOf(net: TestNetwork): Tracing {
  return new Tracing({
    tables: net.tables,
    flows: net.flows,
    counters: net.counters,
    options: net.dp.options,
    realiser: { stateOf: () => undefined, nameOf: () => undefined, guestOf: () => undefined },
    worker: { tracing: false, traceOn: () => Promise.resolve(), traceOff: () => undefined },
    bridgeSlots: 320,
  });
}

const sentTo = ({ tunnels }: TraceDump) => tunnels.map(({ host, label }) => `${host ?? '-'} ${label}`);

test('a packet for another host is said to go there, and its frame on the underlay is known', (t) => {
  const net = networkOf();
  const dump = tracingOf(net).dryRun({ vmi: 'vif0/3', packet: 'icmp 5.5.5.20', dstMac: GATEWAY_MAC });
  t.is(dump.outcome, 'sent');
  t.is(dump.verdict, 'sent to host-b (192.168.200.22) by MPLSoUDP, label 57');
  t.deepEqual(sentTo(dump), ['host-b 57']);
  const [{ frame, address, encapsulation }] = dump.tunnels;
  t.deepEqual([address, encapsulation], ['192.168.200.22', 'MPLSoUDP']);
  const inner = eth({ dst: GATEWAY_MAC, src: macOf(3) })
    .ipv4({ src: '5.5.5.3', dst: '5.5.5.20' })
    .udp(1, 2)
    .bytes();
  const [real] = net.receive(3, inner);
  t.is(real.port, 0);
  const b = Uint8Array.from(Buffer.from(frame ?? '', 'hex'));
  t.deepEqual(b.subarray(0, 14), real.frame.subarray(0, 14));
  t.is(mpls.label(b, OUTER), 57);
});

test('a bridged packet for another host, and a flood, are said to go there', (t) => {
  const tracing = tracingOf(networkOf());
  const bridged = tracing.dryRun({ vmi: 'vif0/3', packet: 'icmp 5.5.5.20', dstMac: '02:00:00:00:01:20' });
  t.is(bridged.verdict, 'sent to host-b (192.168.200.22) by MPLSoUDP, label 58');
  const flood = tracing.dryRun({ vmi: 'vif0/3', packet: 'arp who-has 5.5.5.99' });
  t.is(flood.verdict, 'sent out of vif0/4 tap4, to host-b (192.168.200.22) by MPLSoUDP, label 59');
  t.deepEqual(sentTo(flood), ['host-b 59']);
});

test('a tunnel of which the way is not known drops, and says so', (t) => {
  const hosts = [{ peer: 2, encapsulation: 'VXLAN', routes: [['5.5.5.20', 57]], isResolved: false }] as const;
  const dump = tracingOf(networkOf({ hosts })).dryRun({ vmi: 'vif0/3', packet: 'icmp 5.5.5.20', dstMac: GATEWAY_MAC });
  t.is(dump.drop, 'Invalid NH');
  t.is(
    dump.verdict,
    'dropped: Invalid NH (the way to host-b (192.168.200.22) is not known: nobody on the underlay answers for it)',
  );
  t.deepEqual(dump.tunnels, []);
});

test('without an underlay interface nothing comes from there', (t) => {
  const tracing = tracingOf(new TestNetwork());
  t.throws(() => tracing.dryRun({ vmi: 'fabric', frame: '00' }), { message: /has no underlay interface/ });
});

test('what arrives through a tunnel is traced to the guest', (t) => {
  const tracing = tracingOf(networkOf());
  const dump = tracing.dryRun({ vmi: 'fabric:host-b', packet: 'label 18 icmp 5.5.5.20 to 5.5.5.3' });
  t.is(dump.verdict, 'sent out of vif0/3 tap3');
  // What was in the tunnel is another packet than the one around it.
  t.deepEqual(dump.steps.find(({ stage }) => stage === 'arrival')?.changes, []);
  t.deepEqual(
    dump.steps.slice(0, 3).map(({ stage }) => stage),
    ['input', 'parse', 'arrival'],
  );
});

test('why a packet from a tunnel goes nowhere is said', (t) => {
  const tracing = tracingOf(networkOf());
  const verdict = (vmi: string, packet: string): string => tracing.dryRun({ vmi, packet }).verdict;
  const ping = 'icmp 5.5.5.20 to 5.5.5.3';
  t.is(verdict('fabric:host-b', `label 99 ${ping}`), 'dropped: Invalid Label (nobody gave the label away)');
  t.is(verdict('fabric:host-b', `vni 99 ${ping}`), 'dropped: Invalid VNID (no network of this host has it)');
  t.is(
    verdict('fabric:192.168.200.99', `label 18 ${ping}`),
    'dropped: Invalid Source (its sender is none of the hosts known; see vrouter get hosts)',
  );
});

test('a frame that one host sends is traced on the other', (t) => {
  const there = {
    peer: 2,
    encapsulation: 'MPLSoUDP',
    routes: [['5.5.5.4', 18]],
    destination: '192.168.200.11',
  } as const;
  const sender = new TestNetwork({ hosts: [{ ...there, source: '192.168.200.22' }], guests: 1, packetMode: 'all' });
  const [{ frame }] = tracingOf(sender).dryRun({ vmi: 'vif0/3', packet: 'icmp 5.5.5.4', dstMac: GATEWAY_MAC }).tunnels;
  const net = networkOf({ packetMode: 'all' });
  net.tables.apply({ table: 'label', op: 'set', record: { label: 18, nexthop: 24 } });
  t.is(tracingOf(net).dryRun({ vmi: 'fabric', frame: frame ?? '' }).verdict, 'sent out of vif0/4 tap4');
});
