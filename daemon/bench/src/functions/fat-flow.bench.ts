import { FatFlows } from '#vrouterd/tables/fat-flow.js';
import { FLOW, newFlowKey } from '#vrouterd/tables/flow.js';
import type { FatFlowRecord } from '#vrouterd/tables/records.js';
import { bench, runBenches } from './harness.js';

const KEYS = 1024;
const TCP = (4 << 8) | 6;

const rule = (given: Partial<FatFlowRecord>): FatFlowRecord => ({
  protocol: 6,
  port: 0,
  ignore: 'none',
  source: null,
  destination: null,
  ...given,
});
const EXCLUDE = ['10.0.0.1/32', '10.0.0.2/32', '169.254.0.0/16', 'fe80::/10'];
const services = (count: number): FatFlowRecord[] =>
  Array.from({ length: count }, (_, i) => rule({ port: 22 + i, ignore: 'source' }));
const prefixes = (count: number): FatFlowRecord[] =>
  Array.from({ length: count }, (_, i) => rule({ source: { prefix: `10.${i}.0.0`, length: 16, aggregate: 24 } }));

/** Sessions of guests in 10.0.0.0/8 to port 22, every other one to a port without a rule. */
function maskAll(flows: FatFlows, key: Int32Array): number {
  let sum = 0;
  for (let n = 0; n < KEYS; n++) {
    key[FLOW.protocol] = TCP;
    key[FLOW.ports] = ((1024 + n) << 16) | (n & 1 ? 22 : 9);
    key[FLOW.source] = 0x0a000003 + ((n & 0xff) << 8);
    key[FLOW.destination] = 0x08080808;
    if (flows.mask(key, true)) sum++;
  }
  return sum;
}

for (const [name, rules] of [
  ['1 port', services(1)],
  ['20 ports', services(20)],
  ['20 source prefixes', prefixes(20)],
] as const) {
  const flows = new FatFlows(rules, EXCLUDE);
  const key = newFlowKey();
  bench(`fat-flow key by rules of ${name}`, () => maskAll(flows, key), { operations: KEYS });
}

runBenches();
