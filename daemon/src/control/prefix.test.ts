import test from 'ava';
import fc from 'fast-check';
import { contains, formatAddress, formatPrefix, parseAddress, parsePrefix } from './prefix.js';

test('a prefix covers its first to its last address', (t) => {
  t.deepEqual(parsePrefix('5.5.5.0/24'), { family: 4, length: 24, first: 0x05050500n, last: 0x050505ffn });
  t.deepEqual(parsePrefix('fd00:5::/126'), {
    family: 6,
    length: 126,
    first: 0xfd000005n << 96n,
    last: (0xfd000005n << 96n) + 3n,
  });
  t.true(contains(parsePrefix('5.5.5.0/24'), parseAddress('5.5.5.255')));
  t.false(contains(parsePrefix('5.5.5.0/24'), parseAddress('5.5.6.0')));
  t.false(contains(parsePrefix('0.0.0.0/0'), parseAddress('::1')));
});

test('addresses and prefixes come back in canonical text', (t) => {
  t.is(formatPrefix(parsePrefix('FD00:0005:0::/64')), 'fd00:5::/64');
  t.is(formatPrefix(parsePrefix('0.0.0.0/0')), '0.0.0.0/0');
});

test('text that is no prefix is refused', (t) => {
  for (const text of [
    '',
    '5.5.5.0',
    '5.5.5.0/',
    '5.5.5.0/33',
    '5.5.5/24',
    'fd00::/129',
    '/24',
    '5.5.5.0/-1',
    '5.5.5.0/24/24',
  ]) {
    t.throws(() => parsePrefix(text), undefined, text);
  }
  t.throws(() => parsePrefix('5.5.5.1/24'), { message: 'has bits set behind its length' });
});

test("numbers and text of addresses are each other's inverse", (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(4 as const, 6 as const),
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      (family, bits) => {
        const value = family === 4 ? bits & 0xffffffffn : bits;
        t.deepEqual(parseAddress(formatAddress(family, value)), { family, value });
      },
    ),
  );
});
