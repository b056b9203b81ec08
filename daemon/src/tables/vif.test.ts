import test from 'ava';
import { rule } from '../testing/fat-flows.js';
import { VIF_FLAG, type VifRecord } from './records.js';
import { VifTable } from './vif.js';

const record = (id: number, rules: number): VifRecord => ({
  id,
  type: 3,
  name: `tap${id}`,
  mac: '00:00:5e:00:01:00',
  vrf: 1,
  mcastVrf: 1,
  flags: VIF_FLAG.policy,
  nexthop: 16 + id,
  ip: '5.5.5.3',
  ip6: null,
  mtu: 1500,
  macs: [],
  portSecurity: true,
  maxFlows: 0,
  egressAcl: -1,
  ingressAcl: -1,
  fatFlows: Array.from({ length: rules }, (_, i) => rule({ port: i })),
  fatFlowExclude: [],
  mirrors: [],
});

test('the table knows how many interfaces have fat-flow rules, however they change', (t) => {
  const vifs = new VifTable();
  const steps: readonly (readonly [id: number, rules: number, expected: number])[] = [
    [3, 0, 0],
    [4, 1, 1],
    [5, 2, 2],
    [4, 3, 2],
    [5, 0, 1],
    [3, 1, 2],
  ];
  for (const [id, rules, expected] of steps) {
    vifs.set(record(id, rules));
    t.is(vifs.withFatFlows, expected);
    t.is(vifs.get(id)?.fatFlows === null, rules === 0);
  }
  vifs.delete(4);
  vifs.delete(4);
  vifs.delete(9);
  t.is(vifs.withFatFlows, 1);
  vifs.set({ ...record(4, 1), flags: 0 });
  t.is(vifs.withFatFlows, 1, 'in packet mode rules are for nothing');
  vifs.delete(3);
  t.is(vifs.withFatFlows, 0);
});
