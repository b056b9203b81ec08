import { FLOW, type FlowTable, TCP_FLAG } from '../tables/flow.js';
import * as tcp from '../wire/tcp.js';

/*
 * What a TCP session has shown so far, as letters in both entries of its pair (tf-vrouter dp-core/vr_flow.c). X is the entry a
 * segment matches, Y its reverse. FLOW.tcpSeq is what the other side's next acknowledgement is compared with: the sequence number
 * of X's SYN, then that of its FIN. FLOW.tcpAck is the last number X acknowledged.
 *
 *    SYN                                         X: S       Y: Sr
 *    SYN+ACK of Y's SYN                          X: Er      Y: E
 *    ACK, not of something before Y's SYN        X: Er      Y: E
 *    FIN                                         X: F       Y: Fr
 *    ACK of Y's FIN                                         Y: C       both C: both D
 *    RST, believed                               X: R D     Y: R D
 */

const { syn, synReverse, established, establishedReverse, fin, finReverse, reset, halfClose, dead } = TCP_FLAG;
/** No letter: the entry acknowledged something, so that its FLOW.tcpAck means something. */
const ACKNOWLEDGED = 0x8000;
/** The half of FLOW.tcp that is the session's; the other is the generation. */
const ALL = 0xffff;
/** Letters that make a segment more than one of a session under way. */
const NEWS = establishedReverse | finReverse | dead;

/**
 * Takes the TCP segment at `tcpAt`, whose header fits, into the entry `x` it matches and into that one's reverse `y` (-1: there is
 * none). Returns whether the session is over: the pair may go. Not for entries that several sessions share.
 *
 * A RST is believed when it answers a SYN and acknowledges it, or when its number is what the other side acknowledged last
 * (RFC 5961 section 3.2), so that it cannot be guessed; any, when there is no reverse or `closeOnAnyReset` says so.
 * @param payloadLength bytes behind the header; of a super-frame, all of them.
 */
export function trackTcp(
  flows: FlowTable,
  x: number,
  y: number,
  b: Uint8Array,
  tcpAt: number,
  payloadLength: number,
  closeOnAnyReset = false,
): boolean {
  const { words } = flows;
  const flags = tcp.flags(b, tcpAt);
  const xAt = flows.at(x);
  const yAt = y < 0 ? -1 : flows.at(y);
  if ((flags & tcp.RST) !== 0) {
    if (closeOnAnyReset || believes(words, xAt, yAt, b, tcpAt)) markBoth(words, xAt, yAt, reset | dead);
    return (words[xAt + FLOW.tcp] & dead) !== 0;
  }
  if ((flags & tcp.SYN) !== 0) seeSyn(words, xAt, yAt, b, tcpAt);
  if ((flags & tcp.ACK) !== 0) {
    if ((words[xAt + FLOW.tcp] & NEWS) !== establishedReverse && yAt >= 0) seeAck(words, xAt, yAt, b, tcpAt);
    mark(words, xAt, ACKNOWLEDGED);
    words[xAt + FLOW.tcpAck] = tcp.ackNumber(b, tcpAt);
  }
  if ((flags & tcp.FIN) !== 0) {
    mark(words, xAt, fin);
    mark(words, yAt, finReverse);
    words[xAt + FLOW.tcpSeq] = tcp.seq(b, tcpAt) + payloadLength;
  }
  return (words[xAt + FLOW.tcp] & dead) !== 0;
}

function mark(words: Int32Array, at: number, letters: number): void {
  if (at >= 0) words[at + FLOW.tcp] |= letters;
}

function markBoth(words: Int32Array, xAt: number, yAt: number, letters: number): void {
  mark(words, xAt, letters);
  mark(words, yAt, letters);
}

/** A SYN that follows a FIN begins a session of its own, with the ports of one whose end was not seen to the last segment. */
function seeSyn(words: Int32Array, xAt: number, yAt: number, b: Uint8Array, tcpAt: number): void {
  const begins = (tcp.flags(b, tcpAt) & tcp.ACK) === 0;
  if (begins && (words[xAt + FLOW.tcp] & (fin | finReverse)) !== 0) {
    words[xAt + FLOW.tcp] &= ~ALL;
    if (yAt >= 0) words[yAt + FLOW.tcp] &= ~ALL;
  }
  mark(words, xAt, syn);
  mark(words, yAt, synReverse);
  words[xAt + FLOW.tcpSeq] = tcp.seq(b, tcpAt);
}

function seeAck(words: Int32Array, xAt: number, yAt: number, b: Uint8Array, tcpAt: number): void {
  const ack = tcp.ackNumber(b, tcpAt) | 0;
  const sent = words[yAt + FLOW.tcpSeq];
  const letters = words[xAt + FLOW.tcp];
  const next = ack === ((sent + 1) | 0);
  const isSyn = (tcp.flags(b, tcpAt) & tcp.SYN) !== 0;
  if ((letters & (synReverse | establishedReverse)) === synReverse && (isSyn ? next : ack !== sent)) {
    mark(words, xAt, establishedReverse);
    mark(words, yAt, established);
  }
  if ((letters & finReverse) !== 0 && next) {
    mark(words, yAt, halfClose);
    if ((letters & halfClose) !== 0) markBoth(words, xAt, yAt, dead);
  }
}

function believes(words: Int32Array, xAt: number, yAt: number, b: Uint8Array, tcpAt: number): boolean {
  if (yAt < 0) return true;
  const isAcknowledged = (words[yAt + FLOW.tcp] & ACKNOWLEDGED) !== 0;
  if (isAcknowledged && (tcp.seq(b, tcpAt) | 0) === words[yAt + FLOW.tcpAck]) return true;
  const isAnswer = (words[xAt + FLOW.tcp] & synReverse) !== 0 && (tcp.flags(b, tcpAt) & tcp.ACK) !== 0;
  return isAnswer && (tcp.ackNumber(b, tcpAt) | 0) === ((words[yAt + FLOW.tcpSeq] + 1) | 0);
}
