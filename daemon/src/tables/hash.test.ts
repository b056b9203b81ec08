import test from 'ava';
import fc from 'fast-check';
import { finish } from './hash.js';

test('the end of a hash is that of MurmurHash3', (t) => {
  // Of smhasher's fmix32.
  t.deepEqual(
    [0, 1, 0xffffffff].map((h) => finish(h) >>> 0),
    [0, 0x514e28b7, 0x81f16f39],
  );
});

test('a bit that changes, changes about half of the bits', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 31 }), (h, bit) => {
      const differ = (finish(h) ^ finish(h ^ (1 << bit))) >>> 0;
      const count = differ.toString(2).replaceAll('0', '').length;
      t.true(count >= 1 && count <= 31, String(count));
    }),
  );
});
