import type { Datapath } from './datapath.js';
import { isPushed } from './fabric-segment.js';
import type { Outer } from './fabric-state.js';
import { releaseFragments } from './fragment-release.js';
import { tunnelInput } from './fabric-tunnel.js';

/*
 * Tunnel packets come one by one, or, from a host on the same machine or an interface that puts them together, as one super-frame of
 * many datagrams. Either way TCP segments that follow each other in a batch are put together again into a super-frame for the guest, if
 * they are to the bit what cutting that super-frame would give, their checksums included. Everything else goes on alone.
 *
 * One run waits at most. The segment it begins with stays where it is; only when another follows it is worth copying.
 */

/** Room in front of what a segment of a super-frame is copied to: that of headers. */
const ROOM = 32;

/**
 * A tunnel packet whose payload is [at, end) goes on, alone or with those before it. `dp.fabric.outer` has what its frame says.
 * @param hasRoom whether the bytes in front of it may be overwritten.
 */
export function arrive(dp: Datapath, kind: number, at: number, end: number, hasRoom: boolean): void {
  const { fabric, b } = dp;
  const { segment, run } = fabric;
  // Who traces wants to see packets as they came.
  const isWhole = fabric.outer.segmentSize > 0;
  const isMergeable = !isWhole && dp.tracer === null && segment.read(dp, kind, at, end);
  if (run.count > 0) {
    if (isMergeable && isFollowed(dp)) {
      if (!run.append(b, segment)) releaseRun(dp);
      return;
    }
    releaseRun(dp);
  }
  if (!isMergeable || isPushed(b, segment)) return alone(dp, fabric.outer, kind, at, end, hasRoom);
  run.begin(b, segment, hasRoom);
  fabric.runOuter.set(fabric.outer);
}

/** Whether the segment just read follows the run that waits, and both are sound. The run has room for it then. */
function isFollowed(dp: Datapath): boolean {
  const { fabric, b } = dp;
  const { segment, run, outer, runOuter } = fabric;
  if (outer.peer !== runOuter.peer || outer.source !== runOuter.source || outer.ecn !== runOuter.ecn) return false;
  if (!run.isFollowedBy(b, segment) || !segment.isSound(b)) return false;
  if (run.count > 1) return true;
  if (!run.isSound(b)) return false;
  const to = fabric.takeBuffer(dp);
  if (to < 0) return false;
  run.move(b, to);
  return true;
}

/** Lets go the run that waits. */
export function releaseRun(dp: Datapath): void {
  const { run, runOuter } = dp.fabric;
  const { count, kind, at, end, hasRoom } = run;
  run.count = 0;
  if (count < 2) return alone(dp, runOuter, kind, at, end, hasRoom);
  run.finish(dp.b);
  takeInHand(dp, runOuter, count, run.size);
  tunnelInput(dp, kind, at, run.end);
}

function alone(dp: Datapath, outer: Outer, kind: number, at: number, end: number, hasRoom: boolean): void {
  takeInHand(dp, outer, 1, outer.segmentSize);
  if (hasRoom) {
    tunnelInput(dp, kind, at, end);
  } else {
    const to = dp.scratch(ROOM + end - at) + ROOM;
    dp.b.copyWithin(to, at, end);
    tunnelInput(dp, kind, to, to + end - at);
  }
  if (dp.fragments.due) releaseFragments(dp);
}

/** Makes the packet in hand one of those in a frame from the underlay. */
function takeInHand(dp: Datapath, outer: Outer, packets: number, segmentSize: number): void {
  const { p } = dp;
  p.vif = outer.vif;
  p.vrf = 0;
  p.at = outer.at;
  p.end = outer.end;
  p.etherType = outer.etherType;
  p.l3At = outer.l3At;
  p.tagged = false;
  p.protocol = -1;
  p.packets = packets;
  p.segmentSize = segmentSize;
  p.bytes = outer.end - outer.at;
  p.made = 0;
  p.nexthop = -1;
  p.flow = -1;
  p.looked = false;
  p.copies = 0;
  p.nicVlan = 0;
  p.peer = outer.peer;
  p.outerSource = outer.source;
  p.outerEcn = outer.ecn;
}
