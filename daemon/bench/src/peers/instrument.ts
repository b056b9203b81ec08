import { isMainThread } from 'node:worker_threads';
import { mapFile, PacketIo } from 'packet-io';
import { BUCKETS } from './js-time.js';

/**
 * Loaded in front of the daemon (`node --import`): measures in the worker how long JavaScript takes, as the time from the return
 * of one `step` to the call of the next. The file named by the environment counts packets by the nanoseconds each of them took.
 */
const file = process.env.VROUTERD_BENCH_JS_TIME;
if (!isMainThread && file !== undefined) {
  const packets = new Float64Array(mapFile(file, BUCKETS * 8));
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its object below
  const { step } = PacketIo.prototype;
  let returnedAt = 0;
  let received = 0;
  PacketIo.prototype.step = function (this: PacketIo, queued: number, timeoutMs: number): number {
    if (received > 0) {
      const each = ((performance.now() - returnedAt) * 1e6) / received;
      packets[Math.min(BUCKETS - 1, Math.floor(each))] += received;
    }
    received = step.call(this, queued, timeoutMs);
    returnedAt = performance.now();
    return received;
  };
}
