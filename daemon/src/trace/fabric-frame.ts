import type { TraceRequest } from '../control/trace-dumps.js';
import { RefusedError } from '../control/refused.js';
import type { Nexthop } from '../tables/nexthop.js';
import { NH_FLAG, NH_TYPE, type PeerRecord, VIF_ID } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import type { Vif } from '../tables/vif.js';
import { family, parseAddress, parseMac } from '../wire/addr.js';
import { get32 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as mpls from '../wire/mpls.js';
import * as udp from '../wire/udp.js';
import * as vxlan from '../wire/vxlan.js';
import { linkDestination, sourceOf, writeFrame } from './frame.js';
import { parsePacket } from './packet-spec.js';

/** What a tunnel of another host carries, and to whom. */
interface Wrapped {
  readonly kind: 'label' | 'vni';
  readonly number: number;
  readonly packet: string;
}

const OUTER_TTL = 64;
const SOURCE_PORT = 49_152;
/** Who sends: nothing asks for it. */
const SENDER_MAC = '02:00:00:00:00:01';

/**
 * The frame another host (`fabric:HOST`) sends us: the packet in words behind `label N` or `vni N`, as MPLSoUDP or VXLAN. What the
 * label is for decides whether the packet has an Ethernet header. Throws RefusedError.
 */
export function fabricFrame(request: TraceRequest, underlay: Vif, tables: Tables): Uint8Array {
  const host = request.vmi.slice('fabric:'.length);
  const wrapped = parseWrapped(request.packet ?? '');
  const spec = parsePacket(wrapped.packet);
  const from = sourceOf(spec, { mac: parseMac(SENDER_MAC), ip: null, ip6: null });
  const target = targetOf(wrapped, tables);
  const to = linkDestination(spec);
  const dst = request.dstMac ?? (typeof to === 'string' ? macOf(to, target, tables) : to);
  const macs = { src: parseMac(request.srcMac ?? SENDER_MAC), dst: typeof dst === 'string' ? parseMac(dst) : dst };
  const frame = writeFrame(spec, from, macs, request);
  const payload = isRouted(wrapped, target) ? frame.subarray(ethernet.LEN) : frame;
  return wrap(payload, wrapped, hostNamed(host, tables), underlay);
}

function parseWrapped(text: string): Wrapped {
  const found = /^\s*(label|vni)\s+(\d{1,8})\s+(.*)$/is.exec(text);
  if (!found)
    throw new RefusedError(
      'invalid',
      `'${text}' does not say what it is for; begin with label N or vni N, as mpls --dump and vxlan --dump show`,
    );
  return { kind: found[1].toLowerCase() as Wrapped['kind'], number: Number(found[2]), packet: found[3] };
}

/** A number nobody gave away is traced too: what becomes of it is the answer. */
function targetOf({ kind, number }: Wrapped, { labels, vnis, nexthops }: Tables): Nexthop | undefined {
  if (number >= (kind === 'label' ? 1 << 20 : 1 << 24)) throw new RefusedError('invalid', `${number} is no ${kind}`);
  return nexthops.get(kind === 'label' ? labels.get(number) : vnis.get(number));
}

/** Whether packets with the label have no Ethernet header. */
const isRouted = ({ kind }: Wrapped, target: Nexthop | undefined): boolean =>
  kind === 'label' &&
  target !== undefined &&
  ((target.type === NH_TYPE.encap && !target.bridged) || (target.record.flags & NH_FLAG.routeLookup) !== 0);

/** MAC the other host would write: of the guest behind the label, of who has the address, of the gateway. */
function macOf(address: string, target: Nexthop | undefined, { vifs, vrfs }: Tables): string {
  const behind = target && target.oif >= 0 ? vifs.get(target.oif)?.record.macs.at(0) : undefined;
  if (behind !== undefined) return behind;
  const vrf = target && target.vrf >= 0 ? vrfs[target.vrf] : undefined;
  const routes = family(address) === 4 ? vrf?.inet.records() : vrf?.inet6.records();
  const route = [...(routes ?? [])].find(({ prefix, length }) => prefix === address && length >= 32);
  return route?.stitchedMac ?? ethernet.GATEWAY_MAC;
}

function hostNamed(host: string, { peers }: Tables): PeerRecord {
  const found = [...peers.entries()].find(({ name, address }) => name === host || address === host);
  if (found) return found;
  if (family(host) !== 0) return { id: -1, name: host, address: host };
  const known = [...peers.entries()].map(({ name }) => name).join(', ');
  throw new RefusedError('notFound', `no host '${host}' is known; name one of: ${known || 'none is known'}`);
}

/** Outer Ethernet, IP, UDP, and the label or VNI. */
function wrap(payload: Uint8Array, { kind, number }: Wrapped, peer: PeerRecord, { record }: Vif): Uint8Array {
  const isIpv6 = family(peer.address) === 6;
  const ours = isIpv6 ? record.ip6 : record.ip;
  if (ours === null || ours === '0.0.0.0')
    throw new RefusedError('invalid', `vif0/${VIF_ID.physical} has no address of the family of ${peer.address}`);
  const ipLen = isIpv6 ? ipv6.LEN : ipv4.LEN;
  const numberLen = kind === 'label' ? mpls.LEN : vxlan.LEN;
  const udpAt = ethernet.LEN + ipLen;
  const b = new Uint8Array(udpAt + udp.LEN + numberLen + payload.length);
  const type = isIpv6 ? ethernet.TYPE_IPV6 : ethernet.TYPE_IPV4;
  ethernet.write(b, 0, parseMac(record.mac), parseMac(SENDER_MAC), type);
  writeIp(b, parseAddress(peer.address), parseAddress(ours));
  udp.write(b, udpAt, SOURCE_PORT, kind === 'label' ? mpls.UDP_PORT : vxlan.UDP_PORT, b.length - udpAt);
  const at = udpAt + udp.LEN;
  if (kind === 'label') mpls.write(b, at, number, 0, OUTER_TTL);
  else vxlan.write(b, at, number);
  b.set(payload, at + numberLen);
  if (isIpv6) udp.setChecksum6(b, ethernet.LEN, udpAt, b.length);
  return b;
}

function writeIp(b: Uint8Array, src: Uint8Array, dst: Uint8Array): void {
  const at = ethernet.LEN;
  const common = { src: get32(src, 0), dst: get32(dst, 0), protocol: ipv4.PROTOCOL_UDP, ttl: OUTER_TTL };
  if (src.length !== ipv6.ADDRESS_LEN) {
    ipv4.write(b, at, { ...common, totalLength: b.length - at, id: 0, flagsAndOffset: 0 });
    return;
  }
  const payloadLength = b.length - at - ipv6.LEN;
  ipv6.write(b, at, { payloadLength, nextHeader: ipv4.PROTOCOL_UDP, hopLimit: OUTER_TTL, src, dst });
}
