import test from 'ava';
import { FLOW_ACTION, FLOW_DROP, FLOW_OWN, RPF_SENDER } from '../tables/flow.js';
import { VIF } from '../tables/counters.js';
import { entries, pair } from '../testing/flow-entries.js';
import {
  bridgedLabelOf,
  GATEWAY_MAC,
  ipOf,
  macOf,
  NEXT_HOP_MAC,
  type NetworkOptions,
  type OtherHost,
  routedLabelOf,
  TestNetwork,
  UNDERLAY_MAC,
} from '../testing/network.js';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';
import { type AclPeer, type AclRecord, FABRIC_NETWORK } from '../tables/records.js';
import { parseIpv4 } from '../wire/addr.js';

const FAR = '8.8.8.8';
const FAR_MAC = '02:00:00:00:00:99';
const [TUNNEL_2, TUNNEL_3] = [62, 63];

const HOSTS: readonly OtherHost[] = [
  { peer: 2, encapsulation: 'MPLSoUDP', routes: [[FAR, 20]], macs: [[FAR_MAC, 57]] },
  { peer: 3, encapsulation: 'MPLSoUDP', routes: [['9.9.9.9', 21]] },
];
const network = (options: NetworkOptions = {}): TestNetwork => new TestNetwork({ hosts: HOSTS, ...options });

const ip = (src: string, dst: string): PacketBuilder => eth({ src: FAR_MAC, dst: macOf(3) }).ipv4({ src, dst });
const ping = (src = FAR, dst = ipOf(3), type = 8): Uint8Array =>
  ip(src, dst).ping({ type, ident: 7, seq: 1 }).payload(new Uint8Array(24)).bytes();

/** The inner frame, or its packet, as host `peer` sends it for a label. */
const wrapped = (frame: Uint8Array, label: number, { peer = 2, isRouted = true } = {}): Uint8Array =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC })
    .ipv4({ src: `192.168.200.${20 + peer}`, dst: '192.168.200.11' })
    .udp(50_000, 6635, { checksum: 0 })
    .mpls(label)
    .payload(isRouted ? frame.subarray(14) : frame)
    .bytes();

const L3 = routedLabelOf(3);

test('a session another host begins is a pair with the guest as its key, and comes from the tunnel', (t) => {
  const net = network();
  t.is(net.receive(0, wrapped(ping(), L3))[0].port, 3);
  t.is(
    net.receive(
      3,
      eth({ src: macOf(3), dst: GATEWAY_MAC })
        .ipv4({ src: ipOf(3), dst: FAR })
        .ping({ type: 0, ident: 7, seq: 1 })
        .payload(new Uint8Array(24))
        .bytes(),
    )[0].port,
    0,
  );
  t.is(net.receive(0, wrapped(ping(), L3)).length, 1);
  const [forward, reverse] = pair(net);
  t.like(forward, {
    keyNh: 23,
    source: FAR,
    action: FLOW_ACTION.forward,
    rpfNh: TUNNEL_2,
    packets: 2,
    bytes: 2 * 52,
    source1: parseIpv4('192.168.200.22') | 0,
  });
  t.like(reverse, { keyNh: 23, source: ipOf(3), rpfNh: 23, packets: 1, bytes: 66, source1: 3 });
  t.is((forward.own & FLOW_OWN.fromFabric) !== 0, true);
  t.is((reverse.own & FLOW_OWN.fromFabric) !== 0, false);
  t.is(net.imbalance(), 0);
});

test('frames that are bridged are counted with the Ethernet header they have in the tunnel', (t) => {
  const net = network();
  net.receive(0, wrapped(ping(), bridgedLabelOf(3), { isRouted: false }));
  t.is(pair(net)[0].bytes, 66);
});

test('answers to a session of a guest come from the host it went to, and from no other', (t) => {
  const net = network();
  const out = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv4({ src: ipOf(3), dst: FAR })
    .ping({ ident: 7, seq: 1 });
  net.receive(3, out.bytes());
  t.is(net.receive(0, wrapped(ping(FAR, ipOf(3), 0), L3)).length, 1);
  const [, reverse] = pair(net);
  t.like(reverse, { keyNh: 23, rpfNh: TUNNEL_2, packets: 1, source1: parseIpv4('192.168.200.22') | 0 });
  t.is(net.receive(0, wrapped(ping(FAR, ipOf(3), 0), L3, { peer: 3 })).length, 0);
  t.is(net.drops('invalidSource'), 1);
  t.is(net.imbalance(), 0);
});

test('a host cannot begin sessions with the address of another, or of a guest here', (t) => {
  for (const source of ['9.9.9.9', ipOf(4)]) {
    const net = network();
    t.is(net.receive(0, wrapped(ping(source), L3)).length, 0);
    t.is(net.drops('invalidSource'), 1);
    // The answers are not its own.
    t.is(entries(net).length, 1);
    t.is(entries(net)[0].rpfNh, source === ipOf(4) ? 24 : TUNNEL_3);
    t.is(net.imbalance(), 0);
  }
});

test('a source nobody has a route to is refused, unless the network does not ask', (t) => {
  const net = network();
  t.is(net.receive(0, wrapped(ping('7.7.7.7'), L3)).length, 0);
  t.like(entries(net)[0], { action: FLOW_ACTION.drop, reason: FLOW_DROP.noSrcRt });
  const open = network({ rpf: false });
  t.is(open.receive(0, wrapped(ping('7.7.7.7'), L3)).length, 1);
});

const ANYBODY: AclPeer = { network: null, prefix: null, group: null };
const acl = (source: AclPeer): AclRecord => ({
  id: 1,
  name: 'in',
  otherwise: 'deny',
  rules: [
    {
      name: 'r',
      action: 'pass',
      protocol: -1,
      source,
      destination: ANYBODY,
      sourcePorts: [],
      destinationPorts: [],
      log: false,
      mirrors: [],
    },
  ],
});

/** Passes what hosts send as themselves to a UDP port, and whatever the network (1) has inside. */
const COPIES: AclRecord = {
  ...acl({ ...ANYBODY, network: FABRIC_NETWORK }),
  rules: [
    { ...acl({ ...ANYBODY, network: FABRIC_NETWORK }).rules[0], protocol: 17, destinationPorts: [[8099, 8099]] },
    acl({ ...ANYBODY, network: 1 }).rules[0],
  ],
};
const copy = (host: number, port = 8099): Uint8Array =>
  ip(`192.168.200.${20 + host}`, ipOf(3))
    .udp(50_000, port)
    .payload(new Uint8Array(24))
    .bytes();

test('what another host sends as itself, as copies for an analyzer are, needs no route back but a rule', (t) => {
  const net = network({ acls: [COPIES], acl: 1 });
  t.is(net.receive(0, wrapped(copy(2), L3))[0].port, 3);
  t.like(pair(net)[0], { source: '192.168.200.22', action: FLOW_ACTION.forward, rpfNh: RPF_SENDER });
  t.is(net.receive(0, wrapped(copy(2), L3, { peer: 3 })).length, 0, 'nor does another host join its session');
  t.is(net.receive(0, wrapped(ping('192.168.200.99'), L3)).length, 0, 'nobody is called that');
  t.is(net.imbalance(), 0);
});

test('a guest elsewhere that sends from the address of a host reaches no more than copies do', (t) => {
  const net = network({ acls: [COPIES], acl: 1 });
  t.is(net.receive(0, wrapped(copy(3), L3)).length, 0, 'from another host than its own');
  t.is(net.drops('invalidSource'), 1);
  t.is(net.receive(0, wrapped(copy(2, 22), L3)).length, 0, 'to another port');
  t.is(net.receive(0, wrapped(ping('192.168.200.22'), L3)).length, 0);
  const open = network();
  t.is(open.receive(0, wrapped(copy(2), L3)).length, 0, 'where no rule says so');
  t.is(net.imbalance() + open.imbalance(), 0);
});

test('the groups of the guest it is for are asked about a session of another host, those of others are not', (t) => {
  const refusing = network({ acls: [acl({ ...ANYBODY, prefix: '1.1.1.1/32' })], port: () => ({ ingressAcl: 1 }) });
  t.is(refusing.receive(0, wrapped(ping(), L3)).length, 0);
  t.like(entries(refusing)[0], { action: FLOW_ACTION.drop, reason: FLOW_DROP.outSg });
  const letting = network({
    acls: [acl({ ...ANYBODY, network: 10 })],
    port: () => ({ ingressAcl: 1, egressAcl: 7 }),
  });
  t.is(letting.receive(0, wrapped(ping(), L3)).length, 1);
});

test('a session of another host counts against the guest it is for', (t) => {
  const net = network({ flowsPerInterface: 4 });
  for (let port = 1; port <= 3; port++) net.receive(0, wrapped(ip(FAR, ipOf(3)).udp(port, 9).bytes(), L3));
  t.is(net.drops('newFlow'), 1);
  t.is(net.counters.words[net.counters.vifAt(3) + VIF.flows], 4);
  t.is(net.counters.words[net.counters.vifAt(0) + VIF.flows], 0);
  t.is(net.receive(0, wrapped(ip(FAR, ipOf(4)).udp(1, 9).bytes(), routedLabelOf(4))).length, 1);
  net.configure({ guests: 1, hosts: HOSTS });
  t.is(net.counters.words[net.counters.vifAt(3) + VIF.flows], 4);
});

test('a session of another host is decided anew when the rules change', (t) => {
  const port = (): { ingressAcl: number } => ({ ingressAcl: 1 });
  const net = network({ acls: [acl(ANYBODY)], port });
  t.is(net.receive(0, wrapped(ping(), L3)).length, 1);
  net.configure({ acls: [acl({ ...ANYBODY, prefix: '1.1.1.1/32' })], port, hosts: HOSTS });
  t.is(net.receive(0, wrapped(ping(), L3)).length, 0);
  t.is(net.drops('flowActionDrop'), 1);
  t.like(pair(net)[0], { packets: 2, rpfNh: TUNNEL_2, vrfs: [7, 7] });
});

test('fat-flow rules of the guest it is for fold what another host sends, in its own view', (t) => {
  const rule = { protocol: 17, port: 53, ignore: 'none', source: null, destination: null } as const;
  const net = network({ port: () => ({ fatFlows: [rule] }) });
  for (const port of [1000, 1001]) net.receive(0, wrapped(ip(FAR, ipOf(3)).udp(port, 53).bytes(), L3));
  const [forward, reverse] = pair(net);
  t.deepEqual(
    [forward.ports, reverse.ports],
    [
      [0, 53],
      [53, 0],
    ],
  );
  t.is(forward.packets, 2);
});

test('an ICMP error belongs to the session it quotes, when it comes from where its sender is', (t) => {
  const net = network();
  const asked = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv4({ src: ipOf(3), dst: FAR })
    .udp(1000, 53);
  net.receive(3, asked.bytes());
  const error = (peer: number): Uint8Array =>
    wrapped(ip(FAR, ipOf(3)).icmp({ type: 3, code: 3 }).payload(asked.bytes().subarray(14)).bytes(), L3, { peer });
  t.is(net.receive(0, error(2)).length, 1);
  t.is(net.receive(0, error(3)).length, 0);
  t.is(net.drops('invalidSource'), 1);
  t.is(pair(net)[1].packets, 2);
});

test('fragments another host sends find their session, in whatever order they come', (t) => {
  const net = network();
  const datagram = ip(FAR, ipOf(3))
    .udp(1000, 53, { length: 16 + 16 })
    .payload(new Uint8Array(24))
    .bytes()
    .subarray(34);
  const fragment = (at: number, end: number): Uint8Array =>
    eth({ src: FAR_MAC, dst: macOf(3) })
      .ipv4({ src: FAR, dst: ipOf(3), id: 5, protocol: 17, mf: end < datagram.length, fragmentOffset: at })
      .payload(datagram.subarray(at, end))
      .bytes();
  const [first, second] = [fragment(0, 16), fragment(16, datagram.length)];
  t.is(net.receive(0, wrapped(second, L3)).length, 0);
  t.is(net.imbalance(), 0);
  const sent = net.receive(0, wrapped(first, L3));
  t.deepEqual(
    sent.map(({ port }) => port),
    [3, 3],
  );
  t.like(pair(net)[0], { packets: 2, bytes: 36 + 36, rpfNh: TUNNEL_2 });
  t.is(net.imbalance(), 0);
});
