import test from 'ava';
import fc from 'fast-check';
import { FrameRing, RING_FRAME } from './frame-ring.js';

test('frames come out as they went in, in order, also for a second object on the same memory', (t) => {
  const producer = new FrameRing();
  const consumer = new FrameRing(producer.memory);
  const b = Uint8Array.from([9, 9, 1, 2, 3, 9]);
  t.true(producer.put(b, 2, 3, 7, 4, -1));
  t.true(producer.put(b, 0, 1, 8, 12));
  t.deepEqual(consumer.take(), { vif: 7, command: 4, parameter: -1, frame: Uint8Array.from([1, 2, 3]) });
  t.deepEqual(consumer.take(), { vif: 8, command: 12, parameter: 0, frame: Uint8Array.from([9]) });
  t.is(consumer.take(), null);
});

test('a full ring and a frame that is too long are refused', (t) => {
  const ring = new FrameRing();
  const b = new Uint8Array(RING_FRAME + 1);
  t.false(ring.put(b, 0, RING_FRAME + 1, 1, 1));
  let accepted = 0;
  while (ring.put(b, 0, RING_FRAME, 1, 1)) accepted++;
  t.is(accepted, 255);
  ring.take();
  t.true(ring.put(b, 0, 1, 1, 1));
});

test('the consumer is woken once for all frames it has not begun to take', (t) => {
  const ring = new FrameRing();
  t.true(ring.shouldNotify());
  t.false(ring.shouldNotify());
  ring.beginTaking();
  t.true(ring.shouldNotify());
});

test('the ring is a queue', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.uint8Array({ maxLength: 20 }), { nil: null }), { maxLength: 600 }), (steps) => {
        const ring = new FrameRing();
        const model: Uint8Array[] = [];
        for (const step of steps) {
          if (step === null) {
            const taken = ring.take()?.frame;
            const expected = model.shift();
            if (Buffer.compare(taken ?? new Uint8Array(), expected ?? new Uint8Array()) !== 0) return false;
          } else if (ring.put(step, 0, step.length, 0, 0)) {
            model.push(step);
          }
        }
        return true;
      }),
    );
  });
});
