import test from 'ava';
import fc from 'fast-check';
import { hex, written } from '../testing/hex.js';
import * as dhcp from './dhcp.js';

const MAC = '02 00 00 00 00 0a';
const zeros = (n: number): string => '00 '.repeat(n);
const message = (head: string, addresses: string, options: string): Uint8Array =>
  hex(`${head} 01 06 00 de ad be ef 00 00 80 00 ${addresses} ${MAC} ${zeros(10 + 64 + 128)} 63 82 53 63 ${options}`);

/** DHCPREQUEST for 10.0.0.3 at the server 10.0.0.2, host name "a", by a client that has no address yet. */
const REQUEST = message('01', zeros(16), '35 01 03  00  32 04 0a 00 00 03  36 04 0a 00 00 02  0c 01 61  ff');

test('the fixed fields of a request are read', (t) => {
  t.true(dhcp.fits(0, REQUEST.length));
  t.true(dhcp.isClientMessage(REQUEST, 0));
  t.is(dhcp.op(REQUEST, 0), dhcp.BOOTREQUEST);
  t.is(dhcp.xid(REQUEST, 0), 0xdeadbeef);
  t.is(dhcp.flags(REQUEST, 0), dhcp.BROADCAST);
  t.is(dhcp.ciaddr(REQUEST, 0), 0);
  t.is(dhcp.giaddr(REQUEST, 0), 0);
  t.deepEqual(REQUEST.slice(dhcp.CHADDR, dhcp.CHADDR + 6), hex(MAC));
});

test('the options of a request are read', (t) => {
  const end = REQUEST.length;
  t.is(dhcp.messageType(REQUEST, 0, end), dhcp.REQUEST);
  t.is(dhcp.addressOption(REQUEST, 0, end, dhcp.OPTION_REQUESTED_ADDRESS), 0x0a000003);
  t.is(dhcp.addressOption(REQUEST, 0, end, dhcp.OPTION_SERVER_ID), 0x0a000002);
  const name = dhcp.option(REQUEST, 0, end, dhcp.OPTION_HOST_NAME);
  t.is(REQUEST[name - 1], 1);
  t.is(REQUEST[name], 0x61);
});

test('options that are missing, or of another length than they should be', (t) => {
  const end = REQUEST.length;
  t.is(dhcp.option(REQUEST, 0, end, dhcp.OPTION_ROUTER), -1);
  t.is(dhcp.addressOption(REQUEST, 0, end, dhcp.OPTION_HOST_NAME), -1);
  t.is(dhcp.messageType(message('01', zeros(16), '35 02 03 03 ff'), 0, 300), 0);
  t.is(dhcp.messageType(message('01', zeros(16), 'ff 35 01 03'), 0, 244), 0);
});

test('options that run beyond the message end the search', (t) => {
  const cut = message('01', zeros(16), '0c 40 61 35 01 03');
  t.is(dhcp.option(cut, 0, cut.length, dhcp.OPTION_HOST_NAME), -1);
  t.is(dhcp.messageType(cut, 0, cut.length), 0);
  t.is(dhcp.option(REQUEST, 0, 241, dhcp.OPTION_MESSAGE_TYPE), -1);
});

test('whatever the options are, one that is found lies in the message', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 240, maxLength: 320 }), fc.nat(255), (b, code) => {
      const at = dhcp.option(b, 0, b.length, code);
      t.true(at === -1 || (at >= 242 && at + b[at - 1] <= b.length && b[at - 2] === code));
    }),
  );
});

const NOT_OURS = {
  'a reply': { at: 0, bytes: '02' },
  'of another hardware': { at: 1, bytes: '06' },
  'with an address of another length': { at: 2, bytes: '10' },
  'without the cookie': { at: 236, bytes: '63 82 53 62' },
};
for (const [name, { at, bytes }] of Object.entries(NOT_OURS)) {
  test(`a message ${name} is not for us`, (t) => {
    const b = REQUEST.slice();
    b.set(hex(bytes), at);
    t.false(dhcp.isClientMessage(b, 0));
  });
}

test('a reply is written whole and padded', (t) => {
  const expected = new Uint8Array(dhcp.MIN_LEN);
  expected.set(
    message(
      '02',
      '00 00 00 00  0a 00 00 03  0a 00 00 02  00 00 00 00',
      '35 01 02  36 04 0a 00 00 02  1a 02 05 78  06 08 0a 00 00 02 08 08 08 08  79 09 08 0a 0a 00 00 01 00 0a 00 00 fe  ff',
    ).slice(0, dhcp.MIN_LEN),
  );
  // Route 10/8 by 10.0.0.1, then the default route by 10.0.0.254: 6 + 5 bytes.
  expected.set(hex('79 0b 08 0a 0a 00 00 01 00 0a 00 00 fe ff'), 240 + 3 + 6 + 4 + 10);
  const b = written(dhcp.MIN_LEN, (p) => {
    let at = dhcp.writeReply(p, 0, {
      xid: 0xdeadbeef,
      flags: dhcp.BROADCAST,
      ciaddr: 0,
      yiaddr: 0x0a000003,
      siaddr: 0x0a000002,
      giaddr: 0,
      chaddr: hex(MAC),
    });
    at = dhcp.putOption(p, at, dhcp.OPTION_MESSAGE_TYPE, [dhcp.OFFER]);
    at = dhcp.putOption(p, at, dhcp.OPTION_SERVER_ID, dhcp.data32(0x0a000002));
    at = dhcp.putOption(p, at, dhcp.OPTION_MTU, dhcp.data16(1400));
    at = dhcp.putOption(p, at, dhcp.OPTION_DNS, dhcp.data32(0x0a000002, 0x08080808));
    const routes = dhcp.classlessRoutes([
      { prefix: 0x0a000000, length: 8, gateway: 0x0a000001 },
      { prefix: 0, length: 0, gateway: 0x0a0000fe },
    ]);
    at = dhcp.putOption(p, at, dhcp.OPTION_CLASSLESS_ROUTES, routes);
    t.is(dhcp.finish(p, 0, at), dhcp.MIN_LEN);
  });
  t.deepEqual(b, expected);
  t.is(dhcp.yiaddr(b, 0), 0x0a000003);
  t.is(dhcp.siaddr(b, 0), 0x0a000002);
});

test('the significant bytes of a prefix are those its length begins (RFC 3442 table)', (t) => {
  const encoded = (prefix: number, length: number): Uint8Array =>
    dhcp.classlessRoutes([{ prefix, length, gateway: 0 }]).slice(0, -4);
  t.deepEqual(encoded(0, 0), hex('00'));
  t.deepEqual(encoded(0x0a000000, 8), hex('08 0a'));
  t.deepEqual(encoded(0x0a110000, 16), hex('10 0a 11'));
  t.deepEqual(encoded(0x0a1b8100, 24), hex('18 0a 1b 81'));
  t.deepEqual(encoded(0x0a198000, 17), hex('11 0a 19 80'));
  t.deepEqual(encoded(0x0a000080, 25), hex('19 0a 00 00 80'));
});

test('a long option is written in pieces of the same code', (t) => {
  const data = new Uint8Array(300).fill(7);
  const b = written(304, (p) => {
    t.is(dhcp.putOption(p, 0, dhcp.OPTION_CLASSLESS_ROUTES, data), dhcp.optionLen(data.length));
  });
  t.deepEqual(b.slice(0, 3), hex('79 ff 07'));
  t.deepEqual(b.slice(256, 260), hex('07 79 2d 07'));
});

test('an option without data, and one of exactly 255 bytes, is one option', (t) => {
  t.deepEqual([0, 1, 255, 256].map(dhcp.optionLen), [2, 3, 257, 260]);
});

test('the largest message a client takes is read from an option of two bytes', (t) => {
  const size = (option: string): number => {
    const b = message('01', '00 '.repeat(16), option);
    return dhcp.maxMessageSize(b, 0, b.length);
  };
  t.is(size('39 02 05 dc ff'), 1500);
  t.is(size('39 04 00 00 05 dc ff'), 0);
  t.is(size('ff'), 0);
});

test('a message longer than the minimum ends with its options', (t) => {
  const b = new Uint8Array(400).fill(0xa5);
  t.is(dhcp.finish(b, 0, 350), 351);
  t.deepEqual(b.slice(350, 352), hex('ff a5'));
});
