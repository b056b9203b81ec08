import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mapFile } from '../../../native-shims/packet-io/dist/system.js';
import { RUNNING } from './folders.js';

/** The file's first word: the length of the input and 1; 0 when none is being run. */
const HEAD = 4;

/** The input being run, in a file that is memory: it is there whatever becomes of the process. */
export class Running {
  readonly #path: string;
  readonly #length: Uint32Array;
  readonly #bytes: Uint8Array;

  /** @param longest input, bytes */
  constructor(target: string, longest: number) {
    mkdirSync(RUNNING, { recursive: true });
    this.#path = join(RUNNING, target);
    rmSync(this.#path, { force: true });
    const buffer = mapFile(this.#path, HEAD + longest);
    this.#length = new Uint32Array(buffer, 0, 1);
    this.#bytes = new Uint8Array(buffer, HEAD);
  }

  set(input: Uint8Array): void {
    this.#bytes.set(input);
    this.#length[0] = input.length + 1;
  }

  /** None is being run any more. */
  end(): void {
    rmSync(this.#path, { force: true });
  }
}

/** The input that a process was at when it ended, if it did not end well. Asked once. */
export function lastRunning(target: string): Uint8Array | undefined {
  const path = join(RUNNING, target);
  try {
    const file = readFileSync(path);
    rmSync(path);
    const length = file.readUInt32LE(0);
    return length === 0 ? undefined : new Uint8Array(file.subarray(HEAD, HEAD + length - 1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
