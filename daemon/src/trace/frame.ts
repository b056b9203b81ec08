import { RefusedError } from '../control/refused.js';
import { family, parseIpv4, parseIpv6 } from '../wire/addr.js';
import * as arp from '../wire/arp.js';
import { put16, put32 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import * as dhcp from '../wire/dhcp.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as nd from '../wire/nd.js';
import * as sctp from '../wire/sctp.js';
import * as tcp from '../wire/tcp.js';
import * as udp from '../wire/udp.js';
import * as vlan from '../wire/vlan.js';
import type { Endpoint, PacketSpec } from './packet-spec.js';

/** The guest a packet comes from. Addresses are in text; null: it has none of that family. */
export interface Guest {
  readonly mac: Uint8Array;
  readonly ip: string | null;
  readonly ip6: string | null;
}

/** What the user says about the frame besides the packet. */
export interface FrameOptions {
  readonly ttl?: number | undefined;
  /** Bytes of the whole frame. */
  readonly length?: number | undefined;
  readonly vlan?: number | undefined;
}

/** What a client chooses, and what ping does: a port for it, data of an echo request, hops. */
const CLIENT_PORT = 40_000;
const SERVER_PORTS: Readonly<Partial<Record<number, number>>> = { [ipv4.PROTOCOL_TCP]: 80, [ipv4.PROTOCOL_UDP]: 53 };
const OTHER_PORT = 5000;
const ECHO_DATA = 56;
const TTL = 64;
const IDENT = 1;
/** Segment size an Ethernet host offers: 1500 bytes less both headers. */
const MSS = 1460;
const TCP_LEN = tcp.LEN + 4;
const TCP_WINDOW = 64_240;
/** Longest frame that is no super-frame: jumbo MTU and a tag. */
export const MAX_LENGTH = 9216 + 18;
const BROADCAST_IP = 0xffffffff;

/**
 * Address the packet is sent from: the one that is named, or the guest's; of DHCP the one that is asked for. Throws RefusedError
 * when it has none.
 */
export function sourceOf(spec: PacketSpec, guest: Guest): string {
  switch (spec.kind) {
    case 'dhcp':
      return own(guest, 4);
    case 'announce':
      return spec.address ?? own(guest, 4);
    case 'who-has':
      return spec.asker ?? own(guest, family(spec.address));
    default:
      return spec.source.address ?? own(guest, family(addressOf(spec.destination)));
  }
}

function own(guest: Guest, wanted: number): string {
  const address = wanted === 4 ? guest.ip : guest.ip6;
  if (address !== null) return address;
  throw new RefusedError('invalid', `the interface has no IPv${wanted} address; write the source too, as in A > B`);
}

const addressOf = ({ address }: Endpoint): string => address ?? '';

/**
 * Where the frame goes on the link: a MAC every host knows how to make (broadcast, multicast), or the IP address whose MAC the
 * guest would ask for.
 */
export function linkDestination(spec: PacketSpec): Uint8Array | string {
  switch (spec.kind) {
    case 'dhcp':
    case 'announce':
      return ethernet.BROADCAST;
    case 'who-has':
      return family(spec.address) === 4 ? ethernet.BROADCAST : multicast6(solicited(parseIpv6(spec.address)));
    default: {
      const address = addressOf(spec.destination);
      return multicastMac(address) ?? address;
    }
  }
}

/** MAC of a broadcast or multicast address (RFC 1112 section 6.4, RFC 2464 section 7); null for a unicast one. */
function multicastMac(address: string): Uint8Array | null {
  if (family(address) === 6) return address.startsWith('ff') ? multicast6(parseIpv6(address)) : null;
  const value = parseIpv4(address);
  if (value === BROADCAST_IP) return ethernet.BROADCAST;
  if (value >>> 28 !== 14) return null;
  return Uint8Array.of(0x01, 0x00, 0x5e, (value >>> 16) & 0x7f, (value >>> 8) & 0xff, value & 0xff);
}

const multicast6 = (address: Uint8Array): Uint8Array => Uint8Array.of(0x33, 0x33, ...address.subarray(12));

/** Solicited-node multicast address (RFC 4291 section 2.7.1). */
function solicited(target: Uint8Array): Uint8Array {
  const address = parseIpv6('ff02::1:ff00:0');
  address.set(target.subarray(13), 13);
  return address;
}

/** Writes the frame. `from` is the packet's source (see sourceOf). Throws RefusedError for a length that does not fit. */
export function writeFrame(
  spec: PacketSpec,
  from: string,
  macs: { readonly src: Uint8Array; readonly dst: Uint8Array },
  options: FrameOptions,
): Uint8Array {
  const isArp = spec.kind === 'announce' || (spec.kind === 'who-has' && family(spec.address) === 4);
  const version = family(from);
  const etherType = isArp ? ethernet.TYPE_ARP : version === 4 ? ethernet.TYPE_IPV4 : ethernet.TYPE_IPV6;
  const link = ethernet.LEN + (options.vlan === undefined ? 0 : 4);
  const headers = link + (isArp ? arp.LEN : (version === 4 ? ipv4.LEN : ipv6.LEN) + payloadLen(spec, version));
  const length = options.length ?? headers + (spec.kind === 'echo' ? ECHO_DATA : 0);
  if (length < headers || length > MAX_LENGTH)
    throw new RefusedError('invalid', `a frame of ${length} bytes; use ${headers} to ${MAX_LENGTH} for this packet`);
  const b = new Uint8Array(length);
  ethernet.write(b, 0, macs.dst, macs.src, etherType);
  if (options.vlan !== undefined) {
    vlan.write(b, ethernet.TYPE, ethernet.TYPE_VLAN, options.vlan, 0);
    put16(b, link - 2, etherType);
  }
  if (isArp) writeArp(b, link, spec, from, macs.src);
  else if (version === 4) writeIpv4(b, link, spec, from, macs.src, options.ttl ?? TTL);
  else writeIpv6(b, link, spec, from, macs.src, options.ttl);
  return b;
}

/** Bytes of the headers behind IP. */
function payloadLen(spec: PacketSpec, version: number): number {
  switch (spec.kind) {
    case 'ports':
      if (spec.protocol === ipv4.PROTOCOL_TCP) return TCP_LEN;
      return spec.protocol === ipv4.PROTOCOL_UDP ? udp.LEN : sctp.LEN;
    case 'echo':
      return icmp.LEN;
    case 'who-has':
      return version === 6 ? nd.NEIGHBOUR_LEN + nd.MAC_OPTION_LEN : 0;
    case 'dhcp':
      return udp.LEN + dhcp.MIN_LEN;
    default:
      return 0;
  }
}

function writeArp(b: Uint8Array, at: number, spec: PacketSpec, from: string, mac: Uint8Array): void {
  const target = spec.kind === 'who-has' ? spec.address : from;
  arp.write(b, at, arp.REQUEST, mac, parseIpv4(from), new Uint8Array(6), parseIpv4(target));
}

function protocolOf(spec: PacketSpec, version: number): number {
  switch (spec.kind) {
    case 'ports':
    case 'ip':
      return spec.protocol;
    case 'dhcp':
      return ipv4.PROTOCOL_UDP;
    default:
      return version === 4 ? ipv4.PROTOCOL_ICMP : ipv6.PROTOCOL_ICMPV6;
  }
}

function writeIpv4(b: Uint8Array, at: number, spec: PacketSpec, from: string, mac: Uint8Array, ttl: number): void {
  const protocol = protocolOf(spec, 4);
  const asks = spec.kind === 'dhcp';
  const src = asks ? 0 : parseIpv4(from);
  const dst = asks ? BROADCAST_IP : parseIpv4(destinationOf(spec));
  ipv4.write(b, at, { totalLength: b.length - at, id: IDENT, flagsAndOffset: 0, ttl, protocol, src, dst });
  const l4 = at + ipv4.LEN;
  const length = b.length - l4;
  switch (spec.kind) {
    case 'ports':
      writePorts(b, l4, spec, checksum.pseudo4(b, at, protocol, length));
      break;
    case 'echo':
      icmp.writeEcho(b, l4, spec.reply ? 0 : icmp.ECHO_REQUEST, IDENT, 1);
      icmp.setChecksum(b, l4, b.length);
      break;
    case 'dhcp':
      writeDhcp(b, at, spec.type, mac, parseIpv4(from));
      break;
  }
}

function writeIpv6(b: Uint8Array, at: number, spec: PacketSpec, from: string, mac: Uint8Array, ttl = TTL): void {
  const l4 = at + ipv6.LEN;
  const payloadLength = b.length - l4;
  const nextHeader = protocolOf(spec, 6);
  const asks = spec.kind === 'who-has';
  const dst = asks ? solicited(parseIpv6(spec.address)) : parseIpv6(destinationOf(spec));
  const hopLimit = asks ? nd.HOP_LIMIT : ttl;
  ipv6.write(b, at, { payloadLength, nextHeader, hopLimit, src: parseIpv6(from), dst });
  switch (spec.kind) {
    case 'ports':
      writePorts(b, l4, spec, checksum.pseudo6(b, at, nextHeader, payloadLength));
      break;
    case 'echo':
      icmpv6.writeEcho(b, l4, spec.reply ? icmpv6.ECHO_REQUEST + 1 : icmpv6.ECHO_REQUEST, IDENT, 1);
      icmpv6.setChecksum(b, at, l4, b.length);
      break;
    case 'who-has':
      nd.writeSolicitation(b, l4, parseIpv6(spec.address));
      nd.writeMacOption(b, l4 + nd.NEIGHBOUR_LEN, nd.OPTION_SOURCE_MAC, mac);
      icmpv6.setChecksum(b, at, l4, b.length);
      break;
  }
}

const destinationOf = (spec: PacketSpec): string => ('destination' in spec ? addressOf(spec.destination) : '');

/** A TCP, UDP or SCTP header; `pseudo` is the partial sum of the pseudo header. */
function writePorts(b: Uint8Array, at: number, spec: PacketSpec & { kind: 'ports' }, pseudo: number): void {
  const source = spec.source.port ?? CLIENT_PORT;
  const destination = spec.destination.port ?? SERVER_PORTS[spec.protocol] ?? OTHER_PORT;
  put16(b, at, source);
  put16(b, at + 2, destination);
  if (spec.protocol === sctp.PROTOCOL) return;
  if (spec.protocol === ipv4.PROTOCOL_UDP) {
    udp.write(b, at, source, destination, b.length - at);
    put16(b, at + udp.CHECKSUM, checksum.finish(checksum.sum(b, at, b.length, pseudo)) || 0xffff);
    return;
  }
  // Sequence numbers 1; the header is six words long: the last is the option for the segment size, or blank.
  put32(b, at + tcp.SEQ, 1);
  if ((spec.flags & tcp.ACK) !== 0) put32(b, at + tcp.SEQ + 4, 1);
  put32(b, at + tcp.FLAGS - 1, ((TCP_LEN / 4) << 28) | (spec.flags << 16) | TCP_WINDOW);
  put32(b, at + tcp.LEN, (spec.flags & tcp.SYN) === 0 ? 0x01010101 : 0x02040000 | MSS);
  put16(b, at + tcp.CHECKSUM, checksum.finish(checksum.sum(b, at, b.length, pseudo)));
}

/** A DHCP message of a client that has no address yet (RFC 2131 section 4.4.1); a request names the one it wants. */
function writeDhcp(b: Uint8Array, ipAt: number, type: number, mac: Uint8Array, wanted: number): void {
  const at = ipAt + ipv4.LEN;
  const message = at + udp.LEN;
  udp.write(b, at, dhcp.CLIENT_PORT, dhcp.SERVER_PORT, b.length - at);
  dhcp.writeClientMessage(b, message, mac);
  let end = dhcp.putOption(b, message + dhcp.LEN, dhcp.OPTION_MESSAGE_TYPE, [type]);
  if (type === dhcp.REQUEST) end = dhcp.putOption(b, end, dhcp.OPTION_REQUESTED_ADDRESS, dhcp.data32(wanted));
  dhcp.finish(b, message, end);
  udp.setChecksum4(b, ipAt, at, b.length);
}
