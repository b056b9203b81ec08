import test from 'ava';
import fc from 'fast-check';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';
import { readTooBig } from './path-mtu.js';

const US = '10.0.0.1';
const PEER = '10.9.0.2';
const US6 = 'fd00::1';
const PEER6 = 'fd09::2';
const frame = () => eth({ src: '02:00:00:00:00:02', dst: '02:00:00:00:00:01' });

/** Bytes of a packet without its Ethernet header: what an error quotes. */
const quote = (packet: PacketBuilder, length = 28): number[] => [...packet.bytes().subarray(14, 14 + length)];
const ours = (o = {}) => frame().ipv4({ src: US, dst: PEER, df: true, ...o });
const tunnel4 = ours()
  .udp(50_000, 6635)
  .payload(Array.from({ length: 1400 }, () => 7));
const tunnel6 = frame()
  .ipv6({ src: US6, dst: PEER6 })
  .udp(50_000, 4789)
  .payload(Array.from({ length: 1400 }, () => 7));

const tooBig4 = (quoted: readonly number[], o = {}) =>
  frame()
    .ipv4({ src: '10.0.0.254', dst: US })
    .icmp({ type: 3, code: 4, rest: [0, 0, 1400 >> 8, 1400 & 0xff], ...o })
    .payload(quoted)
    .bytes();
const tooBig6 = (quoted: readonly number[], o = {}) =>
  frame()
    .ipv6({ src: 'fd00::fe', dst: US6 })
    .icmpv6({ type: 2, rest: [0, 0, 1300 >> 8, 1300 & 0xff], ...o })
    .payload(quoted)
    .bytes();

test('a router tells how long packets to the other host may be', (t) => {
  t.deepEqual(readTooBig(tooBig4(quote(tunnel4)), US), { destination: PEER, mtu: 1400 });
  t.deepEqual(readTooBig(tooBig6(quote(tunnel6, 600)), US6), { destination: PEER6, mtu: 1300 });
  const gre = ours({ protocol: 47 }).payload([0, 0, 0x88, 0x47, 0, 0, 0, 0]);
  t.deepEqual(readTooBig(tooBig4(quote(gre)), US), { destination: PEER, mtu: 1400 });
});

test('errors that tell something else, of packets that are no tunnel of ours, or with a wrong checksum are no news', (t) => {
  t.is(readTooBig(tooBig4(quote(tunnel4), { code: 3 }), US), null, 'a port is closed');
  t.is(readTooBig(tooBig4(quote(tunnel4), { type: 11, code: 0 }), US), null, 'the TTL ran out');
  t.is(readTooBig(tooBig4(quote(tunnel4), { checksum: 1 }), US), null);
  t.is(readTooBig(tooBig4(quote(tunnel4)), '10.0.0.9'), null, 'from somebody else');
  t.is(readTooBig(tooBig4(quote(ours().udp(50_000, 53).payload([1]))), US), null, 'the host asked for a name');
  t.is(readTooBig(tooBig4(quote(ours({ protocol: 6 }).payload([0, 0, 0x19, 0xeb]))), US), null, 'TCP');
  t.is(readTooBig(tooBig6(quote(tunnel6, 600), { checksum: 1 }), US6), null);
  t.is(readTooBig(tooBig6(quote(tunnel6, 600), { type: 1 }), US6), null);
  t.is(readTooBig(tooBig4(quote(tunnel4)), US6), null);
});

test('an error cut anywhere is no news, and no bytes make the reading throw', (t) => {
  for (const [bytes, us] of [
    [tooBig4(quote(tunnel4)), US],
    [tooBig6(quote(tunnel6, 48)), US6],
  ] as const) {
    t.not(readTooBig(bytes, us), null);
    for (let n = 14; n < bytes.length; n++) t.is(readTooBig(bytes.subarray(0, n), us), null);
    t.notThrows(() => {
      fc.assert(
        fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
          const changed = Uint8Array.from(bytes);
          changed[at] = value;
          readTooBig(changed, us);
        }),
      );
    });
  }
});
