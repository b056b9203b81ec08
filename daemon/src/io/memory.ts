import { CTL, type FrameIo, HEADROOM, MAX_FRAME, RX, RX_BATCH, TX, TX_QUEUE, VNET_LEN } from './device.js';

const SLOT = (HEADROOM + MAX_FRAME + 15) & ~15;
const EINVAL = 22;
const SCRATCH = 1024 * 1024;

export interface SentFrame {
  readonly port: number;
  readonly frame: Uint8Array;
  readonly vnet: Uint8Array;
}

/** A device of arrays, for tests: frames pushed with `inject` are received, what is sent lands in `sent`. */
export class MemoryIo implements FrameIo {
  readonly arena = new ArrayBuffer(RX_BATCH * SLOT + SCRATCH);
  readonly rx = new Int32Array(RX_BATCH * RX.words);
  readonly tx = new Int32Array(TX_QUEUE * TX.words);
  readonly ctl = new Int32Array(CTL.words);
  /** Moves only when the test moves it. */
  readonly clock = Float64Array.of(1_000_000);
  readonly scratchAt = RX_BATCH * SLOT;
  readonly scratchLength = SCRATCH;
  readonly sent: SentFrame[] = [];
  /** errno a port answers to every frame. */
  readonly refusing = new Map<number, number>();
  readonly #waiting: { port: number; frame: Uint8Array; vnet: Uint8Array | undefined }[] = [];
  readonly #bytes = new Uint8Array(this.arena);

  inject(port: number, frame: Uint8Array, vnet?: Uint8Array): void {
    this.#waiting.push({ port, frame, vnet });
  }

  step(queued: number): number {
    this.flush(queued);
    const batch = this.#waiting.splice(0, RX_BATCH);
    for (const [i, { port, frame, vnet }] of batch.entries()) {
      const at = i * SLOT + HEADROOM - 2 + 4;
      this.#bytes.fill(0xa5, i * SLOT, (i + 1) * SLOT);
      this.#bytes.set(vnet ?? new Uint8Array(VNET_LEN), at - VNET_LEN);
      this.#bytes.set(frame, at);
      const word = i * RX.words;
      this.rx[word + RX.port] = port;
      this.rx[word + RX.at] = at;
      this.rx[word + RX.length] = frame.length;
    }
    return batch.length;
  }

  flush(queued: number): void {
    this.ctl[CTL.failed] = 0;
    for (let d = 0; d < queued * TX.words; d += TX.words) {
      const [port, at, length] = this.tx.subarray(d, d + 3);
      const inside = at >= VNET_LEN && length > 0 && at + length <= this.arena.byteLength;
      const status = inside ? (this.refusing.get(port) ?? 0) : EINVAL;
      this.tx[d + TX.status] = status;
      if (status !== 0) this.ctl[CTL.failed]++;
      else
        this.sent.push({ port, frame: this.#bytes.slice(at, at + length), vnet: this.#bytes.slice(at - VNET_LEN, at) });
    }
  }
}
