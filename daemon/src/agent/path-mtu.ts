import * as addr from '../wire/addr.js';
import { get16, get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as gre from '../wire/gre.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { isTunnelPort } from '../wire/tunnel-ports.js';

/** What a router says of the way to another host. */
export interface TooBig {
  /** Where the packet that was too long was going. */
  readonly destination: string;
  /** Largest packet the next link takes, bytes. */
  readonly mtu: number;
}

/** Bytes of a UDP header up to and with the destination port. */
const PORTS_LEN = 4;

/**
 * Reads an ICMP error that came from the underlay: what it says if a tunnel packet from `source` (our address) was too long
 * (RFC 1191 section 4, RFC 8201 section 4); null: it is about something else, or not sound.
 */
export function readTooBig(frame: Uint8Array, source: string): TooBig | null {
  const at = ethernet.LEN;
  const isIpv6 = addr.isIpv6(source);
  const type = get16(frame, ethernet.TYPE);
  if (!isIpv6 && type === ethernet.TYPE_IPV4) return readIpv4(frame, at, source);
  if (isIpv6 && type === ethernet.TYPE_IPV6) return readIpv6(frame, at, source);
  return null;
}

function readIpv4(b: Uint8Array, at: number, source: string): TooBig | null {
  if (!ipv4.wellFormed(b, at, b.length) || !ipv4.checksumOk(b, at)) return null;
  const icmpAt = at + ipv4.headerLen(b, at);
  const end = at + ipv4.totalLength(b, at);
  const quotedAt = icmpAt + icmp.LEN;
  if (ipv4.protocol(b, at) !== ipv4.PROTOCOL_ICMP || !ipv4.fits(quotedAt, end)) return null;
  const tooBig = icmp.type(b, icmpAt) === icmp.UNREACHABLE && icmp.code(b, icmpAt) === icmp.CODE_FRAGMENTATION_NEEDED;
  if (!tooBig || !icmp.checksumOk(b, icmpAt, end)) return null;
  if (addr.formatIpv4(ipv4.src(b, quotedAt)) !== source) return null;
  if (!isTunnel(b, ipv4.protocol(b, quotedAt), quotedAt + ipv4.headerLen(b, quotedAt), end)) return null;
  // The MTU has the place of an echo's sequence number.
  return { destination: addr.formatIpv4(ipv4.dst(b, quotedAt)), mtu: icmp.seq(b, icmpAt) };
}

function readIpv6(b: Uint8Array, at: number, source: string): TooBig | null {
  if (!ipv6.wellFormed(b, at, b.length)) return null;
  const icmpAt = at + ipv6.LEN;
  const end = icmpAt + ipv6.payloadLength(b, at);
  const quotedAt = icmpAt + icmpv6.LEN;
  if (ipv6.nextHeader(b, at) !== ipv6.PROTOCOL_ICMPV6 || !ipv6.fits(quotedAt, end)) return null;
  if (icmpv6.type(b, icmpAt) !== icmpv6.TOO_BIG || !icmpv6.checksumOk(b, at, icmpAt, end)) return null;
  if (addr.formatIpv6(b, quotedAt + ipv6.SRC) !== addr.formatIpv6(addr.parseIpv6(source))) return null;
  if (!isTunnel(b, ipv6.nextHeader(b, quotedAt), quotedAt + ipv6.LEN, end)) return null;
  return { destination: addr.formatIpv6(b, quotedAt + ipv6.DST), mtu: get32(b, icmpAt + 4) };
}

/** Whether the packet quoted up to `end` is one of a tunnel; 8 bytes behind its IP header are always quoted. */
function isTunnel(b: Uint8Array, protocol: number, at: number, end: number): boolean {
  if (protocol === gre.PROTOCOL) return true;
  if (protocol !== ipv4.PROTOCOL_UDP || at + PORTS_LEN > end) return false;
  return isTunnelPort(get16(b, at + 2));
}
