import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as icmpv6 from './icmpv6.js';

const IP = '60 00 00 00 00 0a 3a 40  fe80 0000 0000 0000 0000 0000 0000 0001  fe80 0000 0000 0000 0000 0000 0000 0002';
/** Echo request from fe80::1 to fe80::2, identifier 0x1234, sequence number 1, data "ab". */
const PACKET = hex(`${IP} 80 00 0f 1f 12 34 00 01 61 62`);

test('an echo is read', (t) => {
  t.is(icmpv6.type(PACKET, 40), icmpv6.ECHO_REQUEST);
  t.is(icmpv6.code(PACKET, 40), 0);
  t.is(icmpv6.ident(PACKET, 40), 0x1234);
  t.is(icmpv6.seq(PACKET, 40), 1);
  t.false(icmpv6.isError(PACKET, 40));
  t.true(icmpv6.checksumOk(PACKET, 0, 40, 50));
});

test('the checksum covers the addresses', (t) => {
  const b = PACKET.slice();
  b[39] = 3;
  t.false(icmpv6.checksumOk(b, 0, 40, 50));
});

test('an echo is written whole', (t) => {
  t.deepEqual(
    written(50, (b) => {
      b.set(hex(IP));
      icmpv6.writeEcho(b, 40, icmpv6.ECHO_REQUEST, 0x1234, 1);
      b.set(hex('61 62'), 48);
      icmpv6.setChecksum(b, 0, 40, 50);
    }),
    PACKET,
  );
});

test('an echo request becomes its reply in place', (t) => {
  const b = PACKET.slice();
  icmpv6.turnIntoReply(b, 0, 40, 50);
  t.is(icmpv6.type(b, 40), 129);
  t.true(icmpv6.checksumOk(b, 0, 40, 50));
  t.deepEqual(b.slice(44), PACKET.slice(44));
});

test('an error is written whole', (t) => {
  const b = written(48, (p) => {
    p.set(hex(IP));
    icmpv6.writeError(p, 40, icmpv6.TOO_BIG, 0, 1400);
    icmpv6.setChecksum(p, 0, 40, 48);
  });
  t.deepEqual(b.slice(44), hex('00 00 05 78'));
  t.true(icmpv6.isError(b, 40));
  t.true(icmpv6.checksumOk(b, 0, 40, 48));
});

test('requests and replies are echoes, nothing else is', (t) => {
  const types = Array.from({ length: 256 }, (_, type) => type);
  t.deepEqual(
    types.filter((type) => icmpv6.isEcho(Uint8Array.of(type), 0)),
    [128, 129],
  );
});
