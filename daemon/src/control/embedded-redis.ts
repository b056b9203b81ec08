import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openRedis } from './redis-connection.js';

/** Longest path of a unix socket, bytes (sun_path less its end mark). */
const SOCKET_PATH_MAX = 107;
/** Pause between two looks at a server that starts or ends, ms. */
const LOOK_MS = 20;
/** Longest wait for a server to end before it is killed, ms. */
const END_MS = 3_000;
/** Pause before a server that died is started again, ms: doubles up to `most`; one that lived `calm` starts anew. */
const RESTART_MS = { first: 100, most: 5_000, calm: 10_000 } as const;
/** Lines of output kept to explain a server that does not start. */
const OUTPUT_LINES = 10;

export interface EmbeddedRedisOptions {
  /** Folder of its own, made when missing, for its owner's eyes only. Nobody else may use it meanwhile. */
  readonly directory: string;
  readonly log: Pick<Logger, 'warn'>;
}

/**
 * A private redis-server for a host without a cluster: on a unix socket, every change on disk before it is acknowledged.
 * It dies with this process and is started again when it dies alone.
 */
export class EmbeddedRedis {
  readonly #directory: string;
  readonly #log: EmbeddedRedisOptions['log'];
  #child: ChildProcess | undefined;
  #output: string[] = [];
  readonly #stopping = new AbortController();
  #supervising: Promise<void> = Promise.resolve();

  constructor({ directory, log }: EmbeddedRedisOptions) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Address for a store. */
  get url(): string {
    return `unix://${this.#socket}`;
  }

  /** Process id of the server; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves once the server answers. Throws when it is not installed or does not start. */
  async start(): Promise<void> {
    if (Buffer.byteLength(this.#socket) > SOCKET_PATH_MAX) {
      throw new Error(`${this.#socket} is too long for a socket; use a shorter stateDir`);
    }
    const command = [
      executable('setpriv', 'util-linux'),
      '--pdeathsig',
      'KILL',
      executable('redis-server', 'redis-server'),
    ];
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    chmodSync(this.#directory, 0o700);
    await this.#endLeftover();

    this.#launch(command);
    await this.#ready();
    this.#supervising = this.#supervise(command);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child !== undefined) {
      child.kill('SIGTERM');
      const impatience = setTimeout(() => child.kill('SIGKILL'), END_MS);
      await ended(child);
      clearTimeout(impatience);
    }
    await this.#supervising;
  }

  async #supervise(command: readonly string[]): Promise<void> {
    let pauseMs: number = RESTART_MS.first;
    for (;;) {
      const since = performance.now();
      if (this.#child !== undefined) await ended(this.#child);
      if (this.#stopped()) return;

      if (performance.now() - since > RESTART_MS.calm) pauseMs = RESTART_MS.first;
      this.#log.warn({ output: this.#output, pauseMs }, 'the embedded redis-server ended; starting it again');
      await sleep(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, RESTART_MS.most);
      if (this.#stopped()) return;
      this.#launch(command);
    }
  }

  #launch([file, ...args]: readonly string[]): void {
    const child = spawn(file, [...args, ...this.#settings()], {
      cwd: this.#directory,
      // A session of its own: Ctrl-C is for the daemon, which then ends its server in good order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#output = [];
    const keep = (chunk: Buffer): void => {
      this.#output = [...this.#output, ...chunk.toString().split('\n').filter(Boolean)].slice(-OUTPUT_LINES);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      this.#output.push(error.message);
    });
    this.#child = child;
  }

  #settings(): string[] {
    const settings = {
      port: '0',
      unixsocket: this.#socket,
      unixsocketperm: '700',
      dir: this.#directory,
      pidfile: this.#pidFile,
      appendonly: 'yes',
      appendfsync: 'always',
      save: '',
      databases: '1',
      loglevel: 'warning',
    };
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  }

  /** Waits until the server answers. Throws when it ends instead, with its last words. */
  async #ready(): Promise<void> {
    for (;;) {
      const redis = await openRedis({ url: this.url }).catch(() => undefined);
      if (redis !== undefined) {
        redis.disconnect();
        return;
      }
      if (this.#child === undefined || hasEnded(this.#child)) {
        throw new Error(`redis-server did not start: ${this.#output.at(-1) ?? 'it said nothing'}`);
      }
      await sleep(LOOK_MS);
    }
  }

  /**
   * A server whose daemon was killed dies a moment later. Whoever is still at work on our files then is ended, since two
   * servers must never write them; nothing acknowledged is lost by that.
   */
  async #endLeftover(): Promise<void> {
    const pid = this.#leftover();
    if (pid === undefined) return;
    this.#log.warn({ pid }, 'ending the redis-server an earlier daemon left behind');
    process.kill(pid, 'SIGKILL');
    while (this.#leftover() === pid) await sleep(LOOK_MS);
  }

  /** Process that works on our files: the one of the pid file, if it bears our socket in its title. */
  #leftover(): number | undefined {
    try {
      const pid = Number(readFileSync(this.#pidFile, 'utf8'));
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.#socket) ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  get #socket(): string {
    return join(this.#directory, 'redis.sock');
  }

  get #pidFile(): string {
    return join(this.#directory, 'redis.pid');
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

async function ended(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) await once(child, 'exit');
}

/** Path of a program. Throws, naming the package to install. */
function executable(name: string, debianPackage: string): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      continue;
    }
  }
  throw new Error(`${name} is not installed; apt-get install ${debianPackage}`);
}
