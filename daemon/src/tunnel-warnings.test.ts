import test from 'ava';
import { NH_FLAG, NH_TYPE, type NexthopRecord } from './tables/records.js';
import { NexthopTable } from './tables/nexthop.js';
import { TestNetwork } from './testing/network.js';
import { tunnelUse, tunnelWarnings } from './tunnel-warnings.js';
import type { Encapsulation } from './wire/encapsulation.js';

const end = (n: number, encapsulation: Encapsulation | null = 'MPLSoUDP') => ({
  encapsulation,
  lease: { name: `h${n}`, tunnelAddress: `192.168.0.${n}`, encapsulations: [], version: '', incarnation: '' },
});

function warnings(ends: readonly ReturnType<typeof end>[], changes: { rewrite?: string; hasUnderlay?: boolean } = {}) {
  const { rewrite = '0c00000000020c00000000010800', hasUnderlay = true } = changes;
  const nexthops = new NexthopTable();
  const plain = { type: NH_TYPE.tunnel, family: 'inet', flags: NH_FLAG.valid, vrf: 0, oif: 0, members: [] } as const;
  for (const [i, { lease, encapsulation }] of ends.entries()) {
    if (encapsulation === null) continue;
    const tunnel = { encapsulation, source: '192.168.0.1', destination: lease.tunnelAddress, peer: i, mtu: 1500 };
    const record: NexthopRecord = { ...plain, id: 20 + i, rewrite, tunnel: { ...tunnel, innerMac: null } };
    nexthops.set(record);
  }
  return tunnelWarnings({ tables: { nexthops }, address: '192.168.0.1', hasUnderlay, ends });
}

test('nothing is warned of while all hosts can be reached, or there are none', (t) => {
  t.deepEqual(warnings([end(2), end(3)]), []);
  t.deepEqual(warnings([], { hasUnderlay: false }), []);
});

test('hosts to which the way is not known are named once, in order, five at most', (t) => {
  const [one, ...rest] = warnings([end(3), end(2)], { rewrite: '' });
  t.is(one, 'the way to h2, h3 is not known, packets for it are dropped; see vrouter traceroute');
  t.deepEqual(rest, []);
  const many = warnings(Array.from({ length: 8 }, (_, i) => end(i + 1)), { rewrite: '' }); // prettier-ignore
  t.regex(many[0], /^the way to h1, h2, h3, h4, h5 and 3 more is not known/);
});

test('a host that wraps packets in nothing this one knows is named', (t) => {
  t.deepEqual(warnings([end(2), end(3, null)]), [
    'no encapsulation is shared with h3; compare tunnel.encapsulations there and here',
  ]);
});

test('without an underlay interface that is what is said, and not that each way is unknown', (t) => {
  t.deepEqual(warnings([end(2)], { rewrite: '', hasUnderlay: false }), [
    'no interface has 192.168.0.1: nothing gets to other hosts; bring it up, or correct tunnel.address or tunnel.interface',
  ]);
});

test('tunnels, and the numbers packets are taken with, are counted', (t) => {
  const { tables } = new TestNetwork({
    hosts: [
      { peer: 1, encapsulation: 'MPLSoUDP', isResolved: false },
      { peer: 2, encapsulation: 'VXLAN' },
    ],
  });
  const labels = [...tables.labels.entries()].length;
  const vnis = [...tables.vnis.entries()].length;
  t.deepEqual(tunnelUse(tables), { peers: 2, tunnels: 2, unresolved: 1, labels, vnis });
  tables.apply({ table: 'label', op: 'set', record: { label: 9999, nexthop: 23 } });
  t.is(tunnelUse(tables).labels, labels + 1);
});
