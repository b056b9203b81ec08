import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { openRedis, redisText, type RedisSettings } from './redis-connection.js';
import { RefusedError } from './refused.js';

/** Pause before the next attempt to connect, ms; doubles up to `most`. */
const RETRY_MS = { first: 50, most: 250 } as const;

/** How often a server is asked for a sign of life, and how long it may take: a connection may be dead without a word, ms. */
const ALIVE_MS = { every: 2_000, within: 6_000 } as const;

/** Both connections of one session: a blocking read occupies one of its own. */
export interface Link {
  readonly commands: Redis;
  readonly reader: Redis;
  /** Ends the session; the next one follows. */
  readonly close: () => void;
}

export interface RedisSessionsOptions {
  readonly redis: RedisSettings;
  readonly log: Pick<Logger, 'warn'>;
  /**
   * What is done with a session: calls `ready` once it has read all there is, and goes on until a connection is lost, which
   * makes it throw.
   */
  readonly body: (link: Link, ready: () => void) => Promise<void>;
  /** The session is over, its `link` no longer current. */
  readonly onEnd?: () => void;
}

/** Connects to the shared store again and again, and runs `body` with each pair of connections. */
export class RedisSessions {
  readonly #options: RedisSessionsOptions;
  readonly #stopping = new AbortController();
  #link: Link | undefined;
  /** Of the session under way, also before it is ready. */
  #opened: Link | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Whether the log already says that the store is away. */
  #complained = false;
  #pauseMs: number = RETRY_MS.first;
  /** Of `start`, until the first session is ready. */
  #started: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(options: RedisSessionsOptions) {
    this.#options = options;
  }

  /** The session that is ready; undefined while the store is away. */
  get link(): Link | undefined {
    return this.#link;
  }

  get stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Resolves once the first session is ready. Rejects with RefusedError when trying again will not help. */
  async start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.#started = { resolve, reject };
    });
    this.#running = this.#run();
    await started;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#opened?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.#session();
      } catch (error) {
        if (this.#started !== undefined && isFinal(error)) {
          this.#started.reject(this.#turnedDown(error));
          return;
        }
        this.#complain(error);
      }
      await sleep(this.#pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MS.most);
    }
    this.#started?.resolve();
  }

  /** From the first connection to the loss of one of the two. Always throws, except when stopped. */
  async #session(): Promise<void> {
    const { redis, body, onEnd } = this.#options;
    const link = await openLink(redis);
    this.#opened = link;
    const watch = keepWatch(link);
    try {
      await body(link, () => {
        this.#ready(link);
      });
    } finally {
      clearInterval(watch);
      this.#link = undefined;
      this.#opened = undefined;
      link.close();
      onEnd?.();
    }
  }

  #ready(link: Link): void {
    this.#link = link;
    this.#pauseMs = RETRY_MS.first;
    this.#complained = false;
    this.#started?.resolve();
    this.#started = undefined;
  }

  #complain(error: unknown): void {
    if (this.#complained || this.stopped) return;
    this.#options.log.warn({ err: error, store: this.#address }, 'the shared store is not reachable');
    this.#complained = true;
  }

  #turnedDown(error: unknown): unknown {
    if (error instanceof RefusedError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    const message = `the shared store at ${this.#address} turned us down: ${reason}; check its username and password`;
    return new RefusedError('unavailable', message, undefined, { cause: error });
  }

  get #address(): string {
    return redisText(this.#options.redis);
  }
}

async function openLink(redis: RedisSettings): Promise<Link> {
  const commands = await openRedis(redis);
  const reader = await openRedis(redis).catch((error: unknown) => {
    commands.disconnect();
    throw error;
  });
  const close = (): void => {
    commands.disconnect();
    reader.disconnect();
  };
  commands.once('close', close);
  reader.once('close', close);
  return { commands, reader, close };
}

/** Closes a link whose server does not answer any more. */
function keepWatch({ commands, close }: Link): NodeJS.Timeout {
  let silentSince: number | null = null;
  return setInterval(() => {
    if (silentSince !== null) {
      if (performance.now() - silentSince > ALIVE_MS.within) close();
      return;
    }
    silentSince = performance.now();
    commands.ping().then(
      () => {
        silentSince = null;
      },
      // A connection that is lost says so itself.
      () => undefined,
    );
  }, ALIVE_MS.every);
}

/** Whether trying again will not help: a layout we do not know, or a server that does not let us in. */
function isFinal(error: unknown): boolean {
  if (error instanceof RefusedError) return error.code === 'layout';
  return error instanceof Error && /^(WRONGPASS|NOAUTH|NOPERM)\b/.test(error.message);
}
