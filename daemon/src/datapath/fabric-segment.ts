import type { Nexthop } from '../tables/nexthop.js';
import { NH_FLAG, NH_TYPE } from '../tables/records.js';
import { equal, get16, put16 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import * as ecn from '../wire/ecn.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as mpls from '../wire/mpls.js';
import * as tcp from '../wire/tcp.js';
import * as vxlan from '../wire/vxlan.js';
import type { Datapath } from './datapath.js';
import { TUNNEL } from './fabric-tunnel.js';
import { timesCopied } from './mirror-state.js';

/** Longest IP packet. */
const LONGEST = 65_535;

/** A TCP segment in a tunnel: where its headers and data lie. [at, end) begins with the label or the VXLAN header. */
export class Segment {
  kind = 0;
  at = 0;
  end = 0;
  ipAt = 0;
  tcpAt = 0;
  dataAt = 0;
  isIpv4 = true;

  /**
   * Reads the tunnel payload [at, end). False: it is none that may be merged with its neighbours: data and nothing else, for somebody
   * who takes super-frames. Its own checksum is not looked at yet.
   */
  read(dp: Datapath, kind: number, at: number, end: number): boolean {
    this.kind = kind;
    this.at = at;
    this.end = end;
    this.ipAt = kind === TUNNEL.mpls ? underMpls(dp, at, end) : inVxlan(dp, at, end);
    if (this.ipAt < 0 || this.ipAt >= end) return false;
    const { b } = dp;
    this.isIpv4 = b[this.ipAt] === 0x45;
    this.tcpAt = this.isIpv4 ? behindIpv4(dp, this.ipAt, end) : behindIpv6(dp, this.ipAt, end);
    if (this.tcpAt < 0 || !tcp.fits(this.tcpAt, end)) return false;
    const headerLen = tcp.dataOffset(b, this.tcpAt);
    this.dataAt = this.tcpAt + headerLen;
    return headerLen >= tcp.LEN && this.dataAt < end && (tcp.flags(b, this.tcpAt) & ~tcp.PSH) === tcp.ACK;
  }

  /** Whether the TCP checksum is right. */
  isSound(b: Uint8Array): boolean {
    const { tcpAt, end } = this;
    return checksum.finish(checksum.sum(b, tcpAt, end, this.pseudo(b))) === 0;
  }

  /** Partial sum of the pseudo header. */
  pseudo(b: Uint8Array): number {
    const length = this.end - this.tcpAt;
    return this.isIpv4
      ? checksum.pseudo4(b, this.ipAt, ipv4.PROTOCOL_TCP, length)
      : checksum.pseudo6(b, this.ipAt, ipv4.PROTOCOL_TCP, length);
  }
}

/** Segments of one session that follow each other, put together: the first, with the data of the others behind its own. */
export class Run extends Segment {
  /** Segments in it, 0: none waits. */
  count = 0;
  /** Bytes of data of each but the last. */
  size = 0;
  /** Whether the first lies with room in front of it: nothing is there that is still needed. */
  hasRoom = false;
  #nextSeq = 0;

  /** Begins with a segment, which stays where it is. */
  begin(b: Uint8Array, s: Segment, hasRoom: boolean): void {
    this.kind = s.kind;
    this.at = s.at;
    this.end = s.end;
    this.ipAt = s.ipAt;
    this.tcpAt = s.tcpAt;
    this.dataAt = s.dataAt;
    this.isIpv4 = s.isIpv4;
    this.count = 1;
    this.size = s.end - s.dataAt;
    this.hasRoom = hasRoom;
    this.#nextSeq = (tcp.seq(b, s.tcpAt) + this.size) >>> 0;
  }

  /** Whether a segment is the one that follows. Their outer headers are the caller's to compare. */
  isFollowedBy(b: Uint8Array, s: Segment): boolean {
    const data = s.end - s.dataAt;
    if (s.kind !== this.kind || s.isIpv4 !== this.isIpv4 || tcp.seq(b, s.tcpAt) !== this.#nextSeq) return false;
    if (data > this.size || this.end - this.ipAt + data > LONGEST) return false;
    const inFront = s.ipAt - s.at;
    if (inFront !== this.ipAt - this.at || !equal(b, s.at, b, this.at, inFront)) return false;
    return this.#hasSameIp(b, s) && this.#hasSameTcp(b, s);
  }

  #hasSameIp(b: Uint8Array, s: Segment): boolean {
    const one = s.ipAt;
    const other = this.ipAt;
    if (!this.isIpv4) return equal(b, one, b, other, 4) && equal(b, one + 6, b, other + 6, ipv6.LEN - 6);
    if (get16(b, one) !== get16(b, other)) return false;
    if (!equal(b, one + 6, b, other + 6, 4) || !equal(b, one + ipv4.SRC, b, other + ipv4.SRC, 8)) return false;
    // What may not be cut needs no identification (RFC 6864 section 4.1).
    const mayBeCut = (ipv4.flagsAndOffset(b, one) & ipv4.DF) === 0;
    return !mayBeCut || ipv4.id(b, one) === ((ipv4.id(b, other) + this.count) & 0xffff);
  }

  #hasSameTcp(b: Uint8Array, s: Segment): boolean {
    const one = s.tcpAt;
    const other = this.tcpAt;
    const headerLen = s.dataAt - one;
    if (headerLen !== this.dataAt - other) return false;
    // Ports; acknowledgment; window; urgent pointer and options. The flags are known, but for PSH, which ends a run.
    if (!equal(b, one, b, other, 4) || !equal(b, one + 8, b, other + 8, 4)) return false;
    return get16(b, one + 14) === get16(b, other + 14) && equal(b, one + 18, b, other + 18, headerLen - 18);
  }

  /** Moves the first segment to `to`, where the data of others has room behind it. */
  move(b: Uint8Array, to: number): void {
    b.copyWithin(to, this.at, this.end);
    const by = to - this.at;
    this.at += by;
    this.end += by;
    this.ipAt += by;
    this.tcpAt += by;
    this.dataAt += by;
    this.hasRoom = true;
  }

  /** Takes in the segment that follows. Returns whether more may follow that. */
  append(b: Uint8Array, s: Segment): boolean {
    const data = s.end - s.dataAt;
    b.copyWithin(this.end, s.dataAt, s.end);
    this.end += data;
    this.count++;
    this.#nextSeq = (this.#nextSeq + data) >>> 0;
    b[this.tcpAt + tcp.FLAGS] |= tcp.flags(b, s.tcpAt);
    return data === this.size && !isPushed(b, s);
  }

  /** Makes the headers those of the whole, with the sum of the pseudo header as checksum. */
  finish(b: Uint8Array): void {
    if (this.isIpv4) {
      put16(b, this.ipAt + ipv4.TOTAL_LENGTH, this.end - this.ipAt);
      put16(b, this.ipAt + ipv4.CHECKSUM, 0);
      put16(b, this.ipAt + ipv4.CHECKSUM, checksum.checksum(b, this.ipAt, this.tcpAt));
    } else {
      put16(b, this.ipAt + ipv6.PAYLOAD_LENGTH, this.end - this.tcpAt);
    }
    put16(b, this.tcpAt + tcp.CHECKSUM, ~checksum.finish(this.pseudo(b)));
  }
}

/** Whether the segment ends what its sender had to send. */
export const isPushed = (b: Uint8Array, s: Segment): boolean => (tcp.flags(b, s.tcpAt) & tcp.PSH) !== 0;

/**
 * Offset of the IP header under the only entry of an MPLS stack; -1: whoever gets it takes no super-frames, or nobody does, or it is a
 * copy, which gets there as it is.
 */
function underMpls({ b, tables }: Datapath, at: number, end: number): number {
  if (!mpls.fits(at, end) || !mpls.isBottom(b, at) || mpls.ttl(b, at) <= 1) return -1;
  const nexthop = tables.nexthops.get(tables.labels.get(mpls.label(b, at)));
  if (nexthop?.type === NH_TYPE.vrfTranslate) {
    return isRouting(nexthop) ? at + mpls.LEN : inOriginal(b, at, end);
  }
  if (nexthop?.type !== NH_TYPE.encap || tables.vifs.get(nexthop.oif)?.offloads !== true) return -1;
  return nexthop.bridged ? inOriginal(b, at, end) : at + mpls.LEN;
}

/** Offset of the IP header in a frame under the label at `at`; -1: it is a copy. */
const inOriginal = (b: Uint8Array, at: number, end: number): number =>
  timesCopied(mpls.ttl(b, at)) > 0 ? -1 : inFrame(b, at + mpls.LEN, end);

function inVxlan({ b, tables }: Datapath, at: number, end: number): number {
  if (!vxlan.fits(at, end) || !vxlan.isValid(b, at)) return -1;
  const nexthop = tables.nexthops.get(tables.vnis.get(vxlan.vni(b, at)));
  return nexthop?.type === NH_TYPE.vrfTranslate && !isRouting(nexthop) ? inFrame(b, at + vxlan.LEN, end) : -1;
}

const isRouting = ({ record }: Nexthop): boolean => (record.flags & NH_FLAG.routeLookup) !== 0;

/** Offset of the IP header in an untagged frame for one. */
function inFrame(b: Uint8Array, at: number, end: number): number {
  if (!ethernet.fits(at, end) || ethernet.isMulticast(b, at)) return -1;
  const type = ethernet.type(b, at);
  const ipAt = at + ethernet.LEN;
  if (ipAt >= end) return -1;
  const version = type === ethernet.TYPE_IPV4 ? 4 : 6;
  return (version === 4 || type === ethernet.TYPE_IPV6) && ipv4.version(b, ipAt) === version ? ipAt : -1;
}

/** Offset of the TCP header in the IPv4 packet without options that is exactly [at, end), whole and sound; -1: it is none. */
function behindIpv4({ b, fabric }: Datapath, at: number, end: number): number {
  if (!ipv4.fits(at, end) || ipv4.totalLength(b, at) !== end - at || ipv4.protocol(b, at) !== ipv4.PROTOCOL_TCP)
    return -1;
  if ((ipv4.flagsAndOffset(b, at) & ~ipv4.DF) !== 0 || !ipv4.checksumOk(b, at)) return -1;
  return staysAsIs(ecn.ecn(ipv4.tos(b, at)), fabric.outer.ecn) ? at + ipv4.LEN : -1;
}

function behindIpv6({ b, fabric }: Datapath, at: number, end: number): number {
  if (!ipv6.wellFormed(b, at, end) || ipv6.payloadLength(b, at) !== end - at - ipv6.LEN) return -1;
  if (ipv6.nextHeader(b, at) !== ipv4.PROTOCOL_TCP) return -1;
  return staysAsIs(ecn.ecn(ipv6.trafficClass(b, at)), fabric.outer.ecn) ? at + ipv6.LEN : -1;
}

const staysAsIs = (inner: number, outer: number): boolean => ecn.unwrapped(inner, outer) === inner;
