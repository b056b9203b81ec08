import { GATEWAY_MAC } from '#vrouterd/agent/compile.js';
import { VNET_LEN } from '#vrouterd/io/device.js';
import type { Tables } from '#vrouterd/tables/tables.js';
import { must } from '../engine/target.js';
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

/** What must hold of a frame that leaves because of another that arrived. */
export function checkSent(tables: Tables, io: GuardedIo, out: Descriptor, arrived: Arrived): void {
  const { bytes } = io;
  const frame = bytes.subarray(out.at, out.at + out.length);
  const vnet = bytes.subarray(out.at - VNET_LEN, out.at);
  const [from, to] = [tables.vifs.get(arrived.port), tables.vifs.get(out.port)];
  must(to !== undefined, () => `sent to vif ${out.port}, which is not there`);
  must(from?.vrf === to.vrf, () => `from VRF ${from?.vrf} of vif ${arrived.port} to VRF ${to.vrf} of vif ${out.port}`);
  must(out.port !== arrived.port || !isBridged(frame, arrived.frame), () => `back out of vif ${out.port} unchanged`);
  if (to.offloads) return;
  must(
    vnet[1] === 0 && (vnet[0] & NEEDS_CSUM) === 0,
    () => `unfinished frame to vif ${out.port}, which takes no offloads`,
  );
  if (arrived.vnet[1] !== 0) checkSegment(frame);
  else if (io.origin(out)) checkCompleted(frame, arrived);
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
