/** Formats other tools receive mirrored frames in: what stands in front of a frame in a datagram, or behind the IP header. */
import { get16, put16, put32 } from '../wire/bytes.js';
import * as erspan from '../wire/erspan.js';
import * as ethernet from '../wire/ethernet.js';
import * as jmirror from '../wire/jmirror.js';
import * as vlan from '../wire/vlan.js';
import * as vxlan from '../wire/vxlan.js';
import { copyBytes } from './block-buffer.js';
import type { EmitTarget } from './emit-target.js';
import { DIRECTION, type Frame } from './frame.js';

/** Writes what carries the frame to the front of `into`; returns its length, 0 when this format cannot carry it. */
export type Encode = (frame: Frame, into: Uint8Array) => number;

/** Most bytes any of them puts in front of a frame. */
export const HEADER_MAX = 20;

/** The format of a target; one that numbers its packets begins at 0. */
export function encoder({ format, options }: EmitTarget): Encode {
  switch (format) {
    case 'vxlan':
      return vxlanOf(options.vni);
    case 'jmirror':
      return jmirrorOf(options.mirror, options.session);
    case 'tzsp':
      return tzsp;
    case 'erspan':
      return options.version === 3 ? erspan3Of(options.session) : erspan2Of(options.session);
  }
}

function withFrame(frame: Frame, into: Uint8Array, headerLen: number): number {
  copyBytes(frame.bytes, frame.at, into, headerLen, frame.length);
  return headerLen + frame.length;
}

function vxlanOf(vni: number): Encode {
  return (frame, into) => {
    vxlan.write(into, 0, vni);
    return withFrame(frame, into, vxlan.LEN);
  };
}

/** Only the IP packet of a frame: what has none does not fit. */
function jmirrorOf(mirror: number, session: number): Encode {
  return (frame, into) => {
    const end = frame.at + frame.length;
    const typeAt = vlan.typeAt(frame.bytes, frame.at, end);
    if (typeAt < 0) return 0;
    const type = get16(frame.bytes, typeAt);
    if (type !== ethernet.TYPE_IPV4 && type !== ethernet.TYPE_IPV6) return 0;
    const length = end - typeAt - 2;
    put32(into, 0, mirror);
    put32(into, 4, session);
    copyBytes(frame.bytes, typeAt + 2, into, jmirror.LEN, length);
    return jmirror.LEN + length;
  };
}

const TZSP = { version: 1, received: 0, ethernet: 1, tagEnd: 1, tagOriginalLength: 0x29 } as const;

/**
 * TaZmen Sniffer Protocol (Wireshark, packet-tzsp; it has no RFC): 4 bytes, tags, an end tag. A frame that was cut says its length.
 *    0       1       2               4
 *    +-------+-------+---------------+- - - - - - - - - - - - - +-------+
 *    | 1     | type 0| protocol 1    | 29 2 (original length)   | 1     |
 *    +-------+-------+---------------+- - - - - - - - - - - - - +-------+
 */
const tzsp: Encode = (frame, into) => {
  into[0] = TZSP.version;
  into[1] = TZSP.received;
  put16(into, 2, TZSP.ethernet);
  let at = 4;
  if (frame.originalLength > frame.length) {
    into[at] = TZSP.tagOriginalLength;
    into[at + 1] = 2;
    put16(into, at + 2, Math.min(frame.originalLength, 0xffff));
    at += 4;
  }
  into[at] = TZSP.tagEnd;
  return withFrame(frame, into, at + 1);
};

const ERSPAN = { greSequence: 0x1000, greLen: 8, versionII: 1, versionIII: 2, tagKept: 3 } as const;

/**
 * The GRE header with a sequence number, and the first word behind it, which types II and III share (draft-foschiano-erspan-03).
 *    +---------------+---------------+-------------------------------+
 *    | flags (S)     | protocol type | sequence number               |
 *    +-------+-------+-------+-----+-+-+-+---------------------------+
 *    | ver.  | VLAN (12)     | COS | En |T| session (10)             |
 *    +-------+---------------+-----+----+-+--------------------------+
 */
function writeErspan(frame: Frame, into: Uint8Array, type: number, version: number, session: number, sequence: number) {
  put16(into, 0, ERSPAN.greSequence);
  put16(into, 2, type);
  put32(into, 4, sequence);
  const { bytes, at, length } = frame;
  const isTagged = length >= ethernet.LEN + 4 && vlan.isTag(ethernet.type(bytes, at));
  const tagAt = at + ethernet.TYPE;
  put16(into, 8, (version << 12) | (isTagged ? vlan.id(bytes, tagAt) : 0));
  const cos = isTagged ? vlan.priority(bytes, tagAt) : 0;
  const isCut = frame.originalLength > length;
  // Type II says in two bits how the tag was found, type III in the same whether the frame is a good one (0).
  const encapsulation = isTagged && version === ERSPAN.versionII ? ERSPAN.tagKept : 0;
  put16(into, 10, (cos << 13) | (encapsulation << 11) | (isCut ? 0x400 : 0) | session);
}

function erspan2Of(session: number): Encode {
  let sequence = 0;
  return (frame, into) => {
    writeErspan(frame, into, erspan.TYPE_II, ERSPAN.versionII, session, sequence++);
    // Reserved (12), index of the port (20).
    put32(into, 12, frame.origin.interface.index & 0xf_ffff);
    return withFrame(frame, into, ERSPAN.greLen + erspan.LEN_II);
  };
}

/** Time stamps of type III count these, nanoseconds (granularity 0). */
const ERSPAN_TICK = 100_000;

/**
 * Type III has a time stamp and a direction more:
 *    +-------------------------------+---------------+-+---------+-----------+-+---+-+
 *    | time stamp (100 us)           | group (16)    |P| 0 (5)   | 0 (6)     |D| 0 |0|
 *    +-------------------------------+---------------+-+---------+-----------+-+---+-+
 */
function erspan3Of(session: number): Encode {
  let sequence = 0;
  return (frame, into) => {
    writeErspan(frame, into, erspan.TYPE_III, ERSPAN.versionIII, session, sequence++);
    const ticks = frame.seconds * (1e9 / ERSPAN_TICK) + Math.floor(frame.nanoseconds / ERSPAN_TICK);
    put32(into, 12, ticks % 0x1_0000_0000);
    put32(into, 16, 0x8000 | (frame.origin.direction === DIRECTION.egress ? 0x8 : 0));
    return withFrame(frame, into, ERSPAN.greLen + erspan.LEN_III);
  };
}
