/**
 * Finds mirrored frames in packets of a wire: behind VLAN tags, in MPLS over UDP and GRE, in VXLAN, in fragments. Metadata is looked
 * for in every UDP datagram; a frame that VXLAN, ERSPAN or GRE carries is taken for mirrored itself unless there is metadata in it.
 */
import { get16, get32 } from '../wire/bytes.js';
import * as erspan from '../wire/erspan.js';
import * as ethernet from '../wire/ethernet.js';
import * as gre from '../wire/gre.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as jmirror from '../wire/jmirror.js';
import { UDP_PORT } from '../wire/mirror-metadata.js';
import * as mpls from '../wire/mpls.js';
import * as udp from '../wire/udp.js';
import * as vlan from '../wire/vlan.js';
import * as vxlan from '../wire/vxlan.js';
import type { Decoder } from './decoder.js';
import { DIRECTION, type Direction, type Format } from './frame.js';
import { LINK, linkPayload } from './link-type.js';
import { Reassembler } from './reassembly.js';

/** Headers within headers before we call it hostile. */
const STEPS_MAX = 24;
/** Protocol type of a bridged Ethernet frame in GRE. */
const TYPE_TEB = 0x6558;
const GRE_HAS_CHECKSUM = 0x8000;
const GRE_HAS_KEY = 0x2000;
const GRE_HAS_SEQUENCE = 0x1000;
const GRE_KNOWN_FLAGS = GRE_HAS_CHECKSUM | GRE_HAS_KEY | GRE_HAS_SEQUENCE;

/** What is looked at next: `nothing` to look for; `taken` when what there was is counted already. */
const NEXT = { ethernet: 0, ipv4: 1, ipv6: 2, mpls: 3, gre: 4, udp: 5, nothing: -1, taken: -2 } as const;
type Next = (typeof NEXT)[keyof typeof NEXT];

export interface UnwrapOptions {
  /** How frames are carried; null: found out. */
  readonly format: Format | null;
  /** UDP ports of analyzers with what comes there; empty: metadata is looked for at all of them. */
  readonly ports: ReadonlyMap<number, Format>;
}

/** The frame a tunnel carries, outermost first, in case there is nothing better inside. */
class Candidate {
  format: Format = 'raw';
  identifier = -1;
  direction: Direction = DIRECTION.unknown;
  b: Uint8Array = new Uint8Array(0);
  at = -1;
  end = 0;
  wholeEnd = 0;
  sourceAt = 0;
  sourceLen = 0;
  port = 0;
}

/** Takes packets of one input apart. */
export class Unwrapper {
  readonly #decoder: Decoder;
  readonly #format: Format | null;
  readonly #ports: ReadonlyMap<number, Format>;
  readonly #fragments = new Reassembler();
  readonly #candidate = new Candidate();
  /** What is left: [at, end), which went on to `wholeEnd` before it was cut. */
  #b: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #wholeEnd = 0;

  constructor(decoder: Decoder, options: UnwrapOptions) {
    this.#decoder = decoder;
    this.#format = options.format;
    this.#ports = options.ports;
  }

  /** Takes the packet [at, end) of `b` apart, which was `wholeLength` bytes long; `linkType` as in capture files. */
  packet(linkType: number, b: Uint8Array, at: number, end: number, wholeLength: number): void {
    const { frame, statistics, carrier } = this.#decoder;
    frame.outer = b;
    frame.outerAt = at;
    frame.outerLength = linkType === LINK.ethernet ? end - at : 0;
    frame.outerOriginalLength = wholeLength;
    carrier.sourceLen = 0;
    carrier.port = 0;
    if (this.#format === 'raw' && linkType === LINK.ethernet) {
      this.#decoder.wrapped('raw', -1, DIRECTION.unknown, b, at, end, at + wholeLength);
      return;
    }
    this.#b = b;
    this.#end = end;
    this.#wholeEnd = at + wholeLength;
    this.#candidate.at = -1;
    const next = this.#walk(this.#begin(linkType, at));
    if (next === NEXT.taken) return;
    if (this.#candidate.at >= 0) this.#takeCandidate();
    else statistics.others++;
  }

  /** Nothing comes any more: what waits for fragments waits in vain. */
  close(): void {
    this.#decoder.statistics.malformed.incomplete = this.#fragments.incomplete + this.#fragments.waiting;
  }

  #begin(linkType: number, at: number): Next {
    this.#at = at;
    if (linkType === LINK.ethernet) return NEXT.ethernet;
    const payload = linkPayload(linkType, this.#b, at, this.#end);
    if (payload === null) return NEXT.nothing;
    this.#at = payload.at;
    return nextOf(payload.type);
  }

  #walk(first: Next): Next {
    let next = first;
    for (let steps = 0; next >= 0; steps++) {
      if (steps === STEPS_MAX) return NEXT.nothing;
      next = this.#step(next);
    }
    return next;
  }

  #step(next: Next): Next {
    switch (next) {
      case NEXT.ethernet:
        return this.#ethernet();
      case NEXT.ipv4:
        return this.#ipv4();
      case NEXT.ipv6:
        return this.#ipv6();
      case NEXT.mpls:
        return this.#mpls();
      case NEXT.gre:
        return this.#gre();
      case NEXT.udp:
        return this.#udp();
      default:
        return next;
    }
  }

  #ethernet(): Next {
    if (!ethernet.fits(this.#at, this.#end)) return NEXT.nothing;
    const typeAt = vlan.typeAt(this.#b, this.#at, this.#end);
    if (typeAt < 0) return NEXT.nothing;
    this.#at = typeAt + 2;
    return nextOf(get16(this.#b, typeAt));
  }

  #ipv4(): Next {
    const at = this.#at;
    if (!ipv4.fits(at, this.#end) || ipv4.version(this.#b, at) !== 4) return NEXT.nothing;
    const headerLen = ipv4.headerLen(this.#b, at);
    const totalLength = ipv4.totalLength(this.#b, at);
    if (headerLen < ipv4.LEN || totalLength < headerLen || at + headerLen > this.#end) return NEXT.nothing;
    if (at + totalLength > this.#wholeEnd) return NEXT.nothing;
    this.#narrow(at + totalLength);
    if (ipv4.isFragment(this.#b, at)) return this.#fragment(4, -1);
    this.#from(at + ipv4.SRC, 4);
    this.#at = at + headerLen;
    return protocolOf(ipv4.protocol(this.#b, at));
  }

  #ipv6(): Next {
    const at = this.#at;
    if (!ipv6.fits(at, this.#end) || ipv6.version(this.#b, at) !== 6) return NEXT.nothing;
    const length = ipv6.LEN + ipv6.payloadLength(this.#b, at);
    if (at + length > this.#wholeEnd) return NEXT.nothing;
    this.#narrow(at + length);
    const fragmentAt = ipv6.find(this.#b, at, this.#end, ipv6.FRAGMENT);
    if (fragmentAt >= 0 && (get16(this.#b, fragmentAt + 2) & ~6) !== 0) return this.#fragment(6, fragmentAt);
    this.#from(at + ipv6.SRC, ipv6.ADDRESS_LEN);
    const udpAt = ipv6.find(this.#b, at, this.#end, ipv4.PROTOCOL_UDP);
    const greAt = udpAt >= 0 ? -1 : ipv6.find(this.#b, at, this.#end, gre.PROTOCOL);
    this.#at = Math.max(udpAt, greAt);
    if (this.#at < 0) return NEXT.nothing;
    return udpAt >= 0 ? NEXT.udp : NEXT.gre;
  }

  /** A piece of a datagram: goes on with the whole when this was the last that was missing. */
  #fragment(version: 4 | 6, fragmentAt: number): Next {
    const { statistics, frame } = this.#decoder;
    statistics.fragments++;
    if (this.#end < this.#wholeEnd) {
      this.#decoder.malformed('cut');
      return NEXT.taken;
    }
    const fragments = this.#fragments;
    const isComplete =
      version === 4
        ? fragments.add4(this.#b, this.#at, frame.seconds)
        : fragments.add6(this.#b, this.#at, fragmentAt, frame.seconds);
    statistics.malformed.incomplete = fragments.incomplete;
    if (!isComplete) return NEXT.taken;
    this.#b = frame.outer = fragments.bytes;
    this.#at = fragments.at;
    this.#end = this.#wholeEnd = fragments.end;
    frame.outerAt = fragments.etherAt;
    frame.outerLength = frame.outerOriginalLength = fragments.end - fragments.etherAt;
    return version === 4 ? NEXT.ipv4 : NEXT.ipv6;
  }

  /** Labels, then IP, or Ethernet with or without control word (RFC 4385). */
  #mpls(): Next {
    let isBottom = false;
    while (!isBottom) {
      if (!mpls.fits(this.#at, this.#end)) return NEXT.nothing;
      isBottom = mpls.isBottom(this.#b, this.#at);
      this.#at += mpls.LEN;
    }
    const at = this.#at;
    if (at >= this.#end) return NEXT.nothing;
    const version = this.#b[at] >>> 4;
    if (version === 4 && ipv4.wellFormed(this.#b, at, this.#wholeEnd)) return NEXT.ipv4;
    if (version === 6 && ipv6.wellFormed(this.#b, at, this.#wholeEnd)) return NEXT.ipv6;
    if (at + 4 <= this.#end && get32(this.#b, at) === 0) this.#at = at + 4;
    return NEXT.ethernet;
  }

  #gre(): Next {
    const at = this.#at;
    if (!gre.fits(at, this.#end)) return NEXT.nothing;
    const flags = get16(this.#b, at);
    if ((flags & ~GRE_KNOWN_FLAGS) !== 0) return NEXT.nothing;
    this.#at = at + gre.LEN;
    if ((flags & GRE_HAS_CHECKSUM) !== 0) this.#at += 4;
    if ((flags & GRE_HAS_KEY) !== 0) this.#at += 4;
    if ((flags & GRE_HAS_SEQUENCE) !== 0) this.#at += 4;
    if (this.#at > this.#end) return NEXT.nothing;
    this.#decoder.carrier.port = 0;
    switch (gre.type(this.#b, at)) {
      case TYPE_TEB:
        return this.#carries('teb', -1, DIRECTION.unknown, 0);
      case erspan.TYPE_II:
        return this.#erspanII((flags & GRE_HAS_SEQUENCE) !== 0);
      case erspan.TYPE_III:
        return this.#erspanIII();
      default:
        return nextOf(gre.type(this.#b, at));
    }
  }

  /** Without sequence number it is type I, which has no header. */
  #erspanII(hasHeader: boolean): Next {
    if (!hasHeader) return this.#carries('erspan', -1, DIRECTION.unknown, 0);
    const length = erspan.headerLenII(this.#b, this.#at, this.#end);
    if (length < 0) return NEXT.nothing;
    return this.#carries('erspan', erspan.session(this.#b, this.#at), DIRECTION.unknown, length);
  }

  #erspanIII(): Next {
    const length = erspan.headerLenIII(this.#b, this.#at, this.#end);
    if (length < 0) return NEXT.nothing;
    const direction = erspan.isEgress(this.#b, this.#at) ? DIRECTION.egress : DIRECTION.ingress;
    return this.#carries('erspan', erspan.session(this.#b, this.#at), direction, length);
  }

  #udp(): Next {
    const at = this.#at;
    if (!udp.fits(at, this.#end)) return NEXT.nothing;
    const length = udp.length(this.#b, at);
    if (length < udp.LEN) return NEXT.nothing;
    if (at + length < this.#wholeEnd) this.#narrow(at + length);
    this.#at = at + udp.LEN;
    const port = udp.dstPort(this.#b, at);
    this.#decoder.carrier.port = port;
    const format = this.#ports.get(port);
    if (format !== undefined && format !== 'vxlan') return this.#payload(format);
    switch (port) {
      case mpls.UDP_PORT:
      case mpls.OLD_UDP_PORT:
        return NEXT.mpls;
      case jmirror.UDP_PORT:
        return this.#payload('jmirror');
      case vxlan.UDP_PORT:
        return this.#vxlan();
      default:
        if (format === 'vxlan') return this.#vxlan();
        return this.#ports.size === 0 ? this.#tlvAnywhere(port) : NEXT.nothing;
    }
  }

  #payload(format: Format): Next {
    this.#decoder.payload(format, this.#b, this.#at, this.#end, this.#wholeEnd);
    return NEXT.taken;
  }

  /** Any port may be that of an analyzer: what is valid is taken, and what is not counts only at the usual port. */
  #tlvAnywhere(port: number): Next {
    if (port === UDP_PORT) return this.#payload('tlv');
    const frameAt = this.#decoder.tryTlv(this.#b, this.#at, this.#end, this.#wholeEnd);
    return frameAt >= 0 ? NEXT.taken : NEXT.nothing;
  }

  #vxlan(): Next {
    if (!vxlan.fits(this.#at, this.#end) || !vxlan.isValid(this.#b, this.#at)) return NEXT.nothing;
    return this.#carries('vxlan', vxlan.vni(this.#b, this.#at), DIRECTION.unknown, vxlan.LEN);
  }

  /** A tunnel carries an Ethernet frame behind a header of `headerLen`. */
  #carries(format: Format, identifier: number, direction: Direction, headerLen: number): Next {
    this.#at += headerLen;
    if (!ethernet.fits(this.#at, this.#end)) return NEXT.nothing;
    const candidate = this.#candidate;
    if (candidate.at < 0 && (this.#format === null || this.#format === format)) {
      const { carrier } = this.#decoder;
      candidate.format = format;
      candidate.identifier = identifier;
      candidate.direction = direction;
      candidate.b = this.#b;
      candidate.at = this.#at;
      candidate.end = this.#end;
      candidate.wholeEnd = this.#wholeEnd;
      candidate.sourceAt = carrier.sourceAt;
      candidate.sourceLen = carrier.sourceLen;
      candidate.port = carrier.port;
    }
    return NEXT.ethernet;
  }

  #takeCandidate(): void {
    const { carrier } = this.#decoder;
    const { format, identifier, direction, b, at, end, wholeEnd } = this.#candidate;
    carrier.source = b;
    carrier.sourceAt = this.#candidate.sourceAt;
    carrier.sourceLen = this.#candidate.sourceLen;
    carrier.port = this.#candidate.port;
    this.#decoder.wrapped(format, identifier, direction, b, at, end, wholeEnd);
  }

  /** What is left ends here; what follows is padding. */
  #narrow(wholeEnd: number): void {
    this.#wholeEnd = wholeEnd;
    if (this.#end > wholeEnd) this.#end = wholeEnd;
  }

  #from(at: number, length: number): void {
    const { carrier } = this.#decoder;
    carrier.source = this.#b;
    carrier.sourceAt = at;
    carrier.sourceLen = length;
  }
}

function nextOf(etherType: number): Next {
  switch (etherType) {
    case ethernet.TYPE_IPV4:
      return NEXT.ipv4;
    case ethernet.TYPE_IPV6:
      return NEXT.ipv6;
    case gre.TYPE_MPLS:
      return NEXT.mpls;
    default:
      return NEXT.nothing;
  }
}

function protocolOf(protocol: number): Next {
  if (protocol === ipv4.PROTOCOL_UDP) return NEXT.udp;
  return protocol === gre.PROTOCOL ? NEXT.gre : NEXT.nothing;
}
