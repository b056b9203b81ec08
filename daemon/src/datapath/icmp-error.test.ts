import test from 'ava';
import fc from 'fast-check';
import { eth, type PacketBuilder } from '../testing/packet-builder.js';
import { ip6Of, ipOf, macOf, TestNetwork } from '../testing/network.js';
import type { DropReason } from '../packet/drop.js';
import { FLOW, FLOW_DOUBLE, newFlowKey, TCP_FLAG } from '../tables/flow.js';
import { isIcmpError, quotedKey } from './icmp-error.js';

/** Guest 4 tells guest 3 about a packet of guest 3's. */
const from4 = (): PacketBuilder => eth({ src: macOf(4), dst: macOf(3) });
const error4 = (type = 3): PacketBuilder =>
  from4()
    .ipv4({ src: ipOf(4), dst: ipOf(3) })
    .icmp({ type });
const error6 = (type = 1): PacketBuilder =>
  from4()
    .ipv6({ src: ip6Of(4), dst: ip6Of(3) })
    .icmpv6({ type });
const quote4 = { src: ipOf(3), dst: '9.9.9.9' };
const quote6 = { src: ip6Of(3), dst: '2001:db8::9' };

interface Seen {
  readonly isError: boolean;
  readonly key?: { protocol: number; ports: readonly [number, number]; source: string; destination: string };
  readonly drop?: DropReason;
}

function see(frame: Uint8Array): Seen {
  const net = new TestNetwork();
  net.receive(4, frame);
  if (!isIcmpError(net.dp)) return { isError: false };
  const key = newFlowKey().fill(0x55555555);
  if (!quotedKey(net.dp, key)) {
    const drop = (['icmpError', 'flowUnusable'] as const).find((reason) => net.drops(reason) > 0);
    return drop ? { isError: true, drop } : { isError: true };
  }
  return {
    isError: true,
    key: {
      protocol: key[FLOW.protocol],
      ports: [key[FLOW.ports] >>> 16, key[FLOW.ports] & 0xffff],
      source: words(key.subarray(FLOW.source, FLOW.source + 4)),
      destination: words(key.subarray(FLOW.destination, FLOW.destination + 4)),
    },
  };
}

const words = (address: Int32Array): string => Array.from(address, (word) => (word >>> 0).toString(16)).join(' ');
const SIDES_4 = { source: '9090909 0 0 0', destination: '5050503 0 0 0' };
const SIDES_6 = { source: '20010db8 0 0 9', destination: 'fd000005 0 0 3' };

test('an error has the key of what it quotes, turned round', (t) => {
  for (const type of [3, 11]) {
    t.deepEqual(see(error4(type).ipv4(quote4).udp(40000, 53).bytes()), {
      isError: true,
      key: { protocol: 0x411, ports: [53, 40000], ...SIDES_4 },
    });
  }
  for (const type of [1, 2, 3, 4]) {
    t.deepEqual(see(error6(type).ipv6(quote6).tcp(40000, 443).bytes()), {
      isError: true,
      key: { protocol: 0x606, ports: [443, 40000], ...SIDES_6 },
    });
  }
});

test('an error may come from a router, but goes to the sender of what it quotes', (t) => {
  const router = from4()
    .ipv4({ src: '7.7.7.7', dst: ipOf(3) })
    .icmp({ type: 11 });
  t.deepEqual(see(router.ipv4(quote4).udp(1, 2).bytes()).key?.ports, [2, 1]);
  const stranger = from4()
    .ipv4({ src: ipOf(4), dst: '8.8.8.8' })
    .icmp({ type: 3 });
  t.is(see(stranger.ipv4(quote4).udp(1, 2).bytes()).drop, 'flowUnusable');
  const stranger6 = from4()
    .ipv6({ src: ip6Of(4), dst: '2001:db8::1' })
    .icmpv6({ type: 1 });
  t.is(see(stranger6.ipv6(quote6).udp(1, 2).bytes()).drop, 'flowUnusable');
});

test('the identifier of a quoted echo stays where it is', (t) => {
  const ping = { ident: 0xfedc, seq: 1 };
  t.deepEqual(see(error4().ipv4(quote4).ping(ping).bytes()).key, { protocol: 0x401, ports: [0xfedc, 0], ...SIDES_4 });
  t.deepEqual(see(error6().ipv6(quote6).ping6(ping).bytes()).key, {
    protocol: 0x63a,
    ports: [0xfedc, 129],
    ...SIDES_6,
  });
});

test('quoted SCTP has ports, what has none is quoted all the same', (t) => {
  const sctp = error4()
    .ipv4({ ...quote4, protocol: 132 })
    .payload([0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0]);
  t.deepEqual(see(sctp.bytes()).key?.ports, [0x5678, 0x1234]);
  const gre = error4()
    .ipv4({ ...quote4, protocol: 47 })
    .payload([0, 0, 8, 0]);
  t.deepEqual(see(gre.bytes()).key, { protocol: 0x42f, ports: [0, 0], ...SIDES_4 });
});

test('options and a fragment header of the quoted packet are skipped', (t) => {
  const options = error4().ipv4({ ...quote4, mf: true, options: [1, 1, 1, 0] });
  t.deepEqual(see(options.udp(1, 2).bytes()).key?.ports, [2, 1]);
  const fragment = error6().ipv6(quote6).fragment6({ more: true, id: 5 });
  t.deepEqual(see(fragment.udp(1, 2).bytes()).key, { protocol: 0x611, ports: [2, 1], ...SIDES_6 });
});

test('an error about an error is dropped', (t) => {
  for (const type of [3, 4, 5, 11, 12]) {
    t.is(see(error4().ipv4(quote4).icmp({ type }).bytes()).drop, 'icmpError');
  }
  for (const type of [1, 2, 3, 4]) t.is(see(error6().ipv6(quote6).icmpv6({ type }).bytes()).drop, 'icmpError');
});

test('an error that quotes too little, or no first fragment, belongs to nobody', (t) => {
  const frames = [
    error4(),
    error4().payload(new Uint8Array(19).fill(0x45)),
    error4().payload(new Uint8Array(40).fill(0x65)),
    error4()
      .ipv4({ ...quote4, ihl: 4 })
      .udp(1, 2),
    error4()
      .ipv4({ ...quote4, ihl: 15 })
      .udp(1, 2),
    error4()
      .ipv4({ ...quote4, protocol: 17 })
      .payload([1, 2, 3]),
    error4()
      .ipv4({ ...quote4, protocol: 17, fragmentOffset: 8 })
      .payload(new Uint8Array(8)),
    error6()
      .ipv6({ ...quote6, nextHeader: 17 })
      .payload([1, 2, 3]),
    error6()
      .ipv6({ ...quote6, nextHeader: 44 })
      .payload([17, 0, 0, 0, 0, 0, 0]),
    error6().ipv6(quote6).fragment6({ offset: 8 }).udp(1, 2),
    error6().payload(new Uint8Array(60).fill(0x45)),
  ];
  for (const frame of frames) t.deepEqual(see(frame.bytes()), { isError: true, drop: 'flowUnusable' });
});

test('what follows the packet in its frame is not part of the quote', (t) => {
  const short = error4()
    .ipv4({ ...quote4, protocol: 17 })
    .payload([1, 2, 3])
    .bytes();
  t.is(see(Uint8Array.of(...short, 1, 2, 3, 4, 5, 6)).drop, 'flowUnusable');
});

test('other ICMP has a flow of its own', (t) => {
  for (const type of [0, 4, 5, 8, 12, 13]) t.false(see(error4(type).ipv4(quote4).udp(1, 2).bytes()).isError);
  for (const type of [0, 5, 127, 128, 129]) t.false(see(error6(type).ipv6(quote6).udp(1, 2).bytes()).isError);
  t.false(
    see(
      from4()
        .ipv4({ src: ipOf(4), dst: ipOf(3), fragmentOffset: 8, protocol: 1 })
        .payload([3, 0])
        .bytes(),
    ).isError,
  );
  t.false(
    see(
      from4()
        .ipv4({ src: ipOf(4), dst: ipOf(3) })
        .udp(3, 3)
        .bytes(),
    ).isError,
  );
});

test('whatever is quoted, there is a key or one drop, and bytes behind the frame do not matter', (t) => {
  const bytes = fc.uint8Array({ maxLength: 100 });
  const heads = fc.constantFrom(
    error4().bytes(),
    error4().ipv4(quote4).bytes(),
    error6().bytes(),
    error6().ipv6(quote6).bytes(),
    error6().ipv6(quote6).fragment6({}).bytes(),
  );
  const property = fc.property(heads, bytes, fc.nat(255), (head, rest, protocol) => {
    const frame = Uint8Array.of(...head, ...rest);
    const v4 = frame[12] === 8 && frame[13] === 0;
    // Lengths that hold the whole frame, and any upper protocol in the quote.
    if (v4) frame.set([(frame.length - 14) >> 8, (frame.length - 14) & 0xff], 16);
    else frame.set([(frame.length - 54) >> 8, (frame.length - 54) & 0xff], 18);
    const quoteAt = v4 ? 14 + 20 + 8 : 14 + 40 + 8;
    if (rest.length % 3 > 0 && frame.length > quoteAt + 9) frame[quoteAt + (v4 ? 9 : 6)] = protocol;
    const seen = see(frame);
    t.true(seen.isError);
    t.true((seen.key === undefined) !== (seen.drop === undefined));
    t.deepEqual(see(Uint8Array.of(...frame, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)), seen);
  });
  t.notThrows(() => {
    fc.assert(property, { numRuns: 60 });
  });
});

/** Packets of every entry, those of the session's first direction first. */
function packets({ flows }: TestNetwork): number[] {
  const found: number[] = [];
  for (let index = 0; index < flows.size; index++) {
    if (flows.isUsed(index)) found.push(flows.doubles[flows.doubleAt(index) + FLOW_DOUBLE.packets]);
  }
  return found.sort((one, other) => other - one);
}

const udpFrom3 = eth({ src: macOf(3), dst: macOf(4) })
  .ipv4({ src: ipOf(3), dst: ipOf(4) })
  .udp(40000, 53)
  .bytes();
const unreachable = error4()
  .ipv4({ src: ipOf(3), dst: ipOf(4) })
  .udp(40000, 53)
  .bytes();

test('an error passes with the session it is about, and begins none', (t) => {
  const net = new TestNetwork();
  net.receive(3, udpFrom3);
  net.receive(3, udpFrom3);
  t.deepEqual(
    net.receive(4, unreachable).map(({ port, frame }) => ({ port, frame })),
    [{ port: 3, frame: unreachable }],
  );
  t.deepEqual(packets(net), [2, 1]);
  t.is(net.imbalance(), 0);
});

test('an error about a session nobody has, or of a third, is dropped', (t) => {
  const net = new TestNetwork({ guests: 3 });
  t.deepEqual(net.receive(4, unreachable), []);
  net.receive(3, udpFrom3);
  const fifth = eth({ src: macOf(5), dst: macOf(3) })
    .ipv4({ src: ipOf(5), dst: ipOf(3) })
    .icmp({ type: 3 });
  t.deepEqual(
    net.receive(
      5,
      fifth
        .ipv4({ src: ipOf(3), dst: ipOf(4) })
        .udp(40000, 53)
        .bytes(),
    ),
    [],
  );
  t.is(net.drops('flowUnusable'), 2);
  t.deepEqual(packets(net), [1, 0]);
  t.is(net.imbalance(), 0);
});

test('what an error about TCP says of itself is not taken for a segment', (t) => {
  const net = new TestNetwork();
  const syn = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .tcp(40000, 80, { flags: 2 });
  net.receive(3, syn.bytes());
  const about = error4()
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .tcp(40000, 80, { flags: 0x14, seq: 0, ack: 1 });
  t.is(net.receive(4, about.bytes()).length, 1);
  const letters = [0, 1].map((i) => {
    const used = Array.from({ length: net.flows.size }, (_, index) => index).filter((index) => net.flows.isUsed(index));
    return net.flows.words[net.flows.at(used[i]) + FLOW.tcp] & 0x1ff;
  });
  t.deepEqual(letters.sort(), [TCP_FLAG.syn, TCP_FLAG.synReverse]);
});

test('a guest that may send from its own address alone sends errors from it alone, too', (t) => {
  const spoofed = eth({ src: macOf(4), dst: macOf(3) })
    .ipv4({ src: ipOf(5), dst: ipOf(3) })
    .icmp({ type: 3 })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(40000, 53)
    .bytes();
  for (const portSecurity of [true, false]) {
    const net = new TestNetwork({ guests: 3, port: () => ({ portSecurity }) });
    net.receive(3, udpFrom3);
    t.is(net.receive(4, spoofed).length, portSecurity ? 0 : 1);
    t.is(net.drops('invalidSource'), portSecurity ? 1 : 0);
    t.is(net.receive(4, unreachable).length, 1);
    t.is(net.imbalance(), 0);
  }
});

test('an IPv6 error passes with its session', (t) => {
  const net = new TestNetwork();
  net.receive(
    3,
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv6({ src: ip6Of(3), dst: ip6Of(4) })
      .udp(1, 2)
      .bytes(),
  );
  const tooBig = error6(2)
    .ipv6({ src: ip6Of(3), dst: ip6Of(4) })
    .udp(1, 2)
    .bytes();
  t.is(net.receive(4, tooBig).length, 1);
  t.deepEqual(packets(net), [1, 1]);
});

test('an error passes with a session whose ports a fat flow folds', (t) => {
  const fat = { protocol: 17, port: 53, ignore: 'none', source: null, destination: null } as const;
  const net = new TestNetwork({ port: (vif) => ({ fatFlows: vif === 3 ? [fat] : [] }) });
  net.receive(3, udpFrom3);
  t.is(net.receive(4, unreachable).length, 1);
  t.deepEqual(packets(net), [1, 1]);
});
