import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as ipv4 from './ipv4.js';

/** UDP from 192.168.0.1 to 192.168.0.199, 115 bytes, DF. */
const HEADER = hex('45 00 00 73 00 00 40 00 40 11 b8 61 c0 a8 00 01 c0 a8 00 c7');
/** The last fragment of a datagram, at byte 1480, with one option word. */
const FRAGMENT = hex('46 b8 00 20 12 34 00 b9 3f 01 00 00 0a 00 00 01 0a 00 00 02 94 04 00 00');

test('a header is read', (t) => {
  t.is(ipv4.version(HEADER, 0), 4);
  t.is(ipv4.headerLen(HEADER, 0), 20);
  t.is(ipv4.tos(HEADER, 0), 0);
  t.is(ipv4.totalLength(HEADER, 0), 115);
  t.is(ipv4.id(HEADER, 0), 0);
  t.is(ipv4.flagsAndOffset(HEADER, 0), ipv4.DF);
  t.false(ipv4.isFragment(HEADER, 0));
  t.false(ipv4.moreFragments(HEADER, 0));
  t.is(ipv4.ttl(HEADER, 0), 64);
  t.is(ipv4.protocol(HEADER, 0), ipv4.PROTOCOL_UDP);
  t.is(ipv4.src(HEADER, 0), 0xc0a80001);
  t.is(ipv4.dst(HEADER, 0), 0xc0a800c7);
  t.true(ipv4.checksumOk(HEADER, 0));
});

test('a fragment with options is read', (t) => {
  t.is(ipv4.headerLen(FRAGMENT, 0), 24);
  t.is(ipv4.tos(FRAGMENT, 0), 0xb8);
  t.is(ipv4.id(FRAGMENT, 0), 0x1234);
  t.true(ipv4.isFragment(FRAGMENT, 0));
  t.false(ipv4.moreFragments(FRAGMENT, 0));
  t.is(ipv4.fragmentOffset(FRAGMENT, 0), 1480);
  t.false(ipv4.checksumOk(FRAGMENT, 0));
});

test('the first fragment is a fragment too', (t) => {
  const b = FRAGMENT.slice();
  b.set(hex('20 00'), 6);
  t.true(ipv4.isFragment(b, 0));
  t.true(ipv4.moreFragments(b, 0));
  t.is(ipv4.fragmentOffset(b, 0), 0);
});

const MALFORMED = {
  'of another version': { at: 0, bytes: '65' },
  'with fewer than five words': { at: 0, bytes: '44' },
  'longer than the packet it announces': { at: 2, bytes: '00 13' },
  'that announces more than there is': { at: 2, bytes: '00 74' },
};
for (const [name, { at, bytes }] of Object.entries(MALFORMED)) {
  test(`a header ${name} is malformed`, (t) => {
    const b = new Uint8Array(116);
    b.set(HEADER, 1);
    t.true(ipv4.wellFormed(b, 1, 116));
    b.set(hex(bytes), 1 + at);
    t.false(ipv4.wellFormed(b, 1, 116));
  });
}

test('a header cut off is malformed', (t) => {
  t.false(ipv4.wellFormed(HEADER, 0, 19));
});

test('a hop is taken off and the checksum stays right', (t) => {
  const b = HEADER.slice();
  ipv4.decrementTtl(b, 0);
  t.deepEqual(b, hex('45 00 00 73 00 00 40 00 3f 11 b9 61 c0 a8 00 01 c0 a8 00 c7'));
  for (let hops = 63; hops > 0; hops--) ipv4.decrementTtl(b, 0);
  t.is(ipv4.ttl(b, 0), 0);
  t.true(ipv4.checksumOk(b, 0));
});

test('a header is written whole', (t) => {
  t.deepEqual(
    written(20, (b) => {
      ipv4.write(b, 0, {
        totalLength: 115,
        id: 0,
        flagsAndOffset: ipv4.DF,
        ttl: 64,
        protocol: ipv4.PROTOCOL_UDP,
        src: 0xc0a80001,
        dst: 0xc0a800c7,
      });
    }),
    HEADER,
  );
});
