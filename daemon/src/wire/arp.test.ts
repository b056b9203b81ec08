import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as arp from './arp.js';

const A = hex('02 00 00 00 00 0a');
const B = hex('02 00 00 00 00 0b');
/** Who has 10.0.0.2, tell 10.0.0.1. */
const REQUEST = hex('0001 0800 06 04 0001  02000000000a 0a000001  000000000000 0a000002');
const REPLY = hex('0001 0800 06 04 0002  02000000000b 0a000002  02000000000a 0a000001');

test('a request is read', (t) => {
  t.true(arp.isEthernetIpv4(REQUEST, 0));
  t.is(arp.operation(REQUEST, 0), arp.REQUEST);
  t.is(arp.senderIp(REQUEST, 0), 0x0a000001);
  t.is(arp.targetIp(REQUEST, 0), 0x0a000002);
  t.true(arp.fits(0, arp.LEN));
  t.false(arp.fits(1, 28));
});

for (const other of ['0006 0800 06 04', '0001 86dd 06 04', '0001 0800 08 04', '0001 0800 06 10']) {
  test(`ARP of types and lengths ${other} is not ours`, (t) => {
    const b = REQUEST.slice();
    b.set(hex(other));
    t.false(arp.isEthernetIpv4(b, 0));
  });
}

test('packets are written whole', (t) => {
  t.deepEqual(
    written(28, (b) => {
      arp.write(b, 0, arp.REQUEST, A, 0x0a000001, new Uint8Array(6), 0x0a000002);
    }),
    REQUEST,
  );
  t.deepEqual(
    written(28, (b) => {
      arp.write(b, 0, arp.REPLY, B, 0x0a000002, A, 0x0a000001);
    }),
    REPLY,
  );
});

test('a request becomes its reply in place', (t) => {
  const b = REQUEST.slice();
  arp.turnIntoReply(b, 0, B);
  t.deepEqual(b, REPLY);
});
