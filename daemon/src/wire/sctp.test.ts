import test from 'ava';
import { hex } from '../testing/hex.js';
import * as sctp from './sctp.js';

test('a common header is read', (t) => {
  const b = hex('9c 40 00 50 12 34 56 78 9a bc de f0');
  t.is(sctp.srcPort(b, 0), 40000);
  t.is(sctp.dstPort(b, 0), 80);
  t.true(sctp.fits(0, 12));
  t.false(sctp.fits(0, 11));
  t.is(sctp.PROTOCOL, 132);
});
