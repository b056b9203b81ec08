import { GATEWAY_MAC } from '#vrouterd/wire/ethernet.js';
import { VNET_LEN } from '#vrouterd/io/device.js';
import { VIF_ID } from '#vrouterd/tables/records.js';
import type { Tables } from '#vrouterd/tables/tables.js';
import type { Vif } from '#vrouterd/tables/vif.js';
import { must } from '../engine/target.js';
import { HOST_MAC } from '../frames/addresses.js';
import { get16, layoutOf, onesComplement } from '../frames/shape.js';
import type { Descriptor, GuardedIo } from './guarded-io.js';

/** A frame as it came in, before anybody touched it. */
export interface Arrived {
  readonly port: number;
  readonly frame: Uint8Array;
  readonly vnet: Uint8Array;
}

const NEEDS_CSUM = 1;
const IPV4 = 0x0800;
const ARP = 0x0806;
const IPV6 = 0x86dd;
const TYPE_AT = 12;
const IPV6_FRAGMENT = 44;
const ICMPV6 = 58;
const ND_FIRST = 133;
const ND_LAST = 137;

/** What must hold of a frame that leaves because of another that arrived. */
export function checkSent(tables: Tables, io: GuardedIo, out: Descriptor, arrived: Arrived): void {
  const { bytes } = io;
  const frame = bytes.subarray(out.at, out.at + out.length);
  const vnet = bytes.subarray(out.at - VNET_LEN, out.at);
  const [from, to] = [tables.vifs.get(arrived.port), tables.vifs.get(out.port)];
  must(to !== undefined, () => `sent to vif ${out.port}, which is not there`);
  if (arrived.port === VIF_ID.physical || out.port === VIF_ID.physical) {
    return checkOverlay(io, out, to.offloads, frame, vnet);
  }
  // A copy for an analyzer may lead anywhere, and be anything.
  if (tables.mirrors.size > 0 && !io.origin(out)) return checkFinished(to.offloads, out, vnet);
  must(from?.vrf === to.vrf, () => `from VRF ${from?.vrf} of vif ${arrived.port} to VRF ${to.vrf} of vif ${out.port}`);
  must(out.port !== arrived.port || !isBridged(frame, arrived.frame), () => `back out of vif ${out.port} unchanged`);
  checkFinished(to.offloads, out, vnet);
  if (to.offloads) return;
  if (arrived.vnet[1] !== 0) checkSegment(frame);
  else if (io.origin(out)) checkCompleted(frame, arrived);
}

/** A port that takes no offloads gets what goes on the wire. */
function checkFinished(offloads: boolean, { port }: Descriptor, vnet: Uint8Array): void {
  must(
    offloads || (vnet[1] === 0 && (vnet[0] & NEEDS_CSUM) === 0),
    () => `unfinished frame to vif ${port}, which takes no offloads`,
  );
}

/** What goes to or comes from the underlay is finished for its port, and has outer headers that are right. */
function checkOverlay(io: GuardedIo, out: Descriptor, offloads: boolean, frame: Uint8Array, vnet: Uint8Array): void {
  checkFinished(offloads, out, vnet);
  if (out.port !== VIF_ID.physical || !io.origin(out)) return;
  const { etherType, l3At, l4At } = layoutOf(frame);
  must(etherType === IPV4 || etherType === IPV6, () => `EtherType ${etherType} to the underlay`);
  const announced = etherType === IPV4 ? get16(frame, l3At + 2) : get16(frame, l3At + 4) + 40;
  must(announced === frame.length - l3At, () => `${frame.length - l3At} bytes to the underlay announce ${announced}`);
  must(etherType === IPV6 || onesComplement(frame, l3At, l4At) === 0, () => 'wrong outer checksum');
}

/** Whether the frame is the one that arrived, not routed and no answer to it. */
function isBridged(frame: Uint8Array, arrived: Uint8Array): boolean {
  const addresses = Buffer.compare(frame.subarray(0, 12), arrived.subarray(0, 12)) === 0;
  const fromGateway = Buffer.from(frame.subarray(6, 12)).toString('hex') === GATEWAY_MAC.replaceAll(':', '');
  const { etherType, l3At } = layoutOf(frame);
  const answered = etherType === ARP && get16(frame, l3At + 6) !== get16(arrived, l3At + 6);
  return addresses && frame.length === arrived.length && !fromGateway && !answered;
}

/** The checksum that was left to us is right now: over the field's old value, which stands for the pseudo header, and the range. */
function checkCompleted(frame: Uint8Array, { vnet, frame: whole }: Arrived): void {
  const [start, offset] = [vnet[6] | (vnet[7] << 8), vnet[8] | (vnet[9] << 8)];
  // At an odd offset it is a checksum of other words; in front of the transport header routing may have changed the field.
  if ((vnet[0] & NEEDS_CSUM) === 0 || offset % 2 !== 0 || layoutOf(frame).l4At !== start) return;
  const sum = onesComplement(frame, start, frame.length, get16(whole, start + offset));
  must(sum === 0, () => `wrong checksum completed at ${start} + ${offset}`);
}

/** A part of a super-frame announces its own length and has right checksums. */
function checkSegment(frame: Uint8Array): void {
  const { etherType, l3At, l4At, protocol } = layoutOf(frame);
  const isIpv4 = etherType === IPV4;
  const announced = isIpv4 ? get16(frame, l3At + 2) : get16(frame, l3At + 4) + 40;
  must(announced === frame.length - l3At, () => `segment of ${frame.length - l3At} bytes announces ${announced}`);
  if (isIpv4) {
    const end = l3At + (frame[l3At] & 15) * 4;
    must(onesComplement(frame, l3At, end) === 0, () => 'segment with a wrong IPv4 checksum');
  }
  if (protocol !== 6 && protocol !== 17) return;
  const addressesAt = l3At + (isIpv4 ? 12 : 8);
  const addresses = ~onesComplement(frame, addressesAt, l3At + (isIpv4 ? 20 : 40)) & 0xffff;
  const sum = onesComplement(frame, l4At, frame.length, addresses + protocol + frame.length - l4At);
  must(sum === 0, () => `segment with a wrong checksum of protocol ${protocol}`);
}

/**
 * The frame may have come here: from an interface with port security only with a MAC of its own, and not where an access list lets
 * no session begin. What several sessions share is decided by the first of them, so nothing is said where there are fat flows.
 */
export function checkAllowed(tables: Tables, io: GuardedIo, out: Descriptor, { port, frame }: Arrived): void {
  const [from, to] = [tables.vifs.get(port), tables.vifs.get(out.port)];
  if (!from || !to || !io.origin(out)) return;
  if (port === VIF_ID.physical) return checkFromOverlay(tables, io, out, to);
  if (out.port === VIF_ID.physical || !hasFlow(frame)) return;
  const source = macAt(frame, 6);
  const isOwn = !from.policy || !from.portSecurity || from.record.macs.includes(source);
  must(isOwn, () => `vif ${port} sent from ${source}, which is not its own`);
  if (from.fatFlows || to.fatFlows || ![...to.record.macs, GATEWAY_MAC, HOST_MAC].includes(macAt(frame, 0))) return;
  const network = tables.vrfs[from.vrf]?.record.acl ?? -1;
  must(!from.policy || !isShut(tables, network), () => `vif ${port} sent where the policies of its network let nobody`);
  const isAlone = to.policy && to.portSecurity && isShut(tables, to.ingressAcl) && isShut(tables, to.egressAcl);
  must(!isAlone, () => `vif ${out.port} was sent a frame, whose security groups let nobody`);
}

/** Nothing of another host reaches a guest whose security groups let nobody. */
function checkFromOverlay(tables: Tables, { bytes }: GuardedIo, out: Descriptor, to: Vif): void {
  const frame = bytes.subarray(out.at, out.at + out.length);
  if (to.fatFlows || !to.record.macs.includes(macAt(frame, 0)) || !hasFlow(frame)) return;
  const isAlone = to.policy && to.portSecurity && isShut(tables, to.ingressAcl) && isShut(tables, to.egressAcl);
  must(!isAlone, () => `vif ${out.port} was sent a frame from the underlay, whose security groups let nobody`);
}

function isShut({ acls }: Tables, id: number): boolean {
  const record = acls[id]?.record;
  return record?.rules.length === 0 && record.otherwise === 'deny';
}

/** Whether the frame is untagged unicast IP and no neighbour discovery; what is in fragments does not count. */
function hasFlow(frame: Uint8Array): boolean {
  const { typeAt, etherType, protocol, l4At } = layoutOf(frame);
  if (typeAt !== TYPE_AT || (frame[0] & 1) !== 0 || (etherType !== IPV4 && etherType !== IPV6)) return false;
  const isNd = protocol === ICMPV6 && l4At > 0 && frame[l4At] >= ND_FIRST && frame[l4At] <= ND_LAST;
  return !isNd && !(etherType === IPV6 && protocol === IPV6_FRAGMENT);
}

const macAt = (frame: Uint8Array, at: number): string =>
  Array.from(frame.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
