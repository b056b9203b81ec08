/** Protocols in IP by number (IANA, Assigned Internet Protocol Numbers), and the names they have for operators. */
import { PROTOCOL as GRE } from './gre.js';
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from './ipv4.js';
import { PROTOCOL_ICMPV6 } from './ipv6.js';
import { PROTOCOL as SCTP } from './sctp.js';

/** Protocols that have a name where operators write one. */
export const IP_PROTOCOL = {
  tcp: PROTOCOL_TCP,
  udp: PROTOCOL_UDP,
  icmp: PROTOCOL_ICMP,
  icmp6: PROTOCOL_ICMPV6,
  sctp: SCTP,
} as const;
export type IpProtocolName = keyof typeof IP_PROTOCOL;
export const IP_PROTOCOL_NAMES = Object.keys(IP_PROTOCOL) as readonly IpProtocolName[];

const TITLES: Readonly<Partial<Record<number, string>>> = {
  [PROTOCOL_ICMP]: 'ICMP',
  2: 'IGMP',
  [PROTOCOL_TCP]: 'TCP',
  [PROTOCOL_UDP]: 'UDP',
  [GRE]: 'GRE',
  50: 'ESP',
  [PROTOCOL_ICMPV6]: 'ICMPv6',
  89: 'OSPF',
  112: 'VRRP',
  [SCTP]: 'SCTP',
};

/** Whether a protocol has ports: source and destination are what its header begins with. */
export const hasPorts = (protocol: number): boolean =>
  protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === SCTP;

/** Name operators write for it; undefined: they write its number. */
export const ipProtocolName = (protocol: number): IpProtocolName | undefined =>
  IP_PROTOCOL_NAMES.find((name) => IP_PROTOCOL[name] === protocol);

/** How it is shown: `TCP`; undefined: by its number. */
export const ipProtocolTitle = (protocol: number): string | undefined => TITLES[protocol];
