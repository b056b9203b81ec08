/**
 * Metadata of a mirrored frame, between the UDP header and the frame: a list of type, length, value (tf-vrouter dp-core/vr_mirror.c;
 * contrail agent vrouter/ksync/flowtable_ksync.cc, interface_ksync.cc). Numbers are in network order, names ASCII without terminator.
 *
 *    0       1       2                                   255     0
 *    +-------+-------+- - - - - - - - - - - +- - - - -+-------+-------+----------------+
 *    | type  | length| value (length bytes) |   ...   |  end  | length| Ethernet frame |
 *    +-------+-------+- - - - - - - - - - - +- - - - -+-------+-------+----------------+
 *
 *    copies of a port     3, end: what its guest sends; or 4, end: what it is sent. Both name the network of the port.
 *    copies of a flow     1, 2, 3, 4, end
 *    nothing known        end
 */
import { get16, get32, put16, put32 } from './bytes.js';
import { LEN as ETHERNET_LEN } from './ethernet.js';

/** UDP port of analyzers where none is configured, and the source port of copies of what is not IP. */
export const UDP_PORT = 8099;
export const FALLBACK_SOURCE_PORT = 8097;

/** Address of the capturing host (4 bytes, 16 of IPv6), action bits (4), full names of both networks (0 to 255), end of the list (0). */
const TYPE = { host: 1, flags: 2, source: 3, destination: 4, end: 255 } as const;

/** Bits of the flags (contrail agent filter/traffic_action.h). `ingress`: the packet came from a guest of the capturing host. */
export const ACTION = {
  alert: 0x2,
  deny: 0x8,
  log: 0x10,
  pass: 0x20,
  mirror: 0x80,
  vrfTranslate: 0x100,
  applyQos: 0x200,
  hostBasedService: 0x400,
  trap: 0x1000_0000,
  implicitDeny: 0x2000_0000,
  ingress: 0x4000_0000,
} as const;

/** Bytes all metadata of a frame has at most; longer names are cut. */
export const MAX_LEN = 255;

const HEAD_LEN = 2;
const END_LEN = 2;
/** Bytes of flags. */
export const FLAGS_LEN = 4;
/** What documents of Contrail say the flags have: too few for `ingress`. */
const SHORT_FLAGS_LEN = 2;
const IPV4_LEN = 4;
const IPV6_LEN = 16;

/** Metadata that says nothing. */
export const NOTHING: Uint8Array = Uint8Array.of(TYPE.end, 0);

/** The name of a network, `domain:project:name`, as writers take it. */
export const encodeName = (name: string): Uint8Array => Uint8Array.from(Buffer.from(name).subarray(0, MAX_LEN));

/** Metadata of copies of a port whose network has this name: of what its guest sends, or of what it is sent. */
export function ofPort(isFromGuest: boolean, network: string): Uint8Array {
  const name = encodeName(network).subarray(0, MAX_LEN - HEAD_LEN - END_LEN);
  const b = new Uint8Array(HEAD_LEN + name.length + END_LEN);
  writeEnd(b, writeValue(b, 0, isFromGuest ? TYPE.source : TYPE.destination, name, name.length));
  return b;
}

/**
 * Writes metadata of a flow at `at`, where MAX_LEN bytes are free; returns the offset behind it.
 * @param host address of this host, 4 or 16 bytes; @param flags bits of ACTION; names as encodeName gives them.
 */
export function writeFlow(
  b: Uint8Array,
  at: number,
  host: Uint8Array,
  flags: number,
  source: Uint8Array,
  destination: Uint8Array,
): number {
  const room = MAX_LEN - 4 * HEAD_LEN - host.length - FLAGS_LEN - END_LEN;
  const sourceLen = Math.min(source.length, Math.max(room >>> 1, room - destination.length));
  const destinationLen = Math.min(destination.length, room - sourceLen);
  const flagsAt = writeValue(b, at, TYPE.host, host, host.length);
  b[flagsAt] = TYPE.flags;
  b[flagsAt + 1] = FLAGS_LEN;
  put32(b, flagsAt + HEAD_LEN, flags);
  const sourceAt = flagsAt + HEAD_LEN + FLAGS_LEN;
  const destinationAt = writeValue(b, sourceAt, TYPE.source, source, sourceLen);
  return writeEnd(b, writeValue(b, destinationAt, TYPE.destination, destination, destinationLen));
}

function writeValue(b: Uint8Array, at: number, type: number, value: Uint8Array, length: number): number {
  b[at] = type;
  b[at + 1] = length;
  for (let i = 0; i < length; i++) b[at + HEAD_LEN + i] = value[i];
  return at + HEAD_LEN + length;
}

function writeEnd(b: Uint8Array, at: number): number {
  put16(b, at, TYPE.end << 8);
  return at + END_LEN;
}

/** Why bytes are not metadata and a frame. Negative, as what `parse` returns else is an offset. */
export const FAULT = { noEnd: -1, unknownType: -2, duplicate: -3, badLength: -4, noFrame: -5 } as const;

/** Whether a list of which `parse` said this, and what is behind it, may just be cut off: so far nothing is wrong with it. */
export const mayBeCut = (fault: number): boolean =>
  fault === FAULT.noEnd || fault === FAULT.badLength || fault === FAULT.noFrame;

/** What a list said: offsets into the bytes it was read from. One object may serve all lists, one after the other. */
export class MirrorMetadata {
  /** Address of the capturing host: 4 or 16 bytes at `hostAt`; -1: not said. */
  hostAt = -1;
  hostLen = 0;
  /** Bits of ACTION, 0 to 2^32-1; -1: not said. */
  flags = -1;
  /** Bytes the flags have: FLAGS_LEN, 2 of old releases; 0: not said. */
  flagsLen = 0;
  /** Names of the networks, -1: not said. */
  sourceAt = -1;
  sourceLen = 0;
  destinationAt = -1;
  destinationLen = 0;

  /** Forgets what it held. */
  clear(): void {
    this.hostAt = this.sourceAt = this.destinationAt = this.flags = -1;
    this.hostLen = this.flagsLen = this.sourceLen = this.destinationLen = 0;
  }
}

/**
 * Reads the list at `at` into `into`; returns the offset of the frame behind it, or one of FAULT. A list has the types above, each at
 * most once, with lengths that are legal, an end, and at least an Ethernet header behind it.
 */
export function parse(b: Uint8Array, at: number, end: number, into: MirrorMetadata): number {
  into.clear();
  let p = at;
  while (p + HEAD_LEN <= end) {
    const type = b[p];
    const length = b[p + 1];
    const valueAt = p + HEAD_LEN;
    if (type === TYPE.end) {
      if (length !== 0) return FAULT.badLength;
      return valueAt + ETHERNET_LEN <= end ? valueAt : FAULT.noFrame;
    }
    if (valueAt + length > end) return isKnown(type) ? FAULT.badLength : FAULT.unknownType;
    const fault = readValue(b, type, valueAt, length, into);
    if (fault !== 0) return fault;
    p = valueAt + length;
  }
  return FAULT.noEnd;
}

const isKnown = (type: number): boolean => type >= TYPE.host && type <= TYPE.destination;

/** Takes one value; 0, or one of FAULT. */
function readValue(b: Uint8Array, type: number, at: number, length: number, into: MirrorMetadata): number {
  switch (type) {
    case TYPE.host:
      if (into.hostAt >= 0) return FAULT.duplicate;
      if (length !== IPV4_LEN && length !== IPV6_LEN) return FAULT.badLength;
      into.hostAt = at;
      into.hostLen = length;
      return 0;
    case TYPE.flags:
      if (into.flags >= 0) return FAULT.duplicate;
      if (length !== FLAGS_LEN && length !== SHORT_FLAGS_LEN) return FAULT.badLength;
      into.flagsLen = length;
      into.flags = length === FLAGS_LEN ? get32(b, at) : get16(b, at);
      return 0;
    case TYPE.source:
      if (into.sourceAt >= 0) return FAULT.duplicate;
      into.sourceAt = at;
      into.sourceLen = length;
      return 0;
    case TYPE.destination:
      if (into.destinationAt >= 0) return FAULT.duplicate;
      into.destinationAt = at;
      into.destinationLen = length;
      return 0;
    default:
      return FAULT.unknownType;
  }
}
