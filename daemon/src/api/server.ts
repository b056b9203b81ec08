/** Where the API listens: a unix socket, and TCP for metrics when configured. */
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';

import { createApi, createMetricsServer } from './handlers.js';
import type { ErrorLog } from './handlers.js';
import { Metrics } from './metrics.js';
import type { DaemonView } from './view.js';

export interface ApiOptions {
  /** Path of the unix socket. Its directory is made when it is missing. */
  readonly socket: string;
  /** TCP address that serves `/metrics` and nothing else. */
  readonly metrics?: { readonly host: string; readonly port: number };
}

/** Owner and group may ask. */
const SOCKET_MODE = 0o660;

export interface ApiServer {
  /** Where metrics are served, when they are: the port that was free, if port 0 was asked for. */
  readonly metricsUrl: string | undefined;
  /** Ends running requests and removes the socket. */
  close(): Promise<void>;
}

/** Starts to answer. Rejects when another daemon does already, or an address cannot be used. */
export async function startApi(view: DaemonView, options: ApiOptions, log: ErrorLog): Promise<ApiServer> {
  const metrics = new Metrics(view);
  const api = createApi(view, metrics, log);
  await mkdir(dirname(options.socket), { recursive: true });
  await makeWay(options.socket);
  await api.listen({ path: options.socket });
  await chmod(options.socket, SOCKET_MODE);
  if (!options.metrics) return { metricsUrl: undefined, close: () => api.close() };

  const scrapes = createMetricsServer(metrics, log);
  try {
    const metricsUrl = `${await scrapes.listen(options.metrics)}/metrics`;
    return {
      metricsUrl,
      close: async () => {
        await Promise.all([api.close(), scrapes.close()]);
      },
    };
  } catch (error) {
    await api.close();
    throw error;
  }
}

/** Removes the socket of a daemon that is gone. Throws when one is alive, or the path is something else. */
async function makeWay(path: string): Promise<void> {
  const stat = await lstat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (!stat) return;
  if (!stat.isSocket()) throw new Error(`${path} is not a socket; remove it or set api.socket to another path`);
  if (await answers(path))
    throw new Error(`another vrouterd answers on ${path}; stop it or set api.socket to another path`);
  await unlink(path);
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const end = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => {
      end(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
