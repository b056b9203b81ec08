import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { RefusedError } from './refused.js';

/** Version of the key layout. */
export const SCHEMA = '1';

/**
 * Leaves a store that is empty with our layout and an epoch of its own. `address` names the store in messages. Throws
 * RefusedError when the store has another layout.
 */
export async function checkLayout(commands: Redis, prefix: string, address: string): Promise<void> {
  const [schema, epoch] = await commands.mget(`${prefix}schema`, `${prefix}epoch`);
  if (schema !== null && schema !== SCHEMA) {
    throw new RefusedError(
      'layout',
      `the shared store at ${address} has layout ${schema}, this version knows layout ${SCHEMA}; ` +
        'use the version that wrote it, or another redisPrefix',
    );
  }
  if (schema === null) await commands.setnx(`${prefix}schema`, SCHEMA);
  if (epoch === null) await commands.setnx(`${prefix}epoch`, randomUUID());
}
