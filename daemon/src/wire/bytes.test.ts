import test from 'ava';
import { hex } from '../testing/hex.js';
import { copy, equal, get16, get32, put16, put32 } from './bytes.js';

test('numbers are read in network order and unsigned', (t) => {
  const b = hex('00 ff fe fd fc 01');
  t.is(get16(b, 1), 0xfffe);
  t.is(get32(b, 1), 0xfffefdfc);
});

test('numbers are written in network order, and nothing beside them', (t) => {
  const b = new Uint8Array(8).fill(0xa5);
  put16(b, 1, 0x1_fffe);
  put32(b, 3, 0xfedcba98);
  t.deepEqual(b, hex('a5 ff fe fe dc ba 98 a5'));
});

test('ranges are equal when every byte is', (t) => {
  const b = hex('01 02 03 01 02 04');
  t.true(equal(b, 0, b, 3, 2));
  t.false(equal(b, 0, b, 3, 3));
  t.true(equal(b, 0, b, 5, 0));
});

test('a range moves over itself in either direction', (t) => {
  const b = hex('01 02 03 04 05');
  copy(b, 0, 1, 3);
  t.deepEqual(b, hex('01 01 02 03 05'));
  copy(b, 2, 0, 3);
  t.deepEqual(b, hex('02 03 05 03 05'));
});
