import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as icmp from './icmp.js';

/** Echo request and its reply, identifier 0x1234, sequence number 1, data "abcde". */
const REQUEST = hex('08 00 bc 03 12 34 00 01 61 62 63 64 65');
const REPLY = hex('00 00 c4 03 12 34 00 01 61 62 63 64 65');

test('an echo is read', (t) => {
  t.is(icmp.type(REQUEST, 0), icmp.ECHO_REQUEST);
  t.is(icmp.code(REQUEST, 0), 0);
  t.is(icmp.ident(REQUEST, 0), 0x1234);
  t.is(icmp.seq(REQUEST, 0), 1);
  t.true(icmp.checksumOk(REQUEST, 0, 13));
  t.false(icmp.checksumOk(REQUEST, 0, 12));
  t.true(icmp.fits(0, 8));
  t.false(icmp.fits(0, 7));
});

test('an echo request becomes its reply in place', (t) => {
  const b = REQUEST.slice();
  icmp.turnIntoReply(b, 0, b.length);
  t.deepEqual(b, REPLY);
});

test('an echo is written whole', (t) => {
  t.deepEqual(
    written(13, (b) => {
      icmp.writeEcho(b, 0, icmp.ECHO_REQUEST, 0x1234, 1);
      b.set(hex('61 62 63 64 65'), icmp.LEN);
      icmp.setChecksum(b, 0, 13);
    }),
    REQUEST,
  );
});

test('an error is written whole', (t) => {
  t.deepEqual(
    written(10, (b) => {
      icmp.writeError(b, 0, icmp.UNREACHABLE, icmp.CODE_FRAGMENTATION_NEEDED, 1400);
      b.set(hex('45 00'), icmp.LEN);
      icmp.setChecksum(b, 0, 10);
    }),
    hex('03 04 b2 83 00 00 05 78 45 00'),
  );
});

test('errors are those that quote a packet', (t) => {
  const types = Array.from({ length: 256 }, (_, type) => type);
  t.deepEqual(
    types.filter((type) => icmp.isError(Uint8Array.of(type), 0)),
    [3, 4, 5, 11, 12],
  );
});

test('requests and replies are echoes, nothing else is', (t) => {
  const types = Array.from({ length: 256 }, (_, type) => type);
  t.deepEqual(
    types.filter((type) => icmp.isEcho(Uint8Array.of(type), 0)),
    [0, 8],
  );
});
