import type { Choices } from '../engine/choices.js';
import { parseMac } from '#vrouterd/wire/addr.js';
import * as addr from '#vrouterd/wire/addr.js';
import { request } from '#vrouterd/wire/keepalive.js';
import { GUESTS, guestMac, IP6S, IPS } from './addresses.js';
import { chooseSessionFrame } from './session.js';
import { chooseFrame, onesComplement, put16, repair } from './shape.js';
import { chooseVnet } from './vnet.js';

/*
 * Frames of the underlay: tunnel packets of hosts that are known and of strangers, with frames inside that could be of a guest
 * elsewhere, alone or many in one super-frame; mostly right, sometimes changed somewhere.
 */

/** Who may send them; the last is nobody's peer. */
export const HOSTS = ['192.168.200.21', '192.168.200.22', 'fd00:c8::23', '192.168.200.24', '192.168.200.99'] as const;
export const [OURS, OURS6] = ['192.168.200.11', 'fd00:c8::11'] as const;
const FAR = addr.parseAddress('8.8.8.8');
const FAR6 = addr.parseAddress('fd00:9::1');

const ETHERNET = new Uint8Array([...parseMac('0c:00:00:00:00:01'), ...parseMac('0c:00:00:00:00:02'), 8, 0]);
const PORTS = { mpls: 6635, old: 51_234, vxlan: 4789 } as const;

/** A frame, and the virtio-net header in front of it. */
export interface Arriving {
  readonly frame: Uint8Array;
  readonly vnet: Uint8Array;
}

/** @param labels labels somebody has, of IP packets and of frames; @param vnis the same of network identifiers. */
export interface Known {
  readonly packetLabels: readonly number[];
  readonly frameLabels: readonly number[];
  readonly vnis: readonly number[];
}

export function chooseTunnelFrame(choices: Choices, known: Known): Arriving {
  const host = choices.pick(HOSTS);
  if (choices.chance(16)) return plain(keepalive(choices, host));
  const kind = choices.pick(['mpls', 'mpls', 'vxlan', 'gre', 'old'] as const);
  const isPacket = kind !== 'vxlan' && choices.chance(128);
  const number = numberOf(choices, known, kind === 'vxlan', isPacket);
  const many = kind !== 'gre' && choices.chance(128);
  const payloads = insides(choices, many ? 1 + choices.below(8) : 1).map((inside) =>
    joined(headerOf(choices, kind, number), inside.subarray(isPacket ? 14 : 0)),
  );
  const frame = outside(choices, host, kind, joined(...payloads));
  if (choices.chance(48)) frame[choices.below(frame.length)] = choices.byte();
  if (!many && choices.chance(40)) return { frame, vnet: unfinished(choices, frame, payloads[0]) };
  if (!many) return choices.chance(16) ? { frame, vnet: chooseVnet(frame, choices) } : plain(frame);
  const vnet = new Uint8Array(10);
  const view = new DataView(vnet.buffer);
  const udpAt = host.includes(':') ? 54 : 34;
  vnet.set([choices.chance(240) ? 1 : 2, 5]);
  view.setUint16(4, choices.chance(16) ? 1 + choices.byte() : payloads[0].length, true);
  view.setUint16(6, udpAt, true);
  view.setUint16(8, 6, true);
  return { frame, vnet };
}

const plain = (frame: Uint8Array): Arriving => ({ frame, vnet: new Uint8Array(10) });

/** What a kernel on the same machine leaves undone of what it has wrapped: a checksum, or the division into segments as well. */
function unfinished(choices: Choices, frame: Uint8Array, payload: Uint8Array): Uint8Array {
  const vnet = new Uint8Array(10);
  const view = new DataView(vnet.buffer);
  vnet[0] = 1;
  const ipAt = frame.length - payload.length + choices.pick([4, 18, 22]);
  view.setUint16(6, ipAt + choices.pick([20, 40]), true);
  view.setUint16(8, choices.pick([16, 6]), true);
  if (choices.chance(128)) return vnet;
  vnet[1] = choices.pick([1, 4]);
  view.setUint16(4, choices.pick([1, 8, 50, 1000]), true);
  return vnet;
}

function numberOf(choices: Choices, known: Known, isVni: boolean, isPacket: boolean): number {
  if (choices.chance(12)) return choices.pick([0, 1, 2, 16, 0xfffff, 300, 99_999]);
  return choices.pick(isVni ? known.vnis : isPacket ? known.packetLabels : known.frameLabels);
}

/** Frames of the same length, but for the last. */
function insides(choices: Choices, count: number): Uint8Array[] {
  if (choices.chance(144)) return stream(choices, count);
  const frames = Array.from({ length: count }, () =>
    choices.chance(160) ? chooseSessionFrame(choices, choices.below(GUESTS)) : chooseFrame(choices).slice(0, 1500),
  );
  const { length } = frames[0];
  return frames.map((frame, i) => {
    if (i === count - 1 && frame.length < length) return frame;
    const other = new Uint8Array(length);
    other.set(frame.subarray(0, length));
    return other;
  });
}

/** TCP segments of one session that follow each other, right but for a few. */
function stream(choices: Choices, count: number): Uint8Array[] {
  const guest = choices.below(GUESTS);
  const isIpv4 = choices.chance(160);
  const data = choices.pick([8, 100, 1000]);
  const last = choices.pick([data, data, 1]);
  const df = choices.chance(128) ? 0x40 : 0;
  return Array.from({ length: count }, (_, i) => {
    const frame = segment(guest, isIpv4, i, i === count - 1 ? last : data, data, df);
    if (choices.chance(12)) frame[14 + choices.below(frame.length - 14)] ^= 1 << choices.below(8);
    return frame;
  });
}

function segment(guest: number, isIpv4: boolean, i: number, length: number, step: number, df: number): Uint8Array {
  const ipLen = isIpv4 ? 20 : 40;
  const frame = new Uint8Array(14 + ipLen + 20 + length);
  frame.set(parseMac(guestMac(guest)));
  frame.set(parseMac('02:00:00:00:00:99'), 6);
  put16(frame, 12, isIpv4 ? 0x0800 : 0x86dd);
  if (isIpv4) {
    frame.set([0x45, 0, 0, 0, 0, i, df, 0, 64, 6, 0, 0, ...FAR, ...IPS[guest]], 14);
  } else {
    frame.set([0x60, 0, 0, 0, 0, 0, 6, 64, ...FAR6, ...IP6S[guest]], 14);
  }
  const at = 14 + ipLen;
  put16(frame, at, 80);
  put16(frame, at + 2, 1000);
  new DataView(frame.buffer).setUint32(at + 4, 0xffffff00 + i * step);
  frame[at + 12] = 0x50;
  frame[at + 13] = 0x10;
  repair(frame);
  const addresses = ~onesComplement(frame, isIpv4 ? 26 : 22, at) & 0xffff;
  put16(frame, at + 16, onesComplement(frame, at, frame.length, addresses + 6 + 20 + length));
  return frame;
}

/** What lies between the outer header and a payload. */
function headerOf(choices: Choices, kind: 'mpls' | 'old' | 'gre' | 'vxlan', number: number): Uint8Array {
  if (kind === 'vxlan') return Uint8Array.of(8, 0, 0, 0, number >>> 16, number >>> 8, number, 0);
  const ttl = choices.chance(250) ? 64 : 1;
  return Uint8Array.of(number >>> 12, number >>> 4, ((number & 15) << 4) | (choices.chance(250) ? 1 : 0), ttl);
}

function outside(choices: Choices, host: string, kind: keyof typeof PORTS | 'gre', payload: Uint8Array): Uint8Array {
  const transport = kind === 'gre' ? greOf(choices) : udpOf(PORTS[kind]);
  const frame = joined(ETHERNET, ipOf(choices, host, kind === 'gre' ? 47 : 17), transport, payload);
  if (host.includes(':')) put16(frame, 12, 0x86dd);
  repair(frame);
  const at = host.includes(':') ? 54 : 34;
  if (kind === 'gre') {
    if ((frame[at] & 0x80) !== 0) put16(frame, at + 4, onesComplement(frame, at, frame.length));
  } else if (host.includes(':') || choices.chance(64)) {
    const addresses = ~onesComplement(frame, host.includes(':') ? 22 : 26, at) & 0xffff;
    put16(frame, at + 6, onesComplement(frame, at, frame.length, addresses + 17 + frame.length - at) || 0xffff);
  }
  return frame;
}

function ipOf(choices: Choices, host: string, protocol: number): Uint8Array {
  const tos = choices.chance(32) ? choices.below(4) : 0;
  const source = addr.parseAddress(host);
  if (source.length === 16)
    return Uint8Array.of(0x60, tos << 4, 0, 0, 0, 0, protocol, 64, ...source, ...addr.parseAddress(OURS6));
  const fragment = choices.chance(4) ? 0x20 : 0x40;
  return Uint8Array.of(0x45, tos, 0, 0, 0, 1, fragment, 0, 64, protocol, 0, 0, ...source, ...addr.parseAddress(OURS));
}

function udpOf(port: number): Uint8Array {
  return Uint8Array.of(0xc3, 0x50, port >>> 8, port & 0xff, 0, 0, 0, 0);
}

function greOf(choices: Choices): Uint8Array {
  const flags = choices.pick([0, 0, 0x80, 0x20, 0xa0, 0x10]);
  const options = ((flags & 0x80) === 0 ? 0 : 4) + ((flags & 0x20) === 0 ? 0 : 4);
  return joined(Uint8Array.of(flags, 0, 0x88, 0x47), new Uint8Array(options));
}

function keepalive(choices: Choices, host: string): Uint8Array {
  const source = addr.parseAddress(host);
  const frame = request({
    rewrite: ETHERNET,
    source,
    destination: addr.parseAddress(source.length === 16 ? OURS6 : OURS),
    nonce: BigInt(choices.byte()),
    ...(choices.chance(128) && {
      probe: { kind: choices.pick(['label', 'vni']), number: 400 + choices.below(20), address: choices.pick(IPS) },
    }),
  });
  if (choices.chance(48)) frame[choices.below(frame.length)] = choices.byte();
  return frame;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
