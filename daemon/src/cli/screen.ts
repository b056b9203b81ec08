import type { Screen } from './tool.js';

const CLEAR = '\u001b[2J\u001b[H';
const CONTROL_C = '\u0003';
/** Lines of a terminal that does not say. */
const USUAL_ROWS = 24;

/** The terminal this process runs in. Keys are read, one at a time, from the first time one is asked for until `close`. */
export class Terminal implements Screen {
  #started = false;
  #ended = false;
  readonly #keys: string[] = [];
  #arrived: () => void = () => undefined;

  rows(): number {
    return process.stdout.rows || USUAL_ROWS;
  }

  show(text: string): void {
    process.stdout.write(process.stdout.isTTY ? CLEAR + text : text);
  }

  async key(timeoutMs: number): Promise<string | undefined> {
    this.#start();
    if (this.#keys.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#arrived = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const key = this.#keys.shift();
    return key === CONTROL_C || (key === undefined && this.#ended) ? 'q' : key?.toLowerCase();
  }

  now(): Date {
    return new Date();
  }

  /** Gives the keyboard back to the shell. */
  close(): void {
    if (!this.#started) return;
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    process.stdin.on('data', (data: Buffer) => {
      for (const byte of data) this.#keys.push(String.fromCharCode(byte));
      this.#arrived();
    });
    process.stdin.on('end', () => {
      this.#ended = true;
      this.#arrived();
    });
  }
}
