import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as vnet from './vnet.js';

/** A TCP super-frame of 1448-byte segments; its checksum begins behind Ethernet and IPv4, the field 16 bytes later. */
const HEADER = hex('01 81 42 00 a8 05 22 00 10 00');

test('a header is read, least byte first', (t) => {
  t.is(vnet.flags(HEADER, 0), vnet.NEEDS_CSUM);
  t.is(vnet.gsoType(HEADER, 0), vnet.GSO_TCPV4 | vnet.GSO_ECN);
  t.is(vnet.hdrLen(HEADER, 0), 66);
  t.is(vnet.gsoSize(HEADER, 0), 1448);
  t.is(vnet.csumStart(HEADER, 0), 34);
  t.is(vnet.csumOffset(HEADER, 0), 16);
});

test('a header is written whole', (t) => {
  t.deepEqual(
    written(vnet.LEN, (b) => {
      vnet.setFlags(b, 0, vnet.NEEDS_CSUM);
      vnet.setGso(b, 0, vnet.GSO_TCPV4 | vnet.GSO_ECN, 66, 1448);
      vnet.setCsum(b, 0, 34, 16);
    }),
    HEADER,
  );
});

test('a cleared header says nothing', (t) => {
  t.deepEqual(
    written(vnet.LEN, (b) => {
      vnet.clear(b, 0);
    }),
    new Uint8Array(10),
  );
});
