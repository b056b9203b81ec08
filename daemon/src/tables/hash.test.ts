import test from 'ava';
import { finish, mix } from './hash.js';

/** MurmurHash3_x86_32 of whole words. */
function murmur(words: readonly number[], seed: number): number {
  return finish(words.reduce(mix, seed) ^ (4 * words.length)) >>> 0;
}

test('the parts make up the hash they are taken from', (t) => {
  // Published values of MurmurHash3_x86_32.
  t.is(murmur([], 0), 0);
  t.is(murmur([], 1), 0x514e28b7);
  t.is(murmur([0xffffffff | 0], 0), 0x76293b50);
  t.is(murmur([0x87654321 | 0], 0), 0xf55b516b);
  t.is(murmur([0x87654321 | 0], 0x5082edee), 0x2362f9de);
});
