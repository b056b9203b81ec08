/** Frames of capture files: the classic format of libpcap (draft-ietf-opsawg-pcap), either byte order, micro- or nanoseconds. */
import { Exit, STATUS } from './exit.js';

const HEADER_LEN = 24;
const RECORD_LEN = 16;
const MAGICS = [0xa1b2c3d4, 0xa1b23c4d];
const LINK_TYPE = 20;
const ETHERNET = 1;

/** Frame `number`, from 1, of the file's content. Throws Exit. */
export function frameOf(file: Buffer, number: number, name: string): Buffer {
  const wrong = (problem: string): Exit => new Exit(STATUS.refused, `${name}: ${problem}`);
  if (file.length < HEADER_LEN) throw wrong('it is no pcap file; write one with: tcpdump -w FILE');
  const isLittle = MAGICS.includes(file.readUInt32LE(0));
  if (!isLittle && !MAGICS.includes(file.readUInt32BE(0)))
    throw wrong('it is no pcap file; write one with: tcpdump -w FILE');
  const word = (at: number): number => (isLittle ? file.readUInt32LE(at) : file.readUInt32BE(at));
  if ((word(LINK_TYPE) & 0xffff) !== ETHERNET) throw wrong('its packets are no Ethernet frames; capture on the tap');
  let at = HEADER_LEN;
  for (let left = number; at + RECORD_LEN <= file.length; left--) {
    const captured = word(at + 8);
    const frame = file.subarray(at + RECORD_LEN, at + RECORD_LEN + captured);
    if (frame.length < captured) break;
    if (left === 1) {
      if (captured < word(at + 12)) throw wrong(`frame ${number} is cut; capture with: tcpdump -s 0`);
      return frame;
    }
    at += RECORD_LEN + captured;
  }
  throw wrong(`it has no frame ${number}`);
}
