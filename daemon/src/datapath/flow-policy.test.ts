import test from 'ava';
import { FLOW_ACTION, FLOW_DROP, FLOW_HEADER } from '../tables/flow.js';
import type { AclRecord, AclRuleRecord } from '../tables/records.js';
import { aclOf as acl, aclRule as rule, ANYBODY } from '../testing/acl-rules.js';
import { entries, pair } from '../testing/flow-entries.js';
import { ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { flowUpkeep } from './flow-upkeep.js';

const toPort = (port: number, action: 'pass' | 'deny' = 'pass'): AclRuleRecord =>
  rule({ action, protocol: 17, destinationPorts: [[port, port]] });

const udp = (from: number, to: number, sport: number, dport: number): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to) })
    .udp(sport, dport)
    .bytes();

const icmp = (from: number, to: number, type: number): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to) })
    .ping({ type, ident: 7, seq: 1 })
    .bytes();

test('the policy of the network decides by its first rule that matches, and answers pass', (t) => {
  const net = new TestNetwork({ acl: 1, acls: [acl(1, rule({ action: 'deny', protocol: 6 }), toPort(53))] });
  t.is(net.receive(3, udp(3, 4, 1000, 53)).length, 1);
  t.is(net.receive(4, udp(4, 3, 53, 1000)).length, 1);
  t.true(entries(net).every((entry) => entry.rule === ((1 << 16) | 1)));
  t.deepEqual(net.receive(4, udp(4, 3, 54, 1000)), []);
  t.is(net.drops('flowActionDrop'), 1);
  const refused = entries(net).filter(({ action }) => action === FLOW_ACTION.drop);
  t.deepEqual(
    refused.map(({ reason, own }) => [reason, own & 4]),
    [
      [FLOW_DROP.policy, 0],
      [FLOW_DROP.policy, 0],
    ],
  );
});

test('security groups of sender and receiver must both let a session pass', (t) => {
  const net = new TestNetwork({
    guests: 3,
    acls: [acl(2, toPort(53), toPort(80)), acl(3, toPort(53))],
    port: (vif) => ({ egressAcl: vif === 3 ? 2 : -1, ingressAcl: vif === 4 ? 3 : -1 }),
  });
  t.is(net.receive(3, udp(3, 4, 1000, 53)).length, 1);
  t.is(net.receive(3, udp(3, 5, 1000, 80)).length, 1);
  t.is(net.receive(5, udp(5, 3, 9, 9)).length, 1);
  const before = entries(net).length;
  t.deepEqual(net.receive(3, udp(3, 4, 1000, 80)), []);
  t.deepEqual(net.receive(3, udp(3, 5, 1000, 22)), []);
  const reasons = entries(net).filter(({ action }) => action === FLOW_ACTION.drop);
  t.is(reasons.length, entries(net).length - before);
  t.deepEqual([...new Set(reasons.map(({ reason }) => reason))].sort(), [FLOW_DROP.sg, FLOW_DROP.outSg]);
  t.is(net.imbalance(), 0);
});

test('remote groups are those of the interface with the address', (t) => {
  const net = new TestNetwork({
    guests: 3,
    acls: [acl(2, rule({ source: { ...ANYBODY, group: 77 } }))],
    port: (vif) => ({ groups: vif === 3 ? [77] : [], ingressAcl: vif === 4 ? 2 : -1 }),
  });
  t.is(net.receive(3, udp(3, 4, 1000, 53)).length, 1);
  t.deepEqual(net.receive(5, udp(5, 4, 1000, 53)), []);
});

test('ICMP is decided by its type, at first and ever after', (t) => {
  const acls = (type: number): AclRecord[] => [acl(1, rule({ protocol: 1, sourcePorts: [[type, type]] }))];
  const net = new TestNetwork({ acl: 1, acls: acls(8) });
  t.is(net.receive(3, icmp(3, 4, 8)).length, 1);
  t.is(net.receive(4, icmp(4, 3, 0)).length, 1);
  net.configure({ acls: acls(0) });
  t.deepEqual(net.receive(3, icmp(3, 4, 8)), []);
  t.deepEqual(net.receive(4, icmp(4, 3, 0)), []);
  net.configure({ acls: acls(8) });
  t.is(net.receive(3, icmp(3, 4, 8)).length, 1);
  t.like(pair(net)[0], { packets: 3, action: FLOW_ACTION.forward });
});

test('guests in packet mode are not asked, and those they talk to are', (t) => {
  const net = new TestNetwork({
    acls: [acl(2), acl(3, toPort(53))],
    packetMode: [3],
    port: (vif) => (vif === 3 ? { egressAcl: 2 } : { ingressAcl: 3 }),
  });
  t.is(net.receive(3, udp(3, 4, 1000, 53)).length, 1);
  t.deepEqual(net.receive(3, udp(3, 4, 1000, 54)), []);
});

test('a change of policy shows in flows nobody uses, and their counts and places stay', (t) => {
  const net = new TestNetwork({ acl: 1, acls: [acl(1, toPort(53), toPort(80))] });
  net.receive(3, udp(3, 4, 1000, 53));
  net.receive(3, udp(3, 4, 1000, 80));
  const before = entries(net);
  net.configure({ acls: [acl(1, toPort(80))] });
  while (flowUpkeep(net.dp));
  const after = entries(net);
  t.deepEqual(
    after.map(({ index, packets }) => [index, packets]),
    before.map(({ index, packets }) => [index, packets]),
  );
  t.deepEqual(
    after.map(({ ports, action }) => [ports.includes(53), action]),
    after.map(({ ports }) => [ports.includes(53), ports.includes(53) ? FLOW_ACTION.drop : FLOW_ACTION.forward]),
  );
  t.is(net.flows.header[FLOW_HEADER.changed], 1);
  net.configure({ acls: [acl(1, toPort(53))] });
  t.is(net.receive(3, udp(3, 4, 1000, 53)).length, 1);
});

test('a change that concerns nobody leaves every decision as it is', (t) => {
  const net = new TestNetwork({ guests: 3 });
  net.receive(3, udp(3, 4, 1, 2));
  const before = entries(net);
  net.configure({ guests: 4, acls: [acl(9)] });
  net.configure({ guests: 3, acls: [] });
  while (flowUpkeep(net.dp));
  t.deepEqual(entries(net), before);
  t.is(net.flows.header[FLOW_HEADER.changed], 0);
});

test('where sources are not checked, any address and any MAC may send', (t) => {
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: '9.9.9.9', dst: ipOf(4) })
    .udp(1, 2)
    .bytes();
  const unsafe = new TestNetwork({ port: () => ({ portSecurity: false }) });
  t.is(unsafe.receive(3, frame).length, 1);
  t.like(pair(unsafe)[0], { rpfNh: 0, action: FLOW_ACTION.forward });
  const answer = eth({ src: macOf(4), dst: macOf(3) })
    .ipv4({ src: ipOf(4), dst: '9.9.9.9' })
    .udp(2, 1)
    .bytes();
  t.is(unsafe.receive(4, answer).length, 1);
  t.is(entries(unsafe).length, 2);

  const asymmetric = new TestNetwork({ rpf: false });
  t.is(asymmetric.receive(3, frame).length, 1);
  const forged = frame.slice();
  forged[11] = 0x99;
  t.deepEqual(asymmetric.receive(3, forged), []);
  t.is(asymmetric.drops('invalidSource'), 1);
});

test('a session whose interface changes to packet mode is looked up as before only where it still has flows', (t) => {
  const net = new TestNetwork();
  net.receive(3, udp(3, 4, 1, 2));
  net.configure({ packetMode: [4] });
  t.is(net.receive(3, udp(3, 4, 1, 2)).length, 1);
  t.is(net.receive(4, udp(4, 3, 2, 1)).length, 1);
  t.deepEqual(
    pair(net).map(({ keyNh, packets }) => [keyNh, packets]),
    [
      [23, 1],
      [23, 1],
    ],
  );
  net.configure({ packetMode: 'all' });
  while (flowUpkeep(net.dp));
  t.deepEqual(entries(net), []);
});
