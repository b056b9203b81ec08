import { endianness } from 'node:os';
import { native } from './native.js';

/** What the kernel's refusals look like when thrown. */
export interface SystemError extends Error {
  /** Name of the errno, such as ENODEV. */
  readonly code: string;
  /** The errno, negative. */
  readonly errno: number;
  readonly syscall: string;
}

/** Bytes of received frames that may wait in a packet socket. */
const RECEIVE_BUFFER = 8 << 20;

/** Memory of the kernel for the rings of all sockets that a thread opens, and of one ring, in bytes. */
export const RING_BUDGET = 256 << 20;
const RING_BYTES = 2 << 20;

/** The sockets of this thread that were opened with a ring. */
const withRing = new Set<number>();

interface PacketSocketOptions {
  /** Each frame is preceded by a 10-byte virtio-net header, both ways. */
  readonly vnetHeader: boolean;
  /** Whether to receive through a ring, as long as the memory for rings lasts [false]. */
  readonly ring?: boolean;
  /** Bytes of received frames that may wait in the socket [8 MiB]. */
  readonly receiveBuffer?: number;
  /** Classic BPF program (linux/filter.h): frames it returns 0 for are not received [every frame is]. */
  readonly filter?: readonly BpfInstruction[];
}

/** An instruction of classic BPF: operation, jump distances if true and if false, operand. */
export type BpfInstruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const LITTLE_ENDIAN = endianness() === 'LE';
const BPF_INSTRUCTION_LEN = 8;

/** struct sock_filter of each instruction. */
function programOf(instructions: readonly BpfInstruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(instructions.length * BPF_INSTRUCTION_LEN));
  for (const [i, [code, ifTrue, ifFalse, operand]] of instructions.entries()) {
    const at = i * BPF_INSTRUCTION_LEN;
    view.setUint16(at, code, LITTLE_ENDIAN);
    view.setUint8(at + 2, ifTrue);
    view.setUint8(at + 3, ifFalse);
    view.setUint32(at + 4, operand, LITTLE_ENDIAN);
  }
  return new Uint8Array(view.buffer);
}

/**
 * Opens a packet socket on an interface of this thread's network namespace: every protocol, received frames only, non-blocking.
 * Needs CAP_NET_RAW. A ring takes the kernel some 10 ms to set up, so a thread that forwards leaves this to another. The caller
 * closes it with `closeFd`, after detach. Throws ENODEV, EPERM, EINVAL for a filter that is no program.
 */
export function openPacketSocket(ifindex: number, options: PacketSocketOptions): number {
  const ring = options.ring === true && (withRing.size + 1) * RING_BYTES <= RING_BUDGET;
  const { vnetHeader, receiveBuffer = RECEIVE_BUFFER } = options;
  const filter = options.filter && programOf(options.filter);
  const fd = native.openPacketSocket(ifindex, vnetHeader, ring, receiveBuffer, filter);
  if (ring) withRing.add(fd);
  return fd;
}

/** Closes a descriptor. Throws EBADF. */
export function closeFd(fd: number): void {
  // The kernel takes many milliseconds to end a ring; nobody has to wait for that.
  if (withRing.delete(fd)) native.closeInBackground(fd);
  else native.closeFd(fd);
}

/** Makes an eventfd, non-blocking. */
export function createEventFd(): number {
  return native.createEventFd();
}

/** Makes an eventfd readable, so that a step waiting on it returns. Any thread may call it. */
export function wake(fd: number): void {
  native.wake(fd);
}

/**
 * Maps the first `bytes` of a regular file, shared: every mapping of it, in any thread or process, sees the same bytes, and they
 * outlive the process. The file is made (mode 0640) and grown as needed. Unmapped when the buffer is collected.
 */
export function mapFile(path: string, bytes: number): ArrayBuffer {
  return native.mapFile(path, bytes);
}

/**
 * Takes the exclusive lock of a file, made as needed, until the returned descriptor is closed or the process ends. Throws
 * EWOULDBLOCK when somebody holds it.
 */
export function lockFile(path: string): number {
  return native.lockFile(path);
}

/** Tells systemd the state of the service, such as `READY=1` (sd_notify(3)). False when nobody asked to be told. */
export function sdNotify(state: string): boolean {
  const socketName = process.env.NOTIFY_SOCKET;
  if (!socketName) return false;
  native.notify(socketName, state);
  return true;
}
