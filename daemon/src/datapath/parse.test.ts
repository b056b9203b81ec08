import test from 'ava';
import { eth } from '../testing/packet-builder.js';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import { FRAGMENT, type Packet } from '../packet/packet.js';

const frame = eth.bind(null, { src: macOf(3), dst: macOf(4) });
const ip = { src: ipOf(3), dst: ipOf(4) };
const ip6 = { src: ip6Of(3), dst: ip6Of(4) };

/** What is known of a frame when it has passed: upper protocol, offset of its header in the packet (0: none), fragment. */
function parsed(bytes: Uint8Array): readonly [number, number, number] {
  const net = new TestNetwork();
  net.receive(3, bytes);
  const { protocol, l4At, l3At, fragment }: Packet = net.dp.p;
  return [protocol, l4At === 0 ? 0 : l4At - l3At, fragment];
}

test('an IPv4 packet is whole, the first of several fragments, or one behind it', (t) => {
  t.deepEqual(parsed(frame().ipv4(ip).udp(1, 2).bytes()), [17, 20, FRAGMENT.none]);
  t.deepEqual(
    parsed(
      frame()
        .ipv4({ ...ip, df: true })
        .udp(1, 2)
        .bytes(),
    ),
    [17, 20, FRAGMENT.none],
  );
  t.deepEqual(
    parsed(
      frame()
        .ipv4({ ...ip, mf: true })
        .udp(1, 2)
        .bytes(),
    ),
    [17, 20, FRAGMENT.head],
  );
  const later = { ...ip, protocol: 17, fragmentOffset: 8 };
  t.deepEqual(parsed(frame().ipv4(later).payload([1, 2, 3, 4]).bytes()), [17, 0, FRAGMENT.later]);
  t.deepEqual(
    parsed(
      frame()
        .ipv4({ ...later, mf: true })
        .payload([1])
        .bytes(),
    ),
    [17, 0, FRAGMENT.later],
  );
});

test('an IPv6 packet is looked at behind a fragment header', (t) => {
  t.deepEqual(parsed(frame().ipv6(ip6).udp(1, 2).bytes()), [17, 40, FRAGMENT.none]);
  t.deepEqual(parsed(frame().ipv6(ip6).fragment6({ more: true }).udp(1, 2).bytes()), [17, 48, FRAGMENT.head]);
  t.deepEqual(parsed(frame().ipv6(ip6).fragment6({ offset: 8, more: true }).udp(1, 2).bytes()), [
    17,
    0,
    FRAGMENT.later,
  ]);
  t.deepEqual(parsed(frame().ipv6(ip6).fragment6({ offset: 8 }).udp(1, 2).bytes()), [17, 0, FRAGMENT.later]);
});

test('a fragment that is all of its datagram is a whole packet', (t) => {
  t.deepEqual(parsed(frame().ipv6(ip6).fragment6({}).udp(1, 2).bytes()), [17, 48, FRAGMENT.none]);
});

test('of other extension headers the number counts as the protocol', (t) => {
  t.deepEqual(parsed(frame().ipv6(ip6).extension(0).udp(1, 2).bytes()), [0, 40, FRAGMENT.none]);
});

test('a fragment header that does not fit is malformed', (t) => {
  const net = new TestNetwork();
  t.deepEqual(
    net.receive(
      3,
      frame()
        .ipv6({ ...ip6, nextHeader: 44 })
        .payload([17, 0, 0, 1])
        .bytes(),
    ),
    [],
  );
  t.is(net.drops('invalidPacket'), 1);
});

test('neighbour discovery that comes in fragments is answered by nobody', (t) => {
  const net = new TestNetwork({ packetMode: 'all' });
  const solicitation = eth({ src: macOf(3), dst: '33:33:ff:00:00:01' })
    .ipv6({ src: ip6Of(3), dst: 'ff02::1:ff00:1', hopLimit: 255 })
    .fragment6({})
    .neighbourSolicitation({ target: 'fd00:5::1', mac: macOf(3) })
    .bytes();
  t.deepEqual(
    net.receive(3, solicitation).map(({ port }) => port),
    [4],
  );
  const later = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv6(ip6)
    .fragment6({ offset: 8 })
    .icmpv6({ type: 133 });
  t.is(net.receive(3, later.bytes()).length, 1);
  t.deepEqual(net.punted(), []);
});
