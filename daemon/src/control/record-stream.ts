import type { Redis } from 'ioredis';
import { openRedis, type RedisSettings } from './redis-connection.js';

/** Records that may wait for the store: what comes on top is lost. */
const WAITING = 20_000;
/** Records sent in one go. */
const AT_ONCE = 1000;
/** Pause before the next attempt to connect, ms. */
const RETRY_MS = 2000;
/** Longest wait at the end for what waits to be sent, ms. */
const CLOSE_MS = 2000;

export interface RecordStreamOptions {
  readonly redis: RedisSettings;
  /** Whole name of the stream. */
  readonly key: string;
  /** About so many records stay in it. */
  readonly length: number;
  /** Told of so many records that were accepted and are lost. */
  readonly onLost: (records: number) => void;
  /** Milliseconds, by any clock. */
  readonly now: () => number;
}

/** Records in a Redis stream, field `record` of each entry. Nobody waits for the store: what it does not take in time is lost. */
export class RecordStream {
  readonly #options: RecordStreamOptions;
  #waiting: string[] = [];
  #redis: Redis | null = null;
  #sending: Promise<void> | null = null;
  #failedAt = -Infinity;
  #closed = false;

  constructor(options: RecordStreamOptions) {
    this.#options = options;
  }

  /** Adds records, as many as there is room for; returns how many. */
  write(records: readonly string[]): number {
    const room = Math.min(records.length, WAITING - this.#waiting.length);
    for (let i = 0; i < room; i++) this.#waiting.push(records[i]);
    this.#begin();
    return room;
  }

  /** Sends what waits, if the store takes it at once. */
  async close(): Promise<void> {
    this.#closed = true;
    const timer = setTimeout(() => this.#redis?.disconnect(), CLOSE_MS);
    await this.#sending;
    clearTimeout(timer);
    this.#lose(this.#waiting.splice(0).length);
    this.#redis?.disconnect();
    this.#redis = null;
  }

  #begin(): void {
    if (this.#sending || this.#waiting.length === 0) return;
    if (!this.#redis && (this.#closed || this.#options.now() - this.#failedAt < RETRY_MS)) return;
    this.#sending = this.#send().finally(() => {
      this.#sending = null;
    });
  }

  async #send(): Promise<void> {
    const { redis, key, length, now } = this.#options;
    let under: string[] = [];
    try {
      this.#redis ??= await openRedis(redis);
      const connection = this.#redis;
      while (this.#waiting.length > 0) {
        under = this.#waiting.splice(0, AT_ONCE);
        const pipeline = connection.pipeline();
        for (const record of under) pipeline.xadd(key, 'MAXLEN', '~', length, '*', 'record', record);
        const refused = ((await pipeline.exec()) ?? []).find(([error]) => error !== null);
        if (refused?.[0]) throw refused[0];
        under = [];
      }
    } catch {
      // That the store is away is told by its own log and status.
      this.#failedAt = now();
      this.#lose(under.length);
      this.#redis?.disconnect();
      this.#redis = null;
    }
  }

  #lose(records: number): void {
    if (records > 0) this.#options.onLost(records);
  }
}
