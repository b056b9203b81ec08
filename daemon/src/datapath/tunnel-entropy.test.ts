import test from 'ava';
import fc from 'fast-check';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { parse, parseEthernet } from './parse.js';
import { entropyPort } from './tunnel-entropy.js';

const net = new TestNetwork({ guests: 1 });

/** Port for a frame, wherever in the arena it lies. */
function portOf(frame: Uint8Array, { at = 130, vrf = 7 } = {}): number {
  const { dp } = net;
  dp.b.fill(0xa5, 0, at);
  dp.b.set(frame, at);
  dp.p.at = at;
  dp.p.end = at + frame.length;
  dp.p.vrf = vrf;
  if (!parseEthernet(dp) || !parse(dp)) throw new Error('not parsed');
  return entropyPort(dp);
}

const port16 = fc.nat(65535);
const to = (): ReturnType<typeof eth> => eth({ src: macOf(3), dst: GATEWAY_MAC });

test('a conversation has one port from 49152 to 65534, whatever its packets carry', (t) => {
  const same = fc.property(
    ...([port16, port16, fc.boolean(), fc.boolean(), fc.uint8Array(), fc.nat(255)] as const),
    (from, dst, six, tcp, data, tos) => {
      const frame = (payload: ArrayLike<number>, tosOrClass: number): Uint8Array => {
        const ip = six
          ? to().ipv6({ src: ip6Of(3), dst: 'fd00:9::9', trafficClass: tosOrClass })
          : to().ipv4({ src: ipOf(3), dst: '8.8.8.8', tos: tosOrClass, id: payload.length });
        return (tcp ? ip.tcp(from, dst) : ip.udp(from, dst)).payload(payload).bytes();
      };
      const port = portOf(frame([], 0));
      return port >= 49152 && port <= 65534 && port === portOf(frame(data, tos), { at: 1030 });
    },
  );
  t.notThrows(() => {
    fc.assert(same);
  });
});

test('addresses, ports, protocol and VRF each make another conversation', (t) => {
  const udp = (dst: string, port: number): Uint8Array =>
    to()
      .ipv4({ src: ipOf(3), dst })
      .udp(1000, port)
      .bytes();
  const ports = new Set([
    ...Array.from({ length: 64 }, (_, i) => portOf(udp('8.8.8.8', i))),
    ...Array.from({ length: 64 }, (_, i) => portOf(udp(`8.8.9.${i}`, 53))),
    ...Array.from({ length: 64 }, (_, vrf) => portOf(udp('8.8.8.8', 53), { vrf: vrf + 100 })),
    portOf(
      to()
        .ipv4({ src: ipOf(3), dst: '8.8.8.8' })
        .tcp(1000, 53)
        .bytes(),
    ),
  ]);
  // Of 193 among 16383 about one meets another.
  t.true(ports.size > 180);
});

test('fragments of a datagram stay together', (t) => {
  const fragment = (fragmentOffset: number, payload: readonly number[]): Uint8Array =>
    to()
      .ipv4({ src: ipOf(3), dst: '8.8.8.8', mf: true, fragmentOffset, protocol: 17 })
      .payload(payload)
      .bytes();
  t.is(portOf(fragment(0, [1, 2, 3, 4, 5, 6, 7, 8])), portOf(fragment(8, [9, 9, 9, 9, 9, 9, 9, 9])));
});

test('what is not IP is spread by its Ethernet header', (t) => {
  const frame = (src: string): Uint8Array =>
    eth({ src, dst: macOf(4), type: 0x88b5 })
      .payload([1, 2, 3])
      .bytes();
  const ports = new Set(Array.from({ length: 32 }, (_, i) => portOf(frame(`02:00:00:00:01:${(i + 16).toString(16)}`))));
  t.true(ports.size > 28);
  t.is(portOf(frame(macOf(3))), portOf(frame(macOf(3)), { at: 2050 }));
});
