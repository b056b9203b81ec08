/** Puts IP datagrams together whose fragments were sniffed one by one (RFC 791 section 3.2, RFC 8200 section 4.5). */
import { put16 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as fragment from '../wire/ipv6-fragment.js';
import { copyBytes } from './block-buffer.js';

/** Datagrams that may be incomplete at a time; the oldest gives way. */
const DATAGRAMS_MAX = 64;
/** Seconds after which the rest of a datagram is not waited for any more. */
const WAIT_SECONDS = 30;
/** Longest payload of an IP packet, and where it lies in the memory of a datagram: the longest headers go in front. */
const PAYLOAD_MAX = 65_535;
const PAYLOAD_AT = ethernet.LEN + 60;
const UNIT = 8;
/** Source, destination, identification, protocol. */
const KEY_MAX = 2 * ipv6.ADDRESS_LEN + 5;

/** A datagram of which not all is there. */
class Partial {
  readonly bytes = new Uint8Array(PAYLOAD_AT + PAYLOAD_MAX + 1);
  readonly key = new Uint8Array(KEY_MAX);
  /** Which units of the payload are there. */
  readonly seen = new Uint8Array(Math.ceil((PAYLOAD_MAX + 1) / UNIT));
  isUsed = false;
  units = 0;
  /** Bytes of the payload, -1: its last fragment is not there. */
  total = -1;
  /** Where the pieces that are there end. */
  reach = 0;
  /** Header in front of the payload, 0: the first fragment is not there. */
  headerLen = 0;
  startedAt = 0;

  begin(key: Uint8Array, now: number): void {
    this.key.set(key);
    this.seen.fill(0);
    this.isUsed = true;
    this.units = 0;
    this.total = -1;
    this.reach = 0;
    this.headerLen = 0;
    this.startedAt = now;
  }

  get isComplete(): boolean {
    return this.total >= 0 && this.headerLen > 0 && this.units === Math.ceil(this.total / UNIT);
  }

  /** Takes a piece of the payload, bytes [from, from + length) of `b`; returns whether it fits to what is there. */
  take(b: Uint8Array, from: number, length: number, offset: number, isLast: boolean): boolean {
    const end = offset + length;
    if (length === 0 || end > PAYLOAD_MAX || (!isLast && length % UNIT !== 0)) return false;
    if (this.total >= 0 && (end > this.total || (isLast && end !== this.total))) return false;
    if (isLast && end < this.reach) return false;
    if (isLast) this.total = end;
    this.reach = Math.max(this.reach, end);
    copyBytes(b, from, this.bytes, PAYLOAD_AT + offset, length);
    const until = Math.ceil(end / UNIT);
    for (let unit = offset / UNIT; unit < until; unit++) {
      this.units += 1 - this.seen[unit];
      this.seen[unit] = 1;
    }
    return true;
  }
}

export class Reassembler {
  /** The datagram put together last: IP header at `at`, an Ethernet header in front of it at `etherAt`. */
  bytes: Uint8Array = new Uint8Array(0);
  etherAt = 0;
  at = 0;
  end = 0;
  /** Datagrams that were given up. */
  incomplete = 0;
  readonly #partials: Partial[] = [];
  readonly #key = new Uint8Array(KEY_MAX);

  /** Datagrams that wait for their rest. */
  get waiting(): number {
    return this.#partials.filter(({ isUsed }) => isUsed).length;
  }

  /** Takes a fragment, a well-formed IPv4 packet at `at`; returns whether its datagram is complete. `now` is its time, seconds. */
  add4(b: Uint8Array, at: number, now: number): boolean {
    const key = this.#key.fill(0);
    copyBytes(b, at + ipv4.SRC, key, 0, 8);
    copyBytes(b, at + ipv4.ID, key, 32, 2);
    key[KEY_MAX - 1] = ipv4.protocol(b, at);
    const partial = this.#partialOf(now);
    const headerLen = ipv4.headerLen(b, at);
    const offset = ipv4.fragmentOffset(b, at);
    const length = ipv4.totalLength(b, at) - headerLen;
    if (!partial.take(b, at + headerLen, length, offset, !ipv4.moreFragments(b, at))) return this.#giveUp(partial);
    if (offset === 0) {
      copyBytes(b, at, partial.bytes, PAYLOAD_AT - headerLen, headerLen);
      partial.headerLen = headerLen;
    }
    if (!partial.isComplete) return false;
    this.#finish(partial, ethernet.TYPE_IPV4);
    const { bytes } = this;
    put16(bytes, this.at + ipv4.TOTAL_LENGTH, Math.min(partial.headerLen + partial.total, 0xffff));
    put16(bytes, this.at + ipv4.FLAGS_AND_OFFSET, 0);
    put16(bytes, this.at + ipv4.CHECKSUM, 0);
    put16(bytes, this.at + ipv4.CHECKSUM, checksum.checksum(bytes, this.at, this.at + partial.headerLen));
    return true;
  }

  /** The same of a well-formed IPv6 packet at `at` whose fragment header is at `fragmentAt`. */
  add6(b: Uint8Array, at: number, fragmentAt: number, now: number): boolean {
    const key = this.#key.fill(0);
    copyBytes(b, at + ipv6.SRC, key, 0, 2 * ipv6.ADDRESS_LEN);
    copyBytes(b, fragmentAt + 4, key, 2 * ipv6.ADDRESS_LEN, 4);
    key[KEY_MAX - 1] = 0xff;
    const partial = this.#partialOf(now);
    const from = fragmentAt + fragment.LEN;
    const offset = fragment.offset(b, fragmentAt);
    const length = at + ipv6.LEN + ipv6.payloadLength(b, at) - from;
    if (!partial.take(b, from, length, offset, !fragment.more(b, fragmentAt))) return this.#giveUp(partial);
    if (offset === 0) {
      copyBytes(b, at, partial.bytes, PAYLOAD_AT - ipv6.LEN, ipv6.LEN);
      partial.bytes[PAYLOAD_AT - ipv6.LEN + 6] = fragment.nextHeader(b, fragmentAt);
      partial.headerLen = ipv6.LEN;
    }
    if (!partial.isComplete) return false;
    this.#finish(partial, ethernet.TYPE_IPV6);
    put16(this.bytes, this.at + ipv6.PAYLOAD_LENGTH, partial.total);
    return true;
  }

  /** The datagram whose key was gathered: what is there of it, or a new one. */
  #partialOf(now: number): Partial {
    const key = this.#key;
    let free: Partial | undefined;
    let oldest: Partial | undefined;
    for (const partial of this.#partials) {
      if (partial.isUsed && now - partial.startedAt > WAIT_SECONDS) this.#giveUp(partial);
      if (!partial.isUsed) free = partial;
      else if (same(partial.key, key)) return partial;
      else if (oldest === undefined || partial.startedAt < oldest.startedAt) oldest = partial;
    }
    if (free === undefined && this.#partials.length < DATAGRAMS_MAX) {
      free = new Partial();
      this.#partials.push(free);
    }
    if (free === undefined && oldest !== undefined) {
      this.#giveUp(oldest);
      free = oldest;
    }
    const made = free ?? new Partial();
    made.begin(key, now);
    return made;
  }

  #giveUp(partial: Partial): false {
    partial.isUsed = false;
    this.incomplete++;
    return false;
  }

  #finish(partial: Partial, etherType: number): void {
    partial.isUsed = false;
    this.bytes = partial.bytes;
    this.at = PAYLOAD_AT - partial.headerLen;
    this.etherAt = this.at - ethernet.LEN;
    this.end = PAYLOAD_AT + partial.total;
    this.bytes.fill(0, this.etherAt, this.at);
    put16(this.bytes, this.etherAt + ethernet.TYPE, etherType);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < KEY_MAX; i++) if (a[i] !== b[i]) return false;
  return true;
}
