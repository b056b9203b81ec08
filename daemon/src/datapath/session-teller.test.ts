import test from 'ava';
import fc from 'fast-check';
import { FLOW, FLOW_DOUBLE, FLOW_OWN, FlowTable, newFlowKey } from '../tables/flow.js';
import {
  SESSION,
  SESSION_COUNT,
  SESSION_END_TEXT,
  SESSION_EVENT,
  SESSION_SETTING,
  SessionEvents,
} from '../tables/session-events.js';
import { FLOW_END } from './flow-state.js';
import { SessionTeller } from './session-teller.js';

const LOGGED_RULE = 7;

function setUp({ sample = 1, perSecond = 1000, refusedPerSecond = 2 } = {}) {
  const table = FlowTable.inMemory({ entries: 64, overflow: 16 });
  const events = new SessionEvents();
  events.settings[SESSION_SETTING.sample] = sample;
  events.settings[SESSION_SETTING.perSecond] = perSecond;
  events.settings[SESSION_SETTING.refusedPerSecond] = refusedPerSecond;
  const clock = new Float64Array([5000]);
  const teller = new SessionTeller(table, events, (rule) => rule === LOGGED_RULE, clock);
  const pair = (n: number, rule = -1): number => {
    const indices = [0, 1].map((direction) => {
      const key = newFlowKey();
      key.set([(4 << 8) | 17, n, 20 + direction]);
      return table.insert(key);
    });
    for (const [direction, index] of indices.entries()) {
      const at = table.at(index);
      table.words[at + FLOW.reverse] = indices[1 - direction];
      table.words[at + FLOW.rule] = rule;
      table.words[at + FLOW.owner] = direction === 0 ? FLOW_OWN.forward << 16 : 0;
      table.doubles[table.doubleAt(index) + FLOW_DOUBLE.packets] = 10 * n + direction;
    }
    return indices[0];
  };
  const take = () => {
    const told: { kind: number; cause: number; time: number; n: number; packets: number[] }[] = [];
    const { ring } = events;
    for (let at = ring.peek(); at >= 0; at = ring.peek()) {
      const packets = [SESSION_EVENT.forward, SESSION_EVENT.reverse].map(
        (entry) => ring.doubles[(at + entry) / 2 + FLOW_DOUBLE.packets],
      );
      const time = ring.doubles[(at + SESSION_EVENT.time) / 2];
      const n = ring.words[at + SESSION_EVENT.forward + FLOW.ports];
      told.push({ kind: ring.words[at], cause: ring.words[at + SESSION_EVENT.cause], time, n, packets });
      ring.release();
    }
    return told;
  };
  return { table, events, clock, teller, pair, take };
}

test('a session is told with both its entries when it begins and when it ends', (t) => {
  const { teller, clock, pair, take } = setUp();
  const index = pair(3);
  teller.began(index);
  clock[0] = 6000;
  teller.ended(index, 1);
  t.deepEqual(take(), [
    { kind: SESSION.start, cause: 0, time: 5000, n: 3, packets: [30, 31] },
    { kind: SESSION.end, cause: 1, time: 6000, n: 3, packets: [30, 31] },
  ]);
});

test('a pair that is its own reverse has no second half', (t) => {
  const { table, teller, pair, take } = setUp();
  const index = pair(3);
  table.words[table.at(index) + FLOW.reverse] = index;
  teller.began(index);
  t.deepEqual(take()[0].packets, [30, 0]);
});

test('every start has one end and no end is without its start, whatever is sampled, limited and lost', (t) => {
  const steps = fc.array(fc.tuple(fc.constantFrom('begin', 'again', 'end', 'wait', 'take'), fc.nat(5)));
  const matches = fc.property(
    steps,
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 4 }),
    (all, sample, rate) => {
      const { teller, clock, pair, take, table, events } = setUp({ sample, perSecond: rate });
      const pairs = new Map<number, number>();
      const open = new Set<number>();
      const check = (): void => {
        for (const { kind, n } of take()) {
          t.is(open.has(n), kind === SESSION.end);
          if (kind === SESSION.end) open.delete(n);
          else open.add(n);
        }
      };
      for (const [step, n] of all) {
        const index = pairs.get(n);
        if (step === 'begin' && index === undefined) {
          pairs.set(n, pair(n));
          teller.began(pairs.get(n) ?? -1);
        }
        if (step === 'again' && index !== undefined) teller.began(index);
        if (step === 'end' && index !== undefined) {
          teller.ended(index, 0);
          table.remove(table.words[table.at(index) + FLOW.reverse]);
          table.remove(index);
          pairs.delete(n);
        }
        if (step === 'wait') clock[0] += 300;
        if (step === 'take') check();
      }
      for (const index of pairs.values()) teller.ended(index, 0);
      check();
      t.is(open.size, 0);
      t.is(events.counts[SESSION_COUNT.lost], 0);
    },
  );
  t.notThrows(() => {
    fc.assert(matches);
  });
});

test('a full ring counts what is lost, and a start that is lost has no end', (t) => {
  const { teller, events, table, pair, take } = setUp({ perSecond: 1_000_000, refusedPerSecond: 1_000_000 });
  const index = pair(1);
  for (let i = 0; i < 5000; i++) teller.refused(index);
  t.is(events.counts[SESSION_COUNT.lost], 5000 - take().length);
  for (let i = 0; i < 5000; i++) teller.refused(index);
  teller.began(index);
  t.is(table.words[table.at(index) + FLOW.owner] >>> 16, FLOW_OWN.forward);
  take();
  teller.ended(index, 0);
  t.deepEqual(take(), []);
});

test('one session of so many is told, and those of a rule that logs besides', (t) => {
  const { teller, pair, take } = setUp({ sample: 4 });
  for (let n = 0; n < 12; n++) teller.began(pair(n, n === 6 ? LOGGED_RULE : -1));
  t.deepEqual(
    take().map(({ n }) => n),
    [0, 4, 6, 8],
  );
});

test('no more sessions and refusals are told a second than wanted; what is left out is counted', (t) => {
  const { teller, events, clock, pair, take } = setUp({ perSecond: 3, refusedPerSecond: 2 });
  for (let n = 0; n < 10; n++) {
    const index = pair(n);
    teller.began(index);
    teller.refused(index);
  }
  t.is(take().length, 5);
  t.is(events.counts[SESSION_COUNT.limited], 7);
  t.is(events.counts[SESSION_COUNT.refusedLimited], 8);
  clock[0] += 1000;
  for (let n = 10; n < 20; n++) teller.refused(pair(n));
  t.is(take().length, 2);
});

test('nothing is told where nobody wants to hear', (t) => {
  const { teller, events, pair, take } = setUp({ sample: 0, refusedPerSecond: 0 });
  const index = pair(1, LOGGED_RULE);
  teller.began(index);
  teller.refused(index);
  teller.ended(index, 0);
  t.deepEqual(take(), []);
  t.deepEqual(
    [...events.counts],
    Array.from(events.counts, () => 0),
  );
});

test('every reason why a pair is gone has its word', (t) => {
  const words = Object.entries(FLOW_END).map(([reason, code]) => [reason, SESSION_END_TEXT[code]]);
  t.deepEqual(words, [
    ['aged', 'idle'],
    ['closed', 'closed'],
    ['asked', 'asked'],
    ['changed', 'changed'],
  ]);
});
