import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { openRedis } from 'vrouterd/dist/control/redis-connection.js';

/** A TCP port nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A redis-server of one test, on a TCP port of 127.0.0.1. It ends with the test, its files too. */
export class PrivateRedis {
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly folder: string,
    settings: readonly string[],
  ) {
    const common = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--save',
      '',
      '--loglevel',
      'warning',
    ];
    this.#words = [...common, ...settings];
  }

  /** `settings` are words of redis-server's command line. */
  static async start(t: ExecutionContext, settings: readonly string[] = []): Promise<PrivateRedis> {
    const folder = mkdtempSync(join(tmpdir(), 'vrouterd-redis-'));
    const redis = new PrivateRedis(await freePort(), folder, settings);
    t.teardown(async () => {
      await redis.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });
    await redis.start();
    return redis;
  }

  /** A sentinel with a configuration file of its own, which it rewrites. */
  static async sentinel(t: ExecutionContext, file: string, port: number): Promise<void> {
    const child = spawn('redis-server', [file, '--sentinel', '--port', String(port), '--bind', '127.0.0.1'], {
      stdio: 'ignore',
    });
    t.teardown(async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    for (let i = 0; i < 200; i += 1) {
      try {
        (await openRedis({ url: `redis://127.0.0.1:${port}` })).disconnect();
        return;
      } catch {
        await sleep(20);
      }
    }
    throw new Error('the sentinel does not answer');
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#child = spawn('redis-server', this.#words, { stdio: 'ignore' });
    const settings = { url: this.url };
    for (let i = 0; i < 200; i += 1) {
      try {
        (await openRedis(settings)).disconnect();
        return;
      } catch (error) {
        if (/^(NOAUTH|WRONGPASS)/.test((error as Error).message)) return;
        await sleep(20);
      }
    }
    throw new Error(`redis-server does not answer at ${this.url}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGCONT');
    child.kill(signal);
    await once(child, 'exit');
  }

  /** Stops it from answering, or lets it go on; connections stay. */
  freeze(frozen: boolean): void {
    this.#child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }
}
