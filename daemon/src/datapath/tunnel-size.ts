import { VNET_LEN } from '../io/device.js';
import { HEADER } from '../tables/counters.js';
import { PUNT } from '../tables/punt.js';
import type { Tunnel } from '../tables/tunnel.js';
import type { Vif } from '../tables/vif.js';
import { copy } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv4Fragment from '../wire/ipv4-fragment.js';
import type { Datapath } from './datapath.js';
import type { Wrapping } from './tunnel-header.js';
import { payloadAt, send } from './tunnel-send.js';
import { copyToAgent } from './trap.js';

/*
 * What is longer than the way to the other host takes: it is cut into fragments before it is wrapped where its sender allows that,
 * else the sender is told.
 */

/** The packet in hand, one on the wire and whole, with the outer headers is longer than the tunnel takes. */
export function tooLong(dp: Datapath, wrapping: Wrapping, tunnel: Tunnel, out: Vif): void {
  if (isFragmentable(dp)) fragment(dp, wrapping, tunnel, out);
  else refuse(dp, tunnel);
}

/** The segments of the super-frame in hand, which is begun to be cut, are. */
export function superFrameTooLong(dp: Datapath, wrapping: Wrapping, tunnel: Tunnel, out: Vif): void {
  const { p, segmenter } = dp;
  const { at, end, l3At, packets, bytes } = p;
  const isCut = isFragmentable(dp);
  if (!isCut && !isTold(dp)) return refuse(dp, tunnel);
  // The segments are made where the frame itself would have to stay.
  if (at >= dp.io.scratchAt && at < dp.io.scratchAt + dp.io.scratchLength) return dp.drop('fragment');
  segmenter.begin(dp.b, at, end - at, at - VNET_LEN);
  do {
    p.at = dp.scratch(segmenter.frameLength);
    p.end = p.at + segmenter.next(p.at);
    p.l3At = p.at + l3At - at;
    p.packets = 1;
    p.bytes = p.end - p.at;
    if (isCut) tooLong(dp, wrapping, tunnel, out);
    else tellSender(dp, tunnel);
  } while (isCut && segmenter.more);
  p.at = at;
  p.end = end;
  p.l3At = l3At;
  p.packets = packets;
  p.bytes = bytes;
  if (!isCut) dp.drop('trapOriginal');
}

const isIpv4 = ({ p }: Datapath): boolean => p.protocol >= 0 && p.etherType === ethernet.TYPE_IPV4;
const isIpv6 = ({ p }: Datapath): boolean => p.protocol >= 0 && p.etherType === ethernet.TYPE_IPV6;

const isFragmentable = (dp: Datapath): boolean => isIpv4(dp) && (ipv4.flagsAndOffset(dp.b, dp.p.l3At) & ipv4.DF) === 0;

/** Whether its sender is told that the packet in hand is too long. */
const isTold = (dp: Datapath): boolean =>
  (dp.p.routed || !ethernet.isMulticast(dp.b, dp.p.at)) && (isIpv4(dp) || isIpv6(dp));

/** The packet in hand does not get through. */
function refuse(dp: Datapath, tunnel: Tunnel): void {
  const { p, b } = dp;
  if (isTold(dp)) {
    tellSender(dp, tunnel);
    return dp.drop('trapOriginal');
  }
  dp.drop(!p.routed && ethernet.isMulticast(b, p.at) ? 'jumboMcast' : 'fragment');
}

/** The agent tells the sender of the packet in hand how long its packets may be. */
function tellSender(dp: Datapath, tunnel: Tunnel): void {
  const { p, tables } = dp;
  const from = tables.vifs.get(p.vif);
  if (from) copyToAgent(dp, from, PUNT.handleDf, longestPacket(dp, tunnel));
}

/** The longest IP packet that fits where the one in hand does not. */
function longestPacket({ p }: Datapath, tunnel: Tunnel): number {
  return tunnel.mtu - tunnel.overhead - (p.l3At - payloadAt(p, tunnel));
}

/** Cuts the IPv4 packet in hand into fragments (RFC 791 section 3.2), each of which goes through the tunnel by itself. */
function fragment(dp: Datapath, wrapping: Wrapping, tunnel: Tunnel, out: Vif): void {
  const { p, b } = dp;
  const from = payloadAt(p, tunnel);
  const headerLen = ipv4.headerLen(b, p.l3At);
  const headersEnd = p.l3At + headerLen;
  const dataLen = ipv4.totalLength(b, p.l3At) - headerLen;
  const most = (longestPacket(dp, tunnel) - headerLen) & ~(ipv4Fragment.UNIT - 1);
  if (most < ipv4Fragment.UNIT) return dp.drop('fragment');
  dp.counters.words[HEADER.copied] += Math.ceil(dataLen / most) - 1;
  for (let done = 0; done < dataLen; done += most) {
    const length = Math.min(most, dataLen - done);
    const at = dp.scratch(tunnel.headerLen + headersEnd - from + length);
    const madeAt = at + tunnel.headerLen;
    copy(b, from, madeAt, headersEnd - from);
    copy(b, headersEnd + done, madeAt + headersEnd - from, length);
    ipv4Fragment.finish(b, madeAt + p.l3At - from, headerLen + length, done, done + length < dataLen);
    send(dp, wrapping, tunnel, out, at, madeAt + headersEnd - from + length);
  }
}
