/** What the soak calls flat: no daemon here, only numbers. */
import test from 'ava';
import { Random } from './random.js';
import { Report, Series } from './report.js';

const MINUTES = 60;
const SECONDS_PER_SAMPLE = 2;
/** What comes and goes: up to so many megabytes, in waves of some minutes. */
const WAVES = 40;

/** An hour's samples of `base`, with waves and noise above it. */
function hour(base: (minute: number) => number, seed = 1): Series {
  const random = new Random(seed);
  const series = new Series('memory', 'count', { fixed: 4, perMinute: 0.1 });
  for (let at = 0; at < MINUTES * 60; at += SECONDS_PER_SAMPLE) {
    const wave = (WAVES / 2) * (1 + Math.sin(at / 97)) * random.next();
    series.add(at, base(at / 60) + wave);
  }
  return series;
}

test('what comes and goes by much is flat, whatever the hour', (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const { rise, limit } = hour(() => 100, seed).rise(0);
    t.true(Math.abs(rise) < limit / 2, `seed ${seed}: ${rise} of ${limit}`);
  }
});

test('a leak is seen below what comes and goes by much more', (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const { rise, limit } = hour((minute) => 100 + 0.4 * minute, seed).rise(0);
    t.true(rise > limit, `seed ${seed}: ${rise} of ${limit}`);
  }
});

test('what a process takes while it warms up is not held against it, and a fall at its start hides nothing', (t) => {
  const warming = hour((minute) => (minute < 29 ? minute : 29));
  t.true(warming.rise(0).rise < warming.rise(0).limit);
  const restarted = hour((minute) => (minute < 24 ? 200 : 100 + 0.4 * minute));
  t.true(restarted.rise(24 * 60).rise > restarted.rise(24 * 60).limit);
});

test('a process that is young may rise by more, and one sample says nothing', (t) => {
  const series = hour(() => 100);
  t.true(series.rise(29 * 60).limit > series.rise(0).limit + 10);
  const single = new Series('memory', 'count', { fixed: 4, perMinute: 0.1 });
  single.add(10, 100);
  t.is(single.rise(0).rise, 0);
});

test('a minute of soaking does not take the memory of a daemon that compiles for a leak', (t) => {
  const first = new Series('memory', 'bytes', { fixed: 4 * 2 ** 20, perMinute: 0.1 * 2 ** 20 });
  for (let at = 0; at < 60; at += 2) first.add(at, (100 + 0.6 * at) * 2 ** 20);
  const { rise, limit } = first.rise(0);
  t.true(rise > 16 * 2 ** 20 && rise < limit, `${rise} of ${limit}`);
});

test('what rises is a violation and named in the table', (t) => {
  const report = new Report(() => undefined);
  const now = Date.now;
  let milliseconds = now();
  Date.now = () => (milliseconds += 2_000);
  try {
    const rising = new Series('rising', 'count', { fixed: 4, perMinute: 0.1 });
    const flat = new Series('flat', 'count', { fixed: 4, perMinute: 0.1 });
    for (let i = 0; i < 900; i++) {
      report.add(rising, i);
      report.add(flat, i % 50);
    }
    const table = report.conclude();
    t.regex(table, /^rising .* RISES$/m);
    t.regex(table, /^flat .* flat$/m);
  } finally {
    Date.now = now;
  }
  t.is(report.violations.length, 1);
  t.regex(report.violations[0], /^rising rose by /);
});
