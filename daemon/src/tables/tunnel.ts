import { parseAddress, parseMac } from '../wire/addr.js';
import { put16 } from '../wire/bytes.js';
import * as checksum from '../wire/checksum.js';
import type { Encapsulation } from '../wire/encapsulation.js';
import * as ethernet from '../wire/ethernet.js';
import * as gre from '../wire/gre.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as mpls from '../wire/mpls.js';
import * as udp from '../wire/udp.js';
import * as vxlan from '../wire/vxlan.js';
import type { TunnelRecord } from './records.js';

/** TTL and hop limit of outer headers (RFC 7510 section 3 leaves it to us). */
const OUTER_TTL = 64;
const IPV6_ADDRESS = 16;
/** The address routed packets come from. */
const SOURCE_MAC = parseMac(ethernet.GATEWAY_MAC);

/** Ways to wrap, as numbers: the fast path compares no names. */
export const WRAP = { mplsOverUdp: 0, mplsOverGre: 1, vxlan: 2 } as const;
const WRAP_OF: Readonly<Record<Encapsulation, number>> = {
  MPLSoUDP: WRAP.mplsOverUdp,
  MPLSoGRE: WRAP.mplsOverGre,
  VXLAN: WRAP.vxlan,
};

/** Where a tunnel nexthop leads, unpacked for the fast path, with the headers put in front of every packet. */
export class Tunnel {
  readonly encapsulation: Encapsulation;
  /** One of WRAP. */
  readonly wrap: number;
  /** Both 4 bytes or both 16. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly isIpv6: boolean;
  readonly peer: number;
  readonly mtu: number;
  readonly innerMac: Uint8Array | null;
  /** Addresses of the Ethernet header made for routed packets, where there is an `innerMac`. */
  readonly innerHeader = new Uint8Array(ethernet.TYPE);
  /** Whether the way to the other end is known. */
  readonly isResolved: boolean;
  /**
   * Outer Ethernet, IP, and UDP or GRE header, with 0 in the fields that differ from packet to packet. Behind it comes the MPLS
   * label or the VXLAN header.
   */
  readonly header: Uint8Array;
  /** Bytes in front of the payload, and those of them that are not Ethernet. */
  readonly headerLen: number;
  readonly overhead: number;
  /** Partial checksums of the IPv4 header as it is in `header`, and of addresses and protocol of UDP's pseudo header. */
  readonly ipSum: number;
  readonly pseudoSum: number;

  /** @param rewrite Ethernet header of the way to the other end, 14 bytes; none while that is not known. */
  constructor(record: TunnelRecord, rewrite: Uint8Array) {
    this.encapsulation = record.encapsulation;
    this.wrap = WRAP_OF[record.encapsulation];
    this.source = parseAddress(record.source);
    this.destination = parseAddress(record.destination);
    this.isIpv6 = this.source.length === IPV6_ADDRESS;
    this.peer = record.peer;
    this.mtu = record.mtu;
    this.innerMac = record.innerMac === null ? null : parseMac(record.innerMac);
    this.innerHeader.set(this.innerMac ?? []);
    this.innerHeader.set(SOURCE_MAC, ethernet.SRC);
    this.isResolved = rewrite.length === ethernet.LEN;
    const ipLen = this.isIpv6 ? ipv6.LEN : ipv4.LEN;
    this.header = new Uint8Array(ethernet.LEN + ipLen + (this.wrap === WRAP.mplsOverGre ? gre.LEN : udp.LEN));
    this.headerLen = this.header.length + (this.wrap === WRAP.vxlan ? vxlan.LEN : mpls.LEN);
    this.overhead = this.headerLen - ethernet.LEN;
    this.#writeHeader(rewrite);
    const at = ethernet.LEN;
    this.ipSum = this.isIpv6 ? 0 : checksum.sum(this.header, at, at + ipv4.LEN);
    const pseudo = this.isIpv6 ? checksum.pseudo6 : checksum.pseudo4;
    this.pseudoSum = pseudo(this.header, at, ipv4.PROTOCOL_UDP, 0);
  }

  #writeHeader(rewrite: Uint8Array): void {
    const { header, source, destination } = this;
    header.set(rewrite.subarray(0, ethernet.LEN));
    put16(header, ethernet.TYPE, this.isIpv6 ? ethernet.TYPE_IPV6 : ethernet.TYPE_IPV4);
    const protocol = this.wrap === WRAP.mplsOverGre ? gre.PROTOCOL : ipv4.PROTOCOL_UDP;
    let at: number = ethernet.LEN;
    if (this.isIpv6) {
      ipv6.write(header, at, {
        payloadLength: 0,
        nextHeader: protocol,
        hopLimit: OUTER_TTL,
        src: source,
        dst: destination,
      });
      at += ipv6.LEN;
    } else {
      ipv4.write(header, at, { totalLength: 0, id: 0, flagsAndOffset: 0, ttl: OUTER_TTL, protocol, src: 0, dst: 0 });
      header.set(source, at + ipv4.SRC);
      header.set(destination, at + ipv4.DST);
      put16(header, at + ipv4.CHECKSUM, 0);
      at += ipv4.LEN;
    }
    if (this.wrap === WRAP.mplsOverGre) gre.write(header, at, gre.TYPE_MPLS);
    else udp.write(header, at, 0, this.wrap === WRAP.vxlan ? vxlan.UDP_PORT : mpls.UDP_PORT, 0);
  }
}
