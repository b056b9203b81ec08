import test from 'ava';
import fc from 'fast-check';
import { TokenBucket } from './token-bucket.js';

test('a bucket is full at first, and never holds more than the burst', (t) => {
  const bucket = new TokenBucket();
  const taken = [1, 2, 3].map(() => bucket.take(1, 2, 5));
  t.deepEqual(taken, [true, true, false]);
  t.deepEqual(
    [1, 2, 3].map(() => bucket.take(1, 2, 1_000_000)),
    [true, true, false],
  );
});

test('a rate of none with a burst of none lets nothing through', (t) => {
  const bucket = new TokenBucket();
  t.false(bucket.take(0, 0, 0));
  t.false(bucket.take(0, 0, 1e12));
});

test('a clock that goes back refills nothing, and is followed', (t) => {
  const bucket = new TokenBucket();
  t.true(bucket.take(1, 1, 5000));
  t.false(bucket.take(1, 1, 1000));
  t.true(bucket.take(1, 1, 2000));
});

test('a token is there exactly if what the burst and the rate gave is not used up', (t) => {
  // Eighths of a second: nothing is rounded.
  const waits = fc.array(fc.nat({ max: 24 }), { maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }), waits, (rate, burst, eighths) => {
      const bucket = new TokenBucket();
      let eighthsLeft = burst * 8;
      let now = 0;
      for (const wait of eighths) {
        now += wait * 125;
        eighthsLeft = Math.min(burst * 8, eighthsLeft + wait * rate);
        const isLet = eighthsLeft >= 8;
        t.is(bucket.take(rate, burst, now), isLet);
        if (isLet) eighthsLeft -= 8;
      }
    }),
  );
});
