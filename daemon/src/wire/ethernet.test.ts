import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as ethernet from './ethernet.js';

const FRAME = hex('02 00 00 00 00 0b  02 00 00 00 00 0a  08 00');

test('type and kind of destination are read', (t) => {
  t.is(ethernet.type(FRAME, 0), ethernet.TYPE_IPV4);
  t.false(ethernet.isMulticast(FRAME, 0));
  const multicast = hex('00  01 00 5e 00 00 12  02 00 00 00 00 0a  86 dd');
  t.is(ethernet.type(multicast, 1), ethernet.TYPE_IPV6);
  t.true(ethernet.isMulticast(multicast, 1));
  t.false(ethernet.isBroadcast(multicast, 1));
});

test('broadcast is multicast to everybody', (t) => {
  const b = hex('ff ff ff ff ff ff  02 00 00 00 00 0a  08 06');
  t.true(ethernet.isBroadcast(b, 0));
  t.true(ethernet.isMulticast(b, 0));
  b[4] = 0xfe;
  t.false(ethernet.isBroadcast(b, 0));
});

test('a header fits where 14 bytes are', (t) => {
  t.true(ethernet.fits(2, 16));
  t.false(ethernet.fits(3, 16));
});

test('a header is written whole', (t) => {
  const write = (b: Uint8Array): void => {
    ethernet.write(b, 0, FRAME.slice(0, 6), FRAME.slice(6, 12), ethernet.TYPE_IPV4);
  };
  t.deepEqual(written(14, write), FRAME);
});

test('an address is taken from inside an array', (t) => {
  t.deepEqual(
    written(6, (b) => {
      ethernet.putAddress(b, 0, FRAME, ethernet.SRC);
    }),
    FRAME.slice(6, 12),
  );
});
