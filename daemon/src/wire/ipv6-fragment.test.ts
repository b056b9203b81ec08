import test from 'ava';
import { hex } from '../testing/hex.js';
import * as ipv6Fragment from './ipv6-fragment.js';

/** UDP, 1448 bytes into its datagram, more to come. */
const MIDDLE = hex('11 00 05 a9 fe dc ba 98');

test('a fragment header is read', (t) => {
  t.is(ipv6Fragment.nextHeader(MIDDLE, 0), 17);
  t.is(ipv6Fragment.offset(MIDDLE, 0), 1448);
  t.true(ipv6Fragment.more(MIDDLE, 0));
  t.is(ipv6Fragment.id(MIDDLE, 0), 0xfedcba98);
  t.true(ipv6Fragment.fits(0, 8));
  t.false(ipv6Fragment.fits(0, 7));
});

test('reserved bits are not taken for the offset or for more to come', (t) => {
  const last = hex('11 ff 00 06 00 00 00 01');
  t.is(ipv6Fragment.offset(last, 0), 0);
  t.false(ipv6Fragment.more(last, 0));
});
