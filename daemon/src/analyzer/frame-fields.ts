/** Fields of a frame that filters ask for, as numbers; -1: it has none. */
import { get16, get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import { hasPorts } from '../wire/ip-protocol.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as fragment from '../wire/ipv6-fragment.js';
import * as vlan from '../wire/vlan.js';

const ARP_SENDER = 14;
const ARP_TARGET = 24;
const ARP_LEN = 28;
/** Headers of IPv6 that stand between it and what it carries. */
const EXTENSIONS = [0, 43, 60] as const;

export class FrameFields {
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the Ethernet header. */
  at = 0;
  length = 0;
  etherType = -1;
  /** Of the outer tag. */
  vlan = -1;
  protocol = -1;
  /** Where addresses are, of IP or ARP, and their length: 4, 16, 0: there are none. */
  sourceAt = -1;
  destinationAt = -1;
  addressLen = 0;
  sourcePort = -1;
  destinationPort = -1;

  /** Reads the frame [at, end) of `b`, which has at least an Ethernet header. */
  read(b: Uint8Array, at: number, end: number): void {
    this.bytes = b;
    this.at = at;
    this.length = end - at;
    this.etherType = this.vlan = this.protocol = this.sourceAt = this.destinationAt = -1;
    this.addressLen = 0;
    this.sourcePort = this.destinationPort = -1;
    const typeAt = vlan.typeAt(b, at, end);
    if (typeAt < 0) return;
    if (typeAt > at + ethernet.TYPE) this.vlan = vlan.id(b, at + ethernet.TYPE);
    this.etherType = get16(b, typeAt);
    if (this.etherType === ethernet.TYPE_IPV4) this.#ipv4(typeAt + 2, end);
    else if (this.etherType === ethernet.TYPE_IPV6) this.#ipv6(typeAt + 2, end);
    else if (this.etherType === ethernet.TYPE_ARP && typeAt + 2 + ARP_LEN <= end) {
      this.#addresses(typeAt + 2 + ARP_SENDER, typeAt + 2 + ARP_TARGET, 4);
    }
  }

  #ipv4(at: number, end: number): void {
    if (!ipv4.fits(at, end)) return;
    this.#addresses(at + ipv4.SRC, at + ipv4.DST, 4);
    this.protocol = ipv4.protocol(this.bytes, at);
    if (ipv4.fragmentOffset(this.bytes, at) === 0) this.#ports(at + ipv4.headerLen(this.bytes, at), end);
  }

  #ipv6(at: number, end: number): void {
    if (!ipv6.fits(at, end)) return;
    this.#addresses(at + ipv6.SRC, at + ipv6.DST, ipv6.ADDRESS_LEN);
    let kind = ipv6.nextHeader(this.bytes, at);
    let p = at + ipv6.LEN;
    let isFirst = true;
    while (p + 8 <= end && (kind === ipv6.FRAGMENT || EXTENSIONS.some((one) => one === kind))) {
      const length = kind === ipv6.FRAGMENT ? fragment.LEN : (this.bytes[p + 1] + 1) * 8;
      if (kind === ipv6.FRAGMENT && fragment.offset(this.bytes, p) > 0) isFirst = false;
      kind = this.bytes[p];
      p += length;
    }
    this.protocol = kind;
    if (isFirst) this.#ports(p, end);
  }

  #addresses(sourceAt: number, destinationAt: number, length: number): void {
    this.sourceAt = sourceAt;
    this.destinationAt = destinationAt;
    this.addressLen = length;
  }

  #ports(at: number, end: number): void {
    if (!hasPorts(this.protocol) || at + 4 > end) return;
    const both = get32(this.bytes, at);
    this.sourcePort = both >>> 16;
    this.destinationPort = both & 0xffff;
  }
}
