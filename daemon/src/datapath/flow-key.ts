import { FRAGMENT } from '../packet/packet.js';
import { FLOW, type FlowKey } from '../tables/flow.js';
import { get32, put32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Datapath } from './datapath.js';
import { hasPorts, portsAt } from './flow-ports.js';
import { rememberedPorts, rememberPorts } from './fragment.js';
import { isIcmpError, quotedKey } from './icmp-error.js';
import { ipEnd } from './parse.js';

const IPV4_KEY = 4 << 8;
const IPV6_KEY = 6 << 8;
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

/** Ports of the packet, or what stands for them; of an ICMP error, the key of what it quotes. */
function packetPorts(dp: Datapath, key: FlowKey): boolean {
  const { p, b } = dp;
  if (p.fragment === FRAGMENT.later) {
    const remembered = rememberedPorts(dp);
    key[FLOW.ports] = remembered;
    return remembered >= 0;
  }
  if (isIcmpError(dp)) return quotedKey(dp, key);
  const ports = portsAt(b, p.protocol, p.l4At, ipEnd(dp));
  if (ports < 0) {
    dp.drop('pull');
    return false;
  }
  key[FLOW.ports] = ports;
  return p.fragment !== FRAGMENT.head || rememberPorts(dp, ports);
}

/** Writes the key of the packets that answer those of `key`. */
export function answerKey(key: FlowKey, keyNh: number, into: FlowKey): void {
  into[FLOW.protocol] = key[FLOW.protocol];
  into[FLOW.ports] = hasPorts(key[FLOW.protocol] & 0xff)
    ? (key[FLOW.ports] << 16) | (key[FLOW.ports] >>> 16)
    : key[FLOW.ports];
  into[FLOW.keyNh] = keyNh;
  for (let w = 0; w < 4; w++) {
    into[FLOW.source + w] = key[FLOW.destination + w];
    into[FLOW.destination + w] = key[FLOW.source + w];
  }
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
