import test from 'ava';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { hex } from '../testing/hex.js';
import {
  family,
  familyOf,
  formatIpv4,
  formatIpv6,
  formatMac,
  hostLength,
  isIpv6,
  parseIpv4,
  parseIpv6,
  parseMac,
} from './addr.js';

test('a MAC address is written with two digits a group', (t) => {
  const b = hex('ff 00 00 5e 00 01 0a');
  t.is(formatMac(b, 1), '00:00:5e:00:01:0a');
});

test('a MAC address is read in both forms and either case', (t) => {
  t.deepEqual(parseMac('02:AA:f0:88:F0:65'), hex('02aaf088f065'));
  t.deepEqual(parseMac('0:0:5e:0:1:a'), hex('00005e00010a'));
});

for (const text of [
  '',
  '00:00:5e:00:01',
  '00:00:5e:00:01:00:00',
  '00:00:5e:00:01:0g',
  '000:0:5e:0:1:0',
  '00-00-5e-00-01-00',
]) {
  test(`"${text}" is no MAC address`, (t) => {
    t.throws(() => parseMac(text), { message: `not a MAC address: "${text}"` });
  });
}

test('an IPv4 address is a number', (t) => {
  t.is(parseIpv4('192.168.0.199'), 0xc0a800c7);
  t.is(parseIpv4('255.255.255.255'), 0xffffffff);
  t.is(formatIpv4(0xc0a800c7), '192.168.0.199');
  t.is(formatIpv4(0), '0.0.0.0');
});

for (const text of [
  '',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.',
  '1.2.3.4 ',
  '0x1.2.3.4',
  '-1.2.3.4',
  '::1',
]) {
  test(`"${text}" is no IPv4 address`, (t) => {
    t.throws(() => parseIpv4(text), { message: `not an IPv4 address: "${text}"` });
  });
}

/** RFC 5952 section 4 and 5: what is read, what is written. */
const FORMS = {
  '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
  '2001:0DB8::0001': '2001:db8::1',
  '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
  '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
  '::': '::',
  '0:0:0:0:0:0:0:1': '::1',
  'fe80::': 'fe80::',
  '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
  '::2:3:4:5:6:7:8': '0:2:3:4:5:6:7:8',
  '::FFFF:192.0.2.1': '::ffff:192.0.2.1',
  '64:ff9b::192.0.2.1': '64:ff9b::c000:201',
};
for (const [text, canonical] of Object.entries(FORMS)) {
  test(`${text} is written ${canonical}`, (t) => {
    t.is(formatIpv6(parseIpv6(text)), canonical);
  });
}

test('an IPv6 address is sixteen bytes, anywhere in an array', (t) => {
  t.deepEqual(parseIpv6('2001:db8::a0b'), hex('20010db8 00000000 00000000 00000a0b'));
  t.is(formatIpv6(hex('ffff 20010db8 00000000 00000000 00000a0b'), 2), '2001:db8::a0b');
});

const NO_IPV6 = [
  '',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  '1:',
  ':1',
  'g::',
  '::01234',
];
for (const text of [...NO_IPV6, '::1.2.3', '1.2.3.4::', '::1.2.3.4:5', 'fe80::1%eth0', '1.2.3.4']) {
  test(`"${text}" is no IPv6 address`, (t) => {
    t.throws(() => parseIpv6(text), { message: `not an IPv6 address: "${text}"` });
  });
}

test('the family of a text', (t) => {
  t.is(family('10.0.0.1'), 4);
  t.is(family('fe80::1'), 6);
  t.is(family('10.0.0.1/8'), 0);
});

test('what is written is read back, and other readers agree', (t) => {
  const words = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(words, (groups) => {
      const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
      const text = formatIpv6(bytes);
      t.deepEqual(parseIpv6(text), bytes);
      t.deepEqual(Uint8Array.from(ipaddr.parse(text).toByteArray()), bytes);
    }),
  );
});

test('of an address or prefix the family is told, and how long the address is', (t) => {
  for (const text of ['0.0.0.0', '10.1.2.3', '10.0.0.0/8']) {
    t.deepEqual([isIpv6(text), familyOf(text), hostLength(text)], [false, 'inet', 32]);
  }
  for (const text of ['::', 'fd00::1', 'fe80::/64', '::ffff:10.0.0.1']) {
    t.deepEqual([isIpv6(text), familyOf(text), hostLength(text)], [true, 'inet6', 128]);
  }
});
