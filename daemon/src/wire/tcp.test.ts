import test from 'ava';
import fc from 'fast-check';
import { hex } from '../testing/hex.js';
import * as tcp from './tcp.js';

/** SYN from 40000 to 80: window scale, MSS 1460. */
const SYN = hex('9c 40 00 50 80 00 00 01 00 00 00 00 70 02 ff ff 00 00 00 00  01 03 03 07 02 04 05 b4');

test('a header is read', (t) => {
  t.is(tcp.srcPort(SYN, 0), 40000);
  t.is(tcp.dstPort(SYN, 0), 80);
  t.is(tcp.seq(SYN, 0), 0x80000001);
  t.is(tcp.ackNumber(SYN, 0), 0);
  t.is(tcp.dataOffset(SYN, 0), 28);
  t.is(tcp.flags(SYN, 0), tcp.SYN);
  t.true(tcp.fits(0, 20));
  t.false(tcp.fits(0, 19));
});

test('the maximum segment size is found behind other options', (t) => {
  t.is(tcp.mssAt(SYN, 0, 28), 26);
});

/** Options that hold no usable maximum segment size. */
const OPTIONS = {
  'end before it': '00 00 00 00 02 04 05 b4',
  'are without length': '03 00 02 04 05 b4 00 00',
  'are shorter than type and length': '03 01 02 04 05 b4 00 00',
  'are longer than the header': '03 09 02 04 05 b4 00 00',
  'give it another length': '02 06 05 b4 00 00 00 00',
  'cut it off': '01 01 01 01 01 02 04 05',
  'end behind its type': '01 01 01 01 01 01 01 02',
  'are all padding': '01 01 01 01 01 01 01 01',
};
for (const [name, options] of Object.entries(OPTIONS)) {
  test(`there is no maximum segment size where options ${name}`, (t) => {
    t.is(tcp.mssAt(hex(`9c40 0050 00000001 00000000 7002 ffff 0000 0000 ${options}`), 0, 28), -1);
  });
}

test('a header that ends before its options do is not read beyond its end', (t) => {
  t.is(tcp.mssAt(SYN, 0, 26), -1);
  t.is(tcp.mssAt(SYN, 0, 20), -1);
});

test('whatever the options say, the value found lies in the header', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 60, maxLength: 60 }), fc.integer({ min: 20, max: 60 }), (b, end) => {
      const at = tcp.mssAt(b, 0, end);
      t.true(at === -1 || (at >= 22 && at + 2 <= Math.min(end, tcp.dataOffset(b, 0))));
    }),
  );
});
