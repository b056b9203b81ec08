/**
 * The DHCPv4 server of one guest (RFC 2131). It keeps no leases: the port a request came in on says who asks, and the
 * configuration says what that guest gets, so the same request always has the same answer.
 */
import { parsePrefix } from '../control/prefix.js';
import * as addr from '../wire/addr.js';
import * as dhcp from '../wire/dhcp.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as udp from '../wire/udp.js';

/** What one guest is told. Addresses and MACs are in canonical text. */
export interface DhcpConfig {
  /** Whether DHCP is on in the guest's subnet. */
  readonly enabled: boolean;
  /** The guest's address, and the length of its subnet's prefix, 1..32. */
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string | null;
  /** Address the server answers from; the gateway does when there is none. */
  readonly serviceAddress: string | null;
  /** Ethernet source of the answers: the MAC of the host. */
  readonly hostMac: string;
  /** DNS servers; none: the service address. */
  readonly dnsServers: readonly string[];
  readonly domainName: string | null;
  readonly hostName: string;
  /** Routes the guest shall have besides the default route. */
  readonly hostRoutes: readonly { readonly prefix: string; readonly nextHop: string }[];
  /** Largest IP packet of the network, bytes. Below 328 there is no answer: the shortest one would not fit. */
  readonly mtu: number;
  /** Lease time; 0xffffffff: for ever. */
  readonly leaseSeconds: number;
}

/** Datagrams of this size every client takes, unless it says more (RFC 2131 section 2), bytes. */
const DATAGRAM_SIZE = 576;
const TTL = 64;
const IP_BROADCAST = 0xffffffff;

/** Options a guest can live without, the least needed first: these go when an answer gets too long. */
const DISPENSABLE: readonly number[] = [
  dhcp.OPTION_DOMAIN_NAME,
  dhcp.OPTION_HOST_NAME,
  dhcp.OPTION_CLASSLESS_ROUTES,
  dhcp.OPTION_DNS,
];

/** A client's message in a frame: it lies in [at, end). */
interface Request {
  readonly at: number;
  readonly end: number;
  /** Value of the message type option. */
  readonly type: number;
}

interface Option {
  readonly code: number;
  readonly data: ArrayLike<number>;
}

/**
 * The frame that answers a guest's frame, a whole untagged Ethernet frame in both directions; null when there is nothing to
 * answer: DHCP is off, the frame is not DHCP or malformed, or the message wants no answer. Whatever MAC the client has, it is
 * the guest of this port, and gets this guest's address.
 */
export function answerDhcp(frame: Uint8Array, server: DhcpConfig): Uint8Array | null {
  const serverId = server.serviceAddress ?? server.gateway;
  const request = readRequest(frame);
  if (!server.enabled || serverId === null || request === null) return null;

  const type = answerType(frame, request, addr.parseIpv4(server.address), addr.parseIpv4(serverId));
  return type === null ? null : writeAnswer(frame, request, type, server, addr.parseIpv4(serverId));
}

/** UDP checksums are not looked at: guests leave them to the device they send through. */
function readRequest(frame: Uint8Array): Request | null {
  const ipAt = ethernet.LEN;
  if (!ethernet.fits(0, frame.length) || ethernet.type(frame, 0) !== ethernet.TYPE_IPV4) return null;
  if (!ipv4.wellFormed(frame, ipAt, frame.length) || !ipv4.checksumOk(frame, ipAt)) return null;
  if (ipv4.protocol(frame, ipAt) !== ipv4.PROTOCOL_UDP || ipv4.isFragment(frame, ipAt)) return null;

  const udpAt = ipAt + ipv4.headerLen(frame, ipAt);
  const ipEnd = ipAt + ipv4.totalLength(frame, ipAt);
  if (!udp.fits(udpAt, ipEnd)) return null;
  if (udp.srcPort(frame, udpAt) !== dhcp.CLIENT_PORT || udp.dstPort(frame, udpAt) !== dhcp.SERVER_PORT) return null;

  const at = udpAt + udp.LEN;
  const end = udpAt + udp.length(frame, udpAt);
  if (end > ipEnd || !dhcp.fits(at, end) || !dhcp.isClientMessage(frame, at)) return null;
  return { at, end, type: dhcp.messageType(frame, at, end) };
}

/** Type of the message to answer with; null: none. */
function answerType(frame: Uint8Array, { at, end, type }: Request, address: number, serverId: number): number | null {
  switch (type) {
    case dhcp.DISCOVER:
      return dhcp.OFFER;
    case dhcp.INFORM:
      return dhcp.ACK;
    case dhcp.REQUEST: {
      const chosen = dhcp.addressOption(frame, at, end, dhcp.OPTION_SERVER_ID);
      if (chosen >= 0 && chosen !== serverId) return null; // the client took another server's offer
      const requested = dhcp.addressOption(frame, at, end, dhcp.OPTION_REQUESTED_ADDRESS);
      return (requested >= 0 ? requested : dhcp.ciaddr(frame, at)) === address ? dhcp.ACK : dhcp.NAK;
    }
    default:
      return null;
  }
}

function writeAnswer(
  frame: Uint8Array,
  request: Request,
  type: number,
  server: DhcpConfig,
  serverId: number,
): Uint8Array | null {
  const { at, end } = request;
  const overhead = ipv4.LEN + udp.LEN;
  const limit = Math.min(server.mtu, Math.max(DATAGRAM_SIZE, dhcp.maxMessageSize(frame, at, end)));
  const options = fitted(answerOptions(type, request.type, server, serverId), limit - overhead - dhcp.LEN);
  const messageLen = Math.max(dhcp.MIN_LEN, dhcp.LEN + lengthOf(options));
  if (overhead + messageLen > server.mtu) return null;

  const ipAt = ethernet.LEN;
  const udpAt = ipAt + ipv4.LEN;
  const messageAt = udpAt + udp.LEN;
  const answer = new Uint8Array(messageAt + messageLen);
  const client = frame.subarray(at + dhcp.CHADDR, at + dhcp.CHADDR + ethernet.ADDRESS_LEN);
  const to = destination(frame, request, type, addr.parseIpv4(server.address));
  const toMac = to === IP_BROADCAST ? ethernet.BROADCAST : client;

  ethernet.write(answer, 0, toMac, addr.parseMac(server.hostMac), ethernet.TYPE_IPV4);
  ipv4.write(answer, ipAt, {
    totalLength: overhead + messageLen,
    id: 0,
    flagsAndOffset: 0,
    ttl: TTL,
    protocol: ipv4.PROTOCOL_UDP,
    src: serverId,
    dst: to,
  });
  udp.write(answer, udpAt, dhcp.SERVER_PORT, dhcp.CLIENT_PORT, udp.LEN + messageLen);
  let optionAt = dhcp.writeReply(answer, messageAt, {
    xid: dhcp.xid(frame, at),
    flags: dhcp.flags(frame, at),
    ciaddr: type === dhcp.ACK ? dhcp.ciaddr(frame, at) : 0,
    yiaddr: type === dhcp.NAK || request.type === dhcp.INFORM ? 0 : addr.parseIpv4(server.address),
    siaddr: type === dhcp.NAK ? 0 : serverId,
    giaddr: dhcp.giaddr(frame, at),
    chaddr: client,
  });
  for (const { code, data } of options) optionAt = dhcp.putOption(answer, optionAt, code, data);
  dhcp.finish(answer, messageAt, optionAt);
  udp.setChecksum4(answer, ipAt, udpAt, answer.length);
  return answer;
}

/**
 * Where an answer goes: to the client's own address as soon as the client can take it there, to everybody otherwise. A refusal
 * always goes to everybody (RFC 2131 section 4.1). The client of an INFORM has an address already, wherever it is from.
 */
function destination(frame: Uint8Array, request: Request, type: number, address: number): number {
  const ciaddr = dhcp.ciaddr(frame, request.at);
  if (request.type === dhcp.INFORM) return ciaddr === 0 ? address : ciaddr;

  const reachable = ciaddr !== 0 || (dhcp.flags(frame, request.at) & dhcp.BROADCAST) === 0;
  return type !== dhcp.NAK && dhcp.giaddr(frame, request.at) === 0 && reachable ? address : IP_BROADCAST;
}

/** Options of an answer in the order they are sent. */
function answerOptions(type: number, requestType: number, server: DhcpConfig, serverId: number): Option[] {
  const options: Option[] = [
    { code: dhcp.OPTION_MESSAGE_TYPE, data: [type] },
    { code: dhcp.OPTION_SERVER_ID, data: dhcp.data32(serverId) },
  ];
  if (type === dhcp.NAK) return options;

  const { address, prefixLength, gateway, dnsServers, serviceAddress } = server;
  const mask = (~0 << (32 - prefixLength)) >>> 0;
  const dns = dnsServers.length > 0 || serviceAddress === null ? dnsServers : [serviceAddress];
  options.push(
    { code: dhcp.OPTION_SUBNET_MASK, data: dhcp.data32(mask) },
    { code: dhcp.OPTION_BROADCAST_ADDRESS, data: dhcp.data32((addr.parseIpv4(address) | ~mask) >>> 0) },
    { code: dhcp.OPTION_MTU, data: dhcp.data16(server.mtu) },
  );
  if (requestType !== dhcp.INFORM) {
    options.push({ code: dhcp.OPTION_LEASE_TIME, data: dhcp.data32(server.leaseSeconds) });
  }
  const told: Option[] = [
    { code: dhcp.OPTION_CLASSLESS_ROUTES, data: dhcp.classlessRoutes(routesOf(server)) },
    { code: dhcp.OPTION_ROUTER, data: addresses(gateway === null ? [] : [gateway]) },
    { code: dhcp.OPTION_HOST_NAME, data: textBytes(server.hostName) },
    { code: dhcp.OPTION_DNS, data: addresses(dns) },
    { code: dhcp.OPTION_DOMAIN_NAME, data: textBytes(server.domainName ?? '') },
  ];
  options.push(...told.filter(({ data }) => data.length > 0));
  return options;
}

/**
 * Routes of option 121. A client that honours it ignores the router option (RFC 3442), so the default route is repeated here;
 * without host routes neither is needed.
 */
function routesOf({ hostRoutes, gateway }: DhcpConfig): dhcp.ClasslessRoute[] {
  const routes = hostRoutes.map(({ prefix, nextHop }) => {
    const { first, length } = parsePrefix(prefix);
    return { prefix: Number(first), length, gateway: addr.parseIpv4(nextHop) };
  });
  if (routes.length > 0 && gateway !== null && routes.every(({ length }) => length > 0)) {
    routes.push({ prefix: 0, length: 0, gateway: addr.parseIpv4(gateway) });
  }
  return routes;
}

/** Leaves out as many dispensable options as it takes to get into `room` bytes. */
function fitted(options: readonly Option[], room: number): readonly Option[] {
  let kept = options;
  for (const code of DISPENSABLE) {
    if (lengthOf(kept) <= room) break;
    kept = kept.filter((option) => option.code !== code);
  }
  return kept;
}

/** Bytes the options take in a message, their end mark included. */
function lengthOf(options: readonly Option[]): number {
  return options.reduce((total, { data }) => total + dhcp.optionLen(data.length), 1);
}

const addresses = (texts: readonly string[]): number[] => dhcp.data32(...texts.map(addr.parseIpv4));
const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
