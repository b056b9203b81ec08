import test from 'ava';
import fc from 'fast-check';
import { eth, internetChecksum, type PacketBuilder } from '../testing/packet-builder.js';
import { answerDhcp, type DhcpConfig } from './dhcp.js';

const SERVER: DhcpConfig = {
  enabled: true,
  address: '5.5.5.3',
  prefixLength: 24,
  gateway: '5.5.5.1',
  serviceAddress: '5.5.5.2',
  hostMac: '0c:c4:7a:59:62:5c',
  dnsServers: [],
  domainName: null,
  hostName: 'l3c1',
  hostRoutes: [],
  mtu: 1500,
  leaseSeconds: 0xffffffff,
};

const [DISCOVER, REQUEST, INFORM] = [1, 3, 8];
const ACK = '350105';
const NAK = '350106';
const GUEST_MAC = '02:aa:f0:88:f0:65';
const ETHERNET_LEN = 14;
/** Where the UDP header of a guest's frame begins, and the options of a message. */
const UDP_AT = 34;
const OPTIONS_AT = 282;

type Message = Parameters<PacketBuilder['dhcp']>[0];

/** A frame of the guest with a message in it; `m` differs from those of a guest that has no address. */
function frame(m: Partial<Message>, ip: Partial<Parameters<PacketBuilder['ipv4']>[0]> = {}): Uint8Array {
  const mac = m.mac ?? GUEST_MAC;
  return eth({ src: mac, dst: 'ff:ff:ff:ff:ff:ff' })
    .ipv4({ src: '0.0.0.0', dst: '255.255.255.255', ...ip })
    .udp(68, 67)
    .dhcp({ type: DISCOVER, mac, ...m })
    .bytes();
}

const hex = (b: Uint8Array, from = 0, to = b.length): string => Buffer.from(b).toString('hex', from, to);

/** Options of an answer up to the end mark, one string of hex each. */
function optionsOf(answer: Uint8Array): string[] {
  const options: string[] = [];
  for (let p = OPTIONS_AT; answer[p] !== 255; p += 2 + answer[p + 1])
    options.push(hex(answer, p, p + 2 + answer[p + 1]));
  return options;
}

const codesOf = (answer: Uint8Array): number[] => optionsOf(answer).map((option) => parseInt(option.slice(0, 2), 16));

function answer(m: Partial<Message>, server: Partial<DhcpConfig> = {}): Uint8Array {
  const answered = answerDhcp(frame(m), { ...SERVER, ...server });
  if (answered === null) throw new Error('no answer');
  return answered;
}

/** Destination of an answer: Ethernet address, IP address. */
const destination = (b: Uint8Array): [string, string] => [hex(b, 0, 6), hex(b, 30, 34)];
const TO_CLIENT: [string, string] = ['02aaf088f065', '05050503'];
const TO_ALL: [string, string] = ['ffffffffffff', 'ffffffff'];

test('a DISCOVER is answered with an OFFER, byte for byte', (t) => {
  const offer =
    '02aaf088f065 0cc47a59625c 0800' +
    '45000148 00000000 4011 6597 05050502 05050503' + // 328 bytes, TTL 64, UDP
    '0043 0044 0134 CCCC' +
    '02010600 12345678 00000000 00000000 05050503 05050502 00000000' + // yiaddr 5.5.5.3, siaddr 5.5.5.2
    '02aaf088f065 00000000000000000000' +
    '00'.repeat(192) +
    '63825363' +
    '350102' + // OFFER
    '360405050502' + // server 5.5.5.2
    '0104ffffff00' + // mask
    '1c04050505ff' + // broadcast 5.5.5.255
    '1a0205dc' + // MTU 1500
    '3304ffffffff' + // lease: for ever
    '030405050501' + // router 5.5.5.1
    '0c046c336331' + // host name l3c1
    '060405050502' + // DNS 5.5.5.2
    'ff' +
    '00'.repeat(10); // to 300 bytes
  const plain = offer.replaceAll(' ', '');
  const pseudo = '0505050205050503' + '0011' + '0134';
  const udp = Buffer.from(pseudo + plain.slice(2 * UDP_AT).replace('CCCC', '0000'), 'hex');
  t.is(hex(answer({})), plain.replace('CCCC', internetChecksum(udp).toString(16).padStart(4, '0')));
});

test('a REQUEST for the assigned address is acknowledged, one for another is refused', (t) => {
  const ack = answer({ type: REQUEST, requested: '5.5.5.3', serverId: '5.5.5.2' });
  t.is(optionsOf(ack)[0], ACK);
  t.is(hex(ack, 58, 62), '05050503', 'yiaddr');
  t.deepEqual(destination(ack), TO_CLIENT);

  const nak = answer({ type: REQUEST, requested: '5.5.5.100' });
  t.deepEqual(optionsOf(nak), [NAK, '360405050502']);
  t.is(hex(nak, 54, 66), '000000000000000000000000', 'ciaddr, yiaddr, siaddr');
  t.deepEqual(destination(nak), TO_ALL);
  t.is(nak.length, ETHERNET_LEN + 328);
});

test('a client that renews names its address in ciaddr and may write to the server alone', (t) => {
  const renewal = (ciaddr: string): Uint8Array =>
    eth({ src: GUEST_MAC, dst: '00:00:5e:00:01:00' })
      .ipv4({ src: ciaddr, dst: '5.5.5.2' })
      .udp(68, 67)
      .dhcp({ type: REQUEST, mac: GUEST_MAC, ciaddr, broadcast: true })
      .bytes();
  const ack = answerDhcp(renewal('5.5.5.3'), SERVER) ?? new Uint8Array();
  t.is(optionsOf(ack)[0], ACK);
  t.is(hex(ack, 54, 58), '05050503', 'ciaddr');
  t.deepEqual(destination(ack), TO_CLIENT);
  t.is(optionsOf(answerDhcp(renewal('5.5.5.100'), SERVER) ?? new Uint8Array())[0], NAK);
});

test('a REQUEST that names no address at all is refused', (t) => {
  t.is(optionsOf(answer({ type: REQUEST }))[0], NAK);
});

test('a REQUEST that takes the offer of another server is left to that server', (t) => {
  t.is(answerDhcp(frame({ type: REQUEST, requested: '5.5.5.3', serverId: '5.5.5.9' }), SERVER), null);
});

test('the answer goes to everybody when the client wants that, or a relay stands between', (t) => {
  t.deepEqual(destination(answer({})), TO_CLIENT);
  t.deepEqual(destination(answer({ broadcast: true })), TO_ALL);
  t.deepEqual(destination(answer({ giaddr: '5.5.5.9' })), TO_ALL);
  t.is(hex(answer({ broadcast: true }), 52, 54), '8000', 'flags');
});

test('an INFORM is acknowledged without address and lease, to the address the client has', (t) => {
  const ack = answer({ type: INFORM, ciaddr: '172.30.0.3', broadcast: true });
  t.is(optionsOf(ack)[0], ACK);
  t.false(codesOf(ack).includes(51));
  t.is(hex(ack, 58, 62), '00000000', 'yiaddr');
  t.deepEqual(destination(ack), ['02aaf088f065', 'ac1e0003']);
  t.deepEqual(destination(answer({ type: INFORM })), TO_CLIENT);
});

test('a guest that changed its MAC is still the guest of this port', (t) => {
  const offer = answer({ mac: '04:04:04:01:02:03' });
  t.deepEqual(destination(offer), ['040404010203', '05050503']);
  t.is(hex(offer, 70, 76), '040404010203', 'chaddr');
});

test('DECLINE, RELEASE, the messages of servers and unknown ones get no answer', (t) => {
  for (const type of [0, 2, 4, 5, 6, 7, 9]) t.is(answerDhcp(frame({ type }), SERVER), null, `type ${type}`);
});

test('with DHCP off, or without an address to answer from, there is no answer', (t) => {
  t.is(answerDhcp(frame({}), { ...SERVER, enabled: false }), null);
  t.is(answerDhcp(frame({}), { ...SERVER, gateway: null, serviceAddress: null }), null);
});

test('without a service address the gateway is the server', (t) => {
  const offer = answer({}, { serviceAddress: null });
  t.is(hex(offer, 26, 30), '05050501', 'source');
  t.is(optionsOf(offer)[1], '360405050501');
  t.false(codesOf(offer).includes(6));
});

test('options come in their order, configured DNS servers in place of the service address', (t) => {
  const offer = answer(
    {},
    {
      dnsServers: ['9.9.9.9', '1.0.0.1'],
      domainName: 'example.net',
      hostRoutes: [{ prefix: '10.1.0.0/16', nextHop: '5.5.5.9' }],
      mtu: 9000,
      leaseSeconds: 4,
    },
  );
  t.deepEqual(codesOf(offer), [53, 54, 1, 28, 26, 51, 121, 3, 12, 6, 15]);
  t.deepEqual(optionsOf(offer).slice(4), [
    '1a022328',
    '330400000004',
    '790c' + '100a0105050509' + '0005050501', // 10.1/16 via .9; the default route via .1
    '030405050501',
    '0c046c336331',
    '0608' + '09090909' + '01000001',
    '0f0b6578616d706c652e6e6574',
  ]);
});

test('host routes bring the default route along only where there is a gateway and they have none of their own', (t) => {
  const hostRoutes = [{ prefix: '10.1.2.3/32', nextHop: '5.5.5.9' }];
  const without = answer({}, { hostRoutes, gateway: null });
  t.true(optionsOf(without).includes('7909' + '200a01020305050509'));
  t.false(codesOf(without).includes(3));

  const own = answer({}, { hostRoutes: [{ prefix: '0.0.0.0/0', nextHop: '5.5.5.9' }] });
  t.true(optionsOf(own).includes('7905' + '0005050509'));
  t.false(codesOf(answer({})).includes(121));
});

test('mask and broadcast address follow the prefix length', (t) => {
  const offer = answer({}, { address: '10.9.200.7', prefixLength: 18 });
  t.deepEqual(optionsOf(offer).slice(2, 4), ['0104ffffc000', '1c040a09ffff']);
});

test('what a client cannot take is left out, the least needed first', (t) => {
  const hostRoutes = Array.from({ length: 40 }, (_, i) => ({ prefix: `10.${i}.0.0/24`, nextHop: '5.5.5.9' }));
  const long = { hostRoutes, domainName: 'example.net' };
  const small = answer({}, long);
  t.deepEqual(codesOf(small), [53, 54, 1, 28, 26, 51, 3, 6]);
  t.true(small.length <= ETHERNET_LEN + 576);

  // The client takes 1400 bytes (option 57). 40 routes of 8 bytes and the default route do not fit into one option.
  const large = answer({ options: [57, 2, 0x05, 0x78] }, long);
  t.deepEqual(codesOf(large), [53, 54, 1, 28, 26, 51, 121, 121, 3, 12, 6, 15]);
  const routes = optionsOf(large).filter((option) => option.startsWith('79'));
  t.is(routes.map((option) => option.slice(4)).join('').length / 2, 40 * 8 + 5);
  t.true(large.length <= ETHERNET_LEN + 1400);
});

test('a network whose MTU does not take the shortest answer gets none', (t) => {
  t.is(answerDhcp(frame({}), { ...SERVER, mtu: 327 }), null);
  t.is(answer({}, { mtu: 328 }).length, ETHERNET_LEN + 328);
});

test('frames that are not a whole DHCP request of an Ethernet client get no answer', (t) => {
  const ends = { src: GUEST_MAC, dst: 'ff:ff:ff:ff:ff:ff' };
  const addresses = { src: '0.0.0.0', dst: '255.255.255.255' };
  const message = { type: DISCOVER, mac: GUEST_MAC };
  const patched = (at: number, ...values: number[]): Uint8Array => {
    const b = frame({});
    b.set(values, at);
    return b;
  };
  const cases: Record<string, Uint8Array> = {
    'other EtherType': patched(12, 0x86, 0xdd),
    'VLAN tag': eth(ends).vlan(5).ipv4(addresses).udp(68, 67).dhcp(message).bytes(),
    'source port of a server': eth(ends).ipv4(addresses).udp(67, 67).dhcp(message).bytes(),
    'destination port of a client': eth(ends).ipv4(addresses).udp(68, 68).dhcp(message).bytes(),
    'TCP in place of UDP': frame({}, { protocol: 6 }),
    'IP checksum': frame({}, { checksum: 1 }),
    'IP length beyond the frame': frame({}, { totalLength: 600 }),
    'first fragment': frame({}, { mf: true }),
    'later fragment': frame({}, { fragmentOffset: 8 }),
    'UDP length beyond the packet': patched(UDP_AT + 4, 0x7f),
    'UDP length too small': patched(UDP_AT + 4, 0, 7),
    'reply in place of request': frame({ op: 2 }),
    'other hardware': patched(43, 6),
    'longer hardware address': patched(44, 16),
    'other cookie': patched(278, 0),
    'no message type': patched(OPTIONS_AT, 255),
    'message type of two bytes': patched(OPTIONS_AT, 53, 2, 1),
    'message type beyond the message': patched(OPTIONS_AT, 53, 9, 1),
  };
  for (const [what, b] of Object.entries(cases)) t.is(answerDhcp(b, SERVER), null, what);
  const good = frame({});
  for (let length = 0; length < good.length; length++) t.is(answerDhcp(good.subarray(0, length), SERVER), null);
});

const anyServer = fc.record({
  enabled: fc.constant(true),
  address: fc.ipV4(),
  prefixLength: fc.integer({ min: 8, max: 30 }),
  gateway: fc.option(fc.ipV4()),
  serviceAddress: fc.option(fc.ipV4()),
  hostMac: fc.constant(SERVER.hostMac),
  dnsServers: fc.array(fc.ipV4(), { maxLength: 100 }),
  domainName: fc.option(fc.string({ maxLength: 253 })),
  hostName: fc.string({ maxLength: 253 }),
  hostRoutes: fc.array(fc.record({ prefix: fc.ipV4().map((a) => `${a}/32`), nextHop: fc.ipV4() }), { maxLength: 100 }),
  mtu: fc.integer({ min: 68, max: 9216 }),
  leaseSeconds: fc.integer({ min: 0, max: 0xffffffff }),
});

test('random bytes in a message never throw and never make an answer longer than the MTU', (t) => {
  const anyRequest = fc
    .tuple(fc.constantFrom(DISCOVER, REQUEST, INFORM, 0), fc.uint8Array({ maxLength: 64 }), fc.nat(), fc.nat(255))
    .map(([type, options, at, value]) => {
      const b = frame({ type, options: Array.from(options) });
      // Behind the IP header, whose checksum would not survive.
      b[UDP_AT + (at % (b.length - UDP_AT))] = value;
      return b;
    });
  let answered = 0;
  fc.assert(
    fc.property(fc.oneof(anyRequest, fc.uint8Array({ maxLength: 600 })), anyServer, (request, server) => {
      const reply = answerDhcp(request, server);
      if (reply === null) return;
      answered++;
      t.true(reply.length <= ETHERNET_LEN + server.mtu);
      t.true(reply.length >= ETHERNET_LEN + 328);
      t.notThrows(() => optionsOf(reply));
    }),
    { numRuns: 500 },
  );
  t.true(answered > 50, `${answered} answers`);
});
