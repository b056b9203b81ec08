import { internetChecksum } from '#vrouterd/testing/packet-builder.js';
import { checksum, replace16 } from '#vrouterd/wire/checksum.js';
import { bench, runBenches } from './harness.js';

const bytes = Uint8Array.from({ length: 66_000 }, (_, i) => (i * 7919) & 0xff);
const SIZES = [20, 60, 1448, 65_160] as const;

for (const size of SIZES) {
  if (checksum(bytes, 2, 2 + size) !== internetChecksum(bytes.subarray(2, 2 + size))) throw new Error('wrong checksum');
  bench(`checksum of ${size} bytes`, () => checksum(bytes, 2, 2 + size));
}
bench(
  'checksum update of one word',
  () => {
    replace16(bytes, 10, 0x4011, 0x3f11);
    replace16(bytes, 10, 0x3f11, 0x4011);
    return bytes[10];
  },
  { operations: 2 },
);

runBenches();
