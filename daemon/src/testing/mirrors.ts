import ipaddr from 'ipaddr.js';
import { type MirrorRecord, NH_FLAG, NH_TYPE, type NexthopRecord, type VifMirrorRecord } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import { HOST_MAC } from './network.js';
import { internetChecksum } from './packet-builder.js';

/** Nexthop of a mirror with this number, in tests. */
const nexthopOf = (mirror: number): number => 900 + mirror;

/** What is different about a mirror: it is dynamic and copies all, as usual. */
export interface MirrorChanges extends Partial<MirrorRecord> {
  readonly analyzer?: string;
  readonly port?: number;
  readonly copySip?: boolean;
  readonly vrf?: number;
}

/** Nexthop of copies with header for an analyzer. */
function wrappingNexthop(
  id: number,
  { analyzer = '5.5.5.5', port = 8099, copySip = true, vrf = -1 }: MirrorChanges,
): NexthopRecord {
  const isIpv6 = analyzer.includes(':');
  return {
    id,
    type: NH_TYPE.tunnel,
    family: 'inet',
    flags: NH_FLAG.valid | NH_FLAG.tunnelUdp | NH_FLAG.etreeRoot | (copySip ? NH_FLAG.copySip : 0),
    vrf,
    oif: 0,
    rewrite: `000000000000${HOST_MAC.replaceAll(':', '')}0800`,
    udp: {
      source: isIpv6 ? 'fd00:c8::11' : '192.168.200.11',
      destination: analyzer,
      sourcePort: 8097,
      destinationPort: port,
    },
    members: [],
  };
}

/** Adds or changes a mirror: with header unless it names a nexthop. */
export function setMirror(tables: Tables, id: number, changes: MirrorChanges = {}): void {
  const isDynamic = changes.nexthop === undefined;
  if (isDynamic) tables.apply({ table: 'nexthop', op: 'set', record: wrappingNexthop(nexthopOf(id), changes) });
  const record: MirrorRecord = {
    id,
    name: changes.name ?? `analyzer-${id}`,
    nexthop: changes.nexthop ?? nexthopOf(id),
    isDynamic,
    vni: changes.vni ?? -1,
    nicVlan: changes.nicVlan ?? 0,
    rateLimit: changes.rateLimit ?? 0,
    sample: changes.sample ?? 1,
    snapLength: changes.snapLength ?? 0,
    suppressErrors: changes.suppressErrors ?? true,
  };
  tables.apply({ table: 'mirror', op: 'set', record });
}

/** Gives an interface mirrors. */
export function mirrorPort(tables: Tables, vif: number, mirrors: readonly VifMirrorRecord[]): void {
  const record = tables.vifs.get(vif)?.record;
  if (!record) throw new Error(`no interface ${vif}`);
  tables.apply({ table: 'vif', op: 'set', record: { ...record, mirrors } });
}

export const BOTH = (mirror: number): VifMirrorRecord => ({ mirror, receive: true, transmit: true });

/** A copy with header as it arrives. */
export interface WrappedCopy {
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  readonly id: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Type and value of each, the end included. */
  readonly metadata: readonly (readonly [type: number, value: string])[];
  readonly frame: Uint8Array;
}

const u16 = (b: Uint8Array, at: number): number => b[at] * 256 + b[at + 1];

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/**
 * Takes copies apart, slowly, and without anything the datapath uses: of frames as an analyzer's interface gets them, of which
 * fragments are put together. What is wrong with one is thrown.
 */
export function wrappedCopies(frames: readonly Uint8Array[]): WrappedCopy[] {
  const parts = new Map<string, Uint8Array[]>();
  const copies: WrappedCopy[] = [];
  for (const frame of frames) {
    const { key, data, offset, more } = ipPart(frame);
    if (offset === 0 && !more) {
      copies.push(datagram(frame, data));
      continue;
    }
    const known = parts.get(key) ?? [];
    known.push(frame);
    parts.set(key, known);
    if (more) continue;
    const pieces = known.map(ipPart).sort((a, b) => a.offset - b.offset);
    let length = 0;
    for (const piece of pieces) {
      must(piece.offset === length, 'a fragment is missing');
      length += piece.data.length;
    }
    parts.delete(key);
    copies.push(datagram(known[0], Uint8Array.from(pieces.flatMap((piece) => [...piece.data]))));
  }
  must(parts.size === 0, 'a datagram is not complete');
  return copies;
}

/** What an IP packet carries, and where in its datagram. */
function ipPart(frame: Uint8Array): { key: string; data: Uint8Array; offset: number; more: boolean } {
  const ip = frame.subarray(14);
  if (u16(frame, 12) === 0x0800) {
    must(ip[0] === 0x45 && internetChecksum(ip.subarray(0, 20)) === 0 && ip[9] === 17, 'no IPv4 header of UDP');
    must(u16(ip, 2) === ip.length, 'IPv4 length');
    const word = u16(ip, 6);
    must((word & 0x4000) === 0, 'DF is set');
    return { key: `${u16(ip, 4)}`, data: ip.subarray(20), offset: (word & 0x1fff) * 8, more: (word & 0x2000) !== 0 };
  }
  must(u16(frame, 12) === 0x86dd && ip[0] >> 4 === 6 && u16(ip, 4) === ip.length - 40, 'no IPv6 header');
  if (ip[6] === 17) return { key: '', data: ip.subarray(40), offset: 0, more: false };
  must(ip[6] === 44 && ip[40] === 17, 'no UDP');
  const word = u16(ip, 42);
  return { key: ip.subarray(44, 48).join(), data: ip.subarray(48), offset: word & 0xfff8, more: (word & 1) !== 0 };
}

function datagram(first: Uint8Array, data: Uint8Array): WrappedCopy {
  const isIpv6 = u16(first, 12) === 0x86dd;
  const ip = first.subarray(14);
  const addresses = isIpv6 ? ip.subarray(8, 40) : ip.subarray(12, 20);
  const half = addresses.length / 2;
  const pseudo = [...addresses, 0, 17, ...[data.length >> 8, data.length & 0xff]];
  must(u16(data, 4) === data.length, 'UDP length');
  must(u16(data, 6) !== 0 && internetChecksum([...pseudo, ...data]) === 0, 'UDP checksum');
  const metadata: [number, string][] = [];
  let at = 8;
  for (;;) {
    const [type, length] = data.subarray(at, at + 2);
    const value = data.subarray(at + 2, at + 2 + length);
    must(value.length === length, 'metadata without end');
    metadata.push([
      type,
      type === 1 ? value.join('.') : type === 2 ? Buffer.from(value).toString('hex') : Buffer.from(value).toString(),
    ]);
    at += 2 + length;
    if (type === 255) break;
  }
  return {
    source: ipaddr.fromByteArray([...addresses.subarray(0, half)]).toString(),
    destination: ipaddr.fromByteArray([...addresses.subarray(half)]).toString(),
    ttl: isIpv6 ? ip[7] : ip[8],
    id: isIpv6 ? 0 : u16(ip, 4),
    sourcePort: u16(data, 0),
    destinationPort: u16(data, 2),
    metadata,
    frame: data.slice(at),
  };
}
