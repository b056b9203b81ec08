import { must } from '../engine/target.js';
import type { Boundary } from './boundary.js';

const SLOTS = 4;
const SLOT_BYTES = 70_016;
const QUEUE = 8;
const SCRATCH = 1 << 20;
const VNET_LEN = 10;
const LENGTHS = [14, 15, 60, 64, 1514, 1515, 2000, 9000, 60_000] as const;
/** Longest frame the veth takes: its MTU and an Ethernet header with a tag. */
const VETH_LEN = 1518;
const PATTERN = Uint8Array.from({ length: 60_000 + QUEUE }, (_, i) => (i * 7) & 0xff);
/** EtherType for local experiments (IEEE 802): whatever else is on the wire has another. */
const OURS = 0x88b5;
const STEPS = 50;

/** Indices of the ends of a veth in the namespace scripts/fuzz makes: behind lo. Nothing else is done to it. */
const VETH = [2, 3] as const;

/** Two ports and what lies between: what is sent to one arrives from the other, byte for byte. */
export function exchange(boundary: Boundary, ownNetwork: boolean): void {
  const { choices, packetIo } = boundary;
  const veth = ownNetwork && choices.chance(16); // closing a ring takes the kernel its time
  const vnetHeader = choices.chance(128);
  const ring = choices.chance(128);
  const ends = veth
    ? VETH.map((ifindex) => packetIo.openPacketSocket(ifindex, vnetHeader, ring, 1 << 20) as number)
    : (packetIo.messagePair() as number[]);
  const device = packetIo.create(SLOTS, SLOT_BYTES, SCRATCH, QUEUE, 2, 4 << 20, 1 + choices.below(8));
  try {
    for (const [port, fd] of ends.entries())
      packetIo[veth ? 'attachPacketSocket' : 'attachTap'](device, port, fd, vnetHeader);
    const lengths = Array.from({ length: 1 + choices.below(QUEUE) }, () => choices.pick(LENGTHS));
    const fitting = lengths.filter((length) => !veth || length <= VETH_LEN - 4);
    const frames = fitting.map((length, i) => frameOf(length, i, veth && choices.chance(64)));
    transfer(boundary, device, frames, vnetHeader);
  } finally {
    packetIo.close(device);
    for (const fd of ends) packetIo.closeFd(fd);
  }
}

/** Sends the frames to port 0 and compares what port 1 says. */
function transfer(
  { packetIo, note }: Boundary,
  device: unknown,
  frames: readonly Uint8Array[],
  vnetHeader: boolean,
): void {
  const arena = packetIo.arena(device) as ArrayBuffer;
  const [rxAt, txAt, , scratchAt] = packetIo.layout(device) as number[];
  const bytes = new Uint8Array(arena);
  const tx = new Int32Array(arena, txAt, QUEUE * 6);
  const rx = new Int32Array(arena, rxAt, SLOTS * 4);
  let at = scratchAt + 16 + 2;
  for (const [i, frame] of frames.entries()) {
    bytes.set(frame, at);
    tx.set([0, at, frame.length], i * 6);
    at = (at + frame.length + 64) & ~63;
    at += 16 + 2;
  }
  const got: Uint8Array[] = [];
  let received = packetIo.step(device, frames.length, 0) as number;
  const sent = frames.filter((_, i) => tx[i * 6 + 3] === 0);
  for (let n = 0; n < STEPS; n++) {
    for (let i = 0; i < received; i++) {
      const [port, from, length] = rx.subarray(i * 4, i * 4 + 3);
      const frame = bytes.slice(from, from + length);
      if (port !== 1 || !isOurs(frame)) continue;
      const header = bytes.subarray(from - VNET_LEN, from);
      must(vnetHeader || header.every((byte) => byte === 0), () => 'a virtio-net header nobody wrote');
      got.push(frame);
    }
    if (got.length >= sent.length) break;
    received = packetIo.step(device, 0, 0) as number;
  }
  must(got.length === sent.length, () => `${got.length} of ${sent.length} frames arrived`);
  for (const [i, frame] of sent.entries()) {
    must(
      Buffer.compare(frame, got[i]) === 0,
      () => `frame ${i} of ${frame.length} bytes arrived as one of ${got[i].length}`,
    );
  }
  note(`exchanged ${Math.min(sent.length, 3)}`);
}

/** To everybody, of our type, perhaps with a VLAN tag. */
function frameOf(length: number, number: number, tagged: boolean): Uint8Array {
  const frame = PATTERN.slice(number, number + length);
  frame.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9]);
  if (tagged && length >= 18) frame.set([0x81, 0, 0, 5], 12);
  frame.set([OURS >> 8, OURS & 0xff], tagged && length >= 18 ? 16 : 12);
  return frame;
}

const typeAt = (frame: Uint8Array, at: number): number => (frame[at] << 8) | frame[at + 1];

const isOurs = (frame: Uint8Array): boolean => typeAt(frame, typeAt(frame, 12) === 0x8100 ? 16 : 12) === OURS;
