import * as checksum from '../wire/checksum.js';
import { get16, put16 } from '../wire/bytes.js';
import * as ipv4 from '../wire/ipv4.js';
import * as tcp from '../wire/tcp.js';
import * as vnet from '../wire/vnet.js';
import { VNET_LEN } from '../io/device.js';
import type { Datapath } from './datapath.js';

/** Bytes a tunnel adds to a packet that is routed into it, and to a frame that is bridged (outer headers and inner Ethernet). */
export const OVERLAY_ROUTED = 40;
export const OVERLAY_BRIDGED = 62;
const TCP_HEADER = 20;

/**
 * Lowers the MSS option of a TCP SYN so that full segments fit through a tunnel over the underlay. Never raises it; the checksum
 * is kept right.
 */
export function clampMss(dp: Datapath, overlay: number): void {
  const { p, b } = dp;
  if (p.protocol !== ipv4.PROTOCOL_TCP || p.l4At === 0 || !tcp.fits(p.l4At, p.end)) return;
  if ((tcp.flags(b, p.l4At) & tcp.SYN) === 0) return;
  const at = tcp.mssAt(b, p.l4At, p.end);
  if (at < 0) return;
  const most = dp.options.underlayMtu - (overlay + (p.l4At - p.l3At) + TCP_HEADER);
  const mss = get16(b, at);
  if (mss <= most) return;
  put16(b, at, most);
  // A partial checksum covers only the pseudo header: whoever completes it sums the new option.
  if ((vnet.flags(b, p.at - VNET_LEN) & vnet.NEEDS_CSUM) !== 0) return;
  const odd = ((at - p.l4At) & 1) !== 0;
  checksum.replace16(b, p.l4At + tcp.CHECKSUM, odd ? swap(mss) : mss, odd ? swap(most) : most);
}

/** At an odd offset the two bytes belong to different 16-bit words of the sum: as if swapped (RFC 1071 section 2 (B)). */
function swap(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}
