import { VNET_LEN } from '../io/device.js';
import type { Packet } from '../packet/packet.js';
import { type Tunnel, WRAP } from '../tables/tunnel.js';
import type { Vif } from '../tables/vif.js';
import { copy } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as vlan from '../wire/vlan.js';
import * as vnet from '../wire/vnet.js';
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
  const from = dp.p.nicVlan > 0 ? addTag(dp, at) : at;
  enqueue(dp, out, from, end - from, 1, end - from);
}

/** Puts the VLAN tag of a NIC that mirrors into the Ethernet header at `at`; returns where that begins now. */
function addTag({ p, b }: Datapath, at: number): number {
  const from = at - vlan.LEN;
  const vnetAt = at - VNET_LEN;
  copy(b, vnetAt, vnetAt - vlan.LEN, VNET_LEN + ethernet.TYPE);
  vlan.write(b, from + ethernet.TYPE, ethernet.TYPE_VLAN, p.nicVlan, 0);
  const newAt = from - VNET_LEN;
  if ((vnet.flags(b, newAt) & vnet.NEEDS_CSUM) !== 0) {
    vnet.setCsum(b, newAt, vnet.csumStart(b, newAt) + vlan.LEN, vnet.csumOffset(b, newAt));
  }
  return from;
}

/** Tells who traces that so many bytes go through the tunnel. */
export function traceTunnel(dp: Datapath, { nexthop, label, port }: Wrapping, { wrap }: Tunnel, bytes: number): void {
  dp.tracer?.step(STEP.tunnel, nexthop, label, wrap === WRAP.mplsOverGre ? 0 : port, bytes);
}
