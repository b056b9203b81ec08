import { copy, get16, put16, put32 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as tcp from '../wire/tcp.js';
import * as udp from '../wire/udp.js';
import * as vlan from '../wire/vlan.js';
import * as vnet from '../wire/vnet.js';

/*
 * Offloads: frames travel with a virtio-net header that says what was left undone, a checksum (partial) or the division into
 * segments (super-frame), and all that is known about either is here. Whatever the header says comes from a guest. checkVnet
 * looks once, on arrival; the functions below it rely on that.
 */

/** Segments a super-frame may have: at 64 KB, payloads of 64 bytes. More would let one frame hold up the worker. */
export const MAX_SEGMENTS = 1024;

/** Whether nothing was left undone: the frame is what goes on the wire. A header length, if one is named, is not looked at. */
export const isPlain = (b: Uint8Array, vnetAt: number): boolean =>
  vnet.gsoType(b, vnetAt) === vnet.GSO_NONE && (vnet.flags(b, vnetAt) & vnet.NEEDS_CSUM) === 0;

/** Whether the frame stands for several on the wire. */
export const isSuperFrame = (b: Uint8Array, vnetAt: number): boolean => vnet.gsoType(b, vnetAt) !== vnet.GSO_NONE;

/**
 * Whether the virtio-net header fits the frame of `length` bytes at `at`: its checksum lies behind the Ethernet header and in the
 * frame, and a super-frame is TCP or UDP as its type says, with lengths that add up and not too many segments. UDP fragmentation
 * (GSO_UDP) is refused: nobody is told that we take it.
 */
export function checkVnet(b: Uint8Array, at: number, length: number, vnetAt: number): boolean {
  const start = vnet.csumStart(b, vnetAt);
  const field = start + vnet.csumOffset(b, vnetAt);
  const partial = (vnet.flags(b, vnetAt) & vnet.NEEDS_CSUM) !== 0;
  if (vnet.hdrLen(b, vnetAt) > length) return false;
  if (partial && (start < ethernet.LEN || field + 2 > length)) return false;
  if (!isSuperFrame(b, vnetAt)) return true;

  const end = at + length;
  const l4At = transportAt(b, at, end, vnetAt);
  if (l4At < 0) return false;
  const checksumAt = isTcp(b, vnetAt) ? tcp.CHECKSUM : udp.CHECKSUM;
  if (partial && (at + start !== l4At || field - start !== checksumAt)) return false;
  const size = vnet.gsoSize(b, vnetAt);
  return size > 0 && end - payloadAt(b, l4At, vnetAt) <= size * MAX_SEGMENTS;
}

/** Frames on the wire that a checked frame stands for. */
export function wirePackets(b: Uint8Array, at: number, length: number, vnetAt: number): number {
  if (!isSuperFrame(b, vnetAt)) return 1;
  const headers = headersLen(b, at, length, vnetAt);
  return Math.max(1, Math.ceil((length - headers) / vnet.gsoSize(b, vnetAt)));
}

/** Bytes of those frames: every one repeats the headers. */
export function wireBytes(b: Uint8Array, at: number, length: number, vnetAt: number): number {
  if (!isSuperFrame(b, vnetAt)) return length;
  return length + (wirePackets(b, at, length, vnetAt) - 1) * headersLen(b, at, length, vnetAt);
}

/** Completes the checksum of a checked frame that needs it and is no super-frame. Other frames stay as they are. */
export function completeChecksum(b: Uint8Array, at: number, length: number, vnetAt: number): void {
  const flags = vnet.flags(b, vnetAt);
  if ((flags & vnet.NEEDS_CSUM) === 0) return;
  const start = at + vnet.csumStart(b, vnetAt);
  const offset = vnet.csumOffset(b, vnetAt);
  // The field holds the sum of the pseudo header, so summing it along adds that in. 0 would mean "none" in UDP.
  const value = checksum.checksum(b, start, at + length);
  put16(b, start + offset, value === 0 && offset === udp.CHECKSUM ? 0xffff : value);
  vnet.setFlags(b, vnetAt, flags & ~vnet.NEEDS_CSUM);
}

/** Divides super-frames into the frames they stand for. One object serves them all, one after the other. */
export class Segmenter {
  /** Length of the frame `next` will write, bytes; 0: none is left. */
  frameLength = 0;
  #b: Uint8Array = new Uint8Array(0);
  #at = 0;
  #l3Len = 0;
  #l4Len = 0;
  #headers = 0;
  #isIpv4 = false;
  #isTcp = false;
  #segment = 0;
  /** Payload still to be sent: where it begins, where the frame ends, bytes of a segment. */
  #payloadAt = 0;
  #firstPayloadAt = 0;
  #end = 0;
  #size = 0;
  /** Sum of addresses and protocol of the pseudo header. */
  #pseudo = 0;

  /**
   * Takes the frame of `length` bytes at `at`, which stays untouched and in place until all segments are written. False: the frame
   * cannot be segmented, there is nothing to be written.
   * @param skipped bytes in front of the IP header that the segments do not get.
   */
  begin(b: Uint8Array, at: number, length: number, vnetAt: number, skipped = 0): boolean {
    this.frameLength = 0;
    if (!isSuperFrame(b, vnetAt) || !checkVnet(b, at, length, vnetAt)) return false;
    const l3At = vlan.typeAt(b, at, at + length) + 2;
    const l4At = transportAt(b, at, at + length, vnetAt);
    this.#b = b;
    this.#at = at + skipped;
    this.#l3Len = l3At - this.#at;
    this.#l4Len = l4At - this.#at;
    this.#headers = headersLen(b, at, length, vnetAt) - skipped;
    this.#isIpv4 = ipv4.version(b, l3At) === 4;
    this.#isTcp = isTcp(b, vnetAt);
    this.#segment = 0;
    this.#payloadAt = this.#firstPayloadAt = this.#at + this.#headers;
    this.#end = at + length;
    this.#size = vnet.gsoSize(b, vnetAt);
    const protocol = this.#isTcp ? ipv4.PROTOCOL_TCP : ipv4.PROTOCOL_UDP;
    this.#pseudo = this.#isIpv4 ? checksum.pseudo4(b, l3At, protocol, 0) : checksum.pseudo6(b, l3At, protocol, 0);
    this.frameLength = this.#headers + this.#payloadLen();
    return true;
  }

  /** Whether a frame is left to be written. */
  get more(): boolean {
    return this.frameLength > 0;
  }

  /**
   * Writes the next frame, whole and with its checksums, to `out` in the same array, where `frameLength` bytes are free. Returns
   * its length. Its virtio-net header is the caller's: there is nothing left to do.
   */
  next(out: number): number {
    const b = this.#b;
    const length = this.frameLength;
    const payloadLen = length - this.#headers;
    copy(b, this.#at, out, this.#headers);
    copy(b, this.#payloadAt, out + this.#headers, payloadLen);
    if (this.#isIpv4) this.#finishIpv4(out + this.#l3Len, length - this.#l3Len);
    else put16(b, out + this.#l3Len + ipv6.PAYLOAD_LENGTH, length - this.#l3Len - ipv6.LEN);
    if (this.#isTcp) this.#finishTcp(out + this.#l4Len, out + length);
    else this.#finishUdp(out + this.#l4Len, out + length);

    this.#segment++;
    this.#payloadAt += payloadLen;
    this.frameLength = this.#payloadAt < this.#end ? this.#headers + this.#payloadLen() : 0;
    return length;
  }

  /** Passes over the next frame. */
  skip(): void {
    this.#segment++;
    this.#payloadAt += this.#payloadLen();
    this.frameLength = this.#payloadAt < this.#end ? this.#headers + this.#payloadLen() : 0;
  }

  /** Payload bytes of the next segment. */
  #payloadLen(): number {
    return Math.min(this.#size, this.#end - this.#payloadAt);
  }

  #finishIpv4(at: number, totalLength: number): void {
    const b = this.#b;
    put16(b, at + ipv4.TOTAL_LENGTH, totalLength);
    put16(b, at + ipv4.ID, ipv4.id(b, at) + this.#segment);
    put16(b, at + ipv4.CHECKSUM, 0);
    put16(b, at + ipv4.CHECKSUM, checksum.checksum(b, at, at + ipv4.headerLen(b, at)));
  }

  /** The last segment alone ends or pushes the data, the first alone says that the window was reduced (RFC 3168 section 6.1.2). */
  #finishTcp(at: number, end: number): void {
    const b = this.#b;
    put32(b, at + tcp.SEQ, tcp.seq(b, at) + this.#payloadAt - this.#firstPayloadAt);
    const isLast = this.#payloadAt + this.#payloadLen() === this.#end;
    let flags = tcp.flags(b, at);
    if (!isLast) flags &= ~(tcp.FIN | tcp.PSH);
    if (this.#segment > 0) flags &= ~tcp.CWR;
    b[at + tcp.FLAGS] = flags;
    put16(b, at + tcp.CHECKSUM, this.#checksum(at, end, at + tcp.CHECKSUM));
  }

  #finishUdp(at: number, end: number): void {
    put16(this.#b, at + udp.LENGTH, end - at);
    put16(this.#b, at + udp.CHECKSUM, this.#checksum(at, end, at + udp.CHECKSUM) || 0xffff);
  }

  /** What belongs into a checksum field, which is cleared. */
  #checksum(at: number, end: number, field: number): number {
    const b = this.#b;
    put16(b, field, 0);
    return checksum.finish(checksum.sum(b, at, end, this.#pseudo + end - at));
  }
}

/** Whether a super-frame of a known type is TCP; else it is UDP. */
const isTcp = (b: Uint8Array, vnetAt: number): boolean => vnet.gsoType(b, vnetAt) !== vnet.GSO_UDP_L4;

/** Length of all headers of a checked super-frame. */
const headersLen = (b: Uint8Array, at: number, length: number, vnetAt: number): number =>
  payloadAt(b, transportAt(b, at, at + length, vnetAt), vnetAt) - at;

/** Offset of the payload behind the transport header at `l4At`, which fits. */
const payloadAt = (b: Uint8Array, l4At: number, vnetAt: number): number =>
  l4At + (isTcp(b, vnetAt) ? tcp.dataOffset(b, l4At) : udp.LEN);

/**
 * Offset of the TCP or UDP header that the frame in [at, end) has as a super-frame of its type; -1 when it has none: another
 * protocol, a fragment, IP lengths that are not the frame's, headers that do not fit.
 */
function transportAt(b: Uint8Array, at: number, end: number, vnetAt: number): number {
  const typeAt = vlan.typeAt(b, at, end);
  if (typeAt < 0) return -1;
  const etherType = get16(b, typeAt);
  switch (vnet.gsoType(b, vnetAt)) {
    case vnet.GSO_TCPV4:
    case vnet.GSO_TCPV4 | vnet.GSO_ECN:
      return etherType === ethernet.TYPE_IPV4 ? tcpAt(b, ipv4Payload(b, typeAt + 2, end, ipv4.PROTOCOL_TCP), end) : -1;
    case vnet.GSO_TCPV6:
    case vnet.GSO_TCPV6 | vnet.GSO_ECN:
      return etherType === ethernet.TYPE_IPV6 ? tcpAt(b, ipv6Payload(b, typeAt + 2, end, ipv4.PROTOCOL_TCP), end) : -1;
    case vnet.GSO_UDP_L4:
      if (etherType === ethernet.TYPE_IPV4) return udpAt(ipv4Payload(b, typeAt + 2, end, ipv4.PROTOCOL_UDP), end);
      return etherType === ethernet.TYPE_IPV6 ? udpAt(ipv6Payload(b, typeAt + 2, end, ipv4.PROTOCOL_UDP), end) : -1;
    default:
      return -1;
  }
}

/** Offset of the payload of the IPv4 packet that is exactly [at, end), unfragmented and of this protocol; else -1. */
function ipv4Payload(b: Uint8Array, at: number, end: number, protocol: number): number {
  if (!ipv4.wellFormed(b, at, end) || ipv4.totalLength(b, at) !== end - at) return -1;
  if (ipv4.protocol(b, at) !== protocol || ipv4.isFragment(b, at)) return -1;
  return at + ipv4.headerLen(b, at);
}

/** The same for IPv6, extension headers skipped. */
function ipv6Payload(b: Uint8Array, at: number, end: number, protocol: number): number {
  if (!ipv6.wellFormed(b, at, end) || ipv6.payloadLength(b, at) !== end - at - ipv6.LEN) return -1;
  if (ipv6.nextHeader(b, at) === protocol) return at + ipv6.LEN;
  return ipv6.find(b, at, end, ipv6.FRAGMENT) < 0 ? ipv6.find(b, at, end, protocol) : -1;
}

/** `at` when a TCP header with its options lies there, below `end`. */
function tcpAt(b: Uint8Array, at: number, end: number): number {
  if (at < 0 || !tcp.fits(at, end)) return -1;
  const header = tcp.dataOffset(b, at);
  return header >= tcp.LEN && at + header <= end ? at : -1;
}

/** `at` when a UDP header lies there, below `end`. */
const udpAt = (at: number, end: number): number => (at >= 0 && udp.fits(at, end) ? at : -1);
