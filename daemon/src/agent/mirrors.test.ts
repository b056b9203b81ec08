import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { BridgeTable } from '../tables/bridge.js';
import { NH_FLAG, NH_ID, NH_TYPE, type MirrorRecord, type NexthopRecord } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import { interfaceObject } from '../testing/objects.js';
import { ID_RANGES } from '../testing/plans.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import type { Encapsulation } from '../wire/encapsulation.js';
import { Ids } from './ids.js';
import type { MirrorTo } from '../control/mirror-to.js';
import { Mirrors } from './mirrors.js';
import { instanceOf, isRaw, mirrorId, mirrorKey, type MirrorUse } from './mirror-uses.js';
import { vxlanNexthop } from './mirror-rows.js';
import { OWN } from './rank.js';
import { type Offer, Reconciler } from './reconcile.js';
import type { Way } from './way.js';

const SCOPE = 'default-domain:default-project';
const HOST = { mac: '0c:c4:7a:59:62:5c', address: '192.168.200.11' };
/** Networks of the host and their VRFs. */
const VRFS = new Map([
  [`${SCOPE}:blue`, 1],
  [`${SCOPE}:dpi`, 2],
]);

/** What an interface in a network has copied; a user for each network. */
const use = (network: string, mirror: object): MirrorUse => {
  const vmi = interfaceObject('vnf', 3, '4.4.4.3', { virtualNetwork: network, mirrors: [mirror] });
  return { to: vmi.spec.mirrors[0] as MirrorTo, network: `${SCOPE}:${network}`, user: network, vmi };
};

/** The mirrors of a host, with tables, ways and indices of its own. */
function setUp(t: ExecutionContext) {
  const file = join(temporaryFolder(t), 'ids');
  const offers = new Map<string, Offer>();
  const ways = new Map<string, Way>();
  let followed: ReadonlySet<string> = new Set();
  const underlay = {
    wayTo: (address: string) => ways.get(address) ?? null,
    follow: (addresses: ReadonlySet<string>) => {
      followed = new Set(addresses);
    },
  };
  const start = () => {
    const ids = new Ids(file, ID_RANGES);
    const tables = new Tables(null, new BridgeTable(64, 16));
    const reconciler = new Reconciler(tables, () => undefined);
    reconciler.offer(offers.values());
    return { ids, tables, reconciler, mirrors: new Mirrors({ ids, reconciler, tables, underlay, host: HOST }) };
  };
  let running = start();
  return {
    get tables() {
      return running.tables;
    },
    get ids() {
      return running.ids;
    },
    get followed() {
      return followed;
    },
    restart: () => {
      running = start();
    },
    present: (...uses: readonly MirrorUse[]) => {
      const { ids, mirrors } = running;
      const keys = uses.map(({ to, network }) => mirrorKey(to, network));
      for (const key of keys) mirrorId(ids, key);
      for (const key of ids.keys('mirror')) if (!keys.includes(key)) ids.release('mirror', key);
      mirrors.present(uses, (name) => VRFS.get(name));
    },
    /** A row of the bridge table comes, changes, or (nexthop null) goes. */
    mac: (vrf: number, mac: string, nexthop: number | null, label = -1) => {
      const row = { table: 'bridge', op: 'set', record: { vrf, mac, nexthop: nexthop ?? 0, label, flags: 0 } } as const;
      const offer = { key: `bridge ${vrf} ${mac}`, row: nexthop === null ? null : row, rank: OWN };
      offers.set(offer.key, offer);
      running.reconciler.offer([offer]);
    },
    /** A tunnel to a host, by the number of its nexthop. */
    tunnel: (id: number, encapsulation: Encapsulation, name: string) => {
      const peer = { id, address: '192.0.2.9', name };
      const tunnel = {
        encapsulation,
        source: HOST.address,
        destination: '192.0.2.9',
        peer: id,
        mtu: 1500,
        innerMac: null,
      };
      const record = { ...vxlanNexthop(id, '192.0.2.9', WAY), tunnel };
      running.reconciler.offer([
        { key: `peer ${id}`, row: { table: 'peer', op: 'set', record: peer }, rank: OWN },
        { key: `nexthop ${id}`, row: { table: 'nexthop', op: 'set', record }, rank: OWN },
      ]);
    },
    way: (address: string, way: Way | null) => {
      if (way) ways.set(address, way);
      else ways.delete(address);
      running.mirrors.onWays([address]);
    },
    mirror: (id: number): MirrorRecord | undefined => running.tables.mirrors.get(id)?.record,
    nexthopOf: (id: number): NexthopRecord | undefined =>
      running.tables.nexthops.get(running.tables.mirrors.get(id)?.record.nexthop ?? -1)?.record,
  };
}

const MAC = '02:00:00:00:00:09';
const WAY: Way = { source: '192.168.200.11', rewrite: '0200000000400cc47a59625c0800', mtu: 1500 };
const HEADER = { analyzerName: 'DPI', analyzerIp: '7.7.7.3', udpPort: 8888 };
const RAW = { analyzerName: 'tap', juniperHeader: false, analyzerMac: MAC };
const VXLAN = {
  analyzerName: 'vtep',
  juniperHeader: false,
  nhMode: 'static',
  staticNhHeader: { vtepDstIp: '192.0.2.40', vni: 7040 },
};

test('a mirror with header has the nexthop that wraps copies into UDP, looked up where they are from', (t) => {
  const host = setUp(t);
  host.present(use('blue', HEADER));
  t.like(host.mirror(0), { name: 'DPI', isDynamic: true, vni: -1, nicVlan: 0, sample: 1, suppressErrors: true });
  t.like(host.nexthopOf(0), {
    flags: NH_FLAG.valid | NH_FLAG.tunnelUdp | NH_FLAG.copySip | NH_FLAG.etreeRoot,
    vrf: -1,
    oif: 0,
    rewrite: '0000000000000cc47a59625c0800',
    udp: { source: '192.168.200.11', destination: '7.7.7.3', sourcePort: 8097, destinationPort: 8888 },
  });
  host.present(use('blue', { ...HEADER, analyzerIp: 'fd00::9' }));
  t.is(host.nexthopOf(0)?.udp?.source, 'fe80::ec4:7aff:fe59:625c', 'a source of the family of the analyzer');
});

test('copies for a service instance come from the host, as its network has no route to whose frames they are', (t) => {
  const host = setUp(t);
  host.present({ ...use('blue', HEADER), isService: true });
  t.is(host.nexthopOf(0)?.flags, NH_FLAG.valid | NH_FLAG.tunnelUdp | NH_FLAG.etreeRoot);
  host.present({ ...use('blue', { ...HEADER, analyzerIp: 'fd00::9' }), isService: true });
  t.not((host.nexthopOf(0)?.flags ?? 0) & NH_FLAG.copySip, 0, 'unless it has no address of that family');
});

test('a raw mirror leads where its MAC is, in the network it names or that of the frames, at once when that changes', (t) => {
  const host = setUp(t);
  host.present(use('blue', { ...RAW, routingInstance: 'dpi' }));
  t.like(host.mirror(0), { nexthop: NH_ID.discard, isDynamic: false, vni: -1 });
  host.mac(1, MAC, 30);
  t.is(host.mirror(0)?.nexthop, NH_ID.discard, 'the MAC in another network is nobody');
  host.mac(2, MAC, 31, 20);
  t.like(host.mirror(0), { nexthop: 31, vni: 20 });
  host.mac(2, MAC, 32, 77);
  t.like(host.mirror(0), { nexthop: 32, vni: 77 });
  host.mac(2, MAC, null);
  t.like(host.mirror(0), { nexthop: NH_ID.discard, vni: -1 });
  host.mac(2, MAC, NH_ID.l2Receive);
  t.is(host.mirror(0)?.nexthop, NH_ID.discard, 'the MAC of the gateway is no analyzer');

  host.present(use('blue', RAW), use('dpi', RAW));
  t.is(host.mirror(0)?.nexthop, undefined, 'one name in two networks is two mirrors, and neither is the one there was');
  t.deepEqual(
    [host.mirror(1), host.mirror(2)].map((mirror) => mirror?.nexthop),
    [30, NH_ID.discard],
  );
});

test('frames as they are do not go to a host in a VXLAN, where only their own MAC would count', (t) => {
  const host = setUp(t);
  host.present(use('blue', RAW));
  host.tunnel(40, 'VXLAN', 'h2');
  host.mac(1, MAC, 40, 5);
  t.is(host.mirror(0)?.nexthop, NH_ID.discard);
  host.tunnel(41, 'MPLSoUDP', 'h2');
  host.mac(1, MAC, 41, 20);
  t.like(host.mirror(0), { nexthop: 41, vni: 20 });
  host.tunnel(42, 'VXLAN', 'TunnelEndpoint/linux');
  host.mac(1, MAC, 42, 5);
  t.like(host.mirror(0), { nexthop: 42, vni: 5 }, 'a bridge that is no host of ours floods what it does not know');
});

test('a static mirror is a VXLAN to its end, through the way the kernel knows', (t) => {
  const host = setUp(t);
  host.present(use('blue', VXLAN));
  t.like(host.mirror(0), { nexthop: NH_ID.discard, isDynamic: false });
  t.deepEqual([...host.followed], ['192.0.2.40']);
  host.way('192.0.2.40', WAY);
  t.like(host.mirror(0), { isDynamic: false, vni: 7040 });
  t.like(host.nexthopOf(0), {
    rewrite: WAY.rewrite,
    tunnel: { encapsulation: 'VXLAN', source: WAY.source, destination: '192.0.2.40', peer: -1, mtu: 1500 },
  });
  host.way('192.0.2.40', null);
  t.is(host.mirror(0)?.nexthop, NH_ID.discard);
});

test('a mirror of the NIC copies nothing: it has a tag', (t) => {
  const host = setUp(t);
  host.present(use('blue', { analyzerName: 'nic', nicAssistedMirroring: true, nicAssistedVlan: 7 }));
  t.like(host.mirror(0), { nexthop: NH_ID.discard, isDynamic: false, nicVlan: 7 });
});

test('one name is one mirror; with its last user go entry, nexthop and index', (t) => {
  const host = setUp(t);
  host.present(use('blue', HEADER), use('dpi', HEADER), use('blue', VXLAN));
  const nexthop = host.mirror(0)?.nexthop ?? -1;
  t.deepEqual(
    [0, 1, 2].map((id) => host.mirror(id)?.name),
    ['DPI', 'vtep', undefined],
  );
  host.present(use('dpi', HEADER), use('blue', VXLAN));
  t.is(host.mirror(0)?.nexthop, nexthop);
  host.present(use('blue', VXLAN));
  t.is(host.mirror(0), undefined);
  t.is(host.tables.nexthops.get(nexthop), undefined);
  t.deepEqual(host.ids.keys('nexthop'), []);
  t.is(host.mirror(1)?.name, 'vtep');
});

test('indices and nexthops are the same after a restart', (t) => {
  const host = setUp(t);
  host.present(use('blue', { ...HEADER, analyzerName: 'first' }), use('blue', HEADER));
  host.present(use('blue', HEADER));
  const before = host.mirror(1);
  t.is(before?.name, 'DPI');
  host.restart();
  host.present(use('blue', HEADER), use('blue', { ...HEADER, analyzerName: 'second' }));
  t.deepEqual(host.mirror(1), before);
  t.is(host.mirror(0)?.name, 'second');
});

test('when every index is in use the next mirror has none, and the others stay', (t) => {
  const host = setUp(t);
  const named = (i: number): MirrorUse => use('blue', { ...HEADER, analyzerName: `a${i}` });
  host.present(...Array.from({ length: 256 }, (_, i) => named(i)));
  t.is(host.mirror(254)?.name, 'a254');
  t.is([...host.tables.mirrors.entries()].length, 255);
  host.present(...Array.from({ length: 255 }, (_, i) => named(i + 1)));
  host.present(...Array.from({ length: 255 }, (_, i) => named(i + 1)));
  t.is(host.mirror(0)?.name, 'a255', 'it gets the first that is free');
});

/** What may happen to a host. */
type Event =
  | { readonly kind: 'uses'; readonly uses: readonly MirrorUse[] }
  | { readonly kind: 'mac'; readonly vrf: number; readonly nexthop: number | null; readonly label: number }
  | { readonly kind: 'way'; readonly way: Way | null }
  | { readonly kind: 'restart' };

const DEFINITIONS = [HEADER, RAW, { ...RAW, analyzerName: 'named', routingInstance: 'dpi' }, VXLAN];
const anyUse = fc
  .tuple(fc.constantFrom('blue', 'dpi'), fc.constantFrom(...DEFINITIONS))
  .map(([network, mirror]) => use(network, mirror));
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('uses' as const), uses: fc.array(anyUse, { maxLength: 6 }) }),
  fc.record({
    kind: fc.constant('mac' as const),
    vrf: fc.constantFrom(1, 2),
    nexthop: fc.constantFrom(null, NH_ID.drop, NH_ID.l2Receive, 5000, 5001),
    label: fc.integer({ min: -1, max: 50 }),
  }),
  fc.record({ kind: fc.constant('way' as const), way: fc.constantFrom(WAY, { ...WAY, mtu: 1400 }, null) }),
  fc.constant({ kind: 'restart' as const }),
);

test('whatever happens, the tables hold what is configured and known now, under indices that stay', (t) => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const host = setUp(t);
      const macs = new Map<number, { nexthop: number; label: number }>();
      const state: { uses: readonly MirrorUse[]; way: Way | null } = { uses: [], way: null };
      let indices = new Map<string, number>();
      for (const one of events) {
        if (one.kind === 'uses') state.uses = one.uses;
        if (one.kind === 'way') state.way = one.way;
        if (one.kind === 'mac' && one.nexthop === null) macs.delete(one.vrf);
        else if (one.kind === 'mac') macs.set(one.vrf, { nexthop: one.nexthop ?? 0, label: one.label });

        if (one.kind === 'mac') host.mac(one.vrf, MAC, one.nexthop, one.label);
        else if (one.kind === 'way') host.way('192.0.2.40', one.way);
        else if (one.kind === 'restart') host.restart();
        if (one.kind === 'uses' || one.kind === 'restart') host.present(...state.uses);

        const wanted = new Map(state.uses.map((u) => [mirrorKey(u.to, u.network), u]));
        const records = [...host.tables.mirrors.entries()].map(({ record }) => record);
        t.is(records.length, wanted.size);
        const own = records.filter((record) => host.nexthopOf(record.id)?.type === NH_TYPE.tunnel);
        const nexthops = [...host.tables.nexthops.entries()].filter(({ record }) => record.id >= NH_ID.firstDynamic);
        t.is(nexthops.length, own.length, 'no nexthop is left over');
        for (const [key, { to, network }] of wanted) {
          const id = host.ids.find('mirror', key) ?? -1;
          t.is(id, indices.get(key) ?? id, 'an index stays while its mirror does');
          const record = host.mirror(id);
          t.is(record?.name, to.analyzerName);
          if (isRaw(to)) {
            const found = macs.get(VRFS.get(instanceOf({ to, network })) ?? 0);
            const isStation = found !== undefined && found.nexthop >= NH_ID.firstDynamic;
            t.is(record?.nexthop, isStation ? found.nexthop : NH_ID.discard);
            t.is(record?.vni, isStation ? found.label : -1);
          } else if (to.nhMode === 'static') {
            t.deepEqual([host.nexthopOf(id)?.tunnel?.mtu], [state.way?.mtu]);
          } else t.is(host.nexthopOf(id)?.udp?.destination, '7.7.7.3');
        }
        indices = new Map([...wanted.keys()].map((key) => [key, host.ids.find('mirror', key) ?? -1]));
      }
    }),
    { numRuns: 60 },
  );
});
