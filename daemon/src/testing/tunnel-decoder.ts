import ipaddr from 'ipaddr.js';
import type { SentFrame } from '../io/memory.js';

/*
 * Takes tunnel packets apart, for tests: slowly, byte by byte, and without anything the datapath uses. What is wrong with a packet
 * is thrown.
 */

/** One packet as it is on the wire. */
export interface TunnelPacket {
  readonly source: string;
  readonly destination: string;
  /** DSCP and ECN, identification and DF of IPv4, TTL or hop limit. */
  readonly tos: number;
  readonly id: number;
  readonly df: boolean;
  readonly ttl: number;
  readonly encapsulation: 'MPLSoUDP' | 'MPLSoGRE' | 'VXLAN';
  /** UDP source port, 0: GRE; whether it has a UDP checksum. */
  readonly port: number;
  readonly hasChecksum: boolean;
  /** Label or VNI, and the label's TTL; -1: a VXLAN has none. */
  readonly label: number;
  readonly labelTtl: number;
  /** Length of the IP packet, outer headers included. */
  readonly length: number;
  readonly payload: Uint8Array;
}

const u16 = (b: Uint8Array, at: number): number => b[at] * 256 + b[at + 1];
const le16 = (b: Uint8Array, at: number): number => b[at] + b[at + 1] * 256;

/** One's complement sum, folded. */
function sum16(bytes: readonly number[]): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += bytes[i] * 256 + (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total % 65536) + Math.floor(total / 65536);
  return total;
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** The packets that a sent frame is on the wire: the kernel divides UDP super-frames, and completes what is left to it. */
export function tunnelPackets({ frame, vnet }: SentFrame): TunnelPacket[] {
  const [flags, gsoType] = vnet;
  must(gsoType === 0 || gsoType === 5, `gso type ${gsoType}`);
  const l4At = 14 + (frame[14] >> 4 === 6 ? 40 : 20);
  const isPartial = (flags & 1) !== 0;
  if (isPartial) must(le16(vnet, 6) === l4At && le16(vnet, 8) === 6, 'checksum elsewhere than in the outer UDP header');
  must(gsoType === 0 || isPartial, 'a super-frame without checksum');
  checkLengths(frame, l4At);
  if (isPartial) must(sum16(pseudoHeader(frame, l4At)) === u16(frame, l4At + 6), 'not the sum of the pseudo header');
  if (gsoType === 0) return [packet(isPartial ? complete(frame, l4At) : frame, l4At)];

  const size = le16(vnet, 4);
  must(le16(vnet, 2) === l4At + 8, 'header length');
  const data = frame.subarray(l4At + 8);
  const count = Math.ceil(data.length / size);
  must(count > 1 && count <= 60, `${count} segments`);
  return Array.from({ length: count }, (_, i) => {
    const part = [...frame.subarray(0, l4At + 8), ...data.subarray(i * size, (i + 1) * size)];
    return packet(complete(segment(Uint8Array.from(part), l4At, i), l4At), l4At);
  });
}

function checkLengths(frame: Uint8Array, l4At: number): void {
  const isIpv6 = l4At === 54;
  must(u16(frame, 12) === (isIpv6 ? 0x86dd : 0x0800), 'EtherType');
  must((isIpv6 ? u16(frame, 18) + 40 : u16(frame, 16)) === frame.length - 14, 'IP length');
  const protocol = frame[isIpv6 ? 20 : 23];
  must(protocol === 17 || protocol === 47, `protocol ${protocol}`);
  if (protocol === 17) must(u16(frame, l4At + 4) === frame.length - l4At, 'UDP length');
  if (!isIpv6) must(sum16([...frame.subarray(14, 34)]) === 0xffff, 'IP checksum');
}

function pseudoHeader(frame: Uint8Array, l4At: number): number[] {
  const addresses = l4At === 54 ? frame.subarray(22, 54) : frame.subarray(26, 34);
  const length = frame.length - l4At;
  return [...addresses, 0, 17, length >> 8, length & 0xff];
}

/** A segment with the lengths, the identification and the header checksum it gets. */
function segment(frame: Uint8Array, l4At: number, index: number): Uint8Array {
  const put = (at: number, value: number): void => frame.set([value >> 8, value & 0xff], at);
  put(l4At + 4, frame.length - l4At);
  if (l4At === 54) {
    put(18, frame.length - 54);
    return frame;
  }
  put(16, frame.length - 14);
  put(18, (u16(frame, 18) + index) % 65536);
  put(24, 0);
  put(24, 0xffff - sum16([...frame.subarray(14, 34)]));
  return frame;
}

/** The frame with its UDP checksum. */
function complete(frame: Uint8Array, l4At: number): Uint8Array {
  const whole = Uint8Array.from(frame);
  whole.set([0, 0], l4At + 6);
  const checksum = 0xffff - sum16([...pseudoHeader(whole, l4At), ...whole.subarray(l4At)]) || 0xffff;
  whole.set([checksum >> 8, checksum & 0xff], l4At + 6);
  return whole;
}

function packet(frame: Uint8Array, l4At: number): TunnelPacket {
  checkLengths(frame, l4At);
  const isIpv6 = l4At === 54;
  const address = (at: number): string =>
    ipaddr.fromByteArray([...frame.subarray(at, at + (isIpv6 ? 16 : 4))]).toString();
  const outer = {
    source: address(isIpv6 ? 22 : 26),
    destination: address(isIpv6 ? 38 : 30),
    tos: isIpv6 ? (u16(frame, 14) >> 4) & 0xff : frame[15],
    id: isIpv6 ? 0 : u16(frame, 18),
    df: isIpv6 || (frame[20] & 0x40) !== 0,
    ttl: frame[isIpv6 ? 21 : 22],
    length: frame.length - 14,
  };
  if (frame[isIpv6 ? 20 : 23] === 47) {
    must(u16(frame, l4At) === 0 && u16(frame, l4At + 2) === 0x8847, 'GRE header');
    return { ...outer, encapsulation: 'MPLSoGRE', port: 0, hasChecksum: false, ...labelled(frame, l4At + 4) };
  }
  const [port, to, checksum] = [u16(frame, l4At), u16(frame, l4At + 2), u16(frame, l4At + 6)];
  must(!isIpv6 || checksum !== 0, 'no UDP checksum in IPv6');
  if (checksum !== 0)
    must(sum16([...pseudoHeader(frame, l4At), ...frame.subarray(l4At)]) === 0xffff, 'outer UDP checksum');
  const datagram = { ...outer, port, hasChecksum: checksum !== 0 };
  if (to === 6635) return { ...datagram, encapsulation: 'MPLSoUDP', ...labelled(frame, l4At + 8) };
  must(to === 4789 && u16(frame, l4At + 8) === 0x0800 && frame[l4At + 15] === 0, 'VXLAN header');
  const label = frame[l4At + 12] * 65536 + u16(frame, l4At + 13);
  return { ...datagram, encapsulation: 'VXLAN', label, labelTtl: -1, payload: frame.slice(l4At + 16) };
}

function labelled(frame: Uint8Array, at: number): Pick<TunnelPacket, 'label' | 'labelTtl' | 'payload'> {
  must((frame[at + 2] & 0x0f) === 1, 'traffic class 0 and bottom of the stack');
  const label = (u16(frame, at) * 256 + frame[at + 2]) >> 4;
  return { label, labelTtl: frame[at + 3], payload: frame.slice(at + 4) };
}
