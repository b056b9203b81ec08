import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Namespace } from './namespace.js';
import { type Background, until } from './process.js';

/** A redis-server several hosts share. What it was told outlives a stop. */
export class SharedRedis {
  #server: Background | undefined;

  private constructor(
    readonly namespace: Namespace,
    readonly address: string,
    readonly port: number,
    readonly directory: string,
    readonly settings: Readonly<Record<string, string>>,
  ) {}

  /** Starts a server at an address of a namespace; `settings` are redis-server's own, beside those every server here has. */
  static async start(
    namespace: Namespace,
    address: string,
    port = 6379,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<SharedRedis> {
    const directory = join(namespace.lab.directory, `redis-${namespace.name}-${port}`);
    await mkdir(directory, { recursive: true });
    const redis = new SharedRedis(namespace, address, port, directory, settings);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://${this.address}:${this.port}`;
  }

  async start(): Promise<void> {
    const settings = {
      port: String(this.port),
      bind: this.address,
      'protected-mode': 'no',
      dir: this.directory,
      appendonly: 'yes',
      appendfsync: 'everysec',
      save: '',
      loglevel: 'warning',
      ...this.settings,
    };
    const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const server = this.namespace.spawn(['redis-server', ...words]);
    this.#server = server;
    await until('redis-server answers', async () => {
      if (!server.running) throw new Error(`redis-server ended\n${server.output}`);
      const { stdout } = await this.attempt('PING');
      return stdout.trim() === 'PONG' ? true : undefined;
    });
  }

  /** Ends the server; its clients are told by the kernel. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#server?.stop(signal);
  }

  attempt(...command: readonly string[]): ReturnType<Namespace['attempt']> {
    return this.namespace.attempt(['redis-cli', '-h', this.address, '-p', String(this.port), ...command]);
  }

  /** What redis-cli prints. Fails when the server refuses. */
  async say(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.attempt(...command);
    if (code !== 0 || /^(\(error\)|ERR|NOPERM|WRONGTYPE)/.test(stdout))
      throw new Error(`${command.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }
}
