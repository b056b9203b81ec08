import test from 'ava';
import fc from 'fast-check';
import { hex } from '../testing/hex.js';
import { internetChecksum } from '../testing/packet-builder.js';
import { get16, put16 } from './bytes.js';
import { checksum, finish, pseudo4, pseudo6, replace16, sum } from './checksum.js';

test('the example of RFC 1071 section 3', (t) => {
  const b = hex('00 01 f2 03 f4 f5 f6 f7');
  t.is(finish(sum(b, 0, 8)), 0xffff - 0xddf2);
  t.is(checksum(b, 0, 8), 0x220d);
});

test('an odd last byte counts as if a zero followed', (t) => {
  t.is(checksum(hex('12 34 56'), 0, 3), 0xffff - 0x1234 - 0x5600);
});

test('nothing sums up to nothing', (t) => {
  t.is(checksum(hex(''), 0, 0), 0xffff);
});

test('a range that holds its checksum sums up to zero', (t) => {
  t.is(checksum(hex('45 00 00 73 00 00 40 00 40 11 b8 61 c0 a8 00 01 c0 a8 00 c7'), 0, 20), 0);
});

test('the sum is the same at every alignment and length, in one piece or two', (t) => {
  const lengths = fc.integer({ min: 0, max: 400 });
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 820, maxLength: 820 }),
      lengths,
      lengths,
      fc.nat(3),
      (data, at, n, shift) => {
        const b = new Uint8Array(data.buffer, shift, data.length - shift);
        const expected = internetChecksum(b.subarray(at, at + n));
        t.is(checksum(b, at, at + n), expected);
        const middle = at + (n >> 2) * 2;
        t.is(finish(sum(b, middle, at + n, sum(b, at, middle))), expected);
      },
    ),
  );
});

test('64 KB of ones do not overflow the sum', (t) => {
  const b = new Uint8Array(65_551).fill(0xff);
  t.is(checksum(b, 0, b.length), internetChecksum(b));
  t.is(checksum(b, 1, b.length), internetChecksum(b.subarray(1)));
});

test('two arrays summed in turn do not get into each other', (t) => {
  const ones = new Uint8Array(200).fill(1);
  const twos = new Uint8Array(new ArrayBuffer(300), 4, 200).fill(2);
  for (let i = 0; i < 3; i++) {
    t.is(checksum(ones, 0, 200), internetChecksum(ones));
    t.is(checksum(twos, 0, 200), internetChecksum(twos));
  }
});

test('the pseudo header of IPv4 holds addresses, protocol and length', (t) => {
  const ip = hex('45 00 00 20 00 00 00 00 40 11 00 00 0a 00 00 01 0a 00 00 02');
  t.is(pseudo4(ip, 0, 17, 12), 0x0a00 + 1 + 0x0a00 + 2 + 17 + 12);
});

test('the pseudo header of IPv6 holds addresses, protocol and a length of 32 bits', (t) => {
  const ip = hex(
    '60 00 00 00 00 0c 11 40 fe80 0000 0000 0000 0000 0000 0000 0001 fe80 0000 0000 0000 0000 0000 0000 0002',
  );
  t.is(finish(pseudo6(ip, 0, 17, 0x1_0002)), finish(0xfe80 + 1 + 0xfe80 + 2 + 17 + 1 + 2));
});

test('the example of RFC 1624 section 4: an update that gives zero', (t) => {
  const b = hex('dd 2f');
  replace16(b, 0, 0x5555, 0x3285);
  t.is(get16(b, 0), 0x0000);
});

test('an updated checksum is as right as a new one', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(8), fc.nat(0xffff), (b, word, value) => {
      b[0] = 0x45; // an IP header is never all zeros, where 0 and 0xffff would both be right
      const at = 2 + 2 * word;
      put16(b, at === 10 ? 18 : at, 0x1234);
      put16(b, 10, 0);
      put16(b, 10, checksum(b, 0, 20));
      const changed = at === 10 ? 18 : at;
      replace16(b, 10, get16(b, changed), value);
      put16(b, changed, value);
      t.is(checksum(b, 0, 20), 0);
    }),
  );
});
