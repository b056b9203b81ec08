import test from 'ava';
import { hex } from '../testing/hex.js';

import type { TunnelRecord } from './records.js';
import { Tunnel, WRAP } from './tunnel.js';

const toHex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
const REWRITE = hex('0c00000000020c00000000010800');
const record = (more: Partial<TunnelRecord>): TunnelRecord => ({
  encapsulation: 'MPLSoUDP',
  source: '192.168.200.11',
  destination: '192.168.200.13',
  peer: 1,
  mtu: 1500,
  innerMac: null,
  ...more,
});

test('headers are prepared for every encapsulation, with zeros where packets differ', (t) => {
  const headers = {
    MPLSoUDP: ['0c00000000020c00000000010800', '4500000000000000 4011 0000 c0a8c80b c0a8c80d', '000019eb 00000000', 32],
    MPLSoGRE: ['0c00000000020c00000000010800', '4500000000000000 402f 0000 c0a8c80b c0a8c80d', '00008847', 28],
    VXLAN: ['0c00000000020c00000000010800', '4500000000000000 4011 0000 c0a8c80b c0a8c80d', '000012b5 00000000', 36],
  } as const;
  for (const [encapsulation, [ethernet, ip, rest, overhead]] of Object.entries(headers)) {
    const tunnel = new Tunnel(record({ encapsulation: encapsulation as TunnelRecord['encapsulation'] }), REWRITE);
    t.is(toHex(tunnel.header), `${ethernet}${ip}${rest}`.replaceAll(' ', ''));
    t.is(tunnel.overhead, overhead);
    t.is(tunnel.headerLen, 14 + overhead);
  }
});

test('over IPv6 the header is longer, and its EtherType another, whatever the way says', (t) => {
  const tunnel = new Tunnel(record({ source: 'fd00::1', destination: 'fd00::2' }), REWRITE);
  t.is(toHex(tunnel.header.subarray(12, 22)), '86dd6000000000001140');
  t.is(tunnel.overhead, 52);
  t.true(tunnel.isIpv6);
});

test('without a way there is nothing to send with', (t) => {
  t.false(new Tunnel(record({}), new Uint8Array()).isResolved);
  t.true(new Tunnel(record({}), REWRITE).isResolved);
});

test('a VXLAN has an Ethernet header for routed packets', (t) => {
  const tunnel = new Tunnel(record({ encapsulation: 'VXLAN', innerMac: '02:00:00:00:00:07' }), REWRITE);
  t.is(tunnel.wrap, WRAP.vxlan);
  t.is(toHex(tunnel.innerHeader), '02000000000700005e000100');
});
