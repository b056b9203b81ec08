import test from 'ava';
import fc from 'fast-check';
import { hostVif } from '../agent/fixed-vifs.js';
import { type AclRecord, type AclRuleRecord, NH_ID, type RuleMirrorRecord, VIF_ID } from '../tables/records.js';
import { aclOf, aclRule } from '../testing/acl-rules.js';
import { pair } from '../testing/flow-entries.js';
import { setMirror, type WrappedCopy, wrappedCopies } from '../testing/mirrors.js';
import {
  bridgedLabelOf,
  GATEWAY_MAC,
  ip6Of,
  ipOf,
  macOf,
  NEXT_HOP_MAC,
  type NetworkOptions,
  routedLabelOf,
  TestNetwork,
  UNDERLAY_MAC,
} from '../testing/network.js';
import { eth, vnetHeader } from '../testing/packet-builder.js';

/*
 * Guests 3 and 4 talk; what they say is copied to analyzers 5 (mirror 0) and 6 (mirror 1). Mirror 2 has an analyzer nobody has.
 */
const BLUE = 'default-domain:default-project:test';
const RED = 'default-domain:default-project:red';
const [BLUE_ID, RED_ID] = [10, 20];
const [INGRESS, MIRROR, PASS, DENY, IMPLICIT] = [0x4000_0000, 0x80, 0x20, 0x8, 0x2000_0000];

const both = (mirror: number): RuleMirrorRecord => ({ mirror, forward: true, reverse: true });
const mirroring = (...mirrors: RuleMirrorRecord[]): Partial<NetworkOptions> => ({
  acl: 1,
  acls: [aclOf(1, aclRule({ mirrors }))],
});

function network(options: NetworkOptions = {}): TestNetwork {
  const net = new TestNetwork({ guests: 4, ...options });
  for (const [id, analyzer] of [ipOf(5), ipOf(6), '9.9.9.9'].entries()) setMirror(net.tables, id, { analyzer });
  net.tables.apply({ table: 'network', op: 'set', record: { number: BLUE_ID, name: BLUE } });
  net.tables.apply({ table: 'network', op: 'set', record: { number: RED_ID, name: RED } });
  return net;
}

const udp = (from: number, to: number, sport: number, dport: number, { mac = macOf(from), ip = ipOf(from) } = {}) =>
  eth({ src: mac, dst: macOf(to) })
    .ipv4({ src: ip, dst: ipOf(to) })
    .udp(sport, dport)
    .payload([1, 2, 3])
    .bytes();

type Sent = ReturnType<TestNetwork['receive']>;
const copiesAt = (port: number, sent: Sent): WrappedCopy[] =>
  wrappedCopies(sent.filter((one) => one.port === port).map(({ frame }) => frame));
const flagsOf = (copy: WrappedCopy): number => Number.parseInt(copy.metadata[1][1], 16);
const networksOf = ({ metadata }: WrappedCopy): string[] => [metadata[2][1], metadata[3][1]];

test('copies for an analyzer the host leads to come from the guest, as the host refuses its own address from outside', (t) => {
  const net = network(mirroring(both(2)));
  const { vifs, nexthops } = hostVif('vhost0', '02:00:00:00:00:77', 1500);
  for (const record of vifs) net.tables.apply({ table: 'vif', op: 'set', record });
  for (const record of nexthops) net.tables.apply({ table: 'nexthop', op: 'set', record });
  const vrf = net.tables.vifs.get(3)?.vrf ?? -1;
  const way = { vrf, family: 'inet', prefix: '9.9.9.0', length: 24, nexthop: NH_ID.host, label: -1, flags: 0 } as const;
  const record = { ...way, network: 0, groups: [], stitchedMac: null, stitchedIndex: -1 };
  net.tables.apply({ table: 'route', op: 'set', record });
  for (const [from, to] of [
    [3, 4],
    [4, 3],
  ]) {
    const [copy] = copiesAt(VIF_ID.host, net.receive(from, udp(from, to, 1000, 1000)));
    t.like(copy, { source: ipOf(from), destination: '9.9.9.9' });
    t.deepEqual(copy.metadata[0], [1, '192.168.200.11']);
  }
  t.is(net.imbalance(), 0);
});

test('packets of a session are copied in both directions, with host, action and networks of each', (t) => {
  const net = network(mirroring(both(0)));
  const request = udp(3, 4, 1000, 53);
  const sent = net.receive(3, request);
  t.deepEqual(sent.map(({ port }) => port).sort(), [4, 5]);
  const [copy] = copiesAt(5, sent);
  t.deepEqual(copy.metadata, [
    [1, '192.168.200.11'],
    [2, '400000a0'],
    [3, BLUE],
    [4, BLUE],
    [255, ''],
  ]);
  t.like(copy, { source: '192.168.200.11', destination: ipOf(5), destinationPort: 8099, frame: request });
  const answer = udp(4, 3, 53, 1000);
  const [back] = copiesAt(5, net.receive(4, answer));
  t.deepEqual(back.frame, answer);
  t.not(back.sourcePort, copy.sourcePort);
  t.is(copiesAt(5, net.receive(3, request))[0].sourcePort, copy.sourcePort);
  t.is(net.imbalance(), 0);
});

test('the networks of a copy are those of the addresses, seen in the direction of the packet', (t) => {
  const net = network(mirroring(both(0)));
  const route = { vrf: 7, family: 'inet', prefix: ipOf(4), length: 32, nexthop: 24, label: -1, flags: 0 } as const;
  const rest = { stitchedMac: null, stitchedIndex: -1, network: RED_ID, groups: [] };
  net.tables.apply({ table: 'route', op: 'set', record: { ...route, ...rest } });
  t.deepEqual(networksOf(copiesAt(5, net.receive(3, udp(3, 4, 1000, 53)))[0]), [BLUE, RED]);
  t.deepEqual(networksOf(copiesAt(5, net.receive(4, udp(4, 3, 53, 1000)))[0]), [RED, BLUE]);
});

test('what is refused is copied and dropped; what comes from where it may not is not copied', (t) => {
  const deny = aclRule({ action: 'deny', mirrors: [both(0)] });
  const net = network({ acl: 1, acls: [aclOf(1, deny)] });
  const [copy, ...others] = copiesAt(5, net.receive(3, udp(3, 4, 1000, 53)));
  t.deepEqual([flagsOf(copy), others.length], [INGRESS | MIRROR | DENY, 0]);
  t.is(net.drops('flowActionDrop'), 1);
  t.deepEqual(net.receive(3, udp(3, 4, 1000, 53, { mac: '02:99:00:00:00:01' })), []);
  t.is(net.drops('flowActionDrop'), 2);
  t.deepEqual(net.receive(3, udp(3, 4, 1001, 53, { ip: ipOf(5) })), []);
  t.is(net.imbalance(), 0);

  const passing = network(mirroring(both(0)));
  passing.receive(3, udp(3, 4, 1000, 53));
  t.deepEqual(passing.receive(3, udp(3, 4, 1000, 53, { mac: '02:99:00:00:00:01' })), []);
  t.deepEqual(passing.receive(3, udp(3, 4, 1001, 53, { ip: ipOf(5) })), []);
  t.is(passing.drops('invalidSource'), 2);
});

test('a list without a rule for a session says so in the copies another list asks for', (t) => {
  const acls = [aclOf(1, aclRule({ mirrors: [both(0)] })), aclOf(2)];
  const net = network({ acl: 1, acls, port: (vif) => (vif === 4 ? { ingressAcl: 2 } : {}) });
  const [copy] = copiesAt(5, net.receive(3, udp(3, 4, 1000, 53)));
  t.is(flagsOf(copy), INGRESS | MIRROR | DENY | IMPLICIT);
});

test('a session has two analyzers, and one without a way there takes no copy from the other', (t) => {
  const net = network(mirroring(both(2), both(1), both(0)));
  const sent = net.receive(3, udp(3, 4, 1000, 53));
  t.deepEqual(sent.map(({ port }) => port).sort(), [4, 6]);
  t.deepEqual(pair(net)[0].mirrors, [2, 1]);
  net.tables.apply({ table: 'mirror', op: 'delete', id: 1 });
  t.deepEqual(
    net.receive(3, udp(3, 4, 1000, 53)).map(({ port }) => port),
    [4],
  );
  t.is(net.imbalance(), 0);
});

test('a mirror that changes, or its nexthop, is taken as it is now, without a look at its sessions', (t) => {
  const net = network(mirroring(both(0)));
  net.receive(3, udp(3, 4, 1000, 53));
  const { now } = net.tables.epochs;
  const record = net.tables.mirrors.get(0)?.record;
  if (!record) return t.fail();
  net.tables.apply({ table: 'mirror', op: 'set', record: { ...record, snapLength: 20 } });
  t.is(copiesAt(5, net.receive(3, udp(3, 4, 1000, 53)))[0].frame.length, 20);
  setMirror(net.tables, 0, { analyzer: ipOf(6) });
  t.is(net.tables.epochs.now, now);
  t.is(copiesAt(6, net.receive(3, udp(3, 4, 1000, 53))).length, 1);
});

test('a super-frame of a session is copied as its segments', (t) => {
  const net = network(mirroring(both(0)));
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4), df: true })
    .tcp(40_000, 80, { flags: 0x10, checksum: 'partial' })
    .payload(new Uint8Array(2500).fill(7))
    .bytes();
  const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1000, csumStart: 34, csumOffset: 16 });
  const sent = net.receive(3, frame, { vnet });
  t.deepEqual(
    copiesAt(5, sent).map((copy) => copy.frame.length),
    [1054, 1054, 554],
  );
  t.is(sent.filter(({ port }) => port === 4).length, 1);
  t.is(net.imbalance(), 0);
});

test('sessions that share an entry are copied each as it is, from one source port', (t) => {
  const fatFlow = { protocol: 17, port: 0, ignore: 'none', source: null, destination: null } as const;
  const net = network({ ...mirroring(both(0)), port: (vif) => (vif === 3 ? { fatFlows: [fatFlow] } : {}) });
  const frames = [udp(3, 4, 1000, 53), udp(3, 4, 2000, 80)];
  const copies = frames.flatMap((frame) => copiesAt(5, net.receive(3, frame)));
  t.deepEqual(pair(net)[0].ports, [0, 0]);
  t.deepEqual(
    copies.map((copy) => copy.frame),
    frames,
  );
  t.is(copies[0].sourcePort, copies[1].sourcePort);
});

const HOSTS = [
  {
    peer: 2,
    encapsulation: 'MPLSoUDP',
    routes: [
      ['8.8.8.8', 20],
      ['fd00:8::8', 21],
    ],
  },
] as const;

const wrapped = (inner: Uint8Array, label: number): Uint8Array =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC })
    .ipv4({ src: '192.168.200.22', dst: '192.168.200.11' })
    .udp(50_000, 6635, { checksum: 0 })
    .mpls(label)
    .payload(inner)
    .bytes();

test('packets of other hosts are copied without the tunnel, and with the Ethernet header they leave with', (t) => {
  const net = network({ hosts: HOSTS, ...mirroring(both(0)) });
  const guest = { src: GATEWAY_MAC, dst: macOf(3) };
  const four = eth(guest)
    .ipv4({ src: '8.8.8.8', dst: ipOf(3) })
    .udp(53, 1000)
    .payload([1])
    .bytes();
  const six = eth(guest)
    .ipv6({ src: 'fd00:8::8', dst: ip6Of(3) })
    .udp(53, 1000)
    .payload([1])
    .bytes();
  for (const frame of [four, six]) {
    const sent = net.receive(0, wrapped(frame.subarray(14), routedLabelOf(3)));
    const [copy] = copiesAt(5, sent);
    t.deepEqual(copy.frame, frame);
    t.is(flagsOf(copy), MIRROR | PASS);
    t.deepEqual(sent.find(({ port }) => port === 3)?.frame, frame);
  }
  const out = eth({ src: macOf(3), dst: GATEWAY_MAC })
    .ipv4({ src: ipOf(3), dst: '8.8.8.8' })
    .udp(1000, 53)
    .bytes();
  const sent = net.receive(3, out);
  t.deepEqual(sent.map(({ port }) => port).sort(), [0, 5]);
  const [copy] = copiesAt(5, sent);
  t.deepEqual([copy.frame, flagsOf(copy)], [out, INGRESS | MIRROR | PASS]);
  t.is(net.imbalance(), 0);
});

test('a frame another host has bridged is copied as it is', (t) => {
  const net = network({ hosts: [{ ...HOSTS[0], macs: [['02:00:00:00:00:99', 57]] }], ...mirroring(both(0)) });
  const frame = eth({ src: '02:00:00:00:00:99', dst: macOf(3) })
    .ipv4({ src: '8.8.8.8', dst: ipOf(3) })
    .udp(53, 1000)
    .bytes();
  t.deepEqual(copiesAt(5, net.receive(0, wrapped(frame, bridgedLabelOf(3))))[0].frame, frame);
});

const mirror = fc.record({ mirror: fc.constantFrom(0, 1, 2), forward: fc.boolean(), reverse: fc.boolean() });
const rules = fc.array(
  fc
    .record({
      action: fc.constantFrom('pass' as const, 'pass' as const, 'deny' as const),
      first: fc.integer({ min: 1, max: 4 }),
      more: fc.nat(2),
      mirrors: fc.array(mirror, { maxLength: 2 }),
    })
    .map(({ action, first, more, mirrors }) => aclRule({ action, destinationPorts: [[first, first + more]], mirrors })),
  { maxLength: 3 },
);
const lists = fc
  .tuple(rules, rules, rules)
  .chain((all) =>
    fc.tuple(...all.map((one) => fc.record({ rules: fc.constant(one), otherwise: fc.constantFrom('pass', 'deny') }))),
  )
  .map((all) => all.map((one, i) => ({ id: i + 1, name: 'acl', ...one })) as AclRecord[]);
const packet = fc.record({
  from: fc.constantFrom(3, 4),
  sport: fc.integer({ min: 1, max: 4 }),
  dport: fc.integer({ min: 1, max: 4 }),
  isForged: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.constant(true)),
});
type Shot = typeof packet extends fc.Arbitrary<infer T> ? T : never;

/** Which packets of which sessions are copied for whom, reckoned without tables. */
class Model {
  /** Who began each session. */
  readonly #begun = new Map<string, number>();

  /** What analyzers 5 and 6 get: where, flags and frame; and whether the packet passes. */
  copies(acls: readonly AclRecord[], { from, sport, dport, isForged }: Shot): { passes: boolean; copies: string[] } {
    if (isForged) return { passes: false, copies: [] };
    const name = from === 3 ? `${sport},${dport}` : `${dport},${sport}`;
    const beginner = this.#begun.get(name) ?? from;
    this.#begun.set(name, beginner);
    const isForward = beginner === from;
    const port = isForward ? dport : sport;
    const asked: RuleMirrorRecord[] = [];
    let decision = PASS;
    for (const { rules: all, otherwise } of acls) {
      if (decision !== PASS) break;
      const rule: AclRuleRecord | undefined = all.find(
        ({ destinationPorts: [[first, last]] }) => first <= port && port <= last,
      );
      asked.push(...(rule?.mirrors ?? []));
      if ((rule?.action ?? otherwise) === 'deny') decision = rule ? DENY : DENY | IMPLICIT;
    }
    const wanted = asked.filter(({ forward, reverse }) => (isForward ? forward : reverse)).map((one) => one.mirror);
    const two = [...new Set(wanted)].slice(0, 2).filter((one) => one < 2);
    return { passes: decision === PASS, copies: two.map((one) => `${5 + one} ${INGRESS | MIRROR | decision}`).sort() };
  }
}

test('whatever rules there are and however they change, the packets they name are copied, to whom they say', (t) => {
  const steps = fc.array(fc.tuple(fc.option(lists, { freq: 3 }), packet), { minLength: 1, maxLength: 25 });
  fc.assert(
    fc.property(lists, steps, (given, all) => {
      const port = () => ({ egressAcl: 2, ingressAcl: 3 });
      let acls = given;
      const net = network({ acl: 1, acls, port });
      const model = new Model();
      for (const [changed, shot] of all) {
        if (changed) net.configure({ acls: (acls = changed) });
        const to = shot.from === 3 ? 4 : 3;
        const frame = udp(shot.from, to, shot.sport, shot.dport, shot.isForged ? { ip: ipOf(to) } : {});
        const sent = net.receive(shot.from, frame);
        const copies = [5, 6].flatMap((analyzer) =>
          copiesAt(analyzer, sent).map((copy) => {
            t.deepEqual(copy.frame, frame);
            return `${analyzer} ${flagsOf(copy)}`;
          }),
        );
        const expected = model.copies(acls, shot);
        t.deepEqual([sent.some((one) => one.port === to), copies.sort()], [expected.passes, expected.copies]);
      }
      t.is(net.imbalance(), 0);
    }),
    { numRuns: 60 },
  );
});
