import { createRequire } from 'node:module';

declare const handleBrand: unique symbol;
/** A device inside the addon. */
export interface Handle {
  readonly [handleBrand]: true;
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
  ): Handle;
  arena(device: Handle): ArrayBuffer;
  /** Offsets of rx, tx, port counters and scratch in the arena; the wake-up descriptor. */
  layout(device: Handle): [rxAt: number, txAt: number, countersAt: number, scratchAt: number, wakeFd: number];
  step(device: Handle, queued: number, timeoutMs: number): number;
  flush(device: Handle, queued: number): void;
  attachTap(device: Handle, port: number, fd: number, vnetHeader: boolean): void;
  attachPacketSocket(device: Handle, port: number, fd: number, vnetHeader: boolean): void;
  detach(device: Handle, port: number): void;
  close(device: Handle): void;

  openPacketSocket(ifindex: number, vnetHeader: boolean, receiveBuffer: number): number;
  closeFd(fd: number): void;
  createEventFd(): number;
  wake(fd: number): void;
  mapFile(path: string, bytes: number): ArrayBuffer;
  lockFile(path: string): number;
  notify(socketName: string, state: string): void;
  messagePair(): [number, number];
}

const load = createRequire(import.meta.url);

export const native = load('../build/Release/packet_io.node') as Native;
