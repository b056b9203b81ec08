/** ICMP and ICMPv6 echoes to hosts on the underlay: what `vrouter ping` and `vrouter traceroute` send and hear. */
import { get16, put16 } from '../wire/bytes.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';

/** What was heard about an echo that was sent. */
export interface EchoEvent {
  /** `exceeded`: its hops were used up; `unreachable`: somebody cannot pass it on; `tooBig`: it is longer than a link takes. */
  readonly kind: 'reply' | 'exceeded' | 'unreachable' | 'tooBig';
  readonly from: string;
  readonly sequence: number;
  /** ICMP code. */
  readonly code: number;
  /** Bytes of the ICMP message. */
  readonly bytes: number;
  /** TTL of the packet; null: not known (IPv6). */
  readonly ttl: number | null;
}

/** Sends echoes of one family, and hears about them. */
export interface Echoes {
  /** Sends one with this many hops (null: as usual). Rejects when the system refuses: there is no route. */
  send(to: string, sequence: number, hops: number | null): Promise<void>;
  /** The next that is heard; null: nothing in time, or `stop`. */
  next(timeoutMs: number, stop: AbortSignal): Promise<EchoEvent | null>;
  close(): void;
}

/** Bytes of data behind the header of an echo: as many as ping sends. */
const DATA = 56;
const IPV4_REPLY = 0;
const IPV6_REPLY = 129;
const IPV6_UNREACHABLE = 1;
const IPV6_TOO_BIG = 2;
const IPV6_EXCEEDED = 3;
const FRAGMENTATION_NEEDED = 4;
const HEADER = 8;

/** An echo request; the system completes the checksum of ICMPv6. */
export function echoRequest(family: 4 | 6, ident: number, sequence: number): Uint8Array {
  const b = new Uint8Array(HEADER + DATA);
  for (let i = HEADER; i < b.length; i++) b[i] = i;
  if (family === 4) {
    icmp.writeEcho(b, 0, icmp.ECHO_REQUEST, ident, sequence);
    icmp.setChecksum(b, 0, b.length);
    return b;
  }
  icmpv6.writeEcho(b, 0, icmpv6.ECHO_REQUEST, ident, sequence);
  put16(b, 2, 0);
  return b;
}

/**
 * Reads what a raw socket got: with the IP header for IPv4, without for IPv6. Null: it is not about an echo of ours, which have
 * `ident`.
 */
export function readEcho(family: 4 | 6, ident: number, b: Uint8Array, from: string): EchoEvent | null {
  const at = family === 4 ? (ipv4.fits(0, b.length) ? ipv4.headerLen(b, 0) : b.length) : 0;
  if (at + HEADER > b.length) return null;
  const common = { from, code: b[at + 1], bytes: b.length - at, ttl: family === 4 ? ipv4.ttl(b, 0) : null };
  if (b[at] === (family === 4 ? IPV4_REPLY : IPV6_REPLY)) {
    return get16(b, at + 4) === ident ? { ...common, kind: 'reply', sequence: get16(b, at + 6) } : null;
  }
  const kind = errorKind(family, b[at], b[at + 1]);
  const quoted = at + HEADER;
  if (kind === null || quoted + (family === 4 ? ipv4.LEN : ipv6.LEN) > b.length) return null;
  const echoAt = quoted + (family === 4 ? ipv4.headerLen(b, quoted) : ipv6.LEN);
  if (echoAt + HEADER > b.length || b[echoAt] !== (family === 4 ? icmp.ECHO_REQUEST : icmpv6.ECHO_REQUEST)) return null;
  return get16(b, echoAt + 4) === ident ? { ...common, kind, sequence: get16(b, echoAt + 6) } : null;
}

function errorKind(family: 4 | 6, type: number, code: number): EchoEvent['kind'] | null {
  if (family === 4) {
    if (type === icmp.TIME_EXCEEDED) return 'exceeded';
    if (type !== icmp.UNREACHABLE) return null;
    return code === FRAGMENTATION_NEEDED ? 'tooBig' : 'unreachable';
  }
  const kinds: Readonly<Record<number, EchoEvent['kind']>> = {
    [IPV6_UNREACHABLE]: 'unreachable',
    [IPV6_TOO_BIG]: 'tooBig',
    [IPV6_EXCEEDED]: 'exceeded',
  };
  return kinds[type] ?? null;
}

/** Events that wait for somebody who takes them. */
export class EchoQueue {
  readonly #events: EchoEvent[] = [];
  #wake: () => void = () => undefined;

  put(event: EchoEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  async next(timeoutMs: number, stop: AbortSignal): Promise<EchoEvent | null> {
    if (this.#events.length === 0 && !stop.aborted) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          stop.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, Math.max(0, timeoutMs));
        stop.addEventListener('abort', end);
        this.#wake = end;
      });
    }
    return this.#events.shift() ?? null;
  }
}
