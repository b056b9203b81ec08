import test from 'ava';
import { HostLife, LEASE } from './host-life.js';

/** A host that had a lease until 10,000, when the store has long been trusted. */
function expiring(): HostLife {
  const life = new HostLife();
  life.lease(10_000, 0, 0);
  return life;
}

/** Seconds from `from` to `to`, each with one look at no lease and one keepalive. Returns the states at their ends. */
function seconds(
  life: HostLife,
  from: number,
  to: number,
  answer: (now: number) => number | null,
  trustFrom = 0,
): string[] {
  const states: string[] = [];
  for (let now = from; now <= to; now += 1_000) {
    if (life.looksAt(now)) life.lease(-2, now, trustFrom);
    if (life.asksAt(now)) life.answered(answer(now), now, trustFrom);
    states.push(life.state);
  }
  return states;
}

test('a host nobody has seen a lease of is not used until there is one', (t) => {
  const life = new HostLife();
  t.true(life.looksAt(0));
  life.lease(-2, 0, 0);
  t.is(life.state, 'leaseExpired');
  t.false(life.isUsable(false));
  life.lease(5_000, 1_000, 0);
  t.is(life.state, 'alive');
  t.true(life.isUsable(false));
});

test('a lease is looked at when it ends, not before', (t) => {
  const life = expiring();
  t.false(life.looksAt(9_999));
  t.true(life.looksAt(10_100));
  life.lease(7_000, 10_100, 0);
  t.false(life.looksAt(17_000));
  t.true(life.looksAt(17_200));
});

test('a host without lease that is silent is withdrawn after five seconds and three lost keepalives', (t) => {
  const life = expiring();
  t.deepEqual(
    seconds(life, 10_100, 16_100, () => null),
    ['leaseExpired', 'leaseExpired', 'leaseExpired', 'leaseExpired', 'leaseExpired', 'withdrawn', 'withdrawn'],
  );
  t.false(life.isUsable(true));
});

test('a host without lease that answers stays, and is withdrawn three lost keepalives after it fell silent', (t) => {
  const life = expiring();
  const states = seconds(life, 10_100, 40_100, (now) => (now <= 30_100 ? 1.5 : null));
  t.deepEqual(new Set(states.slice(0, 23)), new Set(['keepaliveAnswered']));
  t.deepEqual(states.slice(20, 25), [
    'keepaliveAnswered',
    'keepaliveAnswered',
    'keepaliveAnswered',
    'withdrawn',
    'withdrawn',
  ]);
});

test('one answer between lost ones keeps a host', (t) => {
  const life = expiring();
  const states = seconds(life, 10_100, 60_100, (now) => (Math.floor(now / 1_000) % 3 === 0 ? 2 : null));
  t.false(states.includes('withdrawn'));
  t.is(life.roundTripMs, 2);
});

test('a host that is withdrawn returns with its lease, or with an answer', (t) => {
  for (const back of [
    (life: HostLife) => {
      life.lease(9_000, 30_000, 0);
    },
    (life: HostLife) => {
      life.answered(3, 30_000, 0);
    },
  ]) {
    const life = expiring();
    seconds(life, 10_100, 20_100, () => null);
    t.is(life.state, 'withdrawn');
    back(life);
    t.true(life.isUsable(false));
  }
});

test('what is withdrawn is still looked for, but rarely', (t) => {
  const life = expiring();
  seconds(life, 10_100, 20_100, () => null);
  let asked = 0;
  for (let now = 21_100; now < 61_100; now += 1_000) {
    if (life.asksAt(now)) asked += 1;
    life.answered(null, now, 0);
  }
  t.true(asked >= 7 && asked <= 9, `asked ${asked} times in 40 s`);
});

test('nobody is without lease before the store was back for one, nor withdrawn', (t) => {
  const life = expiring();
  // The store returns at 60,000; leases that ended meanwhile are renewed within ten seconds.
  const trustFrom = 60_000 + LEASE.lastsMs;
  t.deepEqual(new Set(seconds(life, 60_000, 69_000, () => null, trustFrom)), new Set(['alive']));
  t.is(seconds(life, 70_000, 76_000, () => null, trustFrom).at(-1), 'withdrawn');

  // It had lost its lease before the store went away.
  const lost = expiring();
  seconds(lost, 10_100, 12_100, () => null);
  t.deepEqual(new Set(seconds(lost, 60_000, 69_000, () => null, trustFrom)), new Set(['leaseExpired']));
  t.is(seconds(lost, 70_000, 70_000, () => null, trustFrom).at(-1), 'withdrawn');
});

test('a host that writes is looked at at once', (t) => {
  const life = expiring();
  seconds(life, 10_100, 20_100, () => null);
  t.false(life.looksAt(20_200));
  life.stir();
  t.true(life.looksAt(20_200));
});
