import test from 'ava';
import fc from 'fast-check';
import { eth, internetChecksum, type PacketBuilder } from '../testing/packet-builder.js';
import { answerEcho, icmpError, routerAdvertisement } from './gateway.js';

const GUEST_MAC = '02:aa:f0:88:f0:65';
const GUEST4 = '5.5.5.3';
const GUEST6 = 'fd00:5::3';
const GATEWAY4 = '5.5.5.1';
const GATEWAY6 = 'fd00:5::1';
const LINK_LOCAL = 'fe80::aa:f0ff:fe88:f065';
const ALL_ROUTERS = 'ff02::2';
const ETHERNET_LEN = 14;
const MTU = 1450;

const DATA = Buffer.from('abcdefgh');
const PING = { ident: 0x1234, seq: 1 };
const ALL = 'ff:ff:ff:ff:ff:ff';
const NETWORK = {
  subnets: [
    { prefix: '5.5.5.0/24', gateway: GATEWAY4 },
    { prefix: 'fd00:5::/64', gateway: GATEWAY6 },
  ],
  mtu: MTU,
};

type Ip4 = Partial<Parameters<PacketBuilder['ipv4']>[0]>;
type Ip6 = Partial<Parameters<PacketBuilder['ipv6']>[0]>;

const fromGuest = (dst = '00:00:5e:00:01:00'): PacketBuilder => eth({ src: GUEST_MAC, dst });
const packet4 = (ip: Ip4): PacketBuilder => fromGuest().ipv4({ src: GUEST4, dst: GATEWAY4, ...ip });
const packet6 = (ip: Ip6): PacketBuilder => fromGuest().ipv6({ src: GUEST6, dst: GATEWAY6, ...ip });
const echo4 = (ip: Ip4 = {}): Uint8Array =>
  packet4({ id: 0xbeef, df: true, ...ip })
    .ping(PING)
    .payload(DATA)
    .bytes();
const echo6 = (ip: Ip6 = {}): Uint8Array => packet6(ip).ping6(PING).payload(DATA).bytes();
/** What traceroute sends. */
const expired4 = (ip: Ip4 = {}, length = 24): Uint8Array =>
  packet4({ dst: '5.5.5.4', ttl: 1, ...ip }).udp(40000, 33434).payload(new Uint8Array(length)).bytes(); // prettier-ignore
const expired6 = (ip: Ip6 = {}, length = 4): Uint8Array =>
  packet6({ dst: 'fd00:5::4', hopLimit: 1, ...ip }).udp(40000, 33435).payload(new Uint8Array(length)).bytes(); // prettier-ignore
const solicitation = (ip: Ip6 = {}, mac: string | undefined = GUEST_MAC): Uint8Array =>
  eth({ src: GUEST_MAC, dst: '33:33:00:00:00:02' })
    .ipv6({ src: LINK_LOCAL, dst: ALL_ROUTERS, hopLimit: 255, ...ip })
    .routerSolicitation(mac === '' ? {} : { mac })
    .bytes();

const hex = (b: Uint8Array | null, from = 0): string | null => b && Buffer.from(b).toString('hex', from);
/** The beginning of a frame to the guest. */
const TO_GUEST = '02aaf088f06500005e000100';
const plain = (...parts: string[]): string => parts.join('').replaceAll(' ', '');

test('an echo request comes back with addresses swapped, TTL 64 and IP id 0', (t) => {
  t.is(
    hex(answerEcho(echo4())),
    plain(TO_GUEST, '0800 4500002400000000400166cc 05050501 05050503 0000 5c35 1234 0001 6162636465666768'),
  );
});

test('IP options are not repeated in the reply, nor bytes behind the packet', (t) => {
  t.is(hex(answerEcho(echo4({ options: [7, 4, 4, 0] }))), hex(answerEcho(echo4())));
  t.is(hex(answerEcho(Uint8Array.from([...echo4(), 0xa5, 0xa5]))), hex(answerEcho(echo4())));
});

test('an ICMPv6 echo request comes back the same way', (t) => {
  const reply = plain(
    ...[TO_GUEST, '86dd 6000000000103a40 fd000005000000000000000000000001 fd000005000000000000000000000003'],
    '8100 e0da 1234 0001 6162636465666768',
  );
  t.is(hex(answerEcho(echo6())), reply);
  t.is(hex(answerEcho(packet6({}).extension(60).ping6(PING).payload(DATA).bytes())), reply);
});

test('what is no whole echo request between two stations gets no reply', (t) => {
  const cases: Record<string, Uint8Array> = {
    'Ethernet broadcast': fromGuest(ALL).ipv4({ src: GUEST4, dst: GATEWAY4 }).ping(PING).bytes(),
    'VLAN tag': fromGuest().vlan(5).ipv4({ src: GUEST4, dst: GATEWAY4 }).ping(PING).bytes(),
    'header checksum': echo4({ checksum: 1 }),
    'ICMP checksum': packet4({})
      .ping({ ...PING, checksum: 1 })
      .bytes(),
    'first fragment': echo4({ mf: true }),
    'later fragment': echo4({ fragmentOffset: 8 }),
    UDP: echo4({ protocol: 17 }),
    'source 0.0.0.0': echo4({ src: '0.0.0.0' }),
    'source 127.0.0.1': echo4({ src: '127.0.0.1' }),
    'source 224.0.0.5': echo4({ src: '224.0.0.5' }),
    'destination 255.255.255.255': echo4({ dst: '255.255.255.255' }),
    'echo reply': packet4({})
      .ping({ ...PING, type: 0 })
      .bytes(),
    'IPv6 echo reply': packet6({})
      .ping6({ ...PING, type: 129 })
      .bytes(),
    'ICMPv6 checksum': packet6({})
      .ping6({ ...PING, checksum: 1 })
      .bytes(),
    'IPv6 fragment': packet6({}).fragment6({ offset: 8 }).ping6(PING).bytes(),
    'source ::': echo6({ src: '::' }),
    'multicast source': echo6({ src: 'ff02::1' }),
    'multicast destination': echo6({ dst: 'ff02::1' }),
  };
  for (const [what, frame] of Object.entries(cases)) t.is(answerEcho(frame), null, what);
  for (const frame of [echo4(), echo6()]) {
    for (let length = 0; length < frame.length; length++) t.is(answerEcho(frame.subarray(0, length)), null);
  }
});

test('an expired TTL is told to the sender, quoting its packet', (t) => {
  const frame = expired4();
  t.is(
    hex(icmpError(frame, 'timeExceeded', GATEWAY4, MTU)),
    plain(TO_GUEST, '0800 4500005000000000400166a0 05050501 05050503 0b00 0942 00000000', hex(frame, 14) ?? ''),
  );
});

test('an expired hop limit is told to the sender, quoting its packet', (t) => {
  const frame = expired6();
  t.is(
    hex(icmpError(frame, 'timeExceeded', GATEWAY6, MTU)),
    plain(
      ...[TO_GUEST, '86dd 60000000003c3a40 fd000005000000000000000000000001 fd000005000000000000000000000003'],
      ...['0300 9189 00000000', hex(frame, 14) ?? ''],
    ),
  );
});

test('how long a packet may be is told to the sender of one that is too long', (t) => {
  const error = icmpError(expired4(), 'tooBig', GATEWAY4, MTU, 1468) ?? new Uint8Array();
  t.is(hex(error.subarray(34, 36)), '0304');
  t.is(hex(error.subarray(38, 42)), '000005bc');
  t.is(internetChecksum(error.subarray(34)), 0);
  const error6 = icmpError(expired6(), 'tooBig', GATEWAY6, MTU, 1400) ?? new Uint8Array();
  t.is(hex(error6.subarray(54, 56)), '0200');
  t.is(hex(error6.subarray(58, 62)), '00000578');
});

test('of IPv4 128 bytes are quoted, of IPv6 what makes 1280 with the headers in front', (t) => {
  t.is(icmpError(expired4({}, 1472), 'timeExceeded', GATEWAY4, MTU)?.length, ETHERNET_LEN + 20 + 8 + 128);
  t.is(icmpError(expired6({}, 1400), 'timeExceeded', GATEWAY6, MTU)?.length, ETHERNET_LEN + 1280);
});

test('an error does not exceed the MTU of a network with small packets', (t) => {
  t.is(icmpError(expired4(), 'timeExceeded', GATEWAY4, 68)?.length, ETHERNET_LEN + 68);
});

test('errors are sent about echo requests and first fragments too', (t) => {
  t.not(icmpError(echo4(), 'timeExceeded', GATEWAY4, MTU), null);
  t.not(icmpError(echo6(), 'timeExceeded', GATEWAY6, MTU), null);
  t.not(icmpError(expired4({ mf: true }), 'timeExceeded', GATEWAY4, MTU), null);
  t.not(icmpError(packet6({}).fragment6({ more: true }).udp(1, 2).bytes(), 'timeExceeded', GATEWAY6, MTU), null);
});

test('no error is sent about errors, later fragments, and packets from or to many', (t) => {
  const cases4: Record<string, Uint8Array> = {
    'ICMP error': packet4({}).icmp({ type: 3, code: 3 }).bytes(),
    'too short for ICMP': packet4({ protocol: 1 }).payload([8, 0, 0, 0]).bytes(),
    'later fragment': expired4({ fragmentOffset: 8 }),
    'Ethernet broadcast': fromGuest(ALL).ipv4({ src: GUEST4, dst: '5.5.5.4' }).udp(1, 2).bytes(),
    'multicast destination': expired4({ dst: '224.0.0.18' }),
    'source 255.255.255.255': expired4({ src: '255.255.255.255' }),
    'source 0.0.0.0': expired4({ src: '0.0.0.0' }),
  };
  for (const [what, frame] of Object.entries(cases4)) t.is(icmpError(frame, 'timeExceeded', GATEWAY4, MTU), null, what);
  const cases6: Record<string, Uint8Array> = {
    'ICMPv6 error': packet6({}).icmpv6({ type: 1, code: 4 }).bytes(),
    'later fragment': packet6({}).fragment6({ offset: 8 }).udp(1, 2).bytes(),
    'multicast destination': expired6({ dst: 'ff02::5' }),
    'source ::': expired6({ src: '::' }),
  };
  for (const [what, frame] of Object.entries(cases6)) t.is(icmpError(frame, 'timeExceeded', GATEWAY6, MTU), null, what);
});

test('a gateway of the other family has nothing to say', (t) => {
  t.is(icmpError(expired4(), 'timeExceeded', GATEWAY6, MTU), null);
  t.is(icmpError(expired6(), 'timeExceeded', GATEWAY4, MTU), null);
});

const ADVERTISED = plain(
  '40 00 0708 00000000 00000000', // hop limit 64, no DHCPv6, router for 1800 s
  '0101 00005e000100',
  '0501 0000 000005aa', // MTU 1450
  '0304 40 80 00278d00 00093a80 00000000 fd000005000000000000000000000000', // fd00:5::/64, on the link
);

test('a router solicitation is answered to the host that asks', (t) => {
  t.is(
    hex(routerAdvertisement(solicitation(), NETWORK)),
    plain(
      ...[TO_GUEST, '86dd 6000000000403aff fe8000000000000002005efffe000100 fe8000000000000000aaf0fffe88f065'],
      ...['8600 81fa', ADVERTISED],
    ),
  );
});

test('a host without address is answered through all nodes', (t) => {
  t.is(
    hex(routerAdvertisement(solicitation({ src: '::' }, ''), NETWORK)),
    plain(
      '333300000001 00005e000100 86dd 6000000000403aff',
      'fe8000000000000002005efffe000100 ff020000000000000000000000000001 8600 6210',
      ADVERTISED,
    ),
  );
});

test('a network without IPv6 gateway advertises its prefixes, but no router', (t) => {
  const subnets = [{ prefix: 'fd00:5::/64', gateway: null }];
  t.is(hex(routerAdvertisement(solicitation(), { ...NETWORK, subnets }), 60)?.slice(0, 4), '0000');
});

test('a network without IPv6 stays silent', (t) => {
  t.is(routerAdvertisement(solicitation(), { ...NETWORK, subnets: NETWORK.subnets.slice(0, 1) }), null);
});

test('as many prefixes are advertised as fit into the MTU', (t) => {
  const subnets = Array.from({ length: 60 }, (_, i) => ({ prefix: `fd00:${i.toString(16)}::/64`, gateway: null }));
  const advertisement = routerAdvertisement(solicitation(), { subnets, mtu: 1280 });
  t.is(advertisement?.length, ETHERNET_LEN + 40 + 16 + 8 + 8 + 37 * 32);
});

test('a solicitation that is not valid gets no answer', (t) => {
  const toRouters = (): PacketBuilder => packet6({ src: LINK_LOCAL, dst: ALL_ROUTERS, hopLimit: 255 });
  const cases: Record<string, Uint8Array> = {
    'hop limit 64': solicitation({ hopLimit: 64 }),
    checksum: toRouters().routerSolicitation({ checksum: 1 }).bytes(),
    'source :: with a MAC': solicitation({ src: '::' }),
    'multicast source': solicitation({ src: 'ff02::1' }),
    'neighbour solicitation': toRouters().neighbourSolicitation({ target: GATEWAY6 }).bytes(),
    'other code': toRouters().icmpv6({ type: 133, code: 1 }).bytes(),
    'behind an extension header': toRouters().extension(0).routerSolicitation().bytes(),
    IPv4: echo4(),
  };
  for (const [what, frame] of Object.entries(cases)) t.is(routerAdvertisement(frame, NETWORK), null, what);
  const whole = solicitation();
  for (let length = 0; length < whole.length; length++) {
    t.is(routerAdvertisement(whole.subarray(0, length), NETWORK), null);
  }
});

test('random bytes never throw, and no answer is longer than a packet may be', (t) => {
  const models = [echo4(), echo6(), expired4(), expired6(), solicitation()];
  const mutated = fc
    .tuple(fc.constantFrom(...models), fc.nat(), fc.nat(255), fc.nat())
    .map(([model, at, value, length]) => {
      const b = Uint8Array.from(model);
      b[at % b.length] = value;
      return b.subarray(0, 1 + (length % b.length));
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (frame) => {
      const answers = [
        answerEcho(frame),
        icmpError(frame, 'timeExceeded', GATEWAY4, MTU),
        icmpError(frame, 'timeExceeded', GATEWAY6, MTU),
        routerAdvertisement(frame, NETWORK),
      ];
      t.true(answers.every((answer) => answer === null || answer.length <= ETHERNET_LEN + 1280));
    }),
    { numRuns: 1000 },
  );
});
