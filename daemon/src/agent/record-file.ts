import { createWriteStream, fstatSync, mkdirSync, openSync, renameSync, rmSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';

/** Bytes that may wait to be written: what comes on top is lost, so that a slow disk costs records and no memory. */
const WAITING_BYTES = 8_000_000;
/** Pause before a file that could not be written is opened again, ms. */
const RETRY_MS = 5000;

export interface RecordFileOptions {
  readonly path: string;
  /** Size after which another file is begun. */
  readonly maxBytes: number;
  /** Files kept besides: PATH.1 is the newest of them. */
  readonly keep: number;
  /** Told of so many lines that were accepted and are lost. */
  readonly onLost: (lines: number) => void;
  /** Told of the first failure of a row. */
  readonly onError: (error: Error) => void;
  /** Milliseconds, by any clock. */
  readonly now: () => number;
}

/** Lines in a file that is put aside when it is full. Nothing here waits for the disk. */
export class RecordFile {
  readonly #options: RecordFileOptions;
  #stream: WriteStream | null = null;
  /** Those whose last lines are on their way. */
  readonly #ending = new Set<Promise<void>>();
  #bytes = 0;
  #failedAt = -Infinity;
  /** Whether the last thing that happened was a failure: it was told already. */
  #complained = false;

  constructor(options: RecordFileOptions) {
    this.#options = options;
  }

  /** Adds lines; false: they are lost, because the file cannot be written or what waits for it is too much. */
  write(lines: readonly string[]): boolean {
    const stream = this.#open();
    if (!stream || stream.writableLength > WAITING_BYTES) return false;
    const text = lines.join('\n') + '\n';
    stream.write(text, (error) => {
      if (error) this.#options.onLost(lines.length);
    });
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes >= this.#options.maxBytes) this.#rotate();
    return true;
  }

  /** Opens the file anew at the next line: somebody may have moved it. */
  reopen(): void {
    const stream = this.#stream;
    this.#stream = null;
    if (!stream) return;
    const ended = new Promise<void>((resolve) => stream.once('close', resolve));
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
    stream.end();
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    this.reopen();
    await Promise.all(this.#ending);
  }

  #open(): WriteStream | null {
    const { path, now } = this.#options;
    if (this.#stream) return this.#stream;
    if (now() - this.#failedAt < RETRY_MS) return null;
    let fd: number;
    try {
      mkdirSync(dirname(path), { recursive: true });
      fd = openSync(path, 'a', 0o640);
    } catch (error) {
      this.#failed(error as Error);
      return null;
    }
    this.#bytes = fstatSync(fd).size;
    this.#complained = false;
    const stream = createWriteStream(path, { fd });
    stream.on('error', (error) => {
      if (this.#stream === stream) this.#stream = null;
      this.#failed(error);
    });
    this.#stream = stream;
    return stream;
  }

  #failed(error: Error): void {
    this.#failedAt = this.#options.now();
    if (!this.#complained) this.#options.onError(error);
    this.#complained = true;
  }

  /** What waits still goes where it belongs: the open file keeps its descriptor when it is renamed. */
  #rotate(): void {
    const { path, keep } = this.#options;
    try {
      rmSync(`${path}.${keep}`, { force: true });
      for (let i = keep - 1; i >= 1; i--) renameIfThere(`${path}.${i}`, `${path}.${i + 1}`);
      renameIfThere(path, `${path}.1`);
    } catch (error) {
      this.#failed(error as Error);
    }
    this.reopen();
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
