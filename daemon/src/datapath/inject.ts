import type { RingFrame } from '../packet/frame-ring.js';
import { DROP } from '../packet/drop.js';
import { VIF } from '../tables/counters.js';
import { VIF_ID } from '../tables/records.js';
import type { Datapath } from './datapath.js';
import { countFromAgent } from './flow-agent.js';
import { output } from './vif-output.js';

/** A frame the agent made comes in by its interface (pkt0) and goes out of the interface it names. */
export function inject(dp: Datapath, made: RingFrame): void {
  const { p, b, tables, counters } = dp;
  const length = made.frame.length;
  const word = counters.vifAt(VIF_ID.agent);
  counters.words[word + VIF.rxPackets]++;
  counters.words[word + VIF.rxBytes] += length;
  p.vif = VIF_ID.agent;
  p.peer = -1;
  p.made = 0;
  p.copies = 0;
  p.nicVlan = 0;
  p.packets = 1;
  p.bytes = length;
  const out = tables.vifs.get(made.vif);
  if (!out) return counters.drop(VIF_ID.agent, DROP.invalidIf, 1);
  p.at = dp.scratch(length);
  p.end = p.at + length;
  p.vrf = out.vrf;
  b.set(made.frame, p.at);
  if (out.policy) countFromAgent(dp);
  dp.tracer?.begin(out.id);
  output(dp, out);
  dp.tracer?.end();
}
