import { writePorts } from '#vrouterd/datapath/flow-ports.js';
import { FLOW, newFlowKey } from '#vrouterd/tables/flow.js';
import * as arp from '#vrouterd/wire/arp.js';
import * as checksum from '#vrouterd/wire/checksum.js';
import * as dhcp from '#vrouterd/wire/dhcp.js';
import * as ethernet from '#vrouterd/wire/ethernet.js';
import * as icmp from '#vrouterd/wire/icmp.js';
import * as icmpv6 from '#vrouterd/wire/icmpv6.js';
import * as ipv4 from '#vrouterd/wire/ipv4.js';
import * as ipv6 from '#vrouterd/wire/ipv6.js';
import * as ipv6Fragment from '#vrouterd/wire/ipv6-fragment.js';
import * as nd from '#vrouterd/wire/nd.js';
import * as sctp from '#vrouterd/wire/sctp.js';
import * as tcp from '#vrouterd/wire/tcp.js';
import * as udp from '#vrouterd/wire/udp.js';
import * as vlan from '#vrouterd/wire/vlan.js';
import * as vnet from '#vrouterd/wire/vnet.js';

/** What one protocol's readers say of the bytes in [at, end), relative to `at`; empty where the length check says no. */
type Probe = (b: Uint8Array, at: number, end: number) => readonly unknown[];

/** Offsets found, counted from `at`, so that results can be compared between places. */
const from = (at: number, found: number): number => (found < 0 ? found : found - at);

/** Protocols to look for along extension headers. */
const WANTED = [6, 17, 58, 44, 0, 43, 60, 59] as const;
/** Protocols whose sessions are told apart by something, and two that have nothing. */
const CARRIERS = [1, 6, 17, 58, 132, 47, 0] as const;
const KEY = newFlowKey();
const OPTION_CODES = [1, 3, 6, 12, 50, 51, 53, 54, 57, 121, 0, 255] as const;

/** All readers of wire/, each asked only after the length check it relies on. */
export const PROBES: Readonly<Record<string, Probe>> = {
  ethernet: (b, at, end) =>
    ethernet.fits(at, end) ? [ethernet.type(b, at), ethernet.isMulticast(b, at), ethernet.isBroadcast(b, at)] : [],
  vlan: (b, at, end) => {
    const typeAt = vlan.typeAt(b, at, end);
    return typeAt > at + ethernet.TYPE
      ? [typeAt - at, vlan.id(b, typeAt - 4), vlan.priority(b, typeAt - 4)]
      : [from(at, typeAt)];
  },
  arp: (b, at, end) =>
    arp.fits(at, end)
      ? [arp.isEthernetIpv4(b, at), arp.operation(b, at), arp.senderIp(b, at), arp.targetIp(b, at)]
      : [],
  ipv4: (b, at, end) => {
    if (!ipv4.wellFormed(b, at, end)) return [];
    return [
      ...[ipv4.version, ipv4.headerLen, ipv4.tos, ipv4.totalLength, ipv4.id, ipv4.flagsAndOffset].map((f) => f(b, at)),
      ...[ipv4.ttl, ipv4.protocol, ipv4.src, ipv4.dst, ipv4.fragmentOffset].map((f) => f(b, at)),
      ...[ipv4.isFragment, ipv4.moreFragments, ipv4.checksumOk].map((f) => f(b, at)),
    ];
  },
  ipv6: (b, at, end) => {
    if (!ipv6.wellFormed(b, at, end)) return [];
    return [
      ...[ipv6.trafficClass, ipv6.flowLabel, ipv6.payloadLength, ipv6.nextHeader, ipv6.hopLimit].map((f) => f(b, at)),
      ...[ipv6.SRC, ipv6.DST].flatMap((side) => [ipv6.isMulticast(b, at + side), ipv6.isUnspecified(b, at + side)]),
      ...WANTED.map((protocol) => from(at, ipv6.find(b, at, at + ipv6.LEN + ipv6.payloadLength(b, at), protocol))),
    ];
  },
  icmp: (b, at, end) =>
    icmp.fits(at, end)
      ? [
          ...[icmp.type, icmp.code, icmp.ident, icmp.seq].map((f) => f(b, at)),
          icmp.isError(b, at),
          icmp.isEcho(b, at),
          icmp.checksumOk(b, at, end),
        ]
      : [],
  icmpv6: (b, at, end) => {
    const messageAt = at + ipv6.LEN;
    if (!ipv6.fits(at, end) || !icmpv6.fits(messageAt, end)) return [];
    return [
      ...[icmpv6.type, icmpv6.code, icmpv6.ident, icmpv6.seq].map((f) => f(b, messageAt)),
      icmpv6.isError(b, messageAt),
      icmpv6.isEcho(b, messageAt),
      icmpv6.checksumOk(b, at, messageAt, end),
    ];
  },
  nd: (b, at, end) => [
    ...(nd.fits(at, end) ? [nd.neighbourFlags(b, at)] : []),
    ...(at + nd.ROUTER_ADVERTISEMENT_LEN <= end
      ? [nd.routerFlags(b, at), nd.routerHopLimit(b, at), nd.routerLifetime(b, at)]
      : []),
    ...[1, 2, 3, 5, 0].map((wanted) => from(at, nd.option(b, at, end, wanted))),
  ],
  udp: (b, at, end) => (udp.fits(at, end) ? [udp.srcPort(b, at), udp.dstPort(b, at), udp.length(b, at)] : []),
  tcp: (b, at, end) =>
    tcp.fits(at, end)
      ? [
          ...[tcp.srcPort, tcp.dstPort, tcp.seq, tcp.ackNumber, tcp.dataOffset, tcp.flags].map((f) => f(b, at)),
          from(at, tcp.mssAt(b, at, end)),
        ]
      : [],
  sctp: (b, at, end) => (sctp.fits(at, end) ? [sctp.srcPort(b, at), sctp.dstPort(b, at)] : []),
  fragment: (b, at, end) =>
    ipv6Fragment.fits(at, end)
      ? [ipv6Fragment.nextHeader, ipv6Fragment.offset, ipv6Fragment.more, ipv6Fragment.id].map((f) => f(b, at))
      : [],
  ports: (b, at, end) => CARRIERS.map((protocol) => (writePorts(b, protocol, at, end, KEY) ? KEY[FLOW.ports] : 'cut')),
  dhcp: (b, at, end) =>
    dhcp.fits(at, end)
      ? [
          dhcp.isClientMessage(b, at),
          ...[dhcp.op, dhcp.xid, dhcp.flags, dhcp.ciaddr, dhcp.yiaddr, dhcp.siaddr, dhcp.giaddr].map((f) => f(b, at)),
          ...OPTION_CODES.map((code) => from(at, dhcp.option(b, at, end, code))),
          ...OPTION_CODES.map((code) => dhcp.addressOption(b, at, end, code)),
          dhcp.messageType(b, at, end),
          dhcp.maxMessageSize(b, at, end),
        ]
      : [],
  vnet: (b, at, end) =>
    at + vnet.LEN <= end
      ? [vnet.flags, vnet.gsoType, vnet.hdrLen, vnet.gsoSize, vnet.csumStart, vnet.csumOffset].map((f) => f(b, at))
      : [],
  checksum: (b, at, end) => [
    checksum.checksum(b, at, end),
    checksum.finish(checksum.sum(b, at, end, 0x1_ffff)),
    ...(at + ipv4.LEN <= end ? [checksum.finish(checksum.pseudo4(b, at, 17, end - at))] : []),
    ...(at + ipv6.LEN <= end ? [checksum.finish(checksum.pseudo6(b, at, 6, end - at))] : []),
  ],
};
