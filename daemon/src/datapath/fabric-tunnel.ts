import * as keepalive from '../wire/keepalive.js';
import * as mpls from '../wire/mpls.js';
import * as vxlan from '../wire/vxlan.js';
import type { Datapath } from './datapath.js';
import { deliver } from './fabric-deliver.js';
import { keepaliveInput } from './keepalive.js';
import { timesCopied } from './mirror-state.js';
import { STEP } from './tracer.js';

/** What announces the payload of a tunnel packet: an MPLS label or a VXLAN network identifier. */
export const TUNNEL = { mpls: 0, vxlan: 1 } as const;

/** Entries of an MPLS stack that are not the last may only be this one, which is skipped. */
const EXTENSION = 0xfffff;

/** [at, end) is what a tunnel packet of a known host has behind its outer headers: finds out for whom it is. */
export function tunnelInput(dp: Datapath, kind: number, at: number, end: number): void {
  if (kind === TUNNEL.mpls) mplsInput(dp, at, end);
  else vxlanInput(dp, at, end);
}

function mplsInput(dp: Datapath, stackAt: number, end: number): void {
  const { b, tables } = dp;
  let at = stackAt;
  while (mpls.fits(at, end) && mpls.label(b, at) === EXTENSION && !mpls.isBottom(b, at)) at += mpls.LEN;
  if (!mpls.fits(at, end)) return dp.drop('pull');
  if (mpls.ttl(b, at) <= 1) return dp.drop('ttlExceeded');
  const label = mpls.label(b, at);
  // Of a frame; what deliver() finds to be a packet is no such copy.
  dp.p.copies = timesCopied(mpls.ttl(b, at));
  if (label === keepalive.LABEL) return keepaliveInput(dp, at + mpls.LEN, end);
  const id = mpls.isBottom(b, at) ? tables.labels.get(label) : -1;
  dp.tracer?.step(STEP.arrival, TUNNEL.mpls, label, id, dp.p.peer);
  if (id < 0) return dp.drop('invalidLabel');
  deliver(dp, id, at + mpls.LEN, end);
}

function vxlanInput(dp: Datapath, at: number, end: number): void {
  const { b, tables } = dp;
  dp.p.copies = 0;
  if (!vxlan.fits(at, end)) return dp.drop('pull');
  if (!vxlan.isValid(b, at)) return dp.drop('invalidPacket');
  const vni = vxlan.vni(b, at);
  const id = tables.vnis.get(vni);
  dp.tracer?.step(STEP.arrival, TUNNEL.vxlan, vni, id, dp.p.peer);
  if (id < 0) return dp.drop('invalidVnid');
  deliver(dp, id, at + vxlan.LEN, end);
}
