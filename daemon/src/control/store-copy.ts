import type { ChainableCommander, Redis } from 'ioredis';
import type { StoreCopyDump } from './host-dumps.js';
import { explain } from './explain.js';
import { asOperator, openRedis, redisSettings, redisText, type RedisSettings } from './redis-connection.js';
import { SCHEMA } from './redis-layout.js';
import { firstId, inOneStep } from './redis-replies.js';
import { RefusedError } from './refused.js';

/** How often the copy is begun anew because configuration changed meanwhile. */
const ATTEMPTS = 20;
/** Keys one step of a scan looks at. */
const SCAN_COUNT = 1_000;
/** Fields in one command. */
const FIELDS_AT_ONCE = 1_000;

/** Where the copy goes. */
export interface CopyTarget {
  readonly redis: RedisSettings;
  readonly prefix: string;
  /** Replace what is there. */
  readonly force: boolean;
}

/** Where a copy goes, as in the configuration file. Throws RefusedError. */
export function parseTarget(to: unknown): RedisSettings {
  const result = redisSettings.safeParse(to);
  if (result.success) return result.data;
  throw explain(result.error.issues[0], to, 'the store to copy to');
}

/** A key and what it holds. */
type Content =
  | { readonly type: 'string'; readonly key: string; readonly value: string }
  | { readonly type: 'hash'; readonly key: string; readonly fields: Readonly<Record<string, string>> }
  | { readonly type: 'stream'; readonly key: string; readonly entries: readonly [string, string[]][] };

/**
 * Copies the configuration of a cluster to another store, as it is at one moment: objects, addresses and numbers given out, the
 * log, the epoch. What hosts say of themselves is not copied, they say it again. Throws RefusedError when the target is not empty,
 * or one of the two cannot be reached.
 */
export async function copyStore(from: RedisSettings, prefix: string, target: CopyTarget): Promise<StoreCopyDump> {
  const source = await connect(from, 'the shared store');
  try {
    const destination = await connect(target.redis, 'the store to copy to');
    try {
      const contents = await readAll(source, prefix);
      await write(destination, contents, target);
      const objects = contents.reduce(
        (sum, one) => sum + (one.type === 'hash' && one.key.startsWith('config:') ? Object.keys(one.fields).length : 0),
        0,
      );
      return { to: redisText(target.redis), prefix: target.prefix, keys: contents.length, objects };
    } finally {
      destination.disconnect();
    }
  } finally {
    source.disconnect();
  }
}

async function connect(redis: RedisSettings, what: string): Promise<Redis> {
  try {
    return await openRedis(asOperator(redis));
  } catch (cause) {
    const message = `${what}, ${redisText(redis)}, cannot be used: ${(cause as Error).message}`;
    throw new RefusedError('unavailable', message, undefined, { cause });
  }
}

/** All keys below the prefix that hosts did not write, without the prefix, and their contents at one moment. */
async function readAll(source: Redis, prefix: string): Promise<Content[]> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const before = await endOfLog(source, prefix);
    const keys = (await scan(source, prefix)).filter((key) => key !== 'hosts' && !key.startsWith('host:'));
    const types = await inOneStep(keys.reduce((all, key) => all.type(prefix + key), source.pipeline()));
    const multi = source.multi().xrevrange(`${prefix}config:log`, '+', '-', 'COUNT', 1);
    const readable = keys.flatMap((key, i) => (read(multi, prefix + key, types[i] as string) ? [i] : []));
    const [end, ...values] = await inOneStep(multi);
    // Whatever changes comes with an entry of the log: the keys are those of the moment they were read at.
    if (firstId(end) !== before) continue;
    return readable.map((i, at) => contentOf(keys[i], types[i] as string, values[at]));
  }
  throw new RefusedError('contended', 'the configuration keeps changing; copy it when nobody applies anything');
}

async function endOfLog(source: Redis, prefix: string): Promise<string | undefined> {
  return firstId(await source.xrevrange(`${prefix}config:log`, '+', '-', 'COUNT', 1));
}

/** Names of all keys below the prefix, without it. */
async function scan(redis: Redis, prefix: string): Promise<string[]> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    for (const key of keys) found.add(key.slice(prefix.length));
    cursor = next;
  } while (cursor !== '0');
  return [...found].sort();
}

/** Adds the command that reads a key; false: nothing of ours has that type. */
function read(multi: ChainableCommander, key: string, type: string): boolean {
  if (type === 'string') multi.get(key);
  else if (type === 'hash') multi.hgetall(key);
  else if (type === 'stream') multi.xrange(key, '-', '+');
  else return false;
  return true;
}

function contentOf(key: string, type: string, value: unknown): Content {
  if (type === 'string') return { type, key, value: value as string };
  if (type === 'hash') return { type, key, fields: value as Record<string, string> };
  return { type: 'stream', key, entries: value as [string, string[]][] };
}

async function write(destination: Redis, contents: readonly Content[], target: CopyTarget): Promise<void> {
  const { prefix, force, redis } = target;
  const there = await scan(destination, prefix);
  if (there.length > 0 && !force) {
    const where = `${redisText(redis)} has ${there.length} keys that begin with ${prefix}`;
    throw new RefusedError('inUse', `${where}; use another prefix, or --force to replace them`);
  }
  if (!contents.some(({ key, type }) => key === 'schema' && type === 'string')) {
    throw new RefusedError('layout', `the shared store holds no configuration of layout ${SCHEMA}; nothing is copied`);
  }
  const multi = destination.multi();
  for (const key of there) if (key !== 'hosts' && !key.startsWith('host:')) multi.del(prefix + key);
  for (const content of contents) add(multi, prefix + content.key, content);
  try {
    await inOneStep(multi);
  } catch (cause) {
    const message = `${redisText(redis)} does not take the copy: ${(cause as Error).message}; the target needs operator credentials`;
    throw new RefusedError('unavailable', message, undefined, { cause });
  }
}

function add(multi: ChainableCommander, key: string, content: Content): void {
  switch (content.type) {
    case 'string':
      multi.set(key, content.value);
      return;
    case 'hash': {
      const words = Object.entries(content.fields).flat();
      for (let i = 0; i < words.length; i += 2 * FIELDS_AT_ONCE)
        multi.hset(key, ...words.slice(i, i + 2 * FIELDS_AT_ONCE));
      return;
    }
    case 'stream':
      for (const [id, fields] of content.entries) multi.xadd(key, id, ...fields);
  }
}
