import { FLOW, type FlowKey } from '../tables/flow.js';
import { get32, put32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Datapath } from './datapath.js';

const PROTOCOL_SCTP = 132;
/** Destination port of every ICMPv6 echo: the type of its answer. */
const ECHO_PORT = 129;
const IPV4_KEY = 4 << 8;
const IPV6_KEY = 6 << 8;
/** Bytes TCP, UDP and SCTP begin with: source and destination port. */
const PORTS_LEN = 4;

/**
 * Writes the key of the packet in hand, which parse() has accepted as IP, with `keyNh` as its nexthop. False: the packet has none,
 * and was dropped.
 */
export function packetKey(dp: Datapath, keyNh: number, key: FlowKey): boolean {
  const { p, b } = dp;
  const v4 = p.etherType === ethernet.TYPE_IPV4;
  key[FLOW.protocol] = (v4 ? IPV4_KEY : IPV6_KEY) | p.protocol;
  key[FLOW.keyNh] = keyNh;
  if (v4) {
    key[FLOW.source] = get32(b, p.l3At + ipv4.SRC);
    key[FLOW.destination] = get32(b, p.l3At + ipv4.DST);
    for (let w = 1; w < 4; w++) key[FLOW.source + w] = key[FLOW.destination + w] = 0;
  } else {
    for (let w = 0; w < 4; w++) {
      key[FLOW.source + w] = get32(b, p.l3At + ipv6.SRC + 4 * w);
      key[FLOW.destination + w] = get32(b, p.l3At + ipv6.DST + 4 * w);
    }
  }
  return packetPorts(dp, key);
}

/** Ports of the packet, or what stands for them. */
function packetPorts(dp: Datapath, key: FlowKey): boolean {
  const { p, b } = dp;
  const at = p.l4At;
  key[FLOW.ports] = 0;
  if (at === 0) return true;
  switch (p.protocol) {
    case ipv4.PROTOCOL_TCP:
    case ipv4.PROTOCOL_UDP:
    case PROTOCOL_SCTP:
      if (at + PORTS_LEN > p.end) return cut(dp);
      key[FLOW.ports] = get32(b, at);
      return true;
    case ipv4.PROTOCOL_ICMP:
      if (!icmp.fits(at, p.end)) return cut(dp);
      key[FLOW.ports] = isEcho(icmp.type(b, at)) ? icmp.ident(b, at) << 16 : icmp.type(b, at);
      return true;
    case ipv6.PROTOCOL_ICMPV6:
      if (!icmpv6.fits(at, p.end)) return cut(dp);
      key[FLOW.ports] = isEcho6(icmpv6.type(b, at)) ? (icmpv6.ident(b, at) << 16) | ECHO_PORT : icmpv6.type(b, at);
      return true;
    default:
      return true;
  }
}

const isEcho = (type: number): boolean => type === icmp.ECHO_REQUEST || type === 0;
const isEcho6 = (type: number): boolean => type === icmpv6.ECHO_REQUEST || type === icmpv6.ECHO_REQUEST + 1;

function cut(dp: Datapath): boolean {
  dp.drop('pull');
  return false;
}

/** Writes the key of the packets that answer those of `key`. */
export function answerKey(key: FlowKey, keyNh: number, into: FlowKey): void {
  into[FLOW.protocol] = key[FLOW.protocol];
  into[FLOW.ports] = hasPorts(key) ? (key[FLOW.ports] << 16) | (key[FLOW.ports] >>> 16) : key[FLOW.ports];
  into[FLOW.keyNh] = keyNh;
  for (let w = 0; w < 4; w++) {
    into[FLOW.source + w] = key[FLOW.destination + w];
    into[FLOW.destination + w] = key[FLOW.source + w];
  }
}

/** Whether the two directions swap ports: those of ICMP and of protocols without ports stay. */
export function hasPorts(key: FlowKey): boolean {
  const protocol = key[FLOW.protocol] & 0xff;
  return protocol === ipv4.PROTOCOL_TCP || protocol === ipv4.PROTOCOL_UDP || protocol === PROTOCOL_SCTP;
}

export const isIpv4Key = (key: FlowKey): boolean => key[FLOW.protocol] >>> 8 === 4;

export function sameKey(one: FlowKey, other: FlowKey): boolean {
  for (let w = 0; w < one.length; w++) if (one[w] !== other[w]) return false;
  return true;
}

/** Writes the address at word `word` of a key as bytes, for a routing table. */
export function addressOf(key: FlowKey, word: number, into: Uint8Array): void {
  const words = isIpv4Key(key) ? 1 : 4;
  for (let w = 0; w < words; w++) put32(into, 4 * w, key[word + w]);
}

/** A source port for the tunnel around this direction: 49152..65534, from the key and a number nobody outside knows. */
export function outerPort(key: FlowKey, vrf: number, seed: number): number {
  let h = seed ^ vrf;
  for (let w = 0; w < key.length; w++) {
    if (w === FLOW.keyNh) continue;
    h = Math.imul(h ^ key[w], 0x9e3779b1);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 13), 0x85ebca6b);
  h ^= h >>> 16;
  return 49_152 + Math.floor(((h >>> 0) * 16_383) / 0x1_0000_0000);
}
