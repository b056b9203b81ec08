import { completeChecksum, Segmenter } from '#vrouterd/datapath/offload.js';
import { eth, vnetHeader } from '#vrouterd/testing/packet-builder.js';
import { bench, runBenches } from './harness.js';

const MAC = { src: '02:00:00:00:00:03', dst: '02:00:00:00:00:04' };
const IPV4 = { src: '10.0.0.3', dst: '10.0.0.4', df: true };
const MSS = 1448;
const SEGMENTS = 45;
const VNET_LEN = 10;
const AT = 16 + 2;
/** Where the segments are written. */
const OUT = 68 * 1024 + 2;
const HEADERS = { tcp: 54, udp: 42 } as const;

for (const protocol of ['tcp', 'udp'] as const) {
  const b = new Uint8Array(128 * 1024);
  const ip = eth(MAC).ipv4(IPV4);
  const l4 =
    protocol === 'tcp'
      ? ip.tcp(40000, 80, { flags: 0x10, checksum: 'partial' })
      : ip.udp(40000, 80, { checksum: 'partial' });
  const frame = l4.payload(new Uint8Array(MSS * SEGMENTS).fill(7)).bytes();
  const gso = {
    flags: 1,
    gsoType: protocol === 'tcp' ? 1 : 5,
    hdrLen: HEADERS[protocol],
    gsoSize: MSS,
    csumStart: 34,
    csumOffset: protocol === 'tcp' ? 16 : 6,
  };
  b.set(vnetHeader(gso), AT - VNET_LEN);
  b.set(frame, AT);
  const segmenter = new Segmenter();
  bench(
    `${protocol.toUpperCase()} segment of ${MSS} bytes cut and summed`,
    () => {
      if (!segmenter.begin(b, AT, frame.length, AT - VNET_LEN)) throw new Error('not a super-frame');
      let sum = 0;
      while (segmenter.more) sum += segmenter.next(OUT);
      return sum;
    },
    { operations: SEGMENTS },
  );
}

const b = new Uint8Array(4096);
const frame = eth(MAC).ipv4(IPV4).tcp(40000, 80, { checksum: 'partial' }).payload(new Uint8Array(MSS).fill(7)).bytes();
b.set(vnetHeader({ flags: 1, csumStart: 34, csumOffset: 16 }), AT - VNET_LEN);
b.set(frame, AT);
const flagsAt = AT - VNET_LEN;
bench(
  `checksum of ${MSS} bytes completed`,
  () => {
    completeChecksum(b, AT, frame.length, flagsAt);
    return b[AT + 50];
  },
  { restore: () => (b[flagsAt] = 1) },
);

runBenches();
