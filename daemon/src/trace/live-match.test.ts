import test from 'ava';
import { RefusedError } from '../control/refused.js';
import type { TraceFilter } from '../datapath/tracer.js';
import { parseLiveMatch } from './live-match.js';

const ANY: TraceFilter = { vif: -1, vrf: -1, protocol: -1, etherType: -1, ends: [] };
const parse = (text: string): TraceFilter =>
  parseLiveMatch(text, (name) => {
    if (name !== 'a') throw new RefusedError('notFound', `no ${name}`);
    return 3;
  });

const MATCHES: Readonly<Record<string, Partial<TraceFilter>>> = {
  any: {},
  arp: { etherType: 0x0806 },
  icmp: { protocol: 1 },
  'proto tcp': { protocol: 6 },
  'vmi a & udp': { vif: 3, protocol: 17 },
  'vif 7': { vif: 7 },
  'vif0/7 & vrf 2': { vif: 7, vrf: 2 },
  '10.0.0.1:22': { ends: [{ family: 4, address: [0x0a000001], port: 22 }] },
  '*:53 & udp': { protocol: 17, ends: [{ family: 0, address: [], port: 53 }] },
  '10.0.0.1, 10.0.0.2:*': {
    ends: [
      { family: 4, address: [0x0a000001], port: -1 },
      { family: 4, address: [0x0a000002], port: -1 },
    ],
  },
  '[fd00::1]:22': { ends: [{ family: 6, address: [0xfd000000 | 0, 0, 0, 1], port: 22 }] },
};

for (const [text, filter] of Object.entries(MATCHES)) {
  test(`'${text}' is understood`, (t) => {
    t.deepEqual(parse(text), { ...ANY, ...filter });
  });
}

test('what is not understood is refused', (t) => {
  for (const [text, message] of [
    ['vif x', /'x' is no interface; write vif N/],
    ['vmi b', /no b/],
    ['proto igmp', /Unsupported protocol "igmp"/],
    ['1.2.3.4 & ', /separator used incorrectly/],
    ['hello', /"hello" is no address/],
  ] as const) {
    t.throws(() => parse(text), { instanceOf: RefusedError, message });
  }
});
