import { readFileSync } from 'node:fs';

const MAGIC = 0xa1b2c3d4;
const HEADER_LEN = 24;
const RECORD_LEN = 16;

/** Frames of a capture file as tcpdump writes it: little-endian, times in microseconds, link type Ethernet. */
export function readPcap(path: string): Uint8Array[] {
  const file = readFileSync(path);
  if (file.readUInt32LE(0) !== MAGIC) throw new Error(`${path}: not a capture file of this machine's byte order`);
  const frames: Uint8Array[] = [];
  for (let at = HEADER_LEN; at < file.length;) {
    const length = file.readUInt32LE(at + 8);
    at += RECORD_LEN;
    frames.push(Uint8Array.from(file.subarray(at, at + length)));
    at += length;
  }
  return frames;
}
