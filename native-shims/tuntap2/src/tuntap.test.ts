import test from 'ava';
import { prefixLength, tuntap } from './tuntap.js';
import type { TuntapOptions } from './tuntap.js';

test('a netmask is its number of leading ones', (t) => {
  t.is(prefixLength('255.255.255.0'), 24);
  t.is(prefixLength('0.0.0.0'), 0);
  t.is(prefixLength('255.255.255.255'), 32);
  t.is(prefixLength('255.254.0.0'), 15);
});

test('what is no netmask is refused', (t) => {
  for (const mask of [
    '255.0.255.0',
    '255.255.255',
    '256.0.0.0',
    '255.255.255.0.0',
    '24',
    '',
    '255.255.255.-1',
    'a.b.c.d',
  ]) {
    t.throws(() => prefixLength(mask), { instanceOf: TypeError }, mask);
  }
});

test('options that cannot be meant are refused before a device is made', (t) => {
  for (const options of [
    { type: 'tup' },
    {},
    { type: 'tap', addr: '192.0.2.1' },
    { type: 'tun', addr: '192.0.2.1', mask: '24' },
  ]) {
    t.throws(() => tuntap(options as TuntapOptions), { instanceOf: TypeError });
  }
});
