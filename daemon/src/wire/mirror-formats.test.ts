import test from 'ava';
import { hex } from '../testing/hex.js';
import * as erspan from './erspan.js';
import * as jmirror from './jmirror.js';

test('a header of ERSPAN II has a session, and is 8 bytes long', (t) => {
  const header = hex('10 05 00 2a 00 00 00 07');
  t.is(erspan.headerLenII(header, 0, 8), 8);
  t.is(erspan.headerLenII(header, 0, 7), -1);
  t.is(erspan.headerLenII(hex('20 05 00 2a 00 00 00 07'), 0, 8), -1);
  t.is(erspan.session(header, 0), 42);
  const written = new Uint8Array(10).fill(0xa5);
  erspan.writeII(written, 1, 42);
  t.deepEqual(written, hex('a5 10 00 00 2a 00 00 00 00 a5'));
});

test('a header of ERSPAN III tells the direction, and grows by its subheader', (t) => {
  const header = hex('20 05 00 2a 01 02 03 04 00 00 00 08 00 00 00 00 00 00 00 00');
  t.is(erspan.headerLenIII(header, 0, 20), 12);
  t.true(erspan.isEgress(header, 0));
  header[11] = 1;
  t.is(erspan.headerLenIII(header, 0, 20), 20);
  t.is(erspan.headerLenIII(header, 0, 19), -1);
  t.false(erspan.isEgress(header, 0));
  header[10] = 8;
  t.is(erspan.headerLenIII(header, 0, 20), -1);
});

test('packets of jmirror are IP, or IP in PPP', (t) => {
  const types: readonly (readonly [string, number, number])[] = [
    ['00 00 00 07 00 00 00 09 45 00 00 14', 0x0800, 8],
    ['00 00 00 07 00 00 00 09 60 00 00 00', 0x86dd, 8],
    ['00 00 00 07 00 00 00 09 ff 03 00 21 45', 0x0800, 12],
    ['00 00 00 07 00 00 00 09 ff 03 40 21 45', 0x0800, 12],
    ['00 00 00 07 00 00 00 09 ff 03 00 57 60', 0x86dd, 12],
  ];
  for (const [bytes, type, at] of types) {
    const b = hex(bytes);
    t.is(jmirror.payloadType(b, 0, b.length), type, bytes);
    t.is(jmirror.payloadAt(b, 0), at, bytes);
    t.is(jmirror.mirrorId(b, 0), 7);
    t.is(jmirror.sessionId(b, 0), 9);
  }
  t.is(jmirror.payloadType(hex('00 00 00 07 00 00 00 09 45 00 00'), 0, 11), -1);
  t.is(jmirror.payloadType(hex('00 00 00 07 00 00 00 09 02 aa bb cc'), 0, 12), -1);
  const written = new Uint8Array(10).fill(0xa5);
  jmirror.write(written, 1, 7, 9);
  t.deepEqual(written, hex('a5 00 00 00 07 00 00 00 09 a5'));
});
