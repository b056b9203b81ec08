import test from 'ava';
import { eth } from '../testing/packet-builder.js';
import * as keepalive from './keepalive.js';

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

const [US, THEM] = ['0c:00:00:00:00:01', '0c:00:00:00:00:02'];
const ETHERNET = bytes('0c0000000002 0c0000000001 0800');
const REQUEST = {
  rewrite: ETHERNET,
  source: bytes('c0 a8 c8 0b'),
  destination: bytes('c0 a8 c8 0d'),
  nonce: 0x0123456789abcdefn,
};
const ALIVE = bytes('76726b31 01 00 00 00 0123456789abcdef 00000000 00000000').values();

const message = (type: number, result: number, rest: readonly number[]): number[] => [
  ...bytes('76726b31'),
  ...[type, 0, 0, result],
  ...bytes('0123456789abcdef'),
  ...rest,
];

test('a request is an UDP echo to the host itself behind the label for alerts', (t) => {
  const expected = eth({ src: US, dst: THEM })
    .ipv4({ src: '192.168.200.11', dst: '192.168.200.13', df: true })
    .udp(49_152, 6635, { checksum: 0 })
    .mpls(1)
    .payload(
      eth({ src: US, dst: THEM })
        .ipv4({ src: '127.0.0.1', dst: '127.0.0.1', df: true })
        .udp(49_152, 7)
        .payload([...ALIVE, ...new Array<number>(16).fill(0)])
        .bytes()
        .subarray(14),
    )
    .bytes();
  t.is(hex(keepalive.request(REQUEST)), hex(expected));
});

test('a request over IPv6 has a checksum', (t) => {
  const addresses = {
    source: bytes('fd00' + '00'.repeat(13) + '01'),
    destination: bytes('fd00' + '00'.repeat(13) + '02'),
  };
  const frame = keepalive.request({ ...REQUEST, ...addresses });
  const expected = eth({ src: US, dst: THEM })
    .ipv6({ src: 'fd00::1', dst: 'fd00::2' })
    .udp(49_152, 6635)
    .payload(frame.subarray(62))
    .bytes();
  t.is(hex(frame), hex(expected));
});

test('an answer tells whose it is, what was asked, and what was found', (t) => {
  const answer = (type: number, result: number): Uint8Array =>
    eth({ src: THEM, dst: US })
      .ipv4({ src: '192.168.200.13', dst: '192.168.200.11' })
      .udp(49_152, 6635, { checksum: 0 })
      .mpls(1)
      .payload(
        eth({ src: US, dst: THEM })
          .ipv4({ src: '127.0.0.1', dst: '127.0.0.1' })
          .udp(7, 49_152)
          .payload(message(type, result, new Array<number>(24).fill(0)))
          .bytes()
          .subarray(14),
      )
      .bytes();
  t.deepEqual(keepalive.read(answer(2, 0)), { from: bytes('c0a8c80d'), nonce: REQUEST.nonce, result: 'none' });
  t.deepEqual(keepalive.read(answer(4, 3)), {
    from: bytes('c0a8c80d'),
    nonce: REQUEST.nonce,
    result: 'unknownAddress',
  });
  t.is(keepalive.read(answer(1, 0)), null);
  t.is(keepalive.read(answer(2, 0).subarray(0, 100)), null);
  t.is(keepalive.read(new Uint8Array(3)), null);
});
