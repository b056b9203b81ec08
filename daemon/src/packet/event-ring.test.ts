import test from 'ava';
import fc from 'fast-check';
import { EventRing } from './event-ring.js';

const SLOTS = 5;
const WORDS = 4;

test('the ring is a queue of bounded length, also for a second object on the same memory', (t) => {
  const queue = fc.property(fc.array(fc.option(fc.integer({ min: 1, max: 1000 }), { nil: null })), (steps) => {
    const memory = new SharedArrayBuffer(16 + EventRing.bytesFor(SLOTS, WORDS));
    const producer = new EventRing(memory, 16, SLOTS, WORDS);
    const consumer = new EventRing(memory, 16, SLOTS, WORDS);
    const model: number[] = [];
    for (const step of steps) {
      if (step === null) {
        const at = consumer.peek();
        const expected = model.shift();
        t.is(at < 0 ? undefined : consumer.words[at], expected);
        t.is(at < 0 ? undefined : consumer.doubles[at / 2 + 1], expected);
        if (at >= 0) consumer.release();
        continue;
      }
      const at = producer.claim();
      t.is(at < 0, model.length === SLOTS - 1);
      if (at < 0) continue;
      producer.words[at] = step;
      producer.doubles[at / 2 + 1] = step;
      t.is(consumer.peek() < 0, model.length === 0);
      producer.publish();
      model.push(step);
    }
  });
  t.notThrows(() => {
    fc.assert(queue);
  });
});
