import type { Redis } from 'ioredis';
import { asOperator, openRedis, type RedisSettings } from './redis-connection.js';

/** The connection configuration is written by: of a user of its own where one is named, opened when it is needed first. */
export class OperatorConnection {
  readonly #redis: RedisSettings;
  #connection: Redis | undefined;

  constructor(redis: RedisSettings) {
    this.#redis = redis;
  }

  /** `own` is this host's own connection. Throws with the reason the server or the system gave. */
  async open(own: Redis): Promise<Redis> {
    if (this.#redis.operator === undefined) return own;
    if (this.#connection?.status === 'ready') return this.#connection;
    this.#connection?.disconnect();
    this.#connection = await openRedis(asOperator(this.#redis));
    return this.#connection;
  }

  close(): void {
    this.#connection?.disconnect();
  }
}
