import test from 'ava';
import { FLOW_ACTION, FLOW_OWN } from '../tables/flow.js';
import type { AclRuleRecord, RuleMirrorRecord } from '../tables/records.js';
import { aclOf, aclRule } from '../testing/acl-rules.js';
import { entries, pair } from '../testing/flow-entries.js';
import { ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { flowCommand, flowUpkeep, takeOverFlows } from './flow-upkeep.js';

const both = (mirror: number): RuleMirrorRecord => ({ mirror, forward: true, reverse: true });

const toPort = (port: number, mirrors: readonly RuleMirrorRecord[], action: 'pass' | 'deny' = 'pass'): AclRuleRecord =>
  aclRule({ action, destinationPorts: [[port, port]], mirrors });

const udp = (from: number, to: number, sport: number, dport: number): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to) })
    .udp(sport, dport)
    .bytes();

/** Of both entries, the forward one first. */
const mirrorsOf = (net: TestNetwork): (readonly number[])[] => pair(net).map(({ mirrors }) => mirrors);

test('both entries of a session have the mirrors of the rule that decides it, and say so', (t) => {
  const net = new TestNetwork({ acl: 1, acls: [aclOf(1, toPort(53, [both(5)]), aclRule({}))] });
  net.receive(3, udp(3, 4, 1000, 53));
  t.deepEqual(mirrorsOf(net), [[5], [5]]);
  net.receive(3, udp(3, 4, 1000, 80));
  t.deepEqual(
    entries(net).map(({ mirrors, isMirrored }) => [mirrors.length, isMirrored]),
    entries(net).map(({ ports }) => (ports.includes(53) ? [1, true] : [0, false])),
  );
});

test('a rule may mirror one direction alone', (t) => {
  const mirrors = [
    { mirror: 1, forward: true, reverse: false },
    { mirror: 2, forward: false, reverse: true },
  ];
  const net = new TestNetwork({ acl: 1, acls: [aclOf(1, toPort(53, mirrors))] });
  net.receive(3, udp(3, 4, 1000, 53));
  t.deepEqual(mirrorsOf(net), [[1], [2]]);
});

test('the rules of the network and of the security groups of both ends mirror, two at most', (t) => {
  const net = new TestNetwork({
    acl: 1,
    acls: [
      aclOf(1, toPort(53, [both(7)])),
      aclOf(2, aclRule({ mirrors: [both(7), both(8)] })),
      aclOf(3, aclRule({ mirrors: [both(9)] })),
    ],
    port: (vif) => (vif === 3 ? { egressAcl: 2 } : { ingressAcl: 3 }),
  });
  net.receive(3, udp(3, 4, 1000, 53));
  t.deepEqual(mirrorsOf(net), [
    [7, 8],
    [7, 8],
  ]);
});

test('a session that is denied is mirrored, too', (t) => {
  const net = new TestNetwork({ acl: 1, acls: [aclOf(1, toPort(53, [both(3)], 'deny'))] });
  net.receive(3, udp(3, 4, 1000, 53));
  t.like(pair(net)[0], { action: FLOW_ACTION.drop, mirrors: [3] });
});

test('a mirror put into a rule, or taken out, is that of the sessions there are', (t) => {
  const acls = (...mirrors: RuleMirrorRecord[]) => ({ acls: [aclOf(1, toPort(53, mirrors))] });
  const net = new TestNetwork({ acl: 1, ...acls() });
  net.receive(3, udp(3, 4, 1000, 53));
  const [{ index }] = pair(net);
  net.configure(acls(both(6)));
  t.is(net.receive(3, udp(3, 4, 1000, 53)).length, 1);
  t.like(pair(net)[0], { index, packets: 2, mirrors: [6], isMirrored: true });
  net.configure(acls(both(6), both(0)));
  while (flowUpkeep(net.dp));
  t.deepEqual(mirrorsOf(net), [
    [6, 0],
    [6, 0],
  ]);
  net.configure(acls());
  while (flowUpkeep(net.dp));
  t.like(pair(net)[0], { index, packets: 2, mirrors: [], isMirrored: false });
});

test('a session an operator has decided is mirrored as the rules say', (t) => {
  const net = new TestNetwork({ acl: 1, acls: [aclOf(1, toPort(53, [both(6)]))] });
  net.receive(3, udp(3, 4, 1000, 53));
  const [{ index }] = pair(net);
  flowCommand(net.dp, 'drop', index, net.flows.generation(index));
  net.configure({ acls: [aclOf(1, toPort(53, [both(7)]))] });
  while (flowUpkeep(net.dp));
  t.like(pair(net)[0], { action: FLOW_ACTION.drop, mirrors: [7], isMirrored: true });
  net.configure({ acls: [aclOf(1, toPort(53, []))] });
  while (flowUpkeep(net.dp));
  t.like(pair(net)[0], { action: FLOW_ACTION.drop, own: FLOW_OWN.forward | FLOW_OWN.byHand, isMirrored: false });
});

test('the table of an earlier run has its mirrors', (t) => {
  const net = new TestNetwork({ acl: 1, acls: [aclOf(1, toPort(53, [both(6)]))] });
  net.receive(3, udp(3, 4, 1000, 53));
  takeOverFlows(net.dp);
  t.deepEqual(mirrorsOf(net), [[6], [6]]);
  net.configure({ acls: [aclOf(1, toPort(53, [both(4)]))] });
  while (flowUpkeep(net.dp));
  t.deepEqual(mirrorsOf(net), [[4], [4]]);
});
