import test from 'ava';

import { MirrorView } from './mirror-view.js';
import { Counters, MIRROR } from './tables/counters.js';
import { type MirrorRecord, NH_FLAG, NH_ID, NH_TYPE, type NexthopRecord, VIF_TYPE } from './tables/records.js';
import { Tables } from './tables/tables.js';
import { UNRESTRICTED } from './agent/compile.js';

const mirror = (changes: Partial<MirrorRecord> = {}): MirrorRecord => ({
  id: 0,
  name: 'DPI',
  nexthop: 129,
  isDynamic: true,
  vni: -1,
  nicVlan: 0,
  rateLimit: 0,
  sample: 1,
  snapLength: 0,
  suppressErrors: true,
  ...changes,
});
const nexthop = (id: number, type: NexthopRecord['type']): NexthopRecord => ({
  id,
  type,
  family: 'inet',
  flags: NH_FLAG.valid,
  vrf: -1,
  oif: 0,
  rewrite: '',
  members: [],
});

/** A view of a vif of interface `vnf1` that mirrors to 0 and 1, and a rule that mirrors to 1. */
function view(...mirrors: readonly MirrorRecord[]): { view: MirrorView; counters: Counters } {
  const tables = new Tables();
  const counters = Counters.inMemory(0);
  for (const record of mirrors) tables.apply({ table: 'mirror', op: 'set', record });
  for (const record of [nexthop(129, NH_TYPE.tunnel), nexthop(NH_ID.drop, NH_TYPE.discard)])
    tables.apply({ table: 'nexthop', op: 'set', record });
  tables.apply({
    table: 'vif',
    op: 'set',
    record: {
      ...{ id: 15, type: VIF_TYPE.virtual, name: 'tapf8659136-11', mac: '00:00:5e:00:01:00', vrf: 8, mcastVrf: 8 },
      ...{ flags: 0, nexthop: 20, ip: '4.4.4.3', ip6: null, mtu: 1500, macs: [], ...UNRESTRICTED },
      mirrors: [
        { mirror: 0, receive: true, transmit: true },
        { mirror: 1, receive: true, transmit: false },
      ],
    },
  });
  const peer = { network: null, prefix: null, group: null };
  const rule = {
    ...({ name: 'NetworkPolicy/web rules[1]', action: 'pass', protocol: 6, source: peer, destination: peer } as const),
    ...{ sourcePorts: [], destinationPorts: [], log: false, mirrors: [{ mirror: 1, forward: true, reverse: true }] },
  };
  tables.apply({ table: 'acl', op: 'set', record: { id: 5, name: 'traffic', rules: [rule, rule], otherwise: 'deny' } });
  const nameOf = (vif: number): string | undefined => (vif === 15 ? 'default-domain:default-project:vnf1' : undefined);
  const of = { analyzerName: 'DPI', users: [] };
  const states = {
    list: () => [
      { ...of, index: 0, state: 'unresolved' as const, reason: 'no route' },
      { ...of, index: 1, state: 'resolved' as const, reason: '' },
      { ...of, index: 2, state: 'resolved' as const, reason: 'the analyzer is the interface itself' },
    ],
  };
  return { view: new MirrorView({ tables, counters, nameOf, states }), counters };
}

test('a mirror is shown with who uses it, each once', (t) => {
  const dumps = [...view(mirror(), mirror({ id: 1, name: 'IDS' }), mirror({ id: 2 })).view.list()];
  t.deepEqual(
    dumps.map(({ index, name, users }) => ({ index, name, users })),
    [
      { index: 0, name: 'DPI', users: ['VirtualMachineInterface/vnf1'] },
      { index: 1, name: 'IDS', users: ['VirtualMachineInterface/vnf1', 'NetworkPolicy/web rules[1]'] },
      { index: 2, name: 'DPI', users: [] },
    ],
  );
});

test('a mirror is shown with what became of it', (t) => {
  const { view: made } = view(mirror(), mirror({ id: 1 }), mirror({ id: 2 }), mirror({ id: 4 }));
  t.like(made.get(0), { state: 'unresolved', reason: 'no route' });
  t.like(made.get(1), { state: 'resolved', reason: null });
  t.like(made.get(2), { state: 'resolved', reason: 'the analyzer is the interface itself' });
  t.is(made.get(3), undefined);
  t.is(made.get(4)?.state, 'unresolved', 'one that nobody has any more');
});

test('a mirror of the NIC has its VLAN tag', (t) => {
  t.like(view(mirror({ nexthop: NH_ID.drop, isDynamic: false, nicVlan: 77 })).view.get(0), {
    ...{ isNicAssisted: true, isDynamic: false, vlan: 77, vni: 0 },
  });
});

test('labels are shown where copies have one', (t) => {
  const vniOf = (changes: Partial<MirrorRecord>): number | null | undefined => view(mirror(changes)).view.get(0)?.vni;
  t.is(vniOf({}), 0);
  t.is(vniOf({ isDynamic: false }), null);
  t.is(vniOf({ isDynamic: false, vni: 4242 }), 4242);
});

test('each counter of a mirror is its own', (t) => {
  const { view: made, counters } = view(mirror({ id: 0 }), mirror({ id: 1 }));
  const words = Object.keys(MIRROR).filter((name) => name !== 'words') as (keyof typeof MIRROR)[];
  for (const [i, name] of words.entries()) counters.words[counters.mirrorAt(1) + MIRROR[name]] = i + 1;
  t.deepEqual(made.get(1)?.counters, {
    ingress: { packets: 1, bytes: 2 },
    egress: { packets: 3, bytes: 4 },
    ...{ discards: 5, limited: 6, sampledOut: 7, failed: 8, looped: 9, suppressed: 10 },
  });
  t.is(made.get(0)?.counters.ingress.packets, 0);
});
