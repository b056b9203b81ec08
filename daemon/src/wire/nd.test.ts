import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as nd from './nd.js';

const TARGET = hex('20010db8 00000000 00000000 00000002');
const MAC = hex('02 00 00 00 00 01');
const SOLICITATION = hex('87 00 00 00 00000000  20010db8 00000000 00000000 00000002  01 01 02 00 00 00 00 01');
const ADVERTISEMENT = hex('88 00 00 00 60000000  20010db8 00000000 00000000 00000002  02 01 02 00 00 00 00 01');

test('a solicitation with the address of its sender is written whole', (t) => {
  t.deepEqual(
    written(32, (b) => {
      nd.writeSolicitation(b, 0, TARGET);
      t.is(nd.writeMacOption(b, nd.NEIGHBOUR_LEN, nd.OPTION_SOURCE_MAC, MAC), 32);
    }),
    SOLICITATION,
  );
});

test('an advertisement is written whole', (t) => {
  t.deepEqual(
    written(32, (b) => {
      nd.writeAdvertisement(b, 0, nd.SOLICITED | nd.OVERRIDE, TARGET);
      nd.writeMacOption(b, nd.NEIGHBOUR_LEN, nd.OPTION_TARGET_MAC, MAC);
    }),
    ADVERTISEMENT,
  );
});

test('a solicitation becomes an advertisement of its target in place', (t) => {
  const b = SOLICITATION.slice(0, nd.NEIGHBOUR_LEN);
  nd.turnIntoAdvertisement(b, 0, nd.SOLICITED | nd.OVERRIDE);
  t.deepEqual(b, ADVERTISEMENT.slice(0, nd.NEIGHBOUR_LEN));
  t.is(nd.neighbourFlags(b, 0), nd.SOLICITED | nd.OVERRIDE);
});

test('a neighbour message fits where 24 bytes are', (t) => {
  t.true(nd.fits(0, 24));
  t.false(nd.fits(0, 23));
});

test('an option is found among others', (t) => {
  const options = hex('0e 01 00 00 00 00 00 00  05 01 00 00 00 00 05 dc  01 01 02 00 00 00 00 01');
  t.is(nd.option(options, 0, 24, nd.OPTION_SOURCE_MAC), 16);
  t.is(nd.option(options, 0, 24, nd.OPTION_MTU), 8);
  t.is(nd.option(options, 0, 24, nd.OPTION_TARGET_MAC), -1);
  t.is(nd.option(options, 0, 23, nd.OPTION_SOURCE_MAC), -1);
});

test('options without length or beyond the message end the search', (t) => {
  t.is(nd.option(hex('0e 00 00 00 00 00 00 00  01 01 02 00 00 00 00 01'), 0, 16, nd.OPTION_SOURCE_MAC), -1);
  t.is(nd.option(hex('01 02 00 00 00 00 00 00'), 0, 8, nd.OPTION_SOURCE_MAC), -1);
  t.is(nd.option(hex(''), 0, 0, nd.OPTION_SOURCE_MAC), -1);
});

test('a router solicitation is written whole', (t) => {
  t.deepEqual(
    written(nd.ROUTER_SOLICITATION_LEN, (b) => {
      nd.writeRouterSolicitation(b, 0);
    }),
    hex('85 00 00 00 00 00 00 00'),
  );
});

test('a router advertisement with its options is written whole', (t) => {
  const expected = hex(`86 00 00 00 40 c0 07 08 00000000 00000000
    03 04 40 c0 00015180 00003840 00000000 20010db8 00000000 00000000 00000000
    05 01 00 00 00 00 05 78`);
  const b = written(56, (p) => {
    nd.writeRouterAdvertisement(p, 0, { hopLimit: 64, flags: nd.MANAGED | nd.OTHER_CONFIG, lifetime: 1800 });
    const behind = nd.writePrefixOption(p, nd.ROUTER_ADVERTISEMENT_LEN, {
      address: hex('20010db8 00000000 00000000 00000000'),
      length: 64,
      flags: nd.ON_LINK | nd.AUTONOMOUS,
      validLifetime: 86400,
      preferredLifetime: 14400,
    });
    t.is(nd.writeMtuOption(p, behind, 1400), 56);
  });
  t.deepEqual(b, expected);
  t.is(nd.routerHopLimit(b, 0), 64);
  t.is(nd.routerFlags(b, 0), nd.MANAGED | nd.OTHER_CONFIG);
  t.is(nd.routerLifetime(b, 0), 1800);
});
