import test from 'ava';
import { hex } from './hex.js';
import { eth, vnetHeader } from './packet-builder.js';

const A = { src: '02:00:00:00:00:0a', dst: '02:00:00:00:00:0b' };
const MACS = '02 00 00 00 00 0b  02 00 00 00 00 0a';

test('UDP over IPv4 in a tagged frame', (t) => {
  const frame = eth(A)
    .vlan(5, { pcp: 5 })
    .ipv4({ src: '10.0.0.1', dst: '10.0.0.2' })
    .udp(68, 67)
    .payload(hex('61 62 63 64'));
  t.deepEqual(
    frame.bytes(),
    hex(`${MACS} 81 00 a0 05 08 00
      45 00 00 20 00 00 00 00 40 11 66 cb 0a 00 00 01 0a 00 00 02
      00 44 00 43 00 0c 26 86 61 62 63 64`),
  );
});

test('an echo over IPv6', (t) => {
  const frame = eth(A).ipv6({ src: 'fe80::1', dst: 'fe80::2' }).ping6({ ident: 0x1234, seq: 1 }).payload(hex('61 62'));
  t.deepEqual(
    frame.bytes(),
    hex(`${MACS} 86 dd
      60 00 00 00 00 0a 3a 40 fe80 0000 0000 0000 0000 0000 0000 0001 fe80 0000 0000 0000 0000 0000 0000 0002
      80 00 0f 1f 12 34 00 01 61 62`),
  );
});

test('an ARP request', (t) => {
  const frame = eth(A).arp({ op: 1, senderMac: A.src, senderIp: '10.0.0.1', targetIp: '10.0.0.2' });
  t.deepEqual(frame.bytes(), hex(`${MACS} 08 06 0001 0800 06 04 0001 02000000000a 0a000001 000000000000 0a000002`));
});

test('a neighbour solicitation, its checksum over the addresses', (t) => {
  const frame = eth(A)
    .ipv6({ src: '2001:db8::1', dst: 'ff02::1:ff00:2', hopLimit: 255 })
    .neighbourSolicitation({ target: '2001:db8::2', mac: '02:00:00:00:00:01' })
    .bytes();
  t.deepEqual(frame.slice(54), hex('87 00 1c 27 00000000 20010db8 00000000 00000000 00000002 01 01 020000000001'));
});

test('an error quotes a packet inside', (t) => {
  const frame = eth(A)
    .ipv4({ src: '10.0.0.254', dst: '10.0.0.1' })
    .icmp({ type: 11 })
    .ipv4({ src: '10.0.0.1', dst: '10.0.0.2' })
    .udp(68, 67)
    .payload(hex('61 62 63 64'))
    .bytes();
  t.is(frame[23], 1);
  t.deepEqual(frame.slice(42, 46), hex('45 00 00 20'));
  t.deepEqual(frame.slice(62), hex('00 44 00 43 00 0c 26 86 61 62 63 64'));
});

test('whatever a layer works out can be said otherwise', (t) => {
  const frame = eth({ ...A, type: 0x1234 })
    .ipv4({ src: '10.0.0.1', dst: '10.0.0.2', version: 5, ihl: 4, totalLength: 9, protocol: 99, checksum: 0x1111 })
    .udp(1, 2, { length: 3, checksum: 0 })
    .bytes();
  t.deepEqual(
    frame.slice(12),
    hex('12 34  54 00 00 09 00 00 00 00 40 63 11 11 0a 00 00 01 0a 00 00 02  00 01 00 02 00 03 00 00'),
  );
});

test('a fragment, and a partial checksum', (t) => {
  const ip = { src: '10.0.0.1', dst: '10.0.0.2', df: true, mf: true, fragmentOffset: 16, id: 7 };
  const frame = eth(A)
    .ipv4(ip)
    .tcp(1, 2, { flags: 2, options: [2, 4, 5, 0xb4], checksum: 'partial' })
    .bytes();
  t.deepEqual(frame.slice(18, 22), hex('00 07 60 02'));
  // 10.0.0.1 + 10.0.0.2 + protocol 6 + length 24
  t.deepEqual(frame.slice(34), hex('0001 0002 00000000 00000000 60 02 ffff 1421 0000 02 04 05 b4'));
});

test('a client asks for an address', (t) => {
  const frame = eth({ ...A, dst: 'ff:ff:ff:ff:ff:ff' })
    .ipv4({ src: '0.0.0.0', dst: '255.255.255.255' })
    .udp(68, 67)
    .dhcp({ type: 3, mac: A.src, xid: 0xdeadbeef, broadcast: true, requested: '10.0.0.3', serverId: '10.0.0.2' })
    .bytes();
  t.deepEqual(frame.slice(42, 54), hex('01 01 06 00 de ad be ef 00 00 80 00'));
  t.deepEqual(frame.slice(70, 76), hex('02 00 00 00 00 0a'));
  t.deepEqual(frame.slice(278), hex('63 82 53 63 35 01 03 32 04 0a 00 00 03 36 04 0a 00 00 02 ff'));
});

test('a virtio-net header is little-endian', (t) => {
  t.deepEqual(
    vnetHeader({ flags: 1, gsoType: 0x81, hdrLen: 66, gsoSize: 1448, csumStart: 34, csumOffset: 16 }),
    hex('01 81 42 00 a8 05 22 00 10 00'),
  );
});
