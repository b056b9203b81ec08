import type { Choices } from '../engine/choices.js';
import { GATEWAY_MAC } from '#vrouterd/wire/ethernet.js';
import { parseMac } from '#vrouterd/wire/addr.js';
import { GUESTS, guestMac, IP6S, IPS } from './addresses.js';
import { put16, repair } from './shape.js';

/*
 * Packets of few sessions between few guests, so that many belong together: what has flows meets its answers, errors about it,
 * its fragments, and itself from somewhere else.
 */

const PORTS = [1000, 53, 80, 1001, 0, 65_535] as const;
const SEQUENCES = [0, 1, 2, 1000, 0x7fffffff, 0x80000000, 0xffffffff] as const;
/** SYN, SYN ACK, ACK, FIN ACK, RST, RST ACK, PSH ACK, FIN, none, all. */
const TCP_FLAGS = [2, 0x12, 0x10, 0x11, 4, 0x14, 0x18, 1, 0, 0xff] as const;
const OTHER_PROTOCOLS = [47, 50, 2, 255] as const;
const IPV4_LEN = 20;
const IPV6_LEN = 40;
const ICMP_LEN = 8;

/** Who talks to whom, and about what. */
interface Talk {
  readonly ipv6: boolean;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

const GATEWAY = parseMac(GATEWAY_MAC);
const GUEST_MACS = Array.from({ length: GUESTS }, (_, guest) => parseMac(guestMac(guest)));

/** A frame of a session that begins at the guest with this number, mostly. */
export function chooseSessionFrame(choices: Choices, guest: number): Uint8Array {
  const other = choices.below(GUESTS);
  const talk = chooseTalk(choices, guest, other);
  const packet = choices.chance(40) ? errorAbout(choices, talk) : packetOf(choices, talk);
  const ethernet = new Uint8Array(14);
  ethernet.set(choices.chance(96) ? GATEWAY : GUEST_MACS[other]);
  ethernet.set(choices.chance(16) ? GUEST_MACS[choices.below(GUESTS)] : GUEST_MACS[guest], 6);
  put16(ethernet, 12, talk.ipv6 ? 0x86dd : 0x0800);
  const frame = new Uint8Array(Buffer.concat([ethernet, packet, new Uint8Array(choices.chance(16) ? 9 : 0)]));
  const end = choices.chance(12) ? 14 + choices.below(packet.length + 1) : frame.length;
  const cut = frame.slice(0, end);
  if (!choices.chance(24)) repair(cut);
  return cut;
}

function chooseTalk(choices: Choices, guest: number, other: number): Talk {
  const ipv6 = choices.chance(80);
  const addresses = ipv6 ? IP6S : IPS;
  return {
    ipv6,
    source: choices.chance(16) ? choices.pick(addresses) : addresses[guest],
    destination: choices.chance(32) ? choices.pick(addresses) : addresses[other],
    protocol: choices.pick([6, 17, ipv6 ? 58 : 1, 6, 132, choices.pick(OTHER_PROTOCOLS)]),
    sourcePort: choices.pick(PORTS),
    destinationPort: choices.pick(PORTS),
  };
}

function packetOf(choices: Choices, talk: Talk): Uint8Array {
  const upper = upperOf(choices, talk);
  const ttl = choices.chance(8) ? choices.below(3) : 64;
  return talk.ipv6 ? ipv6Of(choices, talk, upper, ttl) : ipv4Of(choices, talk, upper, ttl);
}

/** The upper header and some bytes behind it. */
function upperOf(choices: Choices, { protocol, sourcePort, destinationPort }: Talk): Uint8Array {
  const data = choices.pick([0, 1, 8, 100, 1400]);
  if (protocol === 1 || protocol === 58) return echoOf(choices, protocol, sourcePort, data);
  const length = protocol === 6 ? 20 : protocol === 17 ? 8 : 12;
  const upper = new Uint8Array(length + data);
  put16(upper, 0, sourcePort);
  put16(upper, 2, destinationPort);
  if (protocol === 17) put16(upper, 4, upper.length);
  if (protocol !== 6) return upper;
  const view = new DataView(upper.buffer);
  view.setUint32(4, choices.pick(SEQUENCES));
  view.setUint32(8, choices.pick(SEQUENCES));
  upper[12] = choices.chance(8) ? choices.byte() : 0x50;
  upper[13] = choices.pick(TCP_FLAGS);
  put16(upper, 14, 0xffff);
  return upper;
}

function echoOf(choices: Choices, protocol: number, ident: number, data: number): Uint8Array {
  const upper = new Uint8Array(ICMP_LEN + data);
  upper[0] = choices.pick(protocol === 1 ? [8, 0, 8, 13, 3, 11] : [128, 129, 128, 1, 3, 135]);
  put16(upper, 4, ident);
  return upper;
}

function ipv4Of(choices: Choices, talk: Talk, upper: Uint8Array, ttl: number): Uint8Array {
  const header = new Uint8Array(IPV4_LEN);
  header[0] = 0x45;
  put16(header, 2, IPV4_LEN + upper.length);
  put16(header, 4, choices.below(4));
  if (choices.chance(40)) put16(header, 6, choices.pick([0x2000, 0x2001, 1, 0x2010, 0x1fff, 0x4000]));
  header[8] = ttl;
  header[9] = talk.protocol;
  header.set(talk.source, 12);
  header.set(talk.destination, 16);
  return new Uint8Array(Buffer.concat([header, upper]));
}

function ipv6Of(choices: Choices, talk: Talk, upper: Uint8Array, hopLimit: number): Uint8Array {
  const header = new Uint8Array(IPV6_LEN);
  header[0] = 0x60;
  header[7] = hopLimit;
  header.set(talk.source, 8);
  header.set(talk.destination, 24);
  let fragment = new Uint8Array(0);
  if (choices.chance(40)) {
    fragment = new Uint8Array(8);
    fragment[0] = talk.protocol;
    put16(fragment, 2, choices.pick([1, 9, 8, 0x81, 0xfff8]));
    put16(fragment, 6, choices.below(4));
  }
  header[6] = fragment.length > 0 ? 44 : talk.protocol;
  put16(header, 4, fragment.length + upper.length);
  return new Uint8Array(Buffer.concat([header, fragment, upper]));
}

/** An ICMP error from the sender about a packet it was sent, or about something else. */
function errorAbout(choices: Choices, talk: Talk): Uint8Array {
  const { source, destination, sourcePort, destinationPort } = talk;
  const about = choices.chance(224)
    ? { ...talk, source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort }
    : chooseTalk(choices, choices.below(GUESTS), choices.below(GUESTS));
  const quoted = packetOf(choices, { ...about, ipv6: talk.ipv6 === about.ipv6 ? talk.ipv6 : about.ipv6 });
  const upper = new Uint8Array(ICMP_LEN + Math.min(quoted.length, choices.pick([576, 28, 48, 20, 8, 0])));
  upper[0] = choices.pick(talk.ipv6 ? [1, 2, 3, 4] : [3, 11, 3, 12, 5]);
  upper[1] = choices.below(5);
  upper.set(quoted.subarray(0, upper.length - ICMP_LEN), ICMP_LEN);
  const outer = { ...talk, protocol: talk.ipv6 ? 58 : 1 };
  return talk.ipv6 ? ipv6Of(choices, outer, upper, 64) : ipv4Of(choices, outer, upper, 64);
}
