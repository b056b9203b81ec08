import { native, type Handle } from './native.js';
import { RING_BUDGET } from './system.js';

/** Sizes of a device; defaults in brackets. */
export interface PacketIoOptions {
  /** Frames a step reads at most [64]. */
  readonly rxSlots?: number;
  /** Bytes of an rx slot, a multiple of 64: 270 in front of the frame, the rest is the longest frame [68 KiB + 320]. */
  readonly slotBytes?: number;
  /** Bytes for frames the caller builds itself [8 MiB]. */
  readonly scratchBytes?: number;
  /** Frames that can wait in `tx` [512]. */
  readonly txQueue?: number;
  /** Frames a step reads from one port before the next has its turn [32]. */
  readonly rxQuota?: number;
  /** Address space for receive rings of packet sockets, over all ports [256 MiB]. */
  readonly ringBudgetBytes?: number;
  /** Ports are numbered from 0 to below this [4352]. */
  readonly maxPort?: number;
  /** An eventfd of `createEventFd` that ends a waiting step. The caller closes it, after this device [one of its own]. */
  readonly wakeFd?: number;
}

/** Words of `portCounters`, `words` for each port. */
export const PORT = {
  /** Frames the kernel dropped because the socket's buffer or ring was full. */
  kernelDrops: 0,
  /** Frames that could not be taken (too long, offloads that do not fit a virtio-net header) and failed reads. */
  rxErrors: 1,
  /** Positive errno of the last such error. */
  lastErrno: 2,
  /** 1 once the device behind the descriptor no longer exists: the port is not read any more and waits for detach. */
  gone: 3,
  words: 4,
} as const;

// Not a whole number of pages: the heads of all frames would fall into the same few lines of the first-level cache.
const SLOT_BYTES = 68 * 1024 + 320;
const RX_WORDS = 4;
const TX_WORDS = 6;
const CTL_WORDS = 8;
/** Where among them the clock is, bytes. */
const CLOCK_AT = 8;

/**
 * Batched, non-blocking frame I/O over TAP descriptors and packet sockets. All memory it shows is one mapping, see README.md.
 * An object belongs to the thread that made it.
 */
export class PacketIo {
  /** Everything below is a view of, or an offset into, this one mapping. It stays valid after close. */
  readonly arena: ArrayBuffer;
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  readonly ctl: Int32Array;
  /** One number: milliseconds by a clock that never goes back, when the last step returned. */
  readonly clock: Float64Array;
  readonly scratchAt: number;
  readonly scratchLength: number;
  /** PORT.words numbers per port, from attach on. */
  readonly portCounters: Float64Array;
  /** The eventfd that ends a waiting step; other threads pass it to `wake`. Valid until close, or as long as the caller's own. */
  readonly wakeFd: number;
  readonly #device: Handle;

  /** Throws EINVAL on sizes out of range (the whole arena must stay below 2 GiB), ENOMEM, EMFILE; EBADF on a bad `wakeFd`. */
  constructor(options: PacketIoOptions = {}) {
    const rxSlots = options.rxSlots ?? 64;
    const txQueue = options.txQueue ?? 512;
    const maxPort = options.maxPort ?? 4352;
    this.scratchLength = options.scratchBytes ?? 8 << 20;
    this.#device = native.create(
      rxSlots,
      options.slotBytes ?? SLOT_BYTES,
      this.scratchLength,
      txQueue,
      maxPort,
      options.ringBudgetBytes ?? RING_BUDGET,
      options.rxQuota ?? 32,
      options.wakeFd,
    );
    this.arena = native.arena(this.#device);
    const [rxAt, txAt, countersAt, scratchAt, wakeFd] = native.layout(this.#device);
    this.ctl = new Int32Array(this.arena, 0, CTL_WORDS);
    this.clock = new Float64Array(this.arena, CLOCK_AT, 1);
    this.rx = new Int32Array(this.arena, rxAt, rxSlots * RX_WORDS);
    this.tx = new Int32Array(this.arena, txAt, txQueue * TX_WORDS);
    this.portCounters = new Float64Array(this.arena, countersAt, maxPort * PORT.words);
    this.scratchAt = scratchAt;
    this.wakeFd = wakeFd;
  }

  /**
   * Sends the first `queued` frames of `tx`, then reads frames into `rx`, waiting at most `timeoutMs` (and never more than a
   * minute) when none is there. Returns how many it read. Throws EBADF after close.
   */
  step(queued: number, timeoutMs: number): number {
    return native.step(this.#device, queued, timeoutMs);
  }

  /** Sends the first `queued` frames of `tx` without receiving. */
  flush(queued: number): void {
    native.flush(this.#device, queued);
  }

  /**
   * Starts reading a TAP. `fd` becomes non-blocking, stays the caller's and must be open until detach. With `vnetHeader` it has
   * IFF_VNET_HDR and headers of 10 bytes. Throws EEXIST when the port is taken.
   */
  attachTap(port: number, fd: number, options: { readonly vnetHeader: boolean }): void {
    native.attachTap(this.#device, port, fd, options.vnetHeader);
  }

  /**
   * Starts reading a descriptor of `openPacketSocket`, opened with the same `vnetHeader`; through its ring if it has one, which is
   * what this returns. A descriptor that was detached, here or in another device, goes on where it was.
   */
  attachPacketSocket(port: number, fd: number, options: { readonly vnetHeader: boolean }): boolean {
    return native.attachPacketSocket(this.#device, port, fd, options.vnetHeader);
  }

  /** Ends reading; frames still queued to the port get ENXIO. Does not close the descriptor, which keeps its ring. */
  detach(port: number): void {
    native.detach(this.#device, port);
  }

  /** Frees descriptors and rings. Views of the arena stay valid. */
  close(): void {
    native.close(this.#device);
  }
}
