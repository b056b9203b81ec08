import test from 'ava';

import {
  FLOW,
  FLOW_ACTION,
  FLOW_BYTES,
  FLOW_DROP,
  FLOW_FLAG,
  FLOW_HEADER,
  FLOW_OWN,
  FlowTable,
  TCP_FLAG,
} from '../tables/flow.js';
import { addFlow, pairFlows } from '../testing/flows.js';
import { flowDump, flowTableDump } from './flow-dump.js';
import { aclOf, aclRule } from '../testing/acl-rules.js';
import { pair } from '../testing/flow-entries.js';
import { ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';

const SIZE = { entries: 1024, overflow: 1024 };
const SSH = { source: '10.10.0.1', destination: '8.8.8.8', protocol: 6, sourcePort: 64165, destinationPort: 22 };
const UP = TCP_FLAG.syn | TCP_FLAG.synReverse | TCP_FLAG.established | TCP_FLAG.establishedReverse;

test('every word of an entry comes out under its name', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const index = addFlow(table, {
    ...SSH,
    vrf: 8,
    tcp: UP,
    packets: 13,
    bytes: 3119,
    created: 5_000,
    lastSeen: 65_500,
    owner: 16 | (FLOW_OWN.forward << 16),
    source1: 16,
    outer: 58539 | (64 << 16) | (2 << 24),
    rpfNexthop: 122,
    rule: (3 << 16) | 7,
  });
  const reverse = addFlow(table, { ...SSH, source: '8.8.8.8', destination: '10.10.0.1' });
  pairFlows(table, index, reverse);
  t.deepEqual(flowDump(table, index, 66_000), {
    index,
    generation: 1,
    reverse,
    family: 'inet',
    protocol: 6,
    source: '10.10.0.1',
    sourcePort: 64165,
    destination: '8.8.8.8',
    destinationPort: 22,
    keyNexthop: 122,
    vrf: 8,
    destinationVrf: null,
    action: 'forward',
    dropReason: null,
    nat: [],
    flags: [],
    tcp: ['S', 'Sr', 'E', 'Er'],
    ecmpMember: 2,
    qos: -1,
    rpfNexthop: 122,
    packets: 13,
    bytes: 3119,
    mirrors: [],
    udpSourcePort: 58539,
    ttl: 64,
    sourceInfo: '16.0.0.0',
    fromFabric: false,
    vif: 16,
    forward: true,
    fat: false,
    short: false,
    ageMs: 61_000,
    idleMs: 500,
    decidedBy: { acl: 3, rule: 7 },
  });
});

test('what an entry does not have is null, or empty', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const dump = flowDump(table, addFlow(table, { ...SSH, owner: 0xffff }), 0);
  const nothing = {
    reverse: null,
    ecmpMember: null,
    rpfNexthop: null,
    decidedBy: null,
    vif: null,
    destinationVrf: null,
  };
  t.like(dump, { ...nothing, ageMs: 0 });
  t.deepEqual(dump.mirrors, []);
  t.false('overflow' in dump);
});

test('an IPv6 flow has its addresses in canonical text', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const spec = { ...SSH, source: 'fd00::a:1', destination: 'ff02::1:ff00:8000' };
  t.like(flowDump(table, addFlow(table, spec), 0), {
    family: 'inet6',
    source: spec.source,
    destination: spec.destination,
  });
});

test('a flow from the underlay shows the outer source, one from a guest its interface, lowest byte first', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const fabric = { owner: 0xffff | (FLOW_OWN.fromFabric << 16), source1: 0xc0a8c80c | 0 };
  t.is(flowDump(table, addFlow(table, { ...SSH, ...fabric }), 0).sourceInfo, '192.168.200.12');
  t.is(flowDump(table, addFlow(table, { ...SSH, sourcePort: 1, source1: 300 }), 0).sourceInfo, '44.1.0.0');
});

test('a refused flow names the reason, one without a text its number', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const refused = { ...SSH, action: FLOW_ACTION.drop };
  const outSg = flowDump(table, addFlow(table, { ...refused, dropReason: FLOW_DROP.outSg }), 0);
  t.like(outSg, { action: 'drop', dropReason: 'OutSG' });
  t.is(flowDump(table, addFlow(table, { ...refused, sourcePort: 1, dropReason: 200 }), 0).dropReason, '200');
});

test('NAT, flags and TCP come as letters in the order operators know', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const all = Object.values(FLOW_FLAG).reduce((bits, bit) => bits | bit, 0);
  const tcp = Object.values(TCP_FLAG).reduce((bits, bit) => bits | bit, 0);
  const index = addFlow(table, { ...SSH, action: FLOW_ACTION.nat, flags: all, tcp });
  table.words[table.at(index) + FLOW.vrf] = 8 | (9 << 16);
  const dump = flowDump(table, index, 0);
  t.deepEqual(dump.nat, ['S', 'Ps', 'D', 'Pd', 'L']);
  t.deepEqual(dump.flags, ['E', 'Ec', 'N', 'M', 'Dm']);
  t.deepEqual(dump.tcp, ['S', 'Sr', 'E', 'Er', 'F', 'Fr', 'R', 'C', 'D']);
  t.like(dump, { vrf: 8, destinationVrf: 9 });
});

test('mirrors are listed, at most two', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const index = addFlow(table, SSH);
  table.words[table.at(index) + FLOW.mirrors] = (0xffff << 16) | 5;
  t.deepEqual(flowDump(table, index, 0).mirrors, [5]);
  table.words[table.at(index) + FLOW.mirrors] = (6 << 16) | 5;
  t.deepEqual(flowDump(table, index, 0).mirrors, [5, 6]);
});

test('a session that rules mirror shows their mirrors, each direction its own', (t) => {
  const mirrors = [
    { mirror: 5, forward: true, reverse: true },
    { mirror: 6, forward: true, reverse: false },
  ];
  const net = new TestNetwork({ acl: 1, acls: [aclOf(1, aclRule({ mirrors }))] });
  net.receive(
    3,
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .udp(1, 2)
      .bytes(),
  );
  const [forward, reverse] = pair(net).map(({ index }) => flowDump(net.flows, index, 0));
  t.deepEqual([forward.mirrors, reverse.mirrors], [[5, 6], [5]]);
  t.deepEqual([forward.flags, reverse.flags], [[], []]);
});

test('the table counts what happened in it', (t) => {
  const table = FlowTable.inMemory(SIZE);
  const index = addFlow(table, SSH);
  addFlow(table, { ...SSH, sourcePort: 1 });
  table.remove(index);
  table.header[FLOW_HEADER.created] = 4;
  t.deepEqual(flowTableDump(table), {
    bytes: 2048 * FLOW_BYTES,
    entries: 2048,
    overflowEntries: 1024,
    active: 1,
    overflowUsed: 0,
    created: 4,
    createdByWorker: [4],
    added: 2,
    deleted: 1,
    changed: 0,
    tableFull: 0,
    limited: 0,
  });
});
