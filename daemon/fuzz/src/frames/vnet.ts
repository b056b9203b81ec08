import type { Choices } from '../engine/choices.js';
import { layoutOf } from './shape.js';

const LEN = 10;
const NEEDS_CSUM = 1;
const GSO = { tcp4: 1, tcp6: 4, udpL4: 5 } as const;
const SIZES = [1, 2, 8, 63, 64, 536, 1000, 1386, 1410, 1448, 9000, 65_535] as const;

/** The virtio-net header a guest could send in front of the frame: none to speak of, the right one, that one with a lie, noise. */
export function chooseVnet(frame: Uint8Array, choices: Choices): Uint8Array {
  switch (choices.below(8)) {
    case 0:
    case 1:
      return new Uint8Array(LEN);
    case 2:
    case 3:
      return right(frame, 0);
    case 4:
    case 5:
      return right(frame, choices.pick(SIZES));
    case 6: {
      const header = right(frame, choices.pick(SIZES));
      for (let n = 1 + choices.below(2); n > 0; n--) header[choices.below(LEN)] = choices.byte();
      return header;
    }
    default:
      return choices.bytes(LEN);
  }
}

/** Header of a frame whose TCP or UDP checksum is left to others; with a segment size, as a super-frame. */
function right(frame: Uint8Array, size: number): Uint8Array {
  const header = new Uint8Array(LEN);
  const { etherType, protocol, l4At } = layoutOf(frame);
  if (l4At === 0 || (protocol !== 6 && protocol !== 17)) return header;
  const view = new DataView(header.buffer);
  const tcp = protocol === 6;
  header[0] = NEEDS_CSUM;
  view.setUint16(6, l4At, true);
  view.setUint16(8, tcp ? 16 : 6, true);
  if (size === 0) return header;
  const transport = tcp ? (frame[l4At + 12] >>> 4) * 4 : 8;
  header[1] = tcp ? (etherType === 0x0800 ? GSO.tcp4 : GSO.tcp6) : GSO.udpL4;
  view.setUint16(2, l4At + transport, true);
  view.setUint16(4, size, true);
  return header;
}
