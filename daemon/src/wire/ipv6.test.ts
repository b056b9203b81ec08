import test from 'ava';
import { hex, written } from '../testing/hex.js';
import { eth } from '../testing/packet-builder.js';
import * as ipv6 from './ipv6.js';

const FE80_1 = 'fe80 0000 0000 0000 0000 0000 0000 0001';
const FF02_1 = 'ff02 0000 0000 0000 0000 0000 0000 0001';
const HEADER = hex(`6b 81 23 45  00 0c 11 ff  ${FE80_1} ${FF02_1}`);

test('a header is read', (t) => {
  t.is(ipv6.version(HEADER, 0), 6);
  t.is(ipv6.trafficClass(HEADER, 0), 0xb8);
  t.is(ipv6.flowLabel(HEADER, 0), 0x12345);
  t.is(ipv6.payloadLength(HEADER, 0), 12);
  t.is(ipv6.nextHeader(HEADER, 0), 17);
  t.is(ipv6.hopLimit(HEADER, 0), 255);
  t.true(ipv6.isMulticast(HEADER, ipv6.DST));
  t.false(ipv6.isMulticast(HEADER, ipv6.SRC));
});

test('only sixteen zeros are the unspecified address', (t) => {
  const b = new Uint8Array(17);
  t.true(ipv6.isUnspecified(b, 1));
  for (let i = 1; i < 17; i++) {
    const one = b.slice();
    one[i] = 0x80;
    t.false(ipv6.isUnspecified(one, 1));
  }
});

test('a packet is well-formed when it holds what it announces', (t) => {
  const b = new Uint8Array(52);
  b.set(HEADER);
  t.true(ipv6.wellFormed(b, 0, 52));
  t.false(ipv6.wellFormed(b, 0, 51));
  t.false(ipv6.wellFormed(b, 0, 39));
  b[0] = 0x45;
  t.false(ipv6.wellFormed(b, 0, 52));
});

test('a hop is taken off', (t) => {
  const b = HEADER.slice();
  ipv6.decrementHopLimit(b, 0);
  t.is(ipv6.hopLimit(b, 0), 254);
});

test('a header is written whole', (t) => {
  t.deepEqual(
    written(40, (b) => {
      ipv6.write(b, 0, {
        trafficClass: 0xb8,
        flowLabel: 0x12345,
        payloadLength: 12,
        nextHeader: 17,
        hopLimit: 255,
        src: hex(FE80_1),
        dst: hex(FF02_1),
      });
    }),
    HEADER,
  );
});

const packet = () =>
  eth({ src: '02:00:00:00:00:0a', dst: '02:00:00:00:00:0b' }).ipv6({ src: 'fe80::1', dst: 'fe80::2' });
const CHAINS = {
  'directly behind the header': { frame: packet().udp(1, 2).bytes(), at: 54 },
  'behind options and routing': {
    frame: packet().extension(0).extension(43, new Array<number>(14).fill(0)).extension(60).udp(1, 2).bytes(),
    at: 54 + 8 + 16 + 8,
  },
  'behind the header of a first fragment': { frame: packet().fragment6({ more: true }).udp(1, 2).bytes(), at: 62 },
  'not behind that of a later fragment': { frame: packet().fragment6({ offset: 8 }).udp(1, 2).bytes(), at: -1 },
  'not behind a header that is unknown': { frame: packet().extension(99).udp(1, 2).bytes(), at: -1 },
  'not behind an extension longer than the packet': {
    frame: packet().extension(0, undefined, 40).udp(1, 2).bytes(),
    at: -1,
  },
  'not in another protocol': { frame: packet().tcp(1, 2).bytes(), at: -1 },
  'not where the packet ends': { frame: packet().extension(0, [17]).bytes(), at: -1 },
};
for (const [name, { frame, at }] of Object.entries(CHAINS)) {
  test(`UDP is found ${name}`, (t) => {
    t.is(ipv6.find(frame, 14, frame.length, 17), at);
  });
}

test('a chain without end is left after eight headers', (t) => {
  let endless = packet();
  for (let i = 0; i < 20; i++) endless = endless.extension(0);
  const frame = endless.udp(1, 2).bytes();
  t.is(ipv6.find(frame, 14, frame.length, 17), -1);
});
