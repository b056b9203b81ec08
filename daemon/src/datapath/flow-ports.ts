import { FLOW, type FlowKey } from '../tables/flow.js';
import { get32 } from '../wire/bytes.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as sctp from '../wire/sctp.js';

/** Destination port of every ICMPv6 echo: the type of its answer. */
const ECHO6_PORT = 129;
/** Bytes TCP, UDP and SCTP begin with: source and destination port. */
const PORTS_LEN = 4;

/**
 * Writes the ports of the upper header of this protocol at `at` into a key: of an echo, its identifier and 0 (or 129); of other ICMP,
 * 0 and the type; of protocols without ports, 0. False: the header does not fit below `end`.
 */
export function writePorts(b: Uint8Array, protocol: number, at: number, end: number, key: FlowKey): boolean {
  key[FLOW.ports] = 0;
  switch (protocol) {
    case ipv4.PROTOCOL_TCP:
    case ipv4.PROTOCOL_UDP:
    case sctp.PROTOCOL:
      if (at + PORTS_LEN > end) return false;
      key[FLOW.ports] = get32(b, at);
      return true;
    case ipv4.PROTOCOL_ICMP:
      if (!icmp.fits(at, end)) return false;
      key[FLOW.ports] = icmp.isEcho(b, at) ? icmp.ident(b, at) << 16 : icmp.type(b, at);
      return true;
    case ipv6.PROTOCOL_ICMPV6:
      if (!icmpv6.fits(at, end)) return false;
      key[FLOW.ports] = icmpv6.isEcho(b, at) ? (icmpv6.ident(b, at) << 16) | ECHO6_PORT : icmpv6.type(b, at);
      return true;
    default:
      return true;
  }
}
