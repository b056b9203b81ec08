import { readSync, writeSync } from 'node:fs';
import { native, type Watch } from './native.js';
import { closeFd, type SystemError } from './system.js';

/** Longer than any frame, bytes. */
const FRAME_MAX = 64 * 1024 + 64;

/**
 * A port whose frames another part of the program makes and takes: `fd` is attached as a TAP without virtio-net header would be, and
 * what is sent out of it arrives here. For few frames: each costs a system call of the event loop's thread, and what does not fit
 * into the socket's buffer is lost.
 */
export class FramePipe {
  /** The port's end; it belongs to whoever attaches it. */
  readonly fd: number;
  readonly #own: number;
  readonly #buffer = new Uint8Array(FRAME_MAX);
  #watch: Watch | undefined;

  /** Calls back for each frame sent out of the port, in memory that the next one uses again. */
  constructor(onFrame: (frame: Uint8Array) => void) {
    [this.fd, this.#own] = native.messagePair();
    this.#watch = native.watchReadable(this.#own, () => {
      this.#drain(onFrame);
    });
  }

  /** Lets the port receive a frame. False: it has no room, the frame is lost. */
  write(frame: Uint8Array): boolean {
    if (!this.#watch) return false;
    try {
      return writeSync(this.#own, frame) === frame.length;
    } catch (error) {
      if (!['EAGAIN', 'EPIPE', 'ENOBUFS', 'EMSGSIZE'].includes((error as SystemError).code)) throw error;
      return false;
    }
  }

  /** Ends it. May be called from within a callback. */
  close(): void {
    if (!this.#watch) return;
    native.unwatch(this.#watch);
    this.#watch = undefined;
    closeFd(this.#own);
  }

  #drain(onFrame: (frame: Uint8Array) => void): void {
    while (this.#watch) {
      const length = this.#read();
      if (length < 0) return;
      // The other end is closed.
      if (length === 0) return this.close();
      onFrame(this.#buffer.subarray(0, length));
    }
  }

  /** Bytes of the next frame; negative: there is none. */
  #read(): number {
    try {
      return readSync(this.#own, this.#buffer);
    } catch (error) {
      const { code } = error as SystemError;
      if (code === 'EAGAIN') return -1;
      if (code === 'ECONNRESET') return 0;
      throw error;
    }
  }
}
