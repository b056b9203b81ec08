import { TX } from '../io/device.js';
import { VIF } from '../tables/counters.js';
import type { Vif } from '../tables/vif.js';
import type { Datapath } from './datapath.js';
import { STEP } from './tracer.js';

/** Queues the frame of `length` bytes at `at` for the interface's port: so many packets and bytes on the wire. */
export function enqueue(dp: Datapath, out: Vif, at: number, length: number, packets: number, bytes: number): void {
  const { tx } = dp.io;
  const d = dp.txDescriptor();
  tx[d + TX.port] = out.id;
  tx[d + TX.at] = at;
  tx[d + TX.length] = length;
  tx[d + TX.packets] = packets;
  tx[d + TX.bytes] = bytes;
  const word = dp.counters.vifAt(out.id);
  dp.counters.words[word + VIF.txPackets] += packets;
  dp.counters.words[word + VIF.txBytes] += bytes;
  if (packets > 1) dp.counters.words[word + VIF.txSuperFrames]++;
  dp.tracer?.step(STEP.output, out.id, length, packets);
}
