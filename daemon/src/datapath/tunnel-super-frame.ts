import { VNET_LEN } from '../io/device.js';
import { type Tunnel, WRAP } from '../tables/tunnel.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import * as vnet from '../wire/vnet.js';
import type { Datapath } from './datapath.js';
import { enqueue } from './enqueue.js';
import { leaveChecksum, type Wrapping, writeLabel, writeOuter } from './tunnel-header.js';
import { payloadAt, send, traceTunnel } from './tunnel-send.js';
import { superFrameTooLong } from './tunnel-size.js';

/** Longest outer IP packet, and most segments the kernel takes as one datagram (64, of which older ones count headers). */
const MAX_PACKET = 65_535;
const MAX_SEGMENTS = 60;

/**
 * Sends the super-frame in hand. Inside a tunnel nobody can cut it any more, so that is done here: every segment gets its headers
 * and checksums. Where the tunnel is UDP they leave together again, as one datagram of equal parts (UDP segmentation offload) with
 * a label in front of each, which the kernel or the network card divides without knowing what it carries.
 *
 *     +----------------+-------+-----------+-------+-----------+- - -+-------+------+
 *     | outer IP, UDP  | label | segment 1 | label | segment 2 |     | label | last |
 *     +----------------+-------+-----------+-------+-----------+- - -+-------+------+
 *                      \--- gso size -----/
 */
export function sendSuperFrame(dp: Datapath, wrapping: Wrapping, tunnel: Tunnel, out: Vif): void {
  const { p, b, segmenter } = dp;
  const skipped = payloadAt(p, tunnel) - p.at;
  if (!segmenter.begin(b, p.at, p.end - p.at, p.at - VNET_LEN, skipped)) return dp.drop('invalidPacket');
  if (segmenter.frameLength + tunnel.overhead > tunnel.mtu) return superFrameTooLong(dp, wrapping, tunnel, out);
  // A tag for the NIC is put into each.
  const isGrouped = p.nicVlan === 0 && tunnel.wrap !== WRAP.mplsOverGre && out.offloads && out.takesUdpSuperFrames;
  const unit = tunnel.headerLen - tunnel.header.length + segmenter.frameLength;
  const room = MAX_PACKET - (tunnel.header.length - ethernet.LEN);
  const most = isGrouped ? Math.min(MAX_SEGMENTS, Math.floor(room / unit)) : 1;
  let left = p.packets;
  while (left > 1 && most > 1) {
    const count = Math.min(left, most);
    sendGroup(dp, wrapping, tunnel, out, unit, count);
    left -= count;
  }
  while (segmenter.more) {
    const at = dp.scratch(tunnel.headerLen + segmenter.frameLength);
    const length = segmenter.next(at + tunnel.headerLen);
    send(dp, wrapping, tunnel, out, at, at + tunnel.headerLen + length);
  }
}

/** The next `count` segments as one datagram of parts of `unit` bytes, the last perhaps shorter. */
function sendGroup(dp: Datapath, wrapping: Wrapping, tunnel: Tunnel, out: Vif, unit: number, count: number): void {
  const { b, segmenter } = dp;
  const { header } = tunnel;
  const labelLen = tunnel.headerLen - header.length;
  const at = dp.scratch(header.length + count * unit);
  let end = at + header.length;
  for (let i = 0; i < count; i++) {
    writeLabel(b, tunnel, wrapping, end);
    end += labelLen;
    end += segmenter.next(end);
  }
  writeOuter(dp, tunnel, wrapping, at, end);
  // Whoever divides it gives the next identifications to the others.
  dp.outerId = (dp.outerId + count - 1) & 0xffff;
  leaveChecksum(b, tunnel, at, end);
  vnet.setGso(b, at - VNET_LEN, vnet.GSO_UDP_L4, header.length, unit);
  traceTunnel(dp, wrapping, tunnel, end - at);
  enqueue(dp, out, at, end - at, count, end - at + (count - 1) * header.length);
}
