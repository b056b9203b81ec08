import test from 'ava';
import { hostVif } from '../agent/fixed-vifs.js';
import { MIRROR } from '../tables/counters.js';
import { NH_ID, VIF_ID } from '../tables/records.js';
import { aclOf, aclRule } from '../testing/acl-rules.js';
import { BOTH, mirrorPort, setMirror } from '../testing/mirrors.js';
import { ip6Of, ipOf, macOf, type NetworkOptions, TestNetwork } from '../testing/network.js';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';

/* Guest 3 is mirrored, 6 is its analyzer. */
const ANALYZER = 6;
const COPY = [255, 0, ...new Uint8Array(60)];

function mirrored(suppressErrors: boolean, options: NetworkOptions = {}): TestNetwork {
  const network = new TestNetwork({ guests: 4, ...options });
  setMirror(network.tables, 0, { analyzer: ipOf(ANALYZER), suppressErrors });
  mirrorPort(network.tables, 3, [{ mirror: 0, receive: true, transmit: false }]);
  return network;
}

const suppressed = ({ counters }: TestNetwork): number => counters.words[counters.mirrorAt(0) + MIRROR.suppressed];

/** Sends guest `to` an ICMP error about a packet it seems to have sent to the analyzer. */
const error = (
  from: number,
  to: number,
  {
    mac = macOf(from),
    source = ipOf(from),
    quoted = copyOf(to),
  }: { mac?: string; source?: string; quoted?: Uint8Array } = {},
): Uint8Array =>
  eth({ src: mac, dst: macOf(to) })
    .ipv4({ src: source, dst: ipOf(to) })
    .icmp({ type: 3, code: 3 })
    .payload(quoted)
    .bytes();

const packet = (build: (head: PacketBuilder) => PacketBuilder): Uint8Array =>
  build(eth({ src: macOf(3), dst: macOf(4) }))
    .bytes()
    .subarray(14);

const copyOf = (
  guest: number,
  { port = 50_000, data = COPY }: { port?: number; data?: readonly number[] } = {},
): Uint8Array =>
  packet((head) =>
    head
      .ipv4({ src: ipOf(guest), dst: ipOf(ANALYZER) })
      .udp(port, 8099)
      .payload(data),
  );

test('an ICMP error that quotes a copy gets to nobody but guests whose mirror wants errors, from where it seems to come', (t) => {
  const network = mirrored(false);
  t.deepEqual(
    network.receive(ANALYZER, error(ANALYZER, 3)).map(({ port }) => port),
    [3],
  );
  // Nobody mirrors guest 5; the MAC is not the sender's; the address is not; the frame goes to another one; and to whom nobody knows.
  t.deepEqual(network.receive(4, error(4, 5)), []);
  t.deepEqual(network.receive(ANALYZER, error(ANALYZER, 3, { mac: '02:99:00:00:00:01' })), []);
  t.deepEqual(network.receive(4, error(4, 3, { source: ipOf(ANALYZER) })), []);
  for (const mac of [2, 5]) {
    const elsewhere = error(4, 3);
    elsewhere[5] = mac;
    t.deepEqual(network.receive(4, elsewhere), []);
  }
  t.is(network.drops('flowUnusable'), 5);
  t.is(suppressed(network), 0);
  t.is(network.imbalance(), 0);
});

test('an ICMP error about a copy is kept back from whoever it is for, with what passes from whom', (t) => {
  const network = mirrored(true);
  for (const to of [3, 5]) t.deepEqual(network.receive(4, error(4, to)), []);
  t.is(network.drops('mirrorError'), 2);
  t.is(suppressed(network), 2);
  t.is(network.imbalance(), 0);
});

test('an error about a copy of a session, sent in the name of a guest to the underlay, is kept from that guest', (t) => {
  const list = aclOf(1, aclRule({ mirrors: [{ mirror: 0, forward: true, reverse: true }] }));
  const network = new TestNetwork({ acl: 1, acls: [list] });
  setMirror(network.tables, 0, { analyzer: '9.9.9.9' });
  const { vifs, nexthops } = hostVif('vhost0', '02:00:00:00:00:77', 1500);
  for (const record of vifs) network.tables.apply({ table: 'vif', op: 'set', record });
  for (const record of nexthops) network.tables.apply({ table: 'nexthop', op: 'set', record });
  const vrf = network.tables.vifs.get(3)?.vrf ?? -1;
  const way = { vrf, family: 'inet', prefix: '9.9.9.0', length: 24, nexthop: NH_ID.host, label: -1, flags: 0 } as const;
  const rest = { network: 0, groups: [], stitchedMac: null, stitchedIndex: -1 };
  network.tables.apply({ table: 'route', op: 'set', record: { ...way, ...rest } });
  const session = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1000, 53)
    .bytes();
  const copy = network.receive(3, session).find(({ port }) => port === VIF_ID.host);
  if (!copy) return t.fail('no copy');
  const quoted = error(4, 3, { source: ipOf(4), quoted: copy.frame.subarray(14) });
  t.deepEqual(network.receive(4, quoted), []);
  t.is(suppressed(network), 1);
  t.is(network.drops('mirrorError'), 1);
  t.is(network.imbalance(), 0);
});

test("errors about what a guest itself sends to its analyzer's port are its own", (t) => {
  const network = mirrored(true, { packetMode: 'all' });
  const isKept = (quoted: Uint8Array): boolean => network.receive(4, error(4, 3, { quoted })).length === 0;
  t.true(isKept(copyOf(3)));
  t.true(isKept(copyOf(3, { port: 8097 })));
  t.true(isKept(copyOf(3).subarray(0, 28)), 'as much as routers have to quote');
  t.true(isKept(copyOf(3, { data: [1, 4, 1, 1, 1, 1, 3, 30, 65] })), 'cut off in the metadata');
  t.false(isKept(copyOf(3, { port: 1000 })));
  t.false(isKept(copyOf(3, { data: [...Buffer.from('no metadata')] })));
  const later = { src: ipOf(3), dst: ipOf(ANALYZER), fragmentOffset: 80, protocol: 17 };
  t.false(isKept(packet((head) => head.ipv4(later).payload(copyOf(3).subarray(20)))));
  t.is(network.imbalance(), 0);
});

test('an error about the first fragment of a copy over IPv6 is kept back', (t) => {
  const network = mirrored(true, { packetMode: 'all' });
  setMirror(network.tables, 0, { analyzer: ip6Of(ANALYZER) });
  const about = (offset: number): Uint8Array =>
    eth({ src: macOf(4), dst: macOf(3) })
      .ipv6({ src: ip6Of(4), dst: ip6Of(3) })
      .icmpv6({ type: 1, code: 4 })
      .payload(
        packet((head) =>
          head
            .ipv6({ src: ip6Of(3), dst: ip6Of(ANALYZER) })
            .fragment6({ offset, more: true, id: 5 })
            .udp(50_000, 8099)
            .payload(COPY),
        ),
      )
      .bytes();
  t.is(network.receive(4, about(0)).length, 0);
  t.is(network.receive(4, about(80)).length, 1);
  t.is(suppressed(network), 1);
  t.is(network.imbalance(), 0);
});

test('errors that are wanted reach the guest and are mirrored', (t) => {
  const network = mirrored(false);
  mirrorPort(network.tables, 3, [BOTH(0)]);
  t.deepEqual(
    network.receive(ANALYZER, error(ANALYZER, 3)).map(({ port }) => port),
    [ANALYZER, 3],
  );
});
