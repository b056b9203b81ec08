import { readFileSync } from 'node:fs';
import { Redis, type RedisOptions } from 'ioredis';
import * as z from 'zod';

/** Replies keep their classic shape: hashes as objects. */
type ConnectOptions = Omit<RedisOptions, 'replyMapping'>;

/** Longest wait for a connection and for an answer, ms. A commit with a slow disk behind it takes its time. */
const TIMEOUT_MS = { connect: 2_000, command: 15_000 } as const;
const SENTINEL_PORT = 26379;

/** A word that may be kept outside the configuration file. */
const secret = z.union([z.string(), z.strictObject({ env: z.string() }), z.strictObject({ file: z.string() })]);

/** Where the shared store is and how to get in, as it stands in the configuration file; its URL alone will do. */
export const redisSettings = z.preprocess(
  (given) => (typeof given === 'string' ? { url: given } : given),
  z.strictObject({
    url: z
      .string()
      .refine(
        isStoreUrl,
        'is not the URL of a store; use redis://HOST:PORT, rediss://HOST:PORT/DATABASE or unix:///PATH',
      ),
    username: secret.optional(),
    password: secret.optional(),
    /** Who may write configuration; by default the same user. */
    operator: z.strictObject({ username: secret, password: secret }).optional(),
    /** PEM files. */
    tls: z
      .strictObject({
        ca: z.string().optional(),
        cert: z.string().optional(),
        key: z.string().optional(),
        serverName: z.string().optional(),
      })
      .optional(),
    /** The URL then says only whether to use TLS, and which database. */
    sentinels: z
      .strictObject({
        master: z.string(),
        addresses: z.array(z.strictObject({ host: z.string(), port: z.int().default(SENTINEL_PORT) })).min(1),
        /** Of the sentinels themselves, where they ask for them. */
        username: secret.optional(),
        password: secret.optional(),
        /** Whether they speak TLS; with the files of `tls`. */
        tls: z.boolean().default(false),
      })
      .optional(),
  }),
);

export type RedisSettings = z.output<typeof redisSettings>;

/** Whether the rest of this file can read the URL. */
function isStoreUrl(text: string): boolean {
  if (/^unix:\/\/./.test(text)) return true;
  return /^rediss?:\/\/./.test(text) && URL.canParse(text) && /^(\/\d*)?$/.test(new URL(text).pathname);
}

/** The same store, as the one who may write configuration. */
export function asOperator({ operator, ...settings }: RedisSettings): RedisSettings {
  return { ...settings, ...operator };
}

/** The address without user and password, for messages. */
export function redisText(settings: RedisSettings): string {
  if (settings.url.startsWith('unix:')) return settings.url.slice('unix://'.length);
  const { protocol, host, pathname } = new URL(settings.url);
  return `${protocol}//${settings.sentinels?.master ?? host}${pathname}`;
}

/**
 * One connection, ready for commands. It does not come back by itself: when it is lost, what is under way is rejected, and
 * its owner opens another. Secrets and keys are read anew each time. Throws with the reason the server or the system gave.
 */
export async function openRedis(settings: RedisSettings): Promise<Redis> {
  const redis = new Redis({ ...target(settings), ...credentials(settings), ...BEHAVIOUR });
  let reason: Error | undefined;
  redis.on('error', (error: Error) => (reason ??= error));
  try {
    await redis.connect();
    return redis;
  } catch (error) {
    redis.disconnect();
    throw reason ?? error;
  }
}

const BEHAVIOUR: ConnectOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
  connectTimeout: TIMEOUT_MS.connect,
  commandTimeout: TIMEOUT_MS.command,
};

function target({ url, sentinels, tls }: RedisSettings): ConnectOptions {
  if (url.startsWith('unix:')) return { path: url.slice('unix://'.length) };
  const { protocol, hostname, port, pathname } = new URL(url);
  const secured = protocol === 'rediss:' ? { tls: tlsOptions(tls) } : {};
  const db = Number(pathname.slice(1));
  if (sentinels !== undefined) return { ...secured, db, ...sentinelTarget(sentinels, tls) };
  // A URL writes IPv6 addresses in brackets, sockets want them bare.
  return { ...secured, db, host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 6379 : Number(port) };
}

function sentinelTarget(sentinels: NonNullable<RedisSettings['sentinels']>, tls: RedisSettings['tls']): ConnectOptions {
  const { master, addresses, username, password } = sentinels;
  return {
    name: master,
    sentinels: addresses,
    ...(username === undefined ? {} : { sentinelUsername: reveal(username) }),
    ...(password === undefined ? {} : { sentinelPassword: reveal(password) }),
    // Without it the master behind sentinels would be spoken to in the clear, whatever the URL says.
    enableTLSForSentinelMode: true,
    ...(sentinels.tls ? { sentinelTLS: tlsOptions(tls) } : {}),
  };
}

function tlsOptions(tls: RedisSettings['tls'] = {}): NonNullable<RedisOptions['tls']> {
  return {
    ...(tls.ca === undefined ? {} : { ca: readFileSync(tls.ca) }),
    ...(tls.cert === undefined ? {} : { cert: readFileSync(tls.cert) }),
    ...(tls.key === undefined ? {} : { key: readFileSync(tls.key) }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  };
}

/** Those of the URL, unless given beside it. */
function credentials({ url, username, password }: RedisSettings): ConnectOptions {
  const inUrl = url.startsWith('unix:') ? { username: '', password: '' } : new URL(url);
  const user = username === undefined ? decodeURIComponent(inUrl.username) : reveal(username);
  const word = password === undefined ? decodeURIComponent(inUrl.password) : reveal(password);
  return { ...(user === '' ? {} : { username: user }), ...(word === '' ? {} : { password: word }) };
}

function reveal(from: z.output<typeof secret>): string {
  if (typeof from === 'string') return from;
  if ('file' in from) return readFileSync(from.file, 'utf8').trimEnd();
  const value = process.env[from.env];
  if (value === undefined) throw new Error(`the environment variable ${from.env} is not set`);
  return value;
}
