import { parseAddress } from '../wire/addr.js';
import { put16 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as udp from '../wire/udp.js';
import { NH_FLAG, type UdpTunnelRecord } from './records.js';

/** TTL and hop limit of copies: they begin with 64, and one hop is the network of what is copied (tf-vrouter dp-core/vr_nexthop.c). */
const TTL = 63;
const IPV6_ADDRESS = 16;

/** Where copies go in UDP, unpacked for the fast path, with the headers put in front of each. */
export class UdpTunnel {
  readonly record: UdpTunnelRecord;
  /** Both 4 bytes or both 16. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly isIpv6: boolean;
  /** Whether copies of an interface's frames come from its address, where it has one. */
  readonly copySip: boolean;
  /** Source port of copies of what is not IP, and destination port of all. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Ethernet, IP and UDP header, with 0 in MACs and in the fields that differ from copy to copy, the source address one of them. */
  readonly header: Uint8Array;
  /** Partial checksum of the IPv4 header as it is in `header`. */
  readonly ipSum: number;

  /** @param flags those of the nexthop. */
  constructor(record: UdpTunnelRecord, flags: number) {
    this.record = record;
    this.source = parseAddress(record.source);
    this.destination = parseAddress(record.destination);
    this.isIpv6 = this.destination.length === IPV6_ADDRESS;
    this.copySip = (flags & NH_FLAG.copySip) !== 0;
    this.sourcePort = record.sourcePort;
    this.destinationPort = record.destinationPort;
    this.header = this.isIpv6 ? this.#header6() : this.#header4();
    this.ipSum = this.isIpv6 ? 0 : checksum.sum(this.header, ethernet.LEN, ethernet.LEN + ipv4.LEN);
  }

  #header4(): Uint8Array {
    const b = new Uint8Array(ethernet.LEN + ipv4.LEN + udp.LEN);
    const at = ethernet.LEN;
    put16(b, ethernet.TYPE, ethernet.TYPE_IPV4);
    const protocol = ipv4.PROTOCOL_UDP;
    ipv4.write(b, at, { totalLength: 0, id: 0, flagsAndOffset: 0, ttl: TTL, protocol, src: 0, dst: 0 });
    b.set(this.destination, at + ipv4.DST);
    put16(b, at + ipv4.CHECKSUM, 0);
    udp.write(b, at + ipv4.LEN, 0, this.destinationPort, 0);
    return b;
  }

  #header6(): Uint8Array {
    const b = new Uint8Array(ethernet.LEN + ipv6.LEN + udp.LEN);
    const at = ethernet.LEN;
    put16(b, ethernet.TYPE, ethernet.TYPE_IPV6);
    const src = new Uint8Array(IPV6_ADDRESS);
    ipv6.write(b, at, {
      payloadLength: 0,
      nextHeader: ipv4.PROTOCOL_UDP,
      hopLimit: TTL,
      src,
      dst: this.destination,
    });
    udp.write(b, at + ipv6.LEN, 0, this.destinationPort, 0);
    return b;
  }
}
