import { formatIpv4, formatIpv6, formatMac } from '../wire/addr.js';
import * as arp from '../wire/arp.js';
import { get16 } from '../wire/bytes.js';
import * as dhcp from '../wire/dhcp.js';
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import { hasPorts, ipProtocolTitle } from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as nd from '../wire/nd.js';
import * as tcp from '../wire/tcp.js';
import * as udp from '../wire/udp.js';
import * as vlan from '../wire/vlan.js';

const ETHER_TYPES: Readonly<Partial<Record<number, string>>> = {
  [ethernet.TYPE_IPV4]: 'IPv4',
  [ethernet.TYPE_IPV6]: 'IPv6',
  [ethernet.TYPE_ARP]: 'ARP',
};
const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'];
const DHCP_TYPES = ['', 'discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'];

/** `TCP`; of a protocol without a name `protocol 99`. */
export const protocolText = (protocol: number): string => ipProtocolTitle(protocol) ?? `protocol ${protocol}`;

/** `IPv4`; of a type without a name its four digits. */
export const etherTypeText = (type: number): string =>
  ETHER_TYPES[type] ?? `type 0x${type.toString(16).padStart(4, '0')}`;

/** A field of a frame's headers that the datapath may rewrite, and its value. */
export type HeaderFields = ReadonlyMap<string, string>;

/** Where the headers of a frame are, as far as they lie in `b`. */
interface Layout {
  readonly b: Uint8Array;
  readonly etherType: number;
  readonly l3At: number;
  /** 4 or 6; 0: not IP, or cut. */
  readonly version: 0 | 4 | 6;
  readonly protocol: number;
  /** -1: not to be seen. */
  readonly l4At: number;
}

function layoutOf(b: Uint8Array): Layout | null {
  const typeAt = vlan.typeAt(b, 0, b.length);
  if (typeAt < 0) return null;
  const etherType = get16(b, typeAt);
  const l3At = typeAt + 2;
  if (etherType === ethernet.TYPE_IPV4 && ipv4.fits(l3At, b.length)) {
    const isFirst = ipv4.fragmentOffset(b, l3At) === 0;
    const l4At = isFirst ? l3At + ipv4.headerLen(b, l3At) : -1;
    return { b, etherType, l3At, version: 4, protocol: ipv4.protocol(b, l3At), l4At };
  }
  if (etherType === ethernet.TYPE_IPV6 && ipv6.fits(l3At, b.length)) {
    return { b, etherType, l3At, version: 6, protocol: ipv6.nextHeader(b, l3At), l4At: l3At + ipv6.LEN };
  }
  return { b, etherType, l3At, version: 0, protocol: -1, l4At: -1 };
}

/** What of a frame's headers can be rewritten; `b` begins with them. */
export function headerFields(b: Uint8Array): HeaderFields {
  const fields = new Map<string, string>();
  const layout = layoutOf(b);
  if (layout === null) return fields;
  fields.set('dst mac', formatMac(b, ethernet.DST));
  fields.set('src mac', formatMac(b, ethernet.SRC));
  const { l3At, version } = layout;
  if (version === 0) return fields;
  fields.set('src', address(layout, 'src'));
  fields.set('dst', address(layout, 'dst'));
  if (version === 4) fields.set('ttl', String(ipv4.ttl(b, l3At)));
  else fields.set('hop limit', String(ipv6.hopLimit(b, l3At)));
  const ports = portsOf(layout);
  if (ports !== null) {
    fields.set('src port', String(ports.source));
    fields.set('dst port', String(ports.destination));
  }
  const mssAt = layout.protocol === ipv4.PROTOCOL_TCP && fitsTcp(layout) ? tcp.mssAt(b, layout.l4At, b.length) : -1;
  if (mssAt >= 0) fields.set('mss', String(get16(b, mssAt)));
  return fields;
}

function address({ b, l3At, version }: Layout, side: 'src' | 'dst'): string {
  if (version === 4) return formatIpv4(ipv4[side](b, l3At));
  return formatIpv6(b, l3At + (side === 'src' ? ipv6.SRC : ipv6.DST));
}

function portsOf({ b, protocol, l4At }: Layout): { source: number; destination: number } | null {
  if (!hasPorts(protocol) || l4At < 0 || l4At + 4 > b.length) return null;
  return { source: get16(b, l4At), destination: get16(b, l4At + 2) };
}

const fitsTcp = ({ b, l4At }: Layout): boolean => l4At >= 0 && tcp.fits(l4At, b.length);

/** What a frame is, in one line: `TCP 5.5.5.3:40000 > 5.5.5.4:80 syn`. `b` begins with its headers. */
export function packetText(b: Uint8Array): string {
  const layout = layoutOf(b);
  if (layout === null) return 'a frame too short for Ethernet';
  const tag = layout.l3At === ethernet.LEN ? '' : `VLAN ${vlan.id(b, ethernet.TYPE)}, `;
  return tag + bodyText(layout);
}

function bodyText(layout: Layout): string {
  const { b, etherType, l3At, version, protocol } = layout;
  if (etherType === ethernet.TYPE_ARP && arp.fits(l3At, b.length)) return arpText(b, l3At);
  if (version === 0) return `${etherTypeText(etherType)}, ${formatMac(b, 6)} > ${formatMac(b, 0)}`;
  const ports = portsOf(layout);
  const end = (side: 'src' | 'dst'): string => {
    const host = address(layout, side);
    if (ports === null) return host;
    return `${version === 6 ? `[${host}]` : host}:${side === 'src' ? ports.source : ports.destination}`;
  };
  return `${protocolText(protocol)} ${end('src')} > ${end('dst')}${detail(layout)}`;
}

function arpText(b: Uint8Array, at: number): string {
  const [sender, target] = [formatIpv4(arp.senderIp(b, at)), formatIpv4(arp.targetIp(b, at))];
  if (arp.operation(b, at) === arp.REPLY) return `ARP reply ${sender} is-at ${formatMac(b, at + arp.SENDER_MAC)}`;
  return sender === target ? `ARP announcement of ${sender}` : `ARP who-has ${target} tell ${sender}`;
}

/** What TCP, ICMP and DHCP say besides. */
function detail(layout: Layout): string {
  const { b, protocol, l4At } = layout;
  if (l4At < 0) return ' (fragment)';
  switch (protocol) {
    case ipv4.PROTOCOL_TCP: {
      if (!fitsTcp(layout)) return '';
      const flags = tcp.flags(b, l4At);
      return ` ${TCP_FLAGS.filter((_, bit) => (flags & (1 << bit)) !== 0).join('+') || 'no flags'}`;
    }
    case ipv4.PROTOCOL_UDP:
      return dhcpDetail(layout);
    case ipv4.PROTOCOL_ICMP:
      return icmp.fits(l4At, b.length) ? ` ${icmpText(icmp.type(b, l4At), icmp.code(b, l4At))}` : '';
    case ipv6.PROTOCOL_ICMPV6:
      return icmpv6.fits(l4At, b.length) ? ` ${icmpv6Text(layout)}` : '';
    default:
      return '';
  }
}

function dhcpDetail({ b, l4At }: Layout): string {
  const at = l4At + udp.LEN;
  if (!udp.fits(l4At, b.length) || !dhcp.fits(at, b.length)) return '';
  const port = udp.dstPort(b, l4At);
  if (port !== dhcp.SERVER_PORT && port !== dhcp.CLIENT_PORT) return '';
  const type = DHCP_TYPES[dhcp.messageType(b, at, b.length)] ?? '';
  const given = dhcp.yiaddr(b, at);
  return type === '' ? '' : `, DHCP ${type}${given === 0 ? '' : ` of ${formatIpv4(given)}`}`;
}

function icmpText(type: number, code: number): string {
  switch (type) {
    case icmp.ECHO_REQUEST:
      return 'echo request';
    case 0:
      return 'echo reply';
    case icmp.UNREACHABLE:
      return `unreachable (code ${code})`;
    case icmp.TIME_EXCEEDED:
      return 'time exceeded';
    default:
      return `type ${type} code ${code}`;
  }
}

function icmpv6Text({ b, l4At }: Layout): string {
  const type = icmpv6.type(b, l4At);
  const target = (): string => (nd.fits(l4At, b.length) ? formatIpv6(b, l4At + nd.TARGET) : '');
  switch (type) {
    case icmpv6.ECHO_REQUEST:
      return 'echo request';
    case icmpv6.ECHO_REQUEST + 1:
      return 'echo reply';
    case nd.NEIGHBOUR_SOLICITATION:
      return `who-has ${target()}`;
    case nd.NEIGHBOUR_ADVERTISEMENT:
      return `${target()} is here`;
    case nd.ROUTER_SOLICITATION:
      return 'router solicitation';
    default:
      return `type ${type} code ${icmpv6.code(b, l4At)}`;
  }
}
