import type { GuestConfig } from '#vrouterd/agent/punt.js';
import { must } from '../engine/target.js';
import { get16, layoutOf, onesComplement } from '../frames/shape.js';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ETHERNET_LEN = 14;

/** What must hold of every answer. Returns what kind it is. */
export function checkAnswer(answer: Uint8Array, asked: Uint8Array, guest: GuestConfig): string {
  const { etherType, l3At, l4At, protocol } = layoutOf(answer);
  must(etherType === IPV4 || etherType === IPV6, () => `answer of type 0x${etherType.toString(16)}`);
  const room = Math.max(guest.mtu, asked.length - ETHERNET_LEN);
  must(answer.length - ETHERNET_LEN <= room, () => `answer of ${answer.length} bytes, MTU ${guest.mtu}`);
  const toAsker = Buffer.compare(answer.subarray(0, 6), asked.subarray(6, 12)) === 0;
  const announced = etherType === IPV4 ? get16(answer, l3At + 2) : get16(answer, l3At + 4) + 40;
  must(announced === answer.length - l3At, () => `answer of ${answer.length - l3At} bytes announces ${announced}`);
  if (etherType === IPV4) checkIpv4(answer, l3At, l4At);
  const checked = protocol === 1 ? onesComplement(answer, l4At, answer.length) : transportSum(answer);
  must(checked === 0, () => `answer with a wrong checksum of protocol ${protocol}`);
  must(protocol === 17 || toAsker || answer[0] === 0x33, () => 'answer to somebody else');
  return `answer ${protocol} ${answer[l4At]} ${toAsker} ${protocol === 17 ? answer.length >> 6 : ''}`;
}

function checkIpv4(answer: Uint8Array, l3At: number, l4At: number): void {
  must(onesComplement(answer, l3At, l4At) === 0, () => 'answer with a wrong IPv4 checksum');
}

/** The sum over the pseudo header and the rest. */
function transportSum(answer: Uint8Array): number {
  const { etherType, l3At, l4At, protocol } = layoutOf(answer);
  const [at, end] = etherType === IPV4 ? [l3At + 12, l3At + 20] : [l3At + 8, l3At + 40];
  const addresses = ~onesComplement(answer, at, end) & 0xffff;
  return onesComplement(answer, l4At, answer.length, addresses + protocol + answer.length - l4At);
}
