import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as udp from './udp.js';

const IPV4 = '45 00 00 20 00 00 00 00 40 11 00 00 0a 00 00 01 0a 00 00 02';
const IPV6 =
  '60 00 00 00 00 0c 11 40  fe80 0000 0000 0000 0000 0000 0000 0001  fe80 0000 0000 0000 0000 0000 0000 0002';
/** Port 68 to 67, data "abcd", from 10.0.0.1 to 10.0.0.2, and from fe80::1 to fe80::2. */
const OVER_IPV4 = hex(`${IPV4} 00 44 00 43 00 0c 26 86 61 62 63 64`);
const OVER_IPV6 = hex(`${IPV6} 00 44 00 43 00 0c 3d 84 61 62 63 64`);

test('a header is read', (t) => {
  t.is(udp.srcPort(OVER_IPV4, 20), 68);
  t.is(udp.dstPort(OVER_IPV4, 20), 67);
  t.is(udp.length(OVER_IPV4, 20), 12);
  t.true(udp.fits(20, 28));
  t.false(udp.fits(20, 27));
});

test('a datagram over IPv4 is written whole', (t) => {
  t.deepEqual(
    written(32, (b) => {
      b.set(hex(IPV4));
      udp.write(b, 20, 68, 67, 12);
      b.set(hex('61 62 63 64'), 28);
      udp.setChecksum4(b, 0, 20, 32);
    }),
    OVER_IPV4,
  );
});

test('a datagram over IPv6 is written whole', (t) => {
  t.deepEqual(
    written(52, (b) => {
      b.set(hex(IPV6));
      udp.write(b, 40, 68, 67, 12);
      b.set(hex('61 62 63 64'), 48);
      udp.setChecksum6(b, 0, 40, 52);
    }),
    OVER_IPV6,
  );
});

test('a checksum of zero is written as all ones, since zero means none', (t) => {
  const b = OVER_IPV4.slice();
  b.set(hex('00 00 00 00'), 28);
  udp.setChecksum4(b, 0, 20, 32);
  t.deepEqual(b.slice(26, 28), hex('eb 4c'));
  // Two bytes of data that make up for everything else.
  b.set(hex('eb 4c'), 28);
  udp.setChecksum4(b, 0, 20, 32);
  t.deepEqual(b.slice(26, 28), hex('ff ff'));
});
