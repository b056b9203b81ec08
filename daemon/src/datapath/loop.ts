import { CTL, type FrameIo } from '../io/device.js';
import { HEADER } from '../tables/counters.js';
import type { Datapath } from './datapath.js';
import { flowUpkeep } from './flow-upkeep.js';
import { expireFragments } from './fragment.js';

/** Longest sleep, ms: after it the worker shows that it lives. */
const IDLE_MS = 100;
/** Pause between two looks at what is not worth a look every round, ms. */
const TICK_MS = 1000;

export interface LoopControl {
  /** Applies what the agent sent, a bounded part of it. Returns whether there is more. */
  apply(): boolean;
  /** Called after a round that put frames into the ring to the agent. */
  framesForAgent(): void;
  /** Called about once a second. */
  tick(): void;
  /** Asked once a round: false ends the loop. */
  goesOn(): boolean;
}

/**
 * The worker's whole life: one native call sends what the last round queued, waits, and reads the next batch; each frame runs to
 * completion; changes from the agent are applied between batches, after everything decided before them was sent.
 */
export function runLoop(dp: Datapath, io: FrameIo, control: LoopControl): void {
  let queued = 0;
  let changes = true;
  let upkeep = true;
  let nextTick = 0;
  while (control.goesOn()) {
    const received = io.step(queued, changes || upkeep ? 0 : IDLE_MS);
    const now = io.clock[0];
    dp.counters.words[HEADER.heartbeat]++;
    if (now >= nextTick) {
      control.tick();
      nextTick = now + TICK_MS;
    }
    const woken = io.ctl[CTL.woken] !== 0;
    queued = dp.run(received);
    if (dp.punted) {
      dp.punted = false;
      control.framesForAgent();
    }
    upkeep = flowUpkeep(dp);
    if (expireFragments(dp)) upkeep = true;
    if (!woken && !changes) continue;
    dp.flush();
    changes = control.apply();
    queued = dp.queued;
    upkeep = true;
  }
}
