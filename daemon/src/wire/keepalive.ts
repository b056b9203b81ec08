/**
 * How hosts ask each other whether they are there: an MPLSoUDP packet whose label is 1, router alert (RFC 3032 section 2.1), with an
 * UDP echo (RFC 862) to 127.0.0.1 behind it, as LSP ping addresses its own (RFC 8029 section 2.1), so that nobody routes it. The
 * datapath's worker answers requests of hosts it knows, so many a second, and hands answers to the agent.
 *
 *    outer Ethernet, IPv4 or IPv6, UDP to 6635 | MPLS label 1 | IPv4 127.0.0.1 -> 127.0.0.1 | UDP to 7 | message, 40 bytes:
 *
 *    0               4       5       6       7       8                               16
 *    +---------------+-------+-------+-------+-------+-------------------------------+
 *    | "vrk1"        | type  | kind  | family| result| nonce                         |
 *    +---------------+-------+-------+-------+-------+-------------------------------+
 *    16              20              24                                              40
 *    +---------------+---------------+-----------------------------------------------+
 *    | label or VNI  | 0             | address, 4 or 16 bytes                        |
 *    +---------------+---------------+-----------------------------------------------+
 *
 * To ask: `request(...)` makes the frame; send it out of vif 0 (`WorkerHost.send(VIF_ID.physical, frame)`). The answer arrives with
 * the other frames for the agent: vif 0, command `PUNT.routerAlert`; `read(frame)` says what is in it. The nonce names the request, and
 * is to be a random one, so that nobody can answer what they have not seen. Without `probe` this asks for a sign of life only, with
 * it also whether packets with a label or VNI are taken there, and lead to an address.
 */
import { get16, get32, put16, put32 } from './bytes.js';
import * as ethernet from './ethernet.js';
import * as ipv4 from './ipv4.js';
import * as ipv6 from './ipv6.js';
import * as mpls from './mpls.js';
import * as udp from './udp.js';

/** MPLS label of packets for the host itself. */
export const LABEL = 1;
/** Of everything behind the MPLS label, and of the message alone. */
export const LEN = ipv4.LEN + udp.LEN + 40;
const MESSAGE = ipv4.LEN + udp.LEN;

const PORT = 7;
const MAGIC = 0x76726b31;
const LOCALHOST = 0x7f000001;
const HOPS = 64;

const TYPE = 4;
const KIND = 5;
const FAMILY = 6;
const RESULT = 7;
const NONCE = 8;
const NUMBER = 16;
const ADDRESS = 24;
const NONCE_LEN = 8;

/** What is asked; the answer has a type one higher. */
const ALIVE = 1;
const ALIVE_ANSWER = 2;
export const PROBE = 3;
const PROBE_ANSWER = 4;

/** What the number in a probe is. */
const KIND_LABEL = 1;
export const KIND_VNI = 2;

/** What a probe finds. */
export const RESULT_CODE = {
  /** In requests, and answers to those for a sign of life. */
  none: 0,
  /** The label or VNI is known, and the address is an interface's of that host. */
  reachable: 1,
  unknownLabel: 2,
  /** The label or VNI is known; nobody there has the address. */
  unknownAddress: 3,
  /** The label is that of another interface than the one with the address. */
  otherInterface: 4,
} as const;
export type ProbeResult = keyof typeof RESULT_CODE;
const RESULTS = Object.keys(RESULT_CODE) as readonly ProbeResult[];

/** Whether [at, end), what is behind the MPLS label, is a message. Ask once; the accessors below do not ask again. */
export function fits(b: Uint8Array, at: number, end: number): boolean {
  if (at + LEN > end || b[at] !== 0x45 || ipv4.totalLength(b, at) !== LEN) return false;
  if (ipv4.protocol(b, at) !== ipv4.PROTOCOL_UDP || ipv4.isFragment(b, at) || !ipv4.checksumOk(b, at)) return false;
  return get32(b, at + MESSAGE) === MAGIC;
}
export const type = (b: Uint8Array, at: number): number => b[at + MESSAGE + TYPE];
export const isRequest = (b: Uint8Array, at: number): boolean => type(b, at) === ALIVE || type(b, at) === PROBE;
export const isAnswer = (b: Uint8Array, at: number): boolean =>
  type(b, at) === ALIVE_ANSWER || type(b, at) === PROBE_ANSWER;
/** KIND_LABEL or KIND_VNI of a probe; else 0. */
export const kind = (b: Uint8Array, at: number): number => b[at + MESSAGE + KIND];
/** Label or VNI of a probe. */
export const number = (b: Uint8Array, at: number): number => get32(b, at + MESSAGE + NUMBER);
/** 4, 6 or 0: what address a probe asks for, and where it is. */
export const family = (b: Uint8Array, at: number): number => b[at + MESSAGE + FAMILY];
export const addressAt = (at: number): number => at + MESSAGE + ADDRESS;

/** Turns the request at `at` into its answer; `result` is a RESULT_CODE. */
export function turnIntoAnswer(b: Uint8Array, at: number, result: number): void {
  b[at + MESSAGE + TYPE]++;
  b[at + MESSAGE + RESULT] = result;
  const udpAt = at + ipv4.LEN;
  const source = udp.srcPort(b, udpAt);
  udp.write(b, udpAt, PORT, source, LEN - ipv4.LEN);
  udp.setChecksum4(b, at, udpAt, at + LEN);
}

/** What is asked of whom. */
export interface Request {
  /** Outer Ethernet header, 14 bytes, its type that of the addresses. */
  readonly rewrite: Uint8Array;
  /** Addresses of this host and the other one on the underlay, both 4 bytes or both 16. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly nonce: bigint;
  /** 49152 to 65535: which of several ways of the underlay it takes. */
  readonly port?: number;
  /** What packets with this label or VNI for this address (4 or 16 bytes) would meet; none: a sign of life is enough. */
  readonly probe?: { readonly kind: 'label' | 'vni'; readonly number: number; readonly address: Uint8Array };
}

/** The frame that asks. */
export function request(o: Request): Uint8Array {
  const isIpv4 = o.source.length === 4;
  const ipLen = isIpv4 ? ipv4.LEN : ipv6.LEN;
  const udpAt = ethernet.LEN + ipLen;
  const mplsAt = udpAt + udp.LEN;
  const at = mplsAt + mpls.LEN;
  const b = new Uint8Array(at + LEN);
  b.set(o.rewrite);
  put16(b, ethernet.TYPE, isIpv4 ? ethernet.TYPE_IPV4 : ethernet.TYPE_IPV6);
  mpls.write(b, mplsAt, LABEL, 0, HOPS);
  writeMessage(b, at, o);
  const port = o.port ?? 49_152;
  udp.write(b, udpAt, port, mpls.UDP_PORT, b.length - udpAt);
  if (isIpv4) {
    const header = { totalLength: b.length - ethernet.LEN, id: 0, flagsAndOffset: ipv4.DF, ttl: HOPS };
    const addresses = { src: get32(o.source, 0), dst: get32(o.destination, 0) };
    ipv4.write(b, ethernet.LEN, { ...header, ...addresses, protocol: ipv4.PROTOCOL_UDP });
    return b;
  }
  const header = { payloadLength: b.length - udpAt, nextHeader: ipv4.PROTOCOL_UDP, hopLimit: HOPS };
  ipv6.write(b, ethernet.LEN, { ...header, src: o.source, dst: o.destination });
  udp.setChecksum6(b, ethernet.LEN, udpAt, b.length);
  return b;
}

function writeMessage(b: Uint8Array, at: number, { nonce, probe, port = 49_152 }: Request): void {
  const message = at + MESSAGE;
  put32(b, message, MAGIC);
  b[message + TYPE] = probe ? PROBE : ALIVE;
  put32(b, message + NONCE, Number(nonce >> 32n));
  put32(b, message + NONCE + NONCE_LEN / 2, Number(nonce & 0xffffffffn));
  if (probe) {
    b[message + KIND] = probe.kind === 'label' ? KIND_LABEL : KIND_VNI;
    b[message + FAMILY] = probe.address.length === 4 ? 4 : 6;
    put32(b, message + NUMBER, probe.number);
    b.set(probe.address, message + ADDRESS);
  }
  const header = { totalLength: LEN, id: 0, flagsAndOffset: ipv4.DF, ttl: HOPS, protocol: ipv4.PROTOCOL_UDP };
  ipv4.write(b, at, { ...header, src: LOCALHOST, dst: LOCALHOST });
  udp.write(b, at + ipv4.LEN, port, PORT, LEN - ipv4.LEN);
  udp.setChecksum4(b, at, at + ipv4.LEN, at + LEN);
}

/** What an answer says. */
export interface Answer {
  /** Whose it is: the outer source, 4 or 16 bytes. */
  readonly from: Uint8Array;
  readonly nonce: bigint;
  /** Of a probe; of a sign of life `none`. */
  readonly result: ProbeResult;
}

/** Reads the frame of an answer as the agent gets it; null: it is none. */
export function read(b: Uint8Array): Answer | null {
  if (!ethernet.fits(0, b.length)) return null;
  const isIpv4 = get16(b, ethernet.TYPE) === ethernet.TYPE_IPV4;
  const ip = ethernet.LEN;
  if (isIpv4 ? !ipv4.wellFormed(b, ip, b.length) : !ipv6.wellFormed(b, ip, b.length)) return null;
  const at = ip + (isIpv4 ? ipv4.headerLen(b, ip) : ipv6.LEN) + udp.LEN + mpls.LEN;
  if (!fits(b, at, b.length) || !isAnswer(b, at)) return null;
  const message = at + MESSAGE;
  const sourceAt = ip + (isIpv4 ? ipv4.SRC : ipv6.SRC);
  return {
    from: b.slice(sourceAt, sourceAt + (isIpv4 ? 4 : ipv6.ADDRESS_LEN)),
    nonce: (BigInt(get32(b, message + NONCE)) << 32n) | BigInt(get32(b, message + NONCE + NONCE_LEN / 2)),
    result: RESULTS.at(b[message + RESULT]) ?? 'none',
  };
}
