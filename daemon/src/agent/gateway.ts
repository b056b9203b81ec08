/**
 * The gateway of a virtual network as its guests see it: it answers echo requests (RFC 792, RFC 4443), says when a TTL ran out,
 * and advertises itself as IPv6 router (RFC 4861). Frames are whole untagged Ethernet frames, in and out.
 */
import { parsePrefix } from '../control/prefix.js';
import * as addr from '../wire/addr.js';
import { get16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as nd from '../wire/nd.js';
import { GATEWAY_LINK_LOCAL } from './compile.js';

const IP_AT = ethernet.LEN;
const TTL = 64;
/** How much of the packet an ICMP error quotes at most, bytes. */
const QUOTE_LEN = 128;
/** An ICMPv6 error quotes as much as fits into the smallest MTU (RFC 4443 section 2.4), bytes. */
const IPV6_MIN_MTU = 1280;

/** Seconds the gateway says it stays the default router. */
const ROUTER_LIFETIME = 1800;
/** Lifetimes of an advertised prefix (RFC 4861 section 6.2.1): 30 days, and 7 days to be preferred, seconds. */
const PREFIX_VALID = 2592000;
const PREFIX_PREFERRED = 604800;

const gatewayMac = addr.parseMac(ethernet.GATEWAY_MAC);
const gatewayLinkLocal = addr.parseIpv6(GATEWAY_LINK_LOCAL);
const allNodes = addr.parseIpv6('ff02::1');
const allNodesMac = addr.parseMac('33:33:00:00:00:01');

/** What a router advertisement tells of a network. */
export interface AdvertisedNetwork {
  readonly subnets: readonly { readonly prefix: string; readonly gateway: string | null }[];
  /** Largest IP packet, bytes; at least 1280 where there is IPv6. */
  readonly mtu: number;
}

/**
 * The reply to an echo request, from the address that was asked. Null when the frame is not an echo request, is malformed, a
 * fragment, or from or to an address that is not one station's.
 */
export function answerEcho(frame: Uint8Array): Uint8Array | null {
  if (!isUnicastFrame(frame)) return null;
  const type = ethernet.type(frame, 0);
  if (type === ethernet.TYPE_IPV4) return echo4(frame);
  return type === ethernet.TYPE_IPV6 ? echo6(frame) : null;
}

function echo4(frame: Uint8Array): Uint8Array | null {
  if (!isStationPacket4(frame) || ipv4.protocol(frame, IP_AT) !== ipv4.PROTOCOL_ICMP) return null;
  const at = IP_AT + ipv4.headerLen(frame, IP_AT);
  const end = IP_AT + ipv4.totalLength(frame, IP_AT);
  if (ipv4.isFragment(frame, IP_AT) || !icmp.fits(at, end)) return null;
  if (icmp.type(frame, at) !== icmp.ECHO_REQUEST || !icmp.checksumOk(frame, at, end)) return null;

  const reply = packetBack(frame, ethernet.TYPE_IPV4, ipv4.LEN + end - at);
  ipv4.write(reply, IP_AT, {
    totalLength: ipv4.LEN + end - at,
    id: 0,
    flagsAndOffset: 0,
    ttl: TTL,
    protocol: ipv4.PROTOCOL_ICMP,
    src: ipv4.dst(frame, IP_AT),
    dst: ipv4.src(frame, IP_AT),
  });
  reply.set(frame.subarray(at, end), IP_AT + ipv4.LEN);
  icmp.turnIntoReply(reply, IP_AT + ipv4.LEN, reply.length);
  return reply;
}

function echo6(frame: Uint8Array): Uint8Array | null {
  if (!isStationPacket6(frame)) return null;
  const end = IP_AT + ipv6.LEN + ipv6.payloadLength(frame, IP_AT);
  const at = ipv6.find(frame, IP_AT, end, ipv6.PROTOCOL_ICMPV6);
  if (at < 0 || !icmpv6.fits(at, end)) return null;
  if (icmpv6.type(frame, at) !== icmpv6.ECHO_REQUEST || !icmpv6.checksumOk(frame, IP_AT, at, end)) return null;

  const reply = packetBack(frame, ethernet.TYPE_IPV6, ipv6.LEN + end - at);
  ipv6.write(reply, IP_AT, {
    payloadLength: end - at,
    nextHeader: ipv6.PROTOCOL_ICMPV6,
    hopLimit: TTL,
    src: addressAt(frame, IP_AT + ipv6.DST),
    dst: addressAt(frame, IP_AT + ipv6.SRC),
  });
  reply.set(frame.subarray(at, end), IP_AT + ipv6.LEN);
  icmpv6.turnIntoReply(reply, IP_AT, IP_AT + ipv6.LEN, reply.length);
  return reply;
}

/** What the gateway tells senders about their packets: type and code of ICMP, and of ICMPv6. */
const PROBLEMS = {
  /** The TTL or hop limit is used up. */
  timeExceeded: { v4: { type: icmp.TIME_EXCEEDED, code: icmp.CODE_TTL }, v6: { type: icmpv6.TIME_EXCEEDED, code: 0 } },
  /** Nobody listens at that port of the gateway. */
  portUnreachable: {
    v4: { type: icmp.UNREACHABLE, code: icmp.CODE_PORT },
    v6: { type: icmpv6.UNREACHABLE, code: icmpv6.CODE_PORT },
  },
  /** It is longer than the way takes, and must not be cut. */
  tooBig: {
    v4: { type: icmp.UNREACHABLE, code: icmp.CODE_FRAGMENTATION_NEEDED },
    v6: { type: icmpv6.TOO_BIG, code: 0 },
  },
} as const;
type Problem = keyof typeof PROBLEMS;

/**
 * The message to the sender of a packet about its problem, from the gateway's address `gatewayIp` of the same family, no longer
 * than `mtu`, the largest IP packet of the network in bytes. Null when no error may be sent about the packet: it is malformed, an
 * ICMP error itself, a later fragment, or from or to more than one station (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
 * @param longest of tooBig: how long packets may be, bytes.
 */
export function icmpError(
  frame: Uint8Array,
  problem: Problem,
  gatewayIp: string,
  mtu: number,
  longest = 0,
): Uint8Array | null {
  if (!isUnicastFrame(frame)) return null;
  const type = ethernet.type(frame, 0);
  const family = addr.family(gatewayIp);
  if (type === ethernet.TYPE_IPV4 && family === 4)
    return error4(frame, problem, addr.parseIpv4(gatewayIp), mtu, longest);
  return type === ethernet.TYPE_IPV6 && family === 6
    ? error6(frame, problem, addr.parseIpv6(gatewayIp), longest)
    : null;
}

function error4(
  frame: Uint8Array,
  problem: Problem,
  gatewayIp: number,
  mtu: number,
  longest: number,
): Uint8Array | null {
  if (!isStationPacket4(frame) || ipv4.fragmentOffset(frame, IP_AT) !== 0) return null;
  const payloadAt = IP_AT + ipv4.headerLen(frame, IP_AT);
  const end = IP_AT + ipv4.totalLength(frame, IP_AT);
  if (ipv4.protocol(frame, IP_AT) === ipv4.PROTOCOL_ICMP) {
    if (!icmp.fits(payloadAt, end) || icmp.isError(frame, payloadAt)) return null;
  }

  const quoteLen = Math.min(QUOTE_LEN, mtu - ipv4.LEN - icmp.LEN);
  const quoteEnd = Math.min(end, IP_AT + quoteLen);
  const totalLength = ipv4.LEN + icmp.LEN + quoteEnd - IP_AT;
  const error = packetBack(frame, ethernet.TYPE_IPV4, totalLength);
  ipv4.write(error, IP_AT, {
    totalLength,
    id: 0,
    flagsAndOffset: 0,
    ttl: TTL,
    protocol: ipv4.PROTOCOL_ICMP,
    src: gatewayIp,
    dst: ipv4.src(frame, IP_AT),
  });
  const { type, code } = PROBLEMS[problem].v4;
  const at = IP_AT + ipv4.LEN;
  icmp.writeError(error, at, type, code, longest);
  error.set(frame.subarray(IP_AT, quoteEnd), at + icmp.LEN);
  icmp.setChecksum(error, at, error.length);
  return error;
}

function error6(frame: Uint8Array, problem: Problem, gatewayIp: Uint8Array, longest: number): Uint8Array | null {
  if (!isStationPacket6(frame)) return null;
  const end = IP_AT + ipv6.LEN + ipv6.payloadLength(frame, IP_AT);
  const fragmentAt = ipv6.find(frame, IP_AT, end, ipv6.FRAGMENT);
  if (fragmentAt >= 0 && get16(frame, fragmentAt + 2) >>> 3 !== 0) return null;
  const icmpAt = ipv6.find(frame, IP_AT, end, ipv6.PROTOCOL_ICMPV6);
  if (icmpAt >= 0 && icmpv6.isError(frame, icmpAt)) return null;

  const quoteEnd = Math.min(end, IP_AT + IPV6_MIN_MTU - ipv6.LEN - icmpv6.LEN);
  const payloadLength = icmpv6.LEN + quoteEnd - IP_AT;
  const error = packetBack(frame, ethernet.TYPE_IPV6, ipv6.LEN + payloadLength);
  ipv6.write(error, IP_AT, {
    payloadLength,
    nextHeader: ipv6.PROTOCOL_ICMPV6,
    hopLimit: TTL,
    src: gatewayIp,
    dst: addressAt(frame, IP_AT + ipv6.SRC),
  });
  const { type, code } = PROBLEMS[problem].v6;
  const at = IP_AT + ipv6.LEN;
  icmpv6.writeError(error, at, type, code, longest);
  error.set(frame.subarray(IP_AT, quoteEnd), at + icmpv6.LEN);
  icmpv6.setChecksum(error, IP_AT, at, error.length);
  return error;
}

/**
 * The advertisement that answers a router solicitation: to the soliciting host, or to all nodes while it has no address. Prefixes
 * are on the link but not for autoconfiguration, because addresses are assigned. Null when the frame is no valid solicitation
 * (RFC 4861 section 6.1.1) or the network has no IPv6 subnet.
 */
export function routerAdvertisement(frame: Uint8Array, network: AdvertisedNetwork): Uint8Array | null {
  const subnets = network.subnets.filter(({ prefix }) => parsePrefix(prefix).family === 6);
  if (subnets.length === 0 || !isRouterSolicitation(frame)) return null;

  const fixedLen = nd.ROUTER_ADVERTISEMENT_LEN + nd.MAC_OPTION_LEN + nd.MTU_OPTION_LEN;
  const room = Math.floor((network.mtu - ipv6.LEN - fixedLen) / nd.PREFIX_OPTION_LEN);
  const advertised = subnets.slice(0, room);
  const payloadLength = fixedLen + advertised.length * nd.PREFIX_OPTION_LEN;
  const toAll = ipv6.isUnspecified(frame, IP_AT + ipv6.SRC);

  const answer = packetBack(frame, ethernet.TYPE_IPV6, ipv6.LEN + payloadLength);
  if (toAll) ethernet.putAddress(answer, ethernet.DST, allNodesMac);
  ipv6.write(answer, IP_AT, {
    payloadLength,
    nextHeader: ipv6.PROTOCOL_ICMPV6,
    hopLimit: nd.HOP_LIMIT,
    src: gatewayLinkLocal,
    dst: toAll ? allNodes : addressAt(frame, IP_AT + ipv6.SRC),
  });
  const at = IP_AT + ipv6.LEN;
  nd.writeRouterAdvertisement(answer, at, {
    hopLimit: TTL,
    flags: 0,
    lifetime: subnets.some(({ gateway }) => gateway !== null) ? ROUTER_LIFETIME : 0,
  });
  let optionAt = nd.writeMacOption(answer, at + nd.ROUTER_ADVERTISEMENT_LEN, nd.OPTION_SOURCE_MAC, gatewayMac);
  optionAt = nd.writeMtuOption(answer, optionAt, network.mtu);
  for (const { prefix } of advertised) optionAt = nd.writePrefixOption(answer, optionAt, prefixInformation(prefix));
  icmpv6.setChecksum(answer, IP_AT, at, answer.length);
  return answer;
}

function prefixInformation(prefix: string): nd.Prefix {
  const [address] = prefix.split('/');
  return {
    address: addr.parseIpv6(address),
    length: parsePrefix(prefix).length,
    flags: nd.ON_LINK,
    validLifetime: PREFIX_VALID,
    preferredLifetime: PREFIX_PREFERRED,
  };
}

function isRouterSolicitation(frame: Uint8Array): boolean {
  const at = IP_AT + ipv6.LEN;
  if (!ethernet.fits(0, frame.length) || ethernet.type(frame, 0) !== ethernet.TYPE_IPV6) return false;
  if (!ipv6.wellFormed(frame, IP_AT, frame.length) || ipv6.nextHeader(frame, IP_AT) !== ipv6.PROTOCOL_ICMPV6)
    return false;
  const end = at + ipv6.payloadLength(frame, IP_AT);
  const optionsAt = at + nd.ROUTER_SOLICITATION_LEN;
  if (optionsAt > end || ipv6.hopLimit(frame, IP_AT) !== nd.HOP_LIMIT) return false;
  if (icmpv6.type(frame, at) !== nd.ROUTER_SOLICITATION || icmpv6.code(frame, at) !== 0) return false;
  if (ipv6.isMulticast(frame, IP_AT + ipv6.SRC) || !icmpv6.checksumOk(frame, IP_AT, at, end)) return false;
  const nameless = ipv6.isUnspecified(frame, IP_AT + ipv6.SRC);
  return !nameless || nd.option(frame, optionsAt, end, nd.OPTION_SOURCE_MAC) < 0;
}

/** A frame with room for a packet of `length` bytes, from the gateway to the station that sent `frame`. */
function packetBack(frame: Uint8Array, etherType: number, length: number): Uint8Array {
  const back = new Uint8Array(ethernet.LEN + length);
  ethernet.write(back, 0, frame.subarray(ethernet.SRC, ethernet.SRC + ethernet.ADDRESS_LEN), gatewayMac, etherType);
  return back;
}

const isUnicastFrame = (frame: Uint8Array): boolean =>
  ethernet.fits(0, frame.length) && !ethernet.isMulticast(frame, 0);

/** Whether the frame holds a whole IPv4 packet from one station to one station. */
function isStationPacket4(frame: Uint8Array): boolean {
  if (!ipv4.wellFormed(frame, IP_AT, frame.length) || !ipv4.checksumOk(frame, IP_AT)) return false;
  return isStation4(ipv4.src(frame, IP_AT)) && isStation4(ipv4.dst(frame, IP_AT));
}

/** Neither 0/8 (this network), nor 127/8 (loopback), nor 224/3 (multicast, reserved, broadcast). */
const isStation4 = (address: number): boolean => {
  const top = address >>> 24;
  return top !== 0 && top !== 127 && top < 224;
};

/** Whether the frame holds a whole IPv6 packet from one station to one station. */
function isStationPacket6(frame: Uint8Array): boolean {
  if (!ipv6.wellFormed(frame, IP_AT, frame.length)) return false;
  const [src, dst] = [IP_AT + ipv6.SRC, IP_AT + ipv6.DST];
  return !ipv6.isMulticast(frame, src) && !ipv6.isUnspecified(frame, src) && !ipv6.isMulticast(frame, dst);
}

const addressAt = (frame: Uint8Array, at: number): Uint8Array => frame.subarray(at, at + ipv6.ADDRESS_LEN);
