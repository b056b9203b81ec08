/**
 * Takes mirrored frames out of what carries them. `payload` is for what a UDP socket received; what was sniffed goes through
 * unwrap.ts first. Whatever cannot be taken apart is counted, never thrown.
 */
import { formatAddress } from '../wire/addr.js';
import { put16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as jmirror from '../wire/jmirror.js';
import { FAULT, MirrorMetadata, parse } from '../wire/mirror-metadata.js';
import * as vxlan from '../wire/vxlan.js';
import { copyBytes } from './block-buffer.js';
import { DIRECTION, Frame, FORMATS, type Direction, type Format, type Origin } from './frame.js';
import { OriginKey, readMetadata, type Origins } from './origins.js';
import type { InputStatistics, Malformed } from './statistics.js';

const FAULT_REASONS: ReadonlyMap<number, Malformed> = new Map([
  [FAULT.noEnd, 'noEnd'],
  [FAULT.unknownType, 'unknownType'],
  [FAULT.duplicate, 'duplicate'],
  [FAULT.badLength, 'badLength'],
  [FAULT.noFrame, 'noFrame'],
]);

/** What metadata looks like that was cut. */
const CUT_FAULTS: readonly number[] = [FAULT.noEnd, FAULT.badLength, FAULT.noFrame];

/** Longest IP packet. */
const PACKET_MAX = 65_535;

/** The ends of a packet that carries something: bytes, who sent it, which port it came to. One object serves all. */
class Carrier {
  /** Source address: 4 or 16 bytes (0: not known) at `sourceAt` of `source`. */
  source: Uint8Array = new Uint8Array(16);
  sourceAt = 0;
  sourceLen = 0;
  port = 0;
}

/** Decodes for one input. */
export class Decoder {
  /** What was found last; time and outer packet are set by the input before it hands anything over. */
  readonly frame = new Frame();
  readonly carrier = new Carrier();
  readonly statistics: InputStatistics;
  readonly #input: number;
  readonly #origins: Origins;
  readonly #deliver: (frame: Frame) => void;
  readonly #metadata = new MirrorMetadata();
  readonly #key = new OriginKey();
  readonly #scratch = new Uint8Array(ethernet.LEN + PACKET_MAX);

  /** @param input number of the input, whose counters `statistics` are */
  constructor(input: number, statistics: InputStatistics, origins: Origins, deliver: (frame: Frame) => void) {
    this.#input = input;
    this.statistics = statistics;
    this.#origins = origins;
    this.#deliver = deliver;
  }

  /** Decodes what a UDP datagram carries, [at, end) of `b`; `wholeEnd` is where it ended before it was cut. */
  payload(format: Format, b: Uint8Array, at: number, end: number, wholeEnd: number): void {
    switch (format) {
      case 'tlv': {
        const fault = this.tryTlv(b, at, end, wholeEnd);
        if (fault < 0) this.malformed(end < wholeEnd && CUT_FAULTS.includes(fault) ? 'cut' : reasonOf(fault));
        return;
      }
      case 'jmirror':
        this.#jmirror(b, at, end, wholeEnd);
        return;
      case 'vxlan':
        if (!vxlan.fits(at, end)) this.malformed('shortHeader');
        else if (!vxlan.isValid(b, at)) this.malformed('badHeader');
        else this.wrapped('vxlan', vxlan.vni(b, at), DIRECTION.unknown, b, at + vxlan.LEN, end, wholeEnd);
        return;
      default:
        this.wrapped(format, -1, DIRECTION.unknown, b, at, end, wholeEnd);
    }
  }

  /** Takes metadata and frame apart; returns the offset of the frame, or one of FAULT: then nothing was counted. */
  tryTlv(b: Uint8Array, at: number, end: number, wholeEnd: number): number {
    const frameAt = parse(b, at, end, this.#metadata);
    if (frameAt < 0) return frameAt;
    const { carrier } = this;
    const key = this.#beginKey('tlv');
    key.add(b, at, frameAt - at);
    const origin =
      this.#origins.find(key) ??
      this.#origins.add(key, this.#input, readMetadata(b, this.#metadata, this.#sourceText(), carrier.port));
    this.#found(origin, b, frameAt, end, wholeEnd);
    return frameAt;
  }

  /** Takes a whole Ethernet frame of which nothing is known but how it came, and an identifier, -1: none. */
  wrapped(
    format: Format,
    identifier: number,
    direction: Direction,
    b: Uint8Array,
    at: number,
    end: number,
    wholeEnd: number,
  ): void {
    if (!ethernet.fits(at, end)) {
      this.malformed('noFrame');
      return;
    }
    const key = this.#beginKey(format);
    key.add16(identifier >>> 16);
    key.add16(identifier);
    key.add16(direction);
    const origin =
      this.#origins.find(key) ?? this.#addPlain(key, format, identifier < 0 ? null : String(identifier), direction);
    this.#found(origin, b, at, end, wholeEnd);
  }

  /** Takes a frame of which everything is known. */
  told(origin: Origin, b: Uint8Array, at: number, end: number, wholeEnd: number): void {
    if (ethernet.fits(at, end)) this.#found(origin, b, at, end, wholeEnd);
    else this.malformed('noFrame');
  }

  /** Counts what carries no frame. */
  malformed(reason: Malformed): void {
    this.statistics.malformed[reason]++;
  }

  /** An IP packet, which gets an Ethernet header without addresses. */
  #jmirror(b: Uint8Array, at: number, end: number, wholeEnd: number): void {
    if (!jmirror.fits(at, end)) {
      this.malformed('shortHeader');
      return;
    }
    const type = jmirror.payloadType(b, at, end);
    if (type < 0) {
      this.malformed('badHeader');
      return;
    }
    const from = jmirror.payloadAt(b, at);
    const length = Math.min(end - from, PACKET_MAX);
    copyBytes(b, from, this.#scratch, ethernet.LEN, length);
    put16(this.#scratch, ethernet.TYPE, type);
    const key = this.#beginKey('jmirror');
    key.add(b, at, jmirror.LEN);
    const origin =
      this.#origins.find(key) ??
      this.#addPlain(key, 'jmirror', `${jmirror.mirrorId(b, at)}/${jmirror.sessionId(b, at)}`, DIRECTION.unknown);
    this.#found(origin, this.#scratch, 0, ethernet.LEN + length, ethernet.LEN + wholeEnd - from);
  }

  #beginKey(format: Format): OriginKey {
    const { carrier } = this;
    const key = this.#key;
    key.clear();
    key.add16(FORMATS.indexOf(format));
    key.add16(carrier.port);
    key.add16(this.#input);
    key.add16(carrier.sourceLen);
    key.add(carrier.source, carrier.sourceAt, carrier.sourceLen);
    return key;
  }

  #sourceText(): string {
    const { source, sourceAt, sourceLen } = this.carrier;
    return sourceLen === 0 ? '' : formatAddress(source.subarray(sourceAt, sourceAt + sourceLen));
  }

  #addPlain(key: OriginKey, format: Format, identifier: string | null, direction: Direction): Origin {
    return this.#origins.add(key, this.#input, {
      format,
      kind: 'none',
      direction,
      host: this.#sourceText(),
      sourceNetwork: null,
      destinationNetwork: null,
      flags: -1,
      identifier,
      port: this.carrier.port,
    });
  }

  #found(origin: Origin, b: Uint8Array, at: number, end: number, wholeEnd: number): void {
    const { frame } = this;
    frame.bytes = b;
    frame.at = at;
    frame.length = end - at;
    frame.originalLength = Math.max(wholeEnd, end) - at;
    frame.origin = origin;
    this.statistics.frames++;
    this.#deliver(frame);
  }
}

const reasonOf = (fault: number): Malformed => FAULT_REASONS.get(fault) ?? 'badLength';
