import test from 'ava';
import * as gre from './gre.js';
import * as mpls from './mpls.js';
import * as vxlan from './vxlan.js';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

test('an MPLS entry is label, class, bottom of the stack and hops', (t) => {
  const b = bytes('00 01 41 3f');
  t.is(mpls.label(b, 0), 20);
  t.true(mpls.isBottom(b, 0));
  t.is(mpls.ttl(b, 0), 63);
  const written = new Uint8Array(4);
  mpls.write(written, 0, 57, 0, 64);
  t.deepEqual(written, bytes('00 03 91 40'));
  mpls.write(written, 0, 0xfffff, 7, 255);
  t.deepEqual(written, bytes('ff ff ff ff'));
  t.is(mpls.label(written, 0), 0xfffff);
  t.false(mpls.isBottom(bytes('00 01 40 3f'), 0));
  t.true(mpls.fits(0, 4));
  t.false(mpls.fits(0, 3));
});

test('a GRE header is four bytes, and four more for each of checksum and key', (t) => {
  const b = new Uint8Array(4);
  gre.write(b, 0, gre.TYPE_MPLS);
  t.deepEqual(b, bytes('00 00 88 47'));
  t.is(gre.type(b, 0), gre.TYPE_MPLS);
  t.is(gre.headerLen(b, 0), 4);
  t.is(gre.headerLen(bytes('20 00 88 47'), 0), 8);
  t.is(gre.headerLen(bytes('80 00 88 47'), 0), 8);
  t.is(gre.headerLen(bytes('a0 00 88 47'), 0), 12);
  t.true(gre.hasChecksum(bytes('a0 00 88 47'), 0));
  t.false(gre.hasChecksum(b, 0));
  for (const other of ['10 00 88 47', '00 01 88 47', '40 00 88 47']) t.is(gre.headerLen(bytes(other), 0), -1);
  t.true(gre.fits(0, 4));
  t.false(gre.fits(0, 3));
});

test('a VXLAN header is a flag and the network identifier', (t) => {
  const b = new Uint8Array(8);
  vxlan.write(b, 0, 3333);
  t.deepEqual(b, bytes('08 00 00 00 00 0d 05 00'));
  t.is(vxlan.vni(b, 0), 3333);
  t.true(vxlan.isValid(b, 0));
  t.false(vxlan.isValid(bytes('00 00 00 00 00 0d 05 00'), 0));
  vxlan.write(b, 0, 0xffffff);
  t.is(vxlan.vni(b, 0), 0xffffff);
  t.true(vxlan.fits(0, 8));
  t.false(vxlan.fits(0, 7));
});
