import { VNET_LEN } from '../io/device.js';
import type { Packet } from '../packet/packet.js';
import { type Tunnel, WRAP } from '../tables/tunnel.js';
import type { Vif } from '../tables/vif.js';
import type { Datapath } from './datapath.js';
import { enqueue } from './enqueue.js';
import { completeChecksum } from './offload.js';
import { STEP } from './tracer.js';
import { type Wrapping, writeLabel, writeOuter } from './tunnel-header.js';

/** Where what goes through the tunnel begins. */
export const payloadAt = (p: Packet, { wrap }: Tunnel): number => (p.routed && wrap !== WRAP.vxlan ? p.l3At : p.at);

/** Writes all headers of the tunnel at `at` in front of a packet that ends at `end`, and queues the whole. */
export function send(dp: Datapath, wrapping: Wrapping, tunnel: Tunnel, out: Vif, at: number, end: number): void {
  writeOuter(dp, tunnel, wrapping, at, end);
  writeLabel(dp.b, tunnel, wrapping, at + tunnel.header.length);
  if (!out.offloads) completeChecksum(dp.b, at, end - at, at - VNET_LEN);
  traceTunnel(dp, wrapping, tunnel, end - at);
  enqueue(dp, out, at, end - at, 1, end - at);
}

/** Tells who traces that so many bytes go through the tunnel. */
export function traceTunnel(dp: Datapath, { nexthop, label, port }: Wrapping, { wrap }: Tunnel, bytes: number): void {
  dp.tracer?.step(STEP.tunnel, nexthop, label, wrap === WRAP.mplsOverGre ? 0 : port, bytes);
}
