import test from 'ava';
import fc from 'fast-check';

import { formatIpv4, formatIpv6 } from '../wire/addr.js';
import { formatFlowMatch, parseFlowMatch, protocolTitle } from './flow-match.js';
import type { FlowMatch } from './flow-match.js';
import { RefusedError } from './refused.js';

const NOTHING: FlowMatch = { endpoints: [], protocol: null, vrf: null };
const endpoint = (address: string | null, port: number | null = null) => ({ address, port });

test('every form of the grammar is read', (t) => {
  const forms: [string, Partial<FlowMatch>][] = [
    ['10.10.0.1', { endpoints: [endpoint('10.10.0.1')] }],
    ['10.10.0.1:22', { endpoints: [endpoint('10.10.0.1', 22)] }],
    ['10.10.0.1:*', { endpoints: [endpoint('10.10.0.1')] }],
    ['*', { endpoints: [endpoint(null)] }],
    ['*:22', { endpoints: [endpoint(null, 22)] }],
    ['*:*', { endpoints: [endpoint(null)] }],
    ['fd00::1', { endpoints: [endpoint('fd00::1')] }],
    ['FD00:0::1', { endpoints: [endpoint('fd00::1')] }],
    ['[fd00::1]:80', { endpoints: [endpoint('fd00::1', 80)] }],
    ['[fd00::1]:*', { endpoints: [endpoint('fd00::1')] }],
    ['8.8.8.8:22, 10.10.0.1', { endpoints: [endpoint('8.8.8.8', 22), endpoint('10.10.0.1')] }],
    ['8.8.8.8,*:0', { endpoints: [endpoint('8.8.8.8'), endpoint(null, 0)] }],
    ['proto tcp', { protocol: 6 }],
    ['proto  UDP', { protocol: 17 }],
    ['proto icmp', { protocol: 1 }],
    ['proto icmp6', { protocol: 58 }],
    ['proto sctp', { protocol: 132 }],
    ['vrf 8', { vrf: 8 }],
    ['vrf 0', { vrf: 0 }],
    ['10.10.0.1 & vrf 8', { endpoints: [endpoint('10.10.0.1')], vrf: 8 }],
    [' vrf 8&proto tcp &  *:23 ', { endpoints: [endpoint(null, 23)], protocol: 6, vrf: 8 }],
    ['10.10.0.1 & 8.8.8.8', { endpoints: [endpoint('10.10.0.1'), endpoint('8.8.8.8')] }],
  ];
  for (const [text, match] of forms) t.deepEqual(parseFlowMatch(text), { ...NOTHING, ...match }, text);
});

test('what the grammar does not allow is refused, with the words operators know', (t) => {
  const bad: [string, string][] = [
    ['', 'Malformed request: separator used incorrectly'],
    ['&', 'Malformed request: separator used incorrectly'],
    ['10.10.0.1 &', 'Malformed request: separator used incorrectly'],
    [', 10.10.0.1', 'Malformed request: separator used incorrectly'],
    [':22', 'Malformed request: separator used incorrectly'],
    ['10.10.0.1,', 'Malformed request: separator used incorrectly'],
    ['10.10.0.1,:22', 'Malformed request: separator used incorrectly'],
    ['proto ospf', 'Unsupported protocol "ospf"'],
    ['proto 6', 'Unsupported protocol "6"'],
    ['proto', 'Unsupported protocol ""'],
    ['vrf', 'Malformed request: "" is no VRF'],
    ['vrf blue', 'Malformed request: "blue" is no VRF'],
    ['vrf 65536', 'Malformed request: "65536" is no VRF'],
    ['vrf 1 & vrf 2', 'Malformed request: vrf is there twice'],
    ['proto tcp & proto udp', 'Malformed request: proto is there twice'],
    ['10.10.0', 'Malformed request: "10.10.0" is no address'],
    ['10.10.0.256', 'Malformed request: "10.10.0.256" is no address'],
    ['10.10.0.1:65536', 'Malformed request: "65536" is no port'],
    ['10.10.0.1:-1', 'Malformed request: "-1" is no port'],
    ['10.10.0.1:', 'Malformed request: "" is no port'],
    ['10.10.0.1:22:23', 'Malformed request: "10.10.0.1:22:23" is no address'],
    ['[fd00::1]', 'Malformed request: an address in brackets wants a port behind it'],
    ['[10.10.0.1]:22', 'Malformed request: "10.10.0.1" is no IPv6 address'],
    ['1.1.1.1, 2.2.2.2, 3.3.3.3', 'Malformed request: a flow has two sides'],
    ['1.1.1.1, fd00::1', 'Malformed request: the sides of a flow are both IPv4 or both IPv6'],
  ];
  for (const [text, message] of bad) {
    const error = t.throws(() => parseFlowMatch(text), { instanceOf: RefusedError }, text);
    t.true(error.message.startsWith(message), `${text}: ${error.message}`);
    t.is(error.code, 'invalid');
  }
});

test('a port behind an IPv6 address without brackets is a part of the address', (t) => {
  t.deepEqual(parseFlowMatch('fd00::1:80').endpoints, [endpoint('fd00::1:80')]);
});

const port = fc.option(fc.integer({ min: 0, max: 65535 }));
const v4 = fc.option(fc.integer({ min: 0, max: 0xffffffff }).map((n) => formatIpv4(n)));
const v6 = fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => formatIpv6(b)));
const endpoints = fc.oneof(
  fc.array(fc.record({ address: v4, port }), { maxLength: 2 }),
  fc.array(fc.record({ address: v6, port }), { maxLength: 2 }),
);
const matches = fc
  .record({
    endpoints,
    protocol: fc.option(fc.constantFrom(6, 17, 1, 58, 132)),
    vrf: fc.option(fc.integer({ min: 0, max: 65535 })),
  })
  .filter((match) => match.endpoints.length > 0 || match.protocol !== null || match.vrf !== null);

test('what is printed of an expression reads as the same expression', (t) => {
  fc.assert(
    fc.property(matches, (match) => {
      const text = formatFlowMatch(match);
      t.deepEqual(parseFlowMatch(text), match);
      t.is(formatFlowMatch(parseFlowMatch(text)), text);
    }),
  );
});

test('blanks around tokens and separators, and the order of tokens, do not matter', (t) => {
  const blanks = fc.constantFrom('', ' ', '\t', '   ');
  fc.assert(
    fc.property(matches, fc.array(blanks, { minLength: 8, maxLength: 8 }), fc.boolean(), (match, space, turned) => {
      const tokens = formatFlowMatch(match).split(' & ');
      if (turned) tokens.reverse();
      const spaced = tokens.map((token, i) => space[i] + token.replace(', ', `${space[i + 1]},${space[i + 2]}`));
      t.deepEqual(parseFlowMatch(spaced.join(`${space[6]}&${space[7]}`)), match);
    }),
  );
});

test('whatever is typed is read or refused, and nothing else', (t) => {
  const character = fc.constantFrom(...Array.from('&,:*[]. 0129afprotovrf'));
  const typed = fc.array(character, { maxLength: 20 }).map((characters) => characters.join(''));
  fc.assert(
    fc.property(typed, (text) => {
      try {
        t.deepEqual(parseFlowMatch(formatFlowMatch(parseFlowMatch(text))), parseFlowMatch(text));
      } catch (error) {
        t.true(error instanceof RefusedError, `${text}: ${String(error)}`);
      }
    }),
  );
});

test('protocols are shown by name where they have one', (t) => {
  t.deepEqual([6, 17, 1, 58, 132, 47].map(protocolTitle), ['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', '47']);
});
