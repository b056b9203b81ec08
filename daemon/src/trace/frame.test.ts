import test from 'ava';
import { eth } from '../testing/packet-builder.js';
import { parseMac } from '../wire/addr.js';
import { type FrameOptions, linkDestination, sourceOf, writeFrame } from './frame.js';
import { packetText } from './packet-text.js';
import { parsePacket } from './packet-spec.js';

const MAC = '02:00:00:00:00:03';
const OTHER = '02:00:00:00:00:04';
const GUEST = { mac: parseMac(MAC), ip: '5.5.5.3', ip6: 'fd00::3' };

function frame(text: string, options: FrameOptions = {}): Uint8Array {
  const spec = parsePacket(text);
  const to = linkDestination(spec);
  const macs = { src: GUEST.mac, dst: typeof to === 'string' ? parseMac(OTHER) : to };
  return writeFrame(spec, sourceOf(spec, GUEST), macs, options);
}

const to = (dst = OTHER) => eth({ src: MAC, dst });
const V4 = { src: '5.5.5.3', dst: '5.5.5.4', id: 1 };
const V6 = { src: 'fd00::3', dst: 'fd00::4' };
const SYN = { seq: 1, flags: 2, window: 64240, options: [2, 4, 5, 0xb4] };

const FRAMES: Readonly<Record<string, { bytes(): Uint8Array }>> = {
  'tcp 5.5.5.4': to().ipv4(V4).tcp(40000, 80, SYN),
  'tcp 5.5.5.4:22 ack': to()
    .ipv4(V4)
    .tcp(40000, 22, { ...SYN, flags: 16, ack: 1, options: [1, 1, 1, 1] }),
  'tcp fd00::9 > [fd00::4]:22': to()
    .ipv6({ ...V6, src: 'fd00::9' })
    .tcp(40000, 22, SYN),
  'udp :7 > 5.5.5.4:9': to().ipv4(V4).udp(7, 9),
  'udp fd00::4': to().ipv6(V6).udp(40000, 53),
  'icmp 5.5.5.4': to().ipv4(V4).ping({ ident: 1, seq: 1 }).payload(new Uint8Array(56)),
  'icmp 5.5.5.4 reply': to().ipv4(V4).ping({ type: 0, ident: 1, seq: 1 }).payload(new Uint8Array(56)),
  'icmp fd00::4': to().ipv6(V6).ping6({ ident: 1, seq: 1 }).payload(new Uint8Array(56)),
  'proto 89 5.5.5.4': to().ipv4({ ...V4, protocol: 89 }),
  'udp 224.1.2.3:5': to('01:00:5e:01:02:03')
    .ipv4({ ...V4, dst: '224.1.2.3' })
    .udp(40000, 5),
  'udp 255.255.255.255:5': to('ff:ff:ff:ff:ff:ff')
    .ipv4({ ...V4, dst: '255.255.255.255' })
    .udp(40000, 5),
  'udp [ff02::fb]:5353': to('33:33:00:00:00:fb')
    .ipv6({ ...V6, dst: 'ff02::fb' })
    .udp(40000, 5353),
  'arp who-has 5.5.5.1': to('ff:ff:ff:ff:ff:ff').arp({
    op: 1,
    senderMac: MAC,
    senderIp: '5.5.5.3',
    targetIp: '5.5.5.1',
  }),
  'arp announce 5.5.5.9': to('ff:ff:ff:ff:ff:ff').arp({
    op: 1,
    senderMac: MAC,
    senderIp: '5.5.5.9',
    targetIp: '5.5.5.9',
  }),
  'nd who-has fd00::12:3456': to('33:33:ff:12:34:56')
    .ipv6({ ...V6, dst: 'ff02::1:ff12:3456', hopLimit: 255 })
    .neighbourSolicitation({ target: 'fd00::12:3456', mac: MAC }),
};

for (const [text, built] of Object.entries(FRAMES)) {
  test(`'${text}' becomes the frame a guest would send`, (t) => {
    t.deepEqual(Buffer.from(frame(text)).toString('hex'), Buffer.from(built.bytes()).toString('hex'));
  });
}

test('a DHCP message comes from a client without an address, and a request names the one it wants', (t) => {
  const dhcp = (type: number, requested?: string): Uint8Array => {
    const message = { type, mac: MAC, xid: 0x76727472, ...(requested !== undefined && { requested }) };
    const bytes = eth({ src: MAC, dst: 'ff:ff:ff:ff:ff:ff' }).payload([]).dhcp(message).bytes().slice(14);
    const padded = new Uint8Array(300);
    padded.set(bytes);
    return to('ff:ff:ff:ff:ff:ff')
      .ipv4({ src: '0.0.0.0', dst: '255.255.255.255', id: 1 })
      .udp(68, 67)
      .payload(padded)
      .bytes();
  };
  t.deepEqual(frame('dhcp discover'), dhcp(1));
  t.deepEqual(frame('dhcp request'), dhcp(3, '5.5.5.3'));
});

test('the length of the frame, the TTL and a VLAN tag can be chosen', (t) => {
  t.deepEqual(
    frame('icmp 5.5.5.4', { length: 46, ttl: 1, vlan: 7 }),
    to()
      .vlan(7)
      .ipv4({ ...V4, ttl: 1 })
      .ping({ ident: 1, seq: 1 })
      .bytes(),
  );
  const hopLimit = to()
    .ipv6({ ...V6, hopLimit: 5 })
    .udp(40000, 53)
    .bytes();
  t.deepEqual(frame('udp fd00::4', { ttl: 5 }), hopLimit);
});

test('a length the packet does not fit in, or no device carries, is refused', (t) => {
  t.throws(() => frame('tcp 5.5.5.4', { length: 57 }), {
    message: 'a frame of 57 bytes; use 58 to 9234 for this packet',
  });
  t.throws(() => frame('udp 5.5.5.4', { length: 9235 }), { message: /use 42 to 9234/ });
});

test('a guest without an address of the family must be told one', (t) => {
  const guest = { ...GUEST, ip6: null };
  t.throws(() => sourceOf(parsePacket('icmp fd00::4'), guest), {
    message: /has no IPv6 address; write the source too/,
  });
  t.is(sourceOf(parsePacket('icmp fd00::5 > fd00::4'), guest), 'fd00::5');
  t.throws(() => sourceOf(parsePacket('dhcp discover'), { ...GUEST, ip: null }), { message: /has no IPv4 address/ });
});

const TEXTS: Readonly<Record<string, string>> = {
  'tcp 5.5.5.4:22 syn+ack': 'TCP 5.5.5.3:40000 > 5.5.5.4:22 syn+ack',
  'udp [fd00::4]:9': 'UDP [fd00::3]:40000 > [fd00::4]:9',
  'icmp 5.5.5.4': 'ICMP 5.5.5.3 > 5.5.5.4 echo request',
  'icmp fd00::4 reply': 'ICMPv6 fd00::3 > fd00::4 echo reply',
  'arp who-has 5.5.5.1': 'ARP who-has 5.5.5.1 tell 5.5.5.3',
  'arp announce': 'ARP announcement of 5.5.5.3',
  'nd who-has fd00::1': 'ICMPv6 fd00::3 > ff02::1:ff00:1 who-has fd00::1',
  'dhcp discover': 'UDP 0.0.0.0:68 > 255.255.255.255:67, DHCP discover',
  'proto 112 224.0.0.18': 'VRRP 5.5.5.3 > 224.0.0.18',
  'proto 200 5.5.5.4': 'protocol 200 5.5.5.3 > 5.5.5.4',
};

for (const [text, shown] of Object.entries(TEXTS)) {
  test(`the frame of '${text}' reads '${shown}'`, (t) => {
    t.is(packetText(frame(text)), shown);
  });
}

test('a frame that is cut anywhere is still put in words', (t) => {
  for (const text of Object.keys(TEXTS)) {
    const whole = frame(text, { vlan: 5 });
    for (let length = 0; length <= whole.length; length++) t.true(packetText(whole.subarray(0, length)).length > 0);
  }
  t.is(packetText(new Uint8Array(5)), 'a frame too short for Ethernet');
});
