import type { Namespace } from './namespace.js';

/** Pings that go on beside a test, twenty a second. */
export class Pings {
  readonly #process: ReturnType<Namespace['spawn']>;

  constructor(from: Namespace, address: string) {
    this.#process = from.spawn(['ping', '-n', '-q', '-i', '0.05', address]);
  }

  /** Ends them; returns how many were sent and how many were not answered. The last may still have been under way. */
  async stop(): Promise<{ readonly sent: number; readonly lost: number }> {
    await this.#process.stop('SIGINT');
    const counts = /(\d+) packets transmitted, (\d+) received/.exec(this.#process.output);
    if (!counts) throw new Error(`ping said nothing\n${this.#process.output}`);
    const [sent, received] = counts.slice(1).map(Number);
    return { sent, lost: Math.max(0, sent - received - 1) };
  }
}
