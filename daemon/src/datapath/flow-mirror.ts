import { FLOW, FLOW_ACTION, FLOW_DROP, NO_MIRROR } from '../tables/flow.js';
import type { Vrf } from '../tables/vrf.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { ACTION } from '../wire/mirror-metadata.js';
import type { Datapath } from './datapath.js';
import { mirrorFlow } from './mirror.js';

/**
 * Copies the packet in hand for the analyzers of its entry, whose first word is `at`. What is said about the copy is of this direction:
 * the networks its own source and destination are in. Analyzers are routed in the network it comes from.
 */
export function mirrorPacket(dp: Datapath, at: number): void {
  const { p, b, tables } = dp;
  const { words } = dp.flow.table;
  const vrf = tables.vrfs[p.vrf];
  if (!vrf) return;
  const to = tables.vrfs[words[at + FLOW.vrf] >>> 16] ?? vrf;
  const isIpv4 = p.etherType === ethernet.TYPE_IPV4;
  const source = networkOf(vrf, isIpv4, b, p.l3At + (isIpv4 ? ipv4.SRC : ipv6.SRC), vrf);
  const destination = networkOf(vrf, isIpv4, b, p.l3At + (isIpv4 ? ipv4.DST : ipv6.DST), to);
  const flags = actionOf(words, at) | (p.peer < 0 ? ACTION.ingress : 0);
  const mirrors = words[at + FLOW.mirrors];
  mirrorFlow(dp, mirrors & 0xffff, p.vrf, flags, source, destination);
  const second = mirrors >>> 16;
  if (second !== NO_MIRROR) mirrorFlow(dp, second, p.vrf, flags, source, destination);
}

/** Number of the network an address is in, which is `own`'s where its route does not say. */
function networkOf(vrf: Vrf, isIpv4: boolean, b: Uint8Array, addressAt: number, own: Vrf): number {
  const { network } = isIpv4 ? vrf.inet.lookup(b, addressAt) : vrf.inet6.lookup(b, addressAt);
  return network === 0 ? own.record.network : network;
}

/** What is done with packets of an entry, in bits of the metadata; a list refuses by a rule, or for want of one. */
function actionOf(words: Int32Array, at: number): number {
  const state = words[at + FLOW.state];
  if (((state >>> 16) & 0xff) === FLOW_ACTION.forward) return ACTION.mirror | ACTION.pass;
  const isRefused = state >>> 24 >= FLOW_DROP.policy && state >>> 24 <= FLOW_DROP.outSg;
  return ACTION.mirror | ACTION.deny | (isRefused && words[at + FLOW.rule] < 0 ? ACTION.implicitDeny : 0);
}
