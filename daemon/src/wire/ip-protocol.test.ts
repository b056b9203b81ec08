import test from 'ava';
import { hasPorts, IP_PROTOCOL, IP_PROTOCOL_NAMES, ipProtocolName, ipProtocolTitle } from './ip-protocol.js';

test('protocols have the numbers IANA gave them', (t) => {
  t.deepEqual(IP_PROTOCOL, { tcp: 6, udp: 17, icmp: 1, icmp6: 58, sctp: 132 });
});

test('every name is that of its number, and other numbers have none', (t) => {
  for (const name of IP_PROTOCOL_NAMES) t.is(ipProtocolName(IP_PROTOCOL[name]), name);
  const named = Array.from({ length: 256 }, (_, number) => number).filter((number) => ipProtocolName(number));
  t.deepEqual(named, [1, 6, 17, 58, 132]);
});

test('of all protocols TCP, UDP and SCTP have ports', (t) => {
  const all = Array.from({ length: 256 }, (_, number) => number);
  t.deepEqual(all.filter(hasPorts), [6, 17, 132]);
});

test('protocols that are met often have a title', (t) => {
  t.deepEqual([1, 6, 47, 58, 99].map(ipProtocolTitle), ['ICMP', 'TCP', 'GRE', 'ICMPv6', undefined]);
});
