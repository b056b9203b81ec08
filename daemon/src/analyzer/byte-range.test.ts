import test from 'ava';
import fc from 'fast-check';

import { parseRange } from './byte-range.js';

test('ranges are read as RFC 9110 shows them', (t) => {
  t.deepEqual(parseRange('bytes=0-499', 10_000), { start: 0, end: 499 });
  t.deepEqual(parseRange('bytes=500-999', 10_000), { start: 500, end: 999 });
  t.deepEqual(parseRange('bytes=-500', 10_000), { start: 9500, end: 9999 });
  t.deepEqual(parseRange('bytes=9500-', 10_000), { start: 9500, end: 9999 });
  t.is(parseRange('bytes=10000-', 10_000), 'beyond');
  t.is(parseRange('bytes=-0', 10_000), 'beyond');
  t.is(parseRange('bytes=-5', 0), 'beyond');
});

test('what is no single range of bytes gets the whole file', (t) => {
  for (const header of [
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-4',
    'items=0-1',
    'bytes=0-1,3-4',
  ]) {
    t.is(parseRange(header, 10), 'whole', header);
  }
});

test('a range has the bytes that are asked for and there', (t) => {
  const offset = fc.option(fc.nat(40).map(String), { nil: '' });
  fc.assert(
    fc.property(fc.nat(30), offset, offset, (size, first, last) => {
      const isSuffix = first === '';
      const asked = Array.from({ length: size }, (_, i) => i).filter((i) =>
        isSuffix ? i >= size - Number(last) : i >= Number(first) && (last === '' || i <= Number(last)),
      );
      const isNonsense = isSuffix ? last === '' : last !== '' && Number(last) < Number(first);
      const range = parseRange(`bytes=${first}-${last}`, size);
      if (isNonsense) t.is(range, 'whole');
      else if (asked.length === 0) t.is(range, 'beyond');
      else t.deepEqual(range, { start: asked[0], end: asked[asked.length - 1] });
    }),
  );
});
