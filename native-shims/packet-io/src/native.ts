import { createRequire } from 'node:module';

declare const handleBrand: unique symbol;
/** A device inside the addon. */
export interface Handle {
  readonly [handleBrand]: true;
}

declare const watchBrand: unique symbol;
/** A descriptor under watch of the event loop. */
export interface Watch {
  readonly [watchBrand]: true;
}

/** What the compiled addon exports. Refusals by the kernel are thrown as errors with `code`, `errno` and `syscall`. */
interface Native {
  create(
    rxSlots: number,
    slotBytes: number,
    scratchBytes: number,
    txQueue: number,
    maxPort: number,
    ringBytes: number,
    rxQuota: number,
    wakeFd?: number,
  ): Handle;
  arena(device: Handle): ArrayBuffer;
  /** Offsets of rx, tx, port counters and scratch in the arena; the wake-up descriptor. */
  layout(device: Handle): [rxAt: number, txAt: number, countersAt: number, scratchAt: number, wakeFd: number];
  step(device: Handle, queued: number, timeoutMs: number): number;
  flush(device: Handle, queued: number): void;
  attachTap(device: Handle, port: number, fd: number, vnetHeader: boolean): void;
  attachPacketSocket(device: Handle, port: number, fd: number, vnetHeader: boolean): boolean;
  detach(device: Handle, port: number): void;
  close(device: Handle): void;

  openPacketSocket(
    ifindex: number,
    vnetHeader: boolean,
    ring: boolean,
    receiveBuffer: number,
    filter?: Uint8Array,
  ): number;
  closeFd(fd: number): void;
  /** By a thread of the pool, soon. */
  closeInBackground(fd: number): void;
  createEventFd(): number;
  wake(fd: number): void;
  mapFile(path: string, bytes: number): ArrayBuffer;
  lockFile(path: string): number;
  notify(socketName: string, state: string): void;
  /** Two connected descriptors that keep message boundaries. */
  messagePair(): [number, number];

  openUdpSocket(address: string, port: number, receiveBuffer: number): number;
  startSniffing(fd: number, ifindex: number): void;
  /** Returns how many it received. */
  receiveDatagrams(fd: number, memory: Uint8Array, slots: number, slotBytes: number): number;
  socketMemory(fd: number): [drops: number, receiveBuffer: number];
  /** Since the last call. */
  takePacketDrops(fd: number): number;

  /** Calls back whenever the descriptor is readable, and keeps the event loop alive, until unwatch (once). */
  watchReadable(fd: number, onReadable: () => void): Watch;
  unwatch(watch: Watch): void;

  openNetlink(groups: number): number;
  sendNetlink(fd: number, message: Uint8Array): void;
  /**
   * Bytes of the datagram received. With a time to wait, throws ETIMEDOUT after it; with 0, returns 0 when none is there. Throws
   * ENOBUFS when messages were lost.
   */
  receiveNetlink(fd: number, into: Uint8Array, timeoutMs: number): number;
}

const load = createRequire(import.meta.url);

export const native = load('../build/Release/packet_io.node') as Native;
