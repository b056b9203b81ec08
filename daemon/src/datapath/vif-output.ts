import { TX, VNET_LEN } from '../io/device.js';
import { DROP } from '../packet/drop.js';
import { VIF } from '../tables/counters.js';
import { VIF_FLAG, VIF_TYPE } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import type { Datapath } from './datapath.js';
import { enqueue } from './enqueue.js';
import { mirrorSent } from './mirror.js';
import { completeChecksum, isPlain, isSuperFrame } from './offload.js';
import { STEP } from './tracer.js';

/** errno of a device that is down or gone; any other refusal is a full queue or an overlong frame. */
const DOWN: ReadonlySet<number> = new Set([
  5 /* EIO */, 6 /* ENXIO */, 19 /* ENODEV */, 77 /* EBADFD */, 100 /* ENETDOWN */,
]);
const EINVAL = 22;

/** Queues the frame in hand for the interface's port, cut and finished for a port that takes no offloads. */
export function output(dp: Datapath, out: Vif): void {
  const { p, b } = dp;
  if (out.mirrors !== null && !mirrorSent(dp, out)) return;
  const vnetAt = p.at - VNET_LEN;
  if (!out.offloads && !isPlain(b, vnetAt)) {
    if (isSuperFrame(b, vnetAt)) return outputSegments(dp, out);
    completeChecksum(b, p.at, p.end - p.at, vnetAt);
  }
  enqueue(dp, out, p.at, p.end - p.at, p.packets, p.bytes);
}

function outputSegments(dp: Datapath, out: Vif): void {
  const { p, b, segmenter } = dp;
  if (!segmenter.begin(b, p.at, p.end - p.at, p.at - VNET_LEN)) return dp.drop('invalidPacket');
  dp.tracer?.step(STEP.segments, out.id);
  while (segmenter.more) {
    const at = dp.scratch(segmenter.frameLength);
    const length = segmenter.next(at);
    enqueue(dp, out, at, length, 1, length);
  }
}

/**
 * Sends the frame in hand, made as an answer to the interface's guest, back to it: where the network bridges, by the table, so
 * that an address nobody knows gets no answer.
 */
export function answer(dp: Datapath, vif: Vif): void {
  const { p, b, tables } = dp;
  dp.answered();
  if ((vif.flags & VIF_FLAG.l2) === 0) return output(dp, vif);
  const slot = tables.bridge.find(vif.vrf, b, p.at + ethernet.DST);
  const oif = slot < 0 ? undefined : tables.nexthops.get(tables.bridge.nexthop(slot))?.oif;
  dp.tracer?.step(STEP.bridge, vif.vrf, slot, slot < 0 ? -1 : tables.bridge.nexthop(slot), 0);
  const out = oif === undefined ? undefined : tables.vifs.get(oif);
  if (out) output(dp, out);
  else dp.drop('l2NoRoute');
}

/** The underlay does not take a tunnel's super-frames: from now on they are cut here. */
function refusesSuperFrame(dp: Datapath, port: number): void {
  const vif = dp.tables.vifs.get(port);
  if (vif?.type === VIF_TYPE.physical) vif.takesUdpSuperFrames = false;
}

/** Takes back from the counters what the device did not send of the first `queued` descriptors, and counts it as dropped. */
export function settle(dp: Datapath, queued: number): void {
  const { tx } = dp.io;
  const { words } = dp.counters;
  for (let d = 0; d < queued * TX.words; d += TX.words) {
    const status = tx[d + TX.status];
    if (status === 0) continue;
    const port = tx[d + TX.port];
    const packets = tx[d + TX.packets];
    const at = dp.counters.vifAt(port);
    if (status === EINVAL && packets > 1) refusesSuperFrame(dp, port);
    words[at + VIF.txPackets] -= packets;
    words[at + VIF.txBytes] -= tx[d + TX.bytes];
    if (packets > 1) words[at + VIF.txSuperFrames]--;
    words[at + VIF.txErrors] += packets;
    dp.counters.drop(port, DOWN.has(status) ? DROP.ifDrop : DROP.ifTxDiscard, packets);
  }
}
