import { FRAGMENT } from '../packet/packet.js';
import { get16, get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Datapath } from './datapath.js';
import { hasPorts } from '../wire/ip-protocol.js';

/** Source ports that say nothing but which way to take: the dynamic ones (RFC 6335 section 6), the last excluded. */
export const FIRST_PORT = 49_152;
const PORTS = 16_383;
const PORTS_LEN = 4;

/**
 * Source port for the tunnel around a packet that belongs to no flow: the same for all packets of a conversation, so that the
 * underlay keeps them in order on one of its ways (RFC 7510 section 3, RFC 7348 section 5). Made of VRF, addresses and ports, or of
 * the Ethernet header of what is not IP, and a number nobody outside knows.
 */
export function entropyPort(dp: Datapath): number {
  const { p, b } = dp;
  let h = dp.flow.seed ^ p.vrf;
  if (p.protocol < 0) h = mixFrame(h, b, p.at);
  else {
    const isIpv4 = p.etherType === ethernet.TYPE_IPV4;
    const from = p.l3At + (isIpv4 ? ipv4.SRC : ipv6.SRC);
    const to = p.l3At + (isIpv4 ? ipv4.LEN : ipv6.LEN);
    for (let at = from; at < to; at += 4) h = mixPort(h, get32(b, at));
    h = mixPort(h, p.protocol);
    // Fragments go where the first of their datagram goes, which has ports.
    const withPorts = hasPorts(p.protocol) && p.fragment === FRAGMENT.none && p.l4At > 0;
    if (withPorts && p.l4At + PORTS_LEN <= p.end) h = mixPort(h, get32(b, p.l4At));
  }
  return portOf(h);
}

function mixFrame(seed: number, b: Uint8Array, at: number): number {
  let h = seed;
  for (let i = 0; i < ethernet.TYPE; i += 4) h = mixPort(h, get32(b, at + i));
  return mixPort(h, get16(b, at + ethernet.TYPE));
}

/** Takes a word into the number a port is made of. */
export function mixPort(h: number, word: number): number {
  const mixed = Math.imul(h ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** The port, 49152..65534, that what was mixed comes to. */
export function portOf(mixed: number): number {
  let h = Math.imul(mixed ^ (mixed >>> 13), 0x85ebca6b);
  h ^= h >>> 16;
  return FIRST_PORT + Math.floor(((h >>> 0) * PORTS) / 0x1_0000_0000);
}
