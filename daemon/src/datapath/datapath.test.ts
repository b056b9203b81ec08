import test from 'ava';
import fc from 'fast-check';
import { eth, vnetHeader } from '../testing/packet-builder.js';
import { GATEWAY_MAC, HOST_MAC, ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import { PUNT } from '../tables/punt.js';
import { VIF } from '../tables/counters.js';
import { VIF_ID } from '../tables/records.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const PAYLOAD = Uint8Array.from({ length: 40 }, (_, i) => i);

const ping = (from: number, to: string, dst: string, ttl = 64): Uint8Array =>
  eth({ src: macOf(from), dst })
    .ipv4({ src: ipOf(from), dst: to, ttl })
    .ping({ ident: 1, seq: 1 })
    .payload(PAYLOAD)
    .bytes();

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
const mac = (b: Uint8Array, at: number): string => hex(b.subarray(at, at + 6)).replace(/..(?!$)/g, '$&:');

test('a frame to a guest of the same network is bridged untouched', (t) => {
  const net = new TestNetwork();
  const frame = ping(3, ipOf(4), macOf(4));
  const sent = net.receive(3, frame);
  t.deepEqual(
    sent.map(({ port }) => port),
    [4],
  );
  t.deepEqual(sent[0].frame, frame);
  t.is(net.vrfStat('l2Encaps'), 1);
  t.is(net.imbalance(), 0);
});

test('an interface counts packets and bytes with the Ethernet header', (t) => {
  const net = new TestNetwork();
  const frame = ping(3, ipOf(4), macOf(4));
  net.receive(3, frame);
  const [rx, tx] = [net.counters.vifAt(3), net.counters.vifAt(4)];
  t.is(net.counters.words[rx + VIF.rxPackets], 1);
  t.is(net.counters.words[rx + VIF.rxBytes], frame.length);
  t.is(net.counters.words[tx + VIF.txPackets], 1);
  t.is(net.counters.words[tx + VIF.txBytes], frame.length);
});

test('a super-frame crosses whole and counts as its segments', (t) => {
  const net = new TestNetwork();
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .tcp(1000, 80, { flags: 0x10, checksum: 'partial' })
    .payload(new Uint8Array(3000))
    .bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  const sent = net.receive(3, frame, { vnet });
  t.is(sent.length, 1);
  t.deepEqual(sent[0].frame, frame);
  t.deepEqual(sent[0].vnet, vnet);
  const at = net.counters.vifAt(3);
  t.is(net.counters.words[at + VIF.rxPackets], 3);
  t.is(net.counters.words[at + VIF.rxBytes], 3 * 54 + 3000);
  t.is(net.counters.words[at + VIF.rxSuperFrames], 1);
  t.is(net.imbalance(), 0);
});

test('a port without virtio-net headers gets segments with whole checksums', (t) => {
  const net = new TestNetwork();
  const out = net.tables.vifs.get(4);
  if (out) out.offloads = false;
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .tcp(1000, 80, { flags: 0x18, seq: 7, checksum: 'partial' })
    .payload(new Uint8Array(2500).fill(3))
    .bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  const sent = net.receive(3, frame, { vnet });
  t.deepEqual(
    sent.map((s) => s.frame.length),
    [1054, 1054, 554],
  );
  t.true(sent.every((s) => hex(s.vnet) === '00'.repeat(10)));
  t.is(net.imbalance(), 0);
});

test('a frame to the gateway MAC is routed: TTL goes down, Ethernet is rewritten', (t) => {
  const net = new TestNetwork();
  const [{ port, frame }] = net.receive(3, ping(3, ipOf(4), GATEWAY_MAC));
  t.is(port, 4);
  const expected = eth({ src: GATEWAY_MAC, dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4), ttl: 63 })
    .ping({ ident: 1, seq: 1 })
    .payload(PAYLOAD)
    .bytes();
  t.deepEqual(frame, expected);
  t.is(net.vrfStat('encaps'), 1);
  t.is(net.vrfStat('l2Receives'), 1);
});

test('an IPv6 packet is routed with its hop limit one lower', (t) => {
  const net = new TestNetwork();
  const frame = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv6({ src: ip6Of(3), dst: ip6Of(4), hopLimit: 64 })
    .ping6({ ident: 1, seq: 1 })
    .bytes();
  const [sent] = net.receive(3, frame);
  t.is(sent.port, 4);
  t.is(sent.frame[14 + 7], 63);
  t.is(mac(sent.frame, 0), macOf(4));
});

test('a frame to the MAC of the host is routed as well', (t) => {
  const net = new TestNetwork();
  const [sent] = net.receive(3, ping(3, ipOf(4), HOST_MAC));
  t.is(sent.port, 4);
  t.is(sent.frame[14 + 8], 63);
});

test('a packet whose time is up is dropped, and the agent gets a copy to tell its sender', (t) => {
  for (const ttl of [0, 1]) {
    const net = new TestNetwork();
    t.deepEqual(net.receive(3, ping(3, ipOf(4), GATEWAY_MAC, ttl)), []);
    t.is(net.drops('ttlExceeded'), 1);
    t.deepEqual(
      net.punted().map(({ vif, command }) => [vif, command]),
      [[3, PUNT.zeroTtl]],
    );
    t.is(net.imbalance(), 0);
  }
});

test('a packet with a wrong header checksum is not routed', (t) => {
  const net = new TestNetwork();
  const frame = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv4({ src: ipOf(3), dst: ipOf(4), checksum: 1 })
    .udp(1, 2)
    .bytes();
  t.deepEqual(net.receive(3, frame), []);
  t.is(net.drops('checksum'), 1);
});

test('an address of the subnet nobody has is discarded', (t) => {
  const net = new TestNetwork({ packetMode: 'all' });
  t.deepEqual(net.receive(3, ping(3, '5.5.5.100', GATEWAY_MAC)), []);
  t.is(net.drops('discards'), 1);
  t.is(net.vrfStat('discards'), 1);
});

test('an echo request to the gateway goes to the agent with its TTL as it was', (t) => {
  const net = new TestNetwork();
  const frame = ping(3, '5.5.5.1', GATEWAY_MAC, 1);
  t.deepEqual(net.receive(3, frame), []);
  const [punted] = net.punted();
  t.is(punted.command, PUNT.nexthop);
  t.deepEqual(punted.frame, frame);
  t.is(net.counters.words[net.counters.vifAt(VIF_ID.agent) + VIF.txPackets], 1);
  t.is(net.imbalance(), 0);
});

test('ARP for a guest is answered with its own MAC, so that frames are bridged', (t) => {
  const net = new TestNetwork();
  const request = eth({ src: macOf(3), dst: BROADCAST })
    .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: ipOf(4) })
    .bytes();
  const sent = net.receive(3, request);
  const reply = eth({ src: macOf(4), dst: macOf(3) })
    .arp({ op: 2, senderMac: macOf(4), senderIp: ipOf(4), targetMac: macOf(3), targetIp: ipOf(3) })
    .bytes();
  t.deepEqual(
    sent.map(({ port }) => port),
    [3],
  );
  t.deepEqual(sent[0].frame, reply);
  t.is(net.vrfStat('arpVirtualStitchs'), 1);
  t.is(net.imbalance(), 0);
});

test('ARP for the gateway and the service address is answered with the gateway MAC', (t) => {
  for (const targetIp of ['5.5.5.1', '5.5.5.2']) {
    const net = new TestNetwork();
    const [{ port, frame }] = net.receive(
      3,
      eth({ src: macOf(3), dst: BROADCAST })
        .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp })
        .bytes(),
    );
    t.is(port, 3);
    t.is(mac(frame, 6), GATEWAY_MAC);
    t.is(mac(frame, 22), GATEWAY_MAC);
    t.is(net.vrfStat('arpVirtualProxys'), 1);
  }
});

test('in a network that only routes, ARP for a guest is answered with the gateway MAC', (t) => {
  const net = new TestNetwork({ mode: 'l3' });
  const [{ port, frame }] = net.receive(
    3,
    eth({ src: macOf(3), dst: BROADCAST })
      .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: ipOf(4) })
      .bytes(),
  );
  t.is(port, 3);
  t.is(mac(frame, 22), GATEWAY_MAC);
});

test('ARP for an address nobody has is flooded to the others', (t) => {
  const net = new TestNetwork({ guests: 3 });
  const request = eth({ src: macOf(3), dst: BROADCAST })
    .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: '5.5.5.100' })
    .bytes();
  const sent = net.receive(3, request);
  t.deepEqual(
    sent.map(({ port }) => port),
    [4, 5],
  );
  t.true(sent.every(({ frame }) => hex(frame) === hex(request)));
  t.is(net.vrfStat('arpVirtualFloods'), 1);
  t.is(net.imbalance(), 0);
});

test('an announcement of an address the subnet waits for is flooded, and the agent hears it too', (t) => {
  const net = new TestNetwork();
  for (const [senderIp, targetIp] of [
    ['5.5.5.100', '5.5.5.100'],
    ['0.0.0.0', '5.5.5.100'],
  ]) {
    const announcement = eth({ src: macOf(3), dst: BROADCAST })
      .arp({ op: 1, senderMac: macOf(3), senderIp, targetIp })
      .bytes();
    t.deepEqual(
      net.receive(3, announcement).map(({ port }) => port),
      [4],
    );
    t.deepEqual(
      net.punted().map(({ command }) => command),
      [PUNT.arp],
    );
  }
  t.is(net.imbalance(), 0);
});

test('an announcement of a guest’s own address is flooded and not for the agent', (t) => {
  const net = new TestNetwork();
  const announcement = eth({ src: macOf(3), dst: BROADCAST })
    .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: ipOf(3) })
    .bytes();
  t.is(net.receive(3, announcement).length, 1);
  t.deepEqual(net.punted(), []);
});

test('an ARP reply to the gateway is the agent’s, to a guest it is bridged, to everybody it is both', (t) => {
  const net = new TestNetwork();
  const reply = (dst: string): Uint8Array =>
    eth({ src: macOf(3), dst })
      .arp({ op: 2, senderMac: macOf(3), senderIp: ipOf(3), targetMac: dst, targetIp: '5.5.5.2' })
      .bytes();
  t.deepEqual(net.receive(3, reply(GATEWAY_MAC)), []);
  t.is(net.punted().length, 1);
  t.is(net.receive(3, reply(macOf(4)))[0].port, 4);
  t.is(net.punted().length, 0);
  t.is(net.receive(3, reply(BROADCAST))[0].port, 4);
  t.is(net.punted().length, 1);
  t.is(net.imbalance(), 0);
});

test('ARP that is not about IPv4 over Ethernet, or cut short, is invalid', (t) => {
  const net = new TestNetwork();
  const request = eth({ src: macOf(3), dst: BROADCAST })
    .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: ipOf(4) })
    .bytes();
  const strange = request.slice();
  strange[14] = 9;
  const inverse = request.slice();
  inverse[21] = 8;
  for (const frame of [strange, inverse, request.slice(0, 41)]) t.deepEqual(net.receive(3, frame), []);
  t.is(net.drops('invalidArp'), 3);
});

test('a guest that took another MAC gets no answer where the network bridges', (t) => {
  const net = new TestNetwork();
  const request = eth({ src: '04:03:02:01:02:03', dst: BROADCAST })
    .arp({ op: 1, senderMac: '04:03:02:01:02:03', senderIp: ipOf(3), targetIp: ipOf(4) })
    .bytes();
  t.deepEqual(net.receive(3, request), []);
  t.is(net.drops('l2NoRoute'), 1);
  t.is(net.imbalance(), 0);
});

test('an unknown MAC is dropped, and flooded where the network says so', (t) => {
  const net = new TestNetwork({ guests: 3, mode: 'l2' });
  const frame = ping(3, '172.30.0.9', '04:04:04:01:02:03');
  t.deepEqual(net.receive(3, frame), []);
  t.is(net.drops('l2NoRoute'), 1);
  const rows = [...net.tables.bridge.entries()].length;
  net.configure({ floodUnknownUnicast: true });
  t.deepEqual(
    net.receive(3, frame).map(({ port }) => port),
    [4, 5],
  );
  t.is(net.vrfStat('unknownUnicastFloods'), 1);
  t.is([...net.tables.bridge.entries()].length, rows);
});

test('a network of layer 2 carries any address and does not look into IP', (t) => {
  const net = new TestNetwork({ mode: 'l2' });
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: '172.30.0.3', dst: '172.30.0.4', totalLength: 9999 })
    .bytes();
  t.deepEqual(net.receive(3, frame)[0].frame, frame);
  t.deepEqual(net.receive(3, ping(3, '1.1.1.1', GATEWAY_MAC)), []);
  t.is(net.drops('discards'), 1);
});

test('a network of layer 3 bridges nothing and floods only IP', (t) => {
  const net = new TestNetwork({ mode: 'l3' });
  t.deepEqual(
    net.receive(
      3,
      eth({ src: macOf(3), dst: BROADCAST, type: 0x88cc })
        .payload(PAYLOAD)
        .bytes(),
    ),
    [],
  );
  t.is(net.drops('l2NoRoute'), 1);
  const announcement = eth({ src: macOf(3), dst: '01:00:5e:00:00:12' })
    .ipv4({ src: ipOf(3), dst: '224.0.0.18' })
    .payload(PAYLOAD);
  t.is(net.receive(3, announcement.bytes())[0].port, 4);
});

test('a tagged frame is bridged with its tag, and not routed', (t) => {
  const net = new TestNetwork();
  const tagged = eth({ src: macOf(3), dst: macOf(4) })
    .vlan(5)
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  t.deepEqual(net.receive(3, tagged)[0].frame, tagged);
  const toGateway = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .vlan(5)
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  t.deepEqual(net.receive(3, toGateway), []);
  t.is(net.drops('ifRxDiscard'), 1);
});

test('a tagged ARP request is a broadcast like any other', (t) => {
  const net = new TestNetwork();
  const request = eth({ src: macOf(3), dst: BROADCAST })
    .vlan(5)
    .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: '5.5.5.1' })
    .bytes();
  const sent = net.receive(3, request);
  t.is(sent[0].port, 4);
  t.deepEqual(sent[0].frame, request);
});

test('a frame that would go back where it came from is dropped', (t) => {
  const net = new TestNetwork({ packetMode: 'all' });
  t.deepEqual(net.receive(3, ping(3, ipOf(3), macOf(3))), []);
  t.is(net.drops('packetLoop'), 1);
});

test('DHCP of a guest goes to the agent, and floods where the agent does not serve it', (t) => {
  for (const [enableDhcp, ports] of [
    [true, []],
    [false, [4]],
  ] as const) {
    const net = new TestNetwork({ enableDhcp });
    const discover = eth({ src: macOf(3), dst: BROADCAST })
      .ipv4({ src: '0.0.0.0', dst: '255.255.255.255' })
      .udp(68, 67)
      .payload(new Uint8Array(300))
      .bytes();
    t.deepEqual(
      net.receive(3, discover).map(({ port }) => port),
      [...ports],
    );
    t.is(net.punted().length, enableDhcp ? 1 : 0);
    t.is(net.imbalance(), 0);
  }
});

test('a solicitation for a guest or the gateway is answered, for an unknown address it is flooded', (t) => {
  const net = new TestNetwork();
  const ask = (target: string): Uint8Array =>
    eth({ src: macOf(3), dst: '33:33:ff:00:00:04' })
      .ipv6({ src: ip6Of(3), dst: 'ff02::1:ff00:4', hopLimit: 255 })
      .neighbourSolicitation({ target, mac: macOf(3) })
      .bytes();
  const advertisement = (target: string, from: string): Uint8Array =>
    eth({ src: from, dst: macOf(3) })
      .ipv6({ src: target, dst: ip6Of(3), hopLimit: 255 })
      .neighbourAdvertisement({ target, mac: from, flags: 0x60 })
      .bytes();
  const [stitched] = net.receive(3, ask(ip6Of(4)));
  t.is(stitched.port, 3);
  t.deepEqual(stitched.frame, advertisement(ip6Of(4), macOf(4)));
  const [proxied] = net.receive(3, ask('fd00:5::1'));
  t.deepEqual(proxied.frame, advertisement('fd00:5::1', GATEWAY_MAC));
  t.is(net.receive(3, ask('fd00:5::99'))[0].port, 4);
  t.is(net.imbalance(), 0);
});

test('a solicitation that came over a router is invalid', (t) => {
  const net = new TestNetwork();
  const frame = eth({ src: macOf(3), dst: '33:33:ff:00:00:04' })
    .ipv6({ src: ip6Of(3), dst: 'ff02::1:ff00:4', hopLimit: 254 })
    .neighbourSolicitation({ target: ip6Of(4), mac: macOf(3) })
    .bytes();
  t.deepEqual(net.receive(3, frame), []);
  t.is(net.drops('invalidArp'), 1);
});

test('the MSS of a SYN is lowered to what fits through a tunnel, never raised', (t) => {
  const syn = (dst: string, mss: number, pad: readonly number[] = []): Uint8Array =>
    eth({ src: macOf(3), dst })
      .ipv4({ src: ipOf(3), dst: ipOf(4), ttl: 64 })
      .tcp(1000, 80, {
        flags: 2,
        options: [...pad, 2, 4, mss >> 8, mss & 255, ...pad.map(() => 1)].concat(pad.length % 2 ? [1, 1] : []),
      })
      .bytes();
  const net = new TestNetwork();
  for (const pad of [[], [1]]) {
    t.deepEqual(net.receive(3, syn(macOf(4), 1460, pad))[0].frame, syn(macOf(4), 1398, pad));
    t.deepEqual(net.receive(3, syn(macOf(4), 1000, pad))[0].frame, syn(macOf(4), 1000, pad));
  }
  const [routed] = net.receive(3, syn(GATEWAY_MAC, 1460));
  t.is((routed.frame[14 + 20 + 22] << 8) | routed.frame[14 + 20 + 23], 1420);
});

test('what a port refuses is taken back from its counters and counted as dropped', (t) => {
  const net = new TestNetwork();
  for (const [errno, reason] of [
    [11, 'ifTxDiscard'],
    [105, 'ifTxDiscard'],
    [100, 'ifDrop'],
    [6, 'ifDrop'],
  ] as const) {
    const before = net.drops(reason);
    net.io.refusing.set(4, errno);
    t.deepEqual(net.receive(3, ping(3, ipOf(4), macOf(4))), []);
    t.is(net.drops(reason), before + 1);
  }
  t.is(net.counters.words[net.counters.vifAt(4) + VIF.txPackets], 0);
  t.is(net.imbalance(), 0);
});

test('more frames for the agent than an interface may send are dropped, and later ones pass again', (t) => {
  const net = new TestNetwork({ agentBurst: 2 });
  const frame = ping(3, '5.5.5.1', GATEWAY_MAC);
  for (let i = 0; i < 5; i++) net.receive(3, frame);
  t.is(net.punted().length, 2);
  t.is(net.drops('ifTxDiscard'), 3);
  net.receive(3, frame, { afterMs: 10 });
  t.is(net.punted().length, 1);
  t.is(net.imbalance(), 0);
});

test('frames that fill the send queue while others are cut into segments do not overwrite them', (t) => {
  const net = new TestNetwork();
  const raw = net.tables.vifs.get(4);
  if (raw) raw.offloads = false;
  const small = ping(4, ipOf(3), macOf(3));
  const large = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .tcp(1000, 80, { checksum: 'partial' })
    .payload(new Uint8Array(14_100).fill(0x5a))
    .bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  for (let i = 0; i < 28; i++) net.io.inject(4, small);
  for (let i = 0; i < 35; i++) net.io.inject(3, large, vnet);
  const sent = net.receive(3, large, { vnet });
  t.is(sent.length, 28 + 36 * 15);
  t.true(sent.every(({ port, frame }) => mac(frame, 0) === macOf(port)));
  t.is(net.imbalance(), 0);
});

test('a clock that goes back does not shut the agent off', (t) => {
  const net = new TestNetwork({ agentBurst: 2 });
  const frame = ping(3, '5.5.5.1', GATEWAY_MAC);
  net.receive(3, frame);
  net.receive(3, frame, { afterMs: -3_600_000 });
  net.receive(3, frame, { afterMs: 10 });
  t.is(net.punted().length, 3);
});

test('a guest of a network of layer 3 whose neighbour told everybody its own MAC reaches it all the same', (t) => {
  const net = new TestNetwork({ mode: 'l3' });
  for (const learnt of [macOf(4), '04:04:04:01:02:03']) {
    const [{ port, frame }] = net.receive(3, ping(3, ipOf(4), learnt));
    t.is(port, 4);
    t.is(mac(frame, 0), macOf(4));
    t.is(mac(frame, 6), GATEWAY_MAC);
    t.is(frame[22], 63, 'it was routed');
  }
});

test('a network of layer 3 floods no unknown unicast even where the network says so', (t) => {
  const net = new TestNetwork({ mode: 'l3', floodUnknownUnicast: true, guests: 3 });
  const stranger = eth({ src: macOf(3), dst: '04:04:04:01:02:03', type: 0x88cc });
  t.deepEqual(net.receive(3, stranger.payload(PAYLOAD).bytes()), []);
  t.is(net.drops('l2NoRoute'), 1);
});

test('a virtio-net header whose header length lies behind the frame is refused on any frame', (t) => {
  const net = new TestNetwork();
  const vnet = vnetHeader({ hdrLen: 65_535 });
  t.deepEqual(net.receive(3, ping(3, ipOf(4), macOf(4)), { vnet }), []);
  t.is(net.drops('invalidPacket'), 1);
});

test('a frame of the agent goes out of the interface it names', (t) => {
  const net = new TestNetwork();
  const frame = ping(3, ipOf(4), macOf(4));
  t.deepEqual(
    net.fromAgent(4, frame).map((sent) => [sent.port, hex(sent.frame)]),
    [[4, hex(frame)]],
  );
  t.deepEqual(net.fromAgent(9, frame), []);
  t.is(net.drops('invalidIf'), 1);
  t.is(net.imbalance(), 0);
});

test('a frame from a port nobody configured is counted and goes nowhere', (t) => {
  const net = new TestNetwork();
  t.deepEqual(net.receive(99, ping(3, ipOf(4), macOf(4))), []);
  t.is(net.drops('invalidIf'), 1);
  t.is(net.imbalance(), 0);
});

test('a frame cut at any byte is dropped under a reason or forwarded, and the books balance', (t) => {
  const whole = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(5, 6)
    .payload(PAYLOAD)
    .bytes();
  for (let length = 1; length < whole.length; length++) {
    const net = new TestNetwork();
    t.deepEqual(net.receive(3, whole.slice(0, length)), [], `${length} bytes`);
    t.is(net.drops(length < 14 ? 'pull' : 'invalidPacket'), 1, `${length} bytes`);
    t.is(net.counters.words[net.counters.vifAt(3) + VIF.drops + 0], 0);
  }
});

test('no frame, however broken, throws or unbalances the books', (t) => {
  const seeds = [
    ping(3, ipOf(4), macOf(4)),
    ping(3, ipOf(4), GATEWAY_MAC),
    eth({ src: macOf(3), dst: BROADCAST })
      .arp({ op: 1, senderMac: macOf(3), senderIp: ipOf(3), targetIp: ipOf(4) })
      .bytes(),
    eth({ src: macOf(3), dst: '33:33:ff:00:00:04' })
      .ipv6({ src: ip6Of(3), dst: 'ff02::1:ff00:4', hopLimit: 255 })
      .neighbourSolicitation({ target: ip6Of(4), mac: macOf(3) })
      .bytes(),
    eth({ src: macOf(3), dst: macOf(4) })
      .vlan(5)
      .vlan(6)
      .vlan(7)
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .tcp(1, 2, { flags: 2, options: [2, 4, 5, 180] })
      .bytes(),
  ];
  const nets = [{ mode: 'l2_l3' }, { mode: 'l3' }, { mode: 'l2' }].map(
    (o) => new TestNetwork({ ...o, guests: 3 } as never),
  );
  for (const net of nets) {
    const raw = net.tables.vifs.get(4);
    if (raw) raw.offloads = false;
  }
  t.notThrows(() => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 8 }),
        fc.nat(120),
        fc.option(fc.uint8Array({ minLength: 10, maxLength: 10 }), { nil: undefined }),
        fc.constantFrom(...nets),
        (seed, edits, cut, vnet, net) => {
          const frame = seed.slice(0, Math.max(1, seed.length - (cut > 60 ? 0 : cut)));
          for (const [at, value] of edits) if (at < frame.length) frame[at] = value;
          net.receive(3, frame, { ...(vnet && { vnet }), afterMs: 1 });
          net.punted();
          return net.imbalance() === 0;
        },
      ),
      { numRuns: 3000 },
    );
  });
});
