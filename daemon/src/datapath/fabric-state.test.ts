import test from 'ava';
import fc from 'fast-check';
import { FabricState } from './fabric-state.js';

const MIB = 1 << 20;

test('a buffer is never given out while what was put together in it is not sent, whenever a flush comes', (t) => {
  const ops = fc.array(fc.constantFrom('take', 'release', 'flush'), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4 }), ops, (mib, steps) => {
      const state = new FabricState({ scratchAt: 4096, scratchLength: mib * MIB });
      const queued = new Set<number>();
      let inWork = -1;
      const dp = {
        rounds: 0,
        flush() {
          this.rounds++;
          queued.clear();
        },
      };
      for (const step of steps) {
        if (step === 'flush') dp.flush();
        // A run ends before the next one begins.
        if (inWork >= 0 && step !== 'flush') queued.add(inWork);
        if (step !== 'flush') inWork = -1;
        if (step !== 'take') continue;
        inWork = state.takeBuffer(dp);
        t.is(inWork >= 0, state.buffersLength > 0);
        t.false(queued.has(inWork), `buffer at ${inWork} waits to be sent`);
      }
    }),
  );
});

test('a round that needs one buffer takes one of the same two as the rounds before', (t) => {
  const state = new FabricState({ scratchAt: 0, scratchLength: 8 * MIB });
  const dp = { rounds: 0, flush: () => undefined };
  const taken = new Set<number>();
  for (; dp.rounds < 100; dp.rounds++) taken.add(state.takeBuffer(dp));
  t.is(taken.size, 2);
});
