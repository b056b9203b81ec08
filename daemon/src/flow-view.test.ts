import test from 'ava';

import type { FlowQuery } from './api/view.js';
import type { FlowDump } from './control/flow-dumps.js';
import { parseFlowMatch } from './control/flow-match.js';
import { RefusedError } from './control/refused.js';
import { FlowView } from './flow-view.js';
import { FLOW_FLAG, FLOW_OWN, FlowTable, TCP_FLAG } from './tables/flow.js';
import { NH_FLAG, NH_TYPE, VIF_TYPE, type RouteRecord, type VifRecord } from './tables/records.js';
import { Tables } from './tables/tables.js';
import { addFlow, pairFlows } from './testing/flows.js';

const SSH = { source: '10.0.0.3', destination: '10.0.0.4', protocol: 6, sourcePort: 64165, destinationPort: 22 };
const BACK = { source: '10.0.0.4', destination: '10.0.0.3', protocol: 6, sourcePort: 22, destinationPort: 64165 };
const ALL: FlowQuery = { match: null, evicted: false, names: false, sort: null, top: Infinity };

const vif = (id: number, more: Partial<VifRecord> = {}): VifRecord => ({
  id,
  type: VIF_TYPE.virtual,
  name: `tap${id}`,
  mac: '00:00:5e:00:01:00',
  vrf: 1,
  mcastVrf: 1,
  flags: 0,
  nexthop: 100 + id,
  ip: `10.0.0.${id}`,
  ip6: null,
  mtu: 1500,
  macs: [],
  portSecurity: true,
  maxFlows: 0,
  egressAcl: -1,
  ingressAcl: -1,
  fatFlows: [],
  fatFlowExclude: [],
  mirrors: [],
  ...more,
});

const route = (prefix: string, length: number, nexthop: number, network: number): RouteRecord => ({
  vrf: 1,
  family: 'inet',
  prefix,
  length,
  nexthop,
  label: -1,
  flags: 0,
  stitchedMac: null,
  stitchedIndex: -1,
  network,
  groups: [],
});

/** Two guests in blue, a network red whose guest 20.0.0.5 is leaked into it; guest 3 folds sources of 10.64/10 to 28 bits. */
function tables(): Tables {
  const made = new Tables();
  const fold = { prefix: '10.64.0.0', length: 10, aggregate: 28 };
  const fatFlows = [{ protocol: 6, port: 0, ignore: 'none', source: fold, destination: null }] as const;
  for (const record of [vif(3, { fatFlows }), vif(4), vif(5, { vrf: 2 })])
    made.apply({ table: 'vif', op: 'set', record });
  for (const [id, name] of [
    [1, 'blue'],
    [2, 'red'],
  ] as const) {
    const record = {
      id,
      name: `default-domain:default-project:${name}`,
      network: 10 * id,
      acl: 7,
      rpf: true,
      floodUnknownUnicast: false,
    };
    made.apply({ table: 'vrf', op: 'set', record });
  }
  for (const oif of [3, 4, 5]) {
    const encap = {
      type: NH_TYPE.encap,
      family: 'inet',
      flags: NH_FLAG.valid,
      vrf: 1,
      rewrite: '',
      members: [],
    } as const;
    made.apply({ table: 'nexthop', op: 'set', record: { ...encap, id: 100 + oif, oif } });
  }
  const routes = [
    route('10.0.0.0', 8, 1, 10),
    route('10.0.0.3', 32, 103, 10),
    route('10.0.0.4', 32, 104, 10),
    route('20.0.0.5', 32, 105, 20),
  ];
  for (const record of routes) made.apply({ table: 'route', op: 'set', record });
  const side = { network: null, prefix: null, group: null };
  const rule = {
    action: 'pass',
    protocol: -1,
    source: side,
    destination: side,
    sourcePorts: [],
    destinationPorts: [],
  } as const;
  const rules = [{ ...rule, name: 'NetworkPolicy/web rules[0]', log: false, mirrors: [] }];
  made.apply({ table: 'acl', op: 'set', record: { id: 7, name: 'blue', rules, otherwise: 'deny' } });
  return made;
}

interface Made {
  readonly table: FlowTable;
  readonly view: FlowView;
  readonly asked: string[];
}

/** A view of a table whose worker removes pairs as it is asked. */
function viewOf(size = { entries: 1024, overflow: 1024 }): Made {
  const table = FlowTable.inMemory(size);
  const asked: string[] = [];
  const view = new FlowView({
    table,
    tables: tables(),
    nameOf: (id) => `default-domain:default-project:vm${id}`,
    command: (op, index, generation) => {
      asked.push(`${op} ${index}.${generation}`);
      if (op === 'delete') {
        const reverse = table.words[table.at(index) + 11];
        for (const one of [index, reverse]) if (one >= 0) table.remove(one);
      }
      return Promise.resolve();
    },
  });
  return { table, view, asked };
}

function pair(table: FlowTable, changes: Partial<typeof SSH> = {}): number[] {
  const forward = { ...SSH, ...changes };
  const { source, destination, sourcePort, destinationPort } = forward;
  const back = {
    ...BACK,
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
  };
  const indices = [addFlow(table, { ...forward, vrf: 1 }), addFlow(table, { ...back, vrf: 1 })];
  pairFlows(table, indices[0], indices[1]);
  return indices;
}

const listed = (view: FlowView, query: Partial<FlowQuery> = {}): FlowDump[] =>
  [...view.list({ ...ALL, ...query })].filter((flow) => flow !== undefined);

test('flows are listed in the order of their indices, or sorted, at most as many as wanted', (t) => {
  const { table, view } = viewOf();
  for (let sourcePort = 1; sourcePort <= 20; sourcePort++) addFlow(table, { ...SSH, sourcePort, bytes: sourcePort });
  const indices = listed(view).map(({ index }) => index);
  t.deepEqual(
    indices,
    [...indices].sort((a, b) => a - b),
  );
  t.is(indices.length, 20);
  t.deepEqual(listed(view, { top: 5 }).map(({ index }) => index), indices.slice(0, 5)); // prettier-ignore
  t.deepEqual(listed(view, { sort: 'bytes', top: 3 }).map(({ bytes }) => bytes), [20, 19, 18]); // prettier-ignore
  t.is(listed(view, { match: parseFlowMatch('*:7') })[0].sourcePort, 7);
});

test('a flow that went while others were sorted is left out', (t) => {
  const { table, view } = viewOf();
  const first = addFlow(table, { ...SSH, bytes: 9 });
  addFlow(table, { ...SSH, sourcePort: 1, bytes: 8 });
  const walk = view.list({ ...ALL, sort: 'bytes' });
  let next = walk.next();
  t.is((next.value as FlowDump).index, first);
  table.remove(listed(view).find(({ bytes }) => bytes === 8)?.index ?? -1);
  while (!next.done) next = walk.next();
  t.is(next.value, undefined);
});

test('ends are named by the routes of the VRF: interface, network, and the rule that decided', (t) => {
  const { table, view } = viewOf();
  addFlow(table, { ...SSH, destination: '20.0.0.5', vrf: 1, rule: 7 << 16 });
  const [{ names }] = listed(view, { names: true });
  t.deepEqual(names, {
    source: {
      vmi: 'default-domain:default-project:vm3',
      network: 'default-domain:default-project:blue',
      prefixLength: 32,
    },
    destination: {
      vmi: 'default-domain:default-project:vm5',
      network: 'default-domain:default-project:red',
      prefixLength: 32,
    },
    rule: 'NetworkPolicy/web rules[0]',
  });
});

test('an address of the subnet nobody has, and one without a route, have no interface', (t) => {
  const { table, view } = viewOf();
  addFlow(table, { ...SSH, source: '10.0.0.9', destination: '8.8.8.8', vrf: 1 });
  const [{ names }] = listed(view, { names: true });
  t.like(names?.source, { vmi: null, network: 'default-domain:default-project:blue' });
  t.like(names?.destination, { vmi: null, network: null, prefixLength: 32 });
});

test('of a fat flow it is said which end is ignored, and to how many bits one is folded', (t) => {
  const { table, view } = viewOf();
  const owner = 3 | (FLOW_OWN.fat << 16);
  addFlow(table, { ...SSH, source: '10.64.0.16', destination: '0.0.0.0', sourcePort: 0, owner, vrf: 1 });
  const [{ names }] = listed(view, { names: true });
  t.like(names?.source, { vmi: null, network: 'default-domain:default-project:blue', prefixLength: 28 });
  t.like(names?.destination, { vmi: null, network: null, prefixLength: 0 });
});

test('the way back of a fat flow is folded by the rules of the other end', (t) => {
  const { table, view } = viewOf();
  const fat = { protocol: 6, sourcePort: 0, destinationPort: 0, vrf: 1 };
  const there = { ...fat, source: '10.64.0.16', destination: '10.0.0.4', owner: 3 | (FLOW_OWN.fat << 16) };
  const back = { ...fat, source: '10.0.0.4', destination: '10.64.0.16', owner: 4 | (FLOW_OWN.fat << 16) };
  pairFlows(table, addFlow(table, there), addFlow(table, back));
  const flow = listed(view, { names: true }).find(({ source }) => source === '10.0.0.4');
  t.like(flow?.names, { source: { prefixLength: 32 }, destination: { prefixLength: 28 } });
});

test('a flow that is not there is refused in the words operators know', async (t) => {
  const { view } = viewOf();
  t.throws(() => view.get(4), { instanceOf: RefusedError, message: 'Flow index 4 is not active' });
  const beyond = { instanceOf: RefusedError, message: 'Flow index 2048 is greater than available indices (2047)' };
  t.throws(() => view.get(2048), beyond);
  await t.throwsAsync(view.command(2048, 'drop'), beyond);
});

test('a change names the flow by index and generation', async (t) => {
  const { table, view, asked } = viewOf();
  const [index] = pair(table);
  t.is(view.get(index).index, index);
  await view.command(index, 'drop');
  await view.command(index, 'forward');
  t.deepEqual(asked, [`drop ${index}.1`, `forward ${index}.1`]);
});

test('only a TCP session that is over is evicted', async (t) => {
  const { table, view, asked } = viewOf();
  const [index] = pair(table);
  await t.throwsAsync(view.command(index, 'evict'), { instanceOf: RefusedError });
  table.words[table.at(index) + 24] |= TCP_FLAG.dead;
  await view.command(index, 'evict');
  t.deepEqual(asked, [`evict ${index}.1`]);
});

test('flushing asks once for each pair, and only for those that match', async (t) => {
  const { table, view, asked } = viewOf({ entries: 16_384, overflow: 4096 });
  for (let sourcePort = 1; sourcePort <= 1000; sourcePort++) pair(table, { sourcePort });
  const other = pair(table, { sourcePort: 1, destinationPort: 80 });
  t.is(await view.flush(parseFlowMatch('*:22')), 1000);
  t.is(asked.length, 1000);
  t.deepEqual(listed(view).map(({ index }) => index), other.sort((a, b) => a - b)); // prettier-ignore
  t.is(await view.flush(null), 1);
  t.is(view.tableDump().active, 0);
});

test('an evicted flow is shown only to who asks for it', (t) => {
  const { table, view } = viewOf();
  addFlow(table, { ...SSH, flags: FLOW_FLAG.evicted });
  addFlow(table, { ...BACK, tcp: TCP_FLAG.dead });
  t.is(listed(view).length, 0);
  t.is(listed(view, { evicted: true }).length, 2);
});
