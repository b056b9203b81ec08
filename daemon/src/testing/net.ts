import type { EchoEvent, Echoes } from '../cli/echoes.js';
import type { Net } from '../cli/tool.js';

/** What a host, or a router on the way, says to an echo with so many hops; null: nothing. */
export type Answering = (to: string, sequence: number, hops: number | null) => Partial<EchoEvent> | null;

/** A machine whose clock goes on by 1 ms for each look at it, and whose underlay answers as `answer` says. */
export class TestNet implements Net {
  readonly sleeps: number[] = [];
  readonly stop = new AbortController();
  open = 0;
  #now = 0;
  readonly #answer: Answering;

  constructor(answer: Answering) {
    this.#answer = answer;
  }

  echoes(): Promise<Echoes> {
    const heard: EchoEvent[] = [];
    this.open++;
    return Promise.resolve({
      send: (to, sequence, hops) => {
        const event = this.#answer(to, sequence, hops);
        const usual: EchoEvent = { kind: 'reply', from: to, sequence, code: 0, bytes: 64, ttl: 64 };
        if (event) heard.push({ ...usual, ...event });
        return Promise.resolve();
      },
      next: (timeoutMs) => {
        if (heard.length === 0) this.#now += timeoutMs;
        return Promise.resolve(heard.shift() ?? null);
      },
      close: () => {
        this.open--;
      },
    });
  }

  resolve(name: string): Promise<string> {
    return name === 'router.example' ? Promise.resolve('192.168.0.254') : Promise.reject(new Error('ENOTFOUND'));
  }

  interrupted(): AbortSignal {
    return this.stop.signal;
  }

  now(): number {
    return this.#now++;
  }

  sleep(ms: number): Promise<void> {
    this.sleeps.push(Math.max(0, Math.round(ms)));
    this.#now += Math.max(0, ms);
    return Promise.resolve();
  }
}
