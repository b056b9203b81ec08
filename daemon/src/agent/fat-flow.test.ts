import test from 'ava';
import { fatFlowExclude, fatFlowRecord } from './fat-flow.js';

test('a rule becomes what the datapath looks up', (t) => {
  t.deepEqual(fatFlowRecord({ protocol: 'icmp', port: 0, ignoreAddress: 'source' }), {
    protocol: 1,
    port: 0,
    ignore: 'source',
    source: null,
    destination: null,
  });
  t.deepEqual(
    fatFlowRecord({
      protocol: 'udp',
      port: 53,
      ignoreAddress: 'destination',
      sourcePrefix: '10.0.0.0/8',
      sourceAggregateLength: 28,
    }),
    {
      protocol: 17,
      port: 53,
      ignore: 'destination',
      source: { prefix: '10.0.0.0', length: 8, aggregate: 28 },
      destination: null,
    },
  );
  t.is(fatFlowRecord({ protocol: 47, port: 0, ignoreAddress: 'none' }).protocol, 47);
});

test('gateways, service addresses and link-local addresses are never folded', (t) => {
  const inet = { family: 'inet', gateway: '172.30.100.1', service: '172.30.100.2' } as const;
  t.deepEqual(fatFlowExclude([inet]), ['172.30.100.1/32', '172.30.100.2/32', '169.254.0.0/16', 'fe80::/10']);
  t.deepEqual(
    fatFlowExclude([
      { family: 'inet6', gateway: 'fd00:5::1', service: 'fd00:5::2' },
      { ...inet, gateway: null },
    ]),
    ['172.30.100.2/32', '169.254.0.0/16', 'fd00:5::1/128', 'fd00:5::2/128', 'fe80::/10'],
  );
});
