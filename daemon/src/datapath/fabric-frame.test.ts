import test from 'ava';
import {
  FLOOD_LABEL,
  GATEWAY_MAC,
  ip6Of,
  ipOf,
  macOf,
  NEXT_HOP_MAC,
  type OtherHost,
  TestNetwork,
  UNDERLAY_MAC,
  VNI,
} from '../testing/network.js';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';

const FAR = '5.5.5.99';
const FAR6 = 'fd00:5::99';
const FAR_MAC = '02:00:00:00:00:99';
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const HOST: OtherHost = { peer: 2, encapsulation: 'MPLSoUDP', routes: [[FAR, 20]], macs: [[FAR_MAC, 57]], flood: 70 };

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
const tunnel = (): PacketBuilder =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC })
    .ipv4({ src: '192.168.200.22', dst: '192.168.200.11' })
    .udp(50_000, 6635, { checksum: 0 });
const flooded = (frame: Uint8Array): Uint8Array => tunnel().mpls(FLOOD_LABEL).payload(frame).bytes();
const inVxlan = (frame: Uint8Array): Uint8Array =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC })
    .ipv4({ src: '192.168.200.22', dst: '192.168.200.11' })
    .udp(50_000, 4789)
    .vxlan(VNI)
    .payload(frame)
    .bytes();

const asks = (target: string, sender = FAR): Uint8Array =>
  eth({ src: FAR_MAC, dst: BROADCAST }).arp({ op: 1, senderMac: FAR_MAC, senderIp: sender, targetIp: target }).bytes();
const solicits = (target: string): Uint8Array =>
  eth({ src: FAR_MAC, dst: '33:33:ff:00:00:03' })
    .ipv6({ src: FAR6, dst: 'ff02::1:ff00:3', hopLimit: 255 })
    .neighbourSolicitation({ target, mac: FAR_MAC })
    .bytes();

test('a guest elsewhere that asks for one here is answered through its tunnel, and nobody else hears of it', (t) => {
  for (const wrap of [flooded, inVxlan]) {
    const net = new TestNetwork({ hosts: [HOST] });
    const [{ port, frame }, ...others] = net.receive(0, wrap(asks(ipOf(3))));
    t.is(others.length, 0);
    t.is(port, 0);
    const answer = eth({ src: macOf(3), dst: FAR_MAC })
      .arp({ op: 2, senderMac: macOf(3), senderIp: ipOf(3), targetMac: FAR_MAC, targetIp: FAR })
      .bytes();
    t.is(hex(frame.subarray(42, 46)), '00039140');
    t.is(hex(frame.subarray(46)), hex(answer));
    t.is(net.vrfStat('arpPhysicalStitchs'), 1);
    t.is(net.imbalance(), 0);
  }
});

test('a neighbour solicitation from elsewhere is answered for a guest here', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const [{ port, frame }, ...others] = net.receive(0, flooded(solicits(ip6Of(3))));
  t.is(others.length, 0);
  t.is(port, 0);
  t.is(frame[46 + 54], 136);
  t.is(hex(frame.subarray(46, 58)), '020000000099' + '020000000003');
  t.is(net.imbalance(), 0);
});

test('the gateway is every host its own: who asks another for it is not answered', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  t.is(net.receive(0, flooded(asks('5.5.5.1'))).length, 0);
  t.is(net.receive(0, flooded(asks(FAR, '5.5.5.98'))).length, 0);
  t.is(net.drops('invalidArp'), 2);
  const ping = eth({ src: FAR_MAC, dst: GATEWAY_MAC }).ipv4({ src: FAR, dst: '5.5.5.1' }).ping({ ident: 1, seq: 1 });
  t.is(net.receive(0, inVxlan(ping.bytes())).length, 0);
  t.is(net.drops('nowhereToGo'), 1);
  t.is(net.punted().length, 0);
  t.is(net.imbalance(), 0);
});

test('questions nobody is known to answer, and announcements, are for the guests', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const frame = asks('5.5.5.77');
  const sent = net.receive(0, flooded(frame)).map((one) => [one.port, hex(one.frame)]);
  t.deepEqual(sent, [
    [3, hex(frame)],
    [4, hex(frame)],
  ]);
  t.is(net.vrfStat('arpPhysicalFloods'), 1);
  t.is(net.receive(0, flooded(asks(FAR, FAR))).length, 2);
  t.is(net.receive(0, flooded(asks(FAR, '0.0.0.0'))).length, 2);
  t.is(net.punted().length, 0);
  t.is(net.imbalance(), 0);
});

test('an answer from elsewhere reaches the guest, unless it contradicts what its own host says', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const says = (senderIp: string, senderMac = FAR_MAC): Uint8Array =>
    eth({ src: senderMac, dst: macOf(3) })
      .arp({ op: 2, senderMac, senderIp, targetMac: macOf(3), targetIp: ipOf(3) })
      .bytes();
  t.is(net.receive(0, inVxlan(says('5.5.5.77')))[0].port, 3);
  t.is(net.receive(0, inVxlan(says(ipOf(4)))).length, 0);
  t.is(net.drops('invalidArp'), 1);
  t.is(net.imbalance(), 0);
});

test('DHCP of a guest elsewhere is flooded like any broadcast', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const frame = eth({ src: FAR_MAC, dst: BROADCAST })
    .ipv4({ src: '0.0.0.0', dst: '255.255.255.255' })
    .udp(68, 67)
    .dhcp({ type: 1, mac: FAR_MAC })
    .bytes();
  t.is(net.receive(0, flooded(frame)).length, 2);
  t.is(net.punted().length, 0);
});

test('a frame for a third host, or for whom it came from, goes no further', (t) => {
  const third: OtherHost = {
    peer: 3,
    encapsulation: 'MPLSoUDP',
    macs: [['02:00:00:00:00:98', 58]],
    routes: [['9.9.9.9', 3]],
  };
  const net = new TestNetwork({ hosts: [HOST, third] });
  const to = (dst: string, ip = FAR): Uint8Array =>
    eth({ src: FAR_MAC, dst }).ipv4({ src: FAR, dst: ip }).ping({ ident: 1, seq: 1 }).bytes();
  t.is(net.receive(0, inVxlan(to('02:00:00:00:00:98'))).length, 0);
  t.is(net.drops('invalidSource'), 1);
  t.is(net.receive(0, flooded(to('02:00:00:00:00:98'))).length, 0);
  t.is(net.drops('invalidSource'), 2);
  t.is(net.receive(0, inVxlan(to(FAR_MAC))).length, 0);
  t.is(net.receive(0, inVxlan(to(GATEWAY_MAC, FAR))).length, 0);
  t.is(net.drops('packetLoop'), 2);
  t.is(net.receive(0, inVxlan(to(GATEWAY_MAC, '9.9.9.9')))[0].port, 0);
  t.is(net.receive(0, inVxlan(to('02:00:00:00:00:97'))).length, 0);
  t.is(net.drops('l2NoRoute'), 1);
  t.is(net.imbalance(), 0);
});

test('malformed IP from elsewhere does not pass by the flows of a guest', (t) => {
  const net = new TestNetwork({ hosts: [HOST] });
  const bad = eth({ src: FAR_MAC, dst: macOf(3) })
    .ipv4({ src: FAR, dst: ipOf(3), ihl: 4 })
    .ping({ ident: 1, seq: 1 })
    .bytes();
  t.is(net.receive(0, inVxlan(bad)).length, 0);
  t.is(net.drops('invalidPacket'), 1);
  const plain = new TestNetwork({ hosts: [HOST], mode: 'l2' });
  t.deepEqual(plain.receive(0, inVxlan(bad))[0].frame, bad);
});
