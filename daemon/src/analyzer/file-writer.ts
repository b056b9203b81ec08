import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import type { Write } from './sink.js';

/** What tells a file from all others, by whatever path it is reached. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** A file that is written whole blocks at a time. */
export class OutputFile {
  readonly path: string;
  readonly identity: FileIdentity;
  readonly #fd: number;
  /** Bound, to be handed on. Throws what the system says: ENOSPC, EPIPE. */
  readonly write: Write;

  /** Makes the file, or empties it; `-` is stdout. Throws what the system says: EACCES, ENOENT. */
  constructor(path: string) {
    this.path = path;
    this.#fd = path === '-' ? 1 : openSync(path, 'w', 0o640);
    this.identity = fstatSync(this.#fd);
    this.write = (bytes, at, length) => {
      for (let done = 0; done < length;) done += this.#writeSome(bytes, at + done, length - done);
    };
  }

  close(): void {
    if (this.#fd > 2) closeSync(this.#fd);
  }

  /** A pipe may be non-blocking, and full: whoever reads it is waited for. */
  #writeSome(bytes: Uint8Array, at: number, length: number): number {
    for (;;) {
      try {
        return writeSync(this.#fd, bytes, at, length);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        Atomics.wait(WAITING, 0, 0, RETRY_MS);
      }
    }
  }
}

const RETRY_MS = 2;
const WAITING = new Int32Array(new SharedArrayBuffer(4));
