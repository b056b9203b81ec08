/**
 * What the datapath knows of the outside: a set of ports behind one batched call. `native-shims/packet-io` implements it on TAP
 * descriptors and packet sockets, `memory.ts` on arrays for tests.
 *
 * A frame is an offset into `arena`. In front of each frame lies its 10-byte virtio-net header (flags, gso type, header length,
 * gso size, checksum start, checksum offset; little-endian, virtio 1.x section 5.1.6 without num_buffers); before that at least
 * HEADROOM bytes are free for headers. Frames start at an offset with `% 4 == 2`, so an IP header behind 14 bytes of Ethernet is
 * 4-byte aligned.
 */
export interface FrameIo {
  /** Received frames, the scratch area and rings, one mapping for the life of the object. */
  readonly arena: ArrayBuffer;
  /** Received frames of the last step: RX words each, see RX. */
  readonly rx: Int32Array;
  /** Frames to send with the next step or flush: TX words each, see TX. */
  readonly tx: Int32Array;
  /** Results of the last step, see CTL. */
  readonly ctl: Int32Array;
  /**
   * One number: milliseconds by a clock that never goes back, when the last step returned. Here, because a number that a function
   * of JavaScript returns would be an object to collect in every round.
   */
  readonly clock: Float64Array;
  /** First byte and length of the area the datapath builds its own frames in. Free again after each step or flush. */
  readonly scratchAt: number;
  readonly scratchLength: number;
  /**
   * Sends the first `queued` frames of `tx`, then waits at most `timeoutMs` for frames, and describes them in `rx`.
   * Returns how many. Frames and tx status stay valid until the next step.
   */
  step(queued: number, timeoutMs: number): number;
  /** Sends the first `queued` frames of `tx` without receiving. */
  flush(queued: number): void;
}

/** Words of an rx descriptor: port id given at attach, offset of the Ethernet header, its length in bytes, reserved. */
export const RX = { port: 0, at: 1, length: 2, reserved: 3, words: 4 } as const;

/**
 * Words of a tx descriptor. `port`, `at`, `length` are read by the device, `status` is written by it: 0 sent, else a positive
 * errno (EAGAIN, ENOBUFS: queue full; ENETDOWN, ENXIO, EIO: interface down or gone; EMSGSIZE: too long).
 * `packets` and `bytes` are the sender's own account (a super-frame counts as its segments), not read by the device.
 */
export const TX = { port: 0, at: 1, length: 2, status: 3, packets: 4, bytes: 5, words: 6 } as const;

/** Words of `ctl`: 1 when the wake-up descriptor fired during the step; number of tx descriptors with a status other than 0. */
export const CTL = { woken: 0, failed: 1, words: 8 } as const;

export const HEADROOM = 256;
export const VNET_LEN = 10;
/** Frames a step reads at most. */
export const RX_BATCH = 64;
/** Frames that can wait in `tx`. */
export const TX_QUEUE = 512;
/** Longest frame: a 64 KB super-frame and its Ethernet header with two VLAN tags. */
export const MAX_FRAME = 65_536 + 22;
