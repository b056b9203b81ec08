import test from 'ava';
import { hex } from '../testing/hex.js';
import { FLOW, newFlowKey } from '../tables/flow.js';
import { hasPorts } from '../wire/ip-protocol.js';
import { writePorts } from './flow-ports.js';

/** The ports in the key, unsigned; -1: they do not fit. */
function ports(b: Uint8Array, protocol: number, at: number, end: number): number {
  const key = newFlowKey().fill(0x55);
  return writePorts(b, protocol, at, end, key) ? key[FLOW.ports] >>> 0 : -1;
}

const at = (protocol: number, bytes: string): number => ports(hex(`ffff ${bytes} ffff`), protocol, 2, 10);

test('TCP, UDP and SCTP have ports', (t) => {
  for (const protocol of [6, 17, 132]) {
    t.is(at(protocol, 'ffff 0050 00000000'), 0xffff0050);
    t.true(hasPorts(protocol));
  }
});

test('an echo has its identifier, in IPv6 and the type of its answer', (t) => {
  for (const type of ['08', '00']) t.is(at(1, `${type} 00 0000 fedc 0001`), 0xfedc0000);
  for (const type of ['80', '81']) t.is(at(58, `${type} 00 0000 fedc 0001`), 0xfedc0081);
  t.false(hasPorts(1));
  t.false(hasPorts(58));
});

test('other ICMP has its type', (t) => {
  t.is(at(1, '0d 00 0000 fedc 0001'), 13);
  t.is(at(58, '85 00 0000 fedc 0001'), 133);
});

test('other protocols have none', (t) => {
  t.is(at(47, '0000 0800 12345678'), 0);
  t.false(hasPorts(47));
});

test('ports that lie behind the end are not read', (t) => {
  const b = new Uint8Array(16).fill(8);
  t.is(ports(b, 17, 4, 8), 0x08080808);
  t.is(ports(b, 17, 4, 7), -1);
  t.is(ports(b, 1, 4, 11), -1);
  t.is(ports(b, 58, 4, 11), -1);
  t.is(ports(b, 47, 4, 4), 0);
});
