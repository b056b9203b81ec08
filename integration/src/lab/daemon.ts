import { join } from 'node:path';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { attempt, run, until, words } from './process.js';
import type { Background, BackgroundOptions, Command, Outcome, RunOptions } from './process.js';
import type { Document } from './topology.js';

/** Where npm puts the executables of this checkout. */
const BIN = fileURLToPath(new URL('../../../node_modules/.bin/', import.meta.url));

export interface DaemonOptions {
  /** Host name, `host` unless given; unique within the test. */
  readonly host?: string;
  /** Lines of YAML to add to the daemon's configuration file. */
  readonly config?: string;
  /** Its `tunnel`, as YAML in one line; an address of the loopback unless given. */
  readonly tunnel?: string;
  /** Namespace to run in; one of its own unless given. */
  readonly namespace?: Namespace;
  /** Words in front of the daemon's command: node with flags of its own, or a wrapper. */
  readonly prefix?: readonly string[];
  /** Environment and output of every run of the daemon. */
  readonly process?: BackgroundOptions;
}

/** A vrouterd in a namespace of its own, with its own state directory and socket, and an embedded Redis unless configured otherwise. */
export class Daemon {
  #process: Background | undefined;
  #log = '';

  private constructor(
    /** The host's namespace: taps and the host ends of veths are here. */
    readonly namespace: Namespace,
    readonly host: string,
    readonly directory: string,
    readonly prefix: readonly string[],
    private readonly options: BackgroundOptions | undefined,
  ) {}

  /** Writes the configuration; nothing runs yet. */
  static async prepare(lab: Lab, namespace: Namespace, options: DaemonOptions): Promise<Daemon> {
    const host = options.host ?? 'host';
    const { prefix = [], process } = options;
    const daemon = new Daemon(namespace, host, join(lab.directory, host), prefix, process);
    await mkdir(daemon.directory, { recursive: true });
    const config = [
      `host: ${host}`,
      `stateDir: ${daemon.directory}/state`,
      `api: { socket: ${daemon.socket} }`,
      `tunnel: ${options.tunnel ?? '{ address: 127.0.0.1 }'}`,
      options.config ?? '',
    ];
    await writeFile(daemon.configFile, config.join('\n') + '\n');
    return daemon;
  }

  get configFile(): string {
    return join(this.directory, 'vrouterd.yaml');
  }

  get socket(): string {
    return join(this.directory, 'vrouterd.sock');
  }

  /** What this run of the daemon wrote. */
  get output(): string {
    return this.#process?.output ?? '';
  }

  /** What all runs of this daemon wrote, the newest part of it. */
  get log(): string {
    return (this.#log + this.output).slice(-20_000);
  }

  /** Process id of the running daemon. */
  get pid(): number {
    const pid = this.#process?.child.pid;
    if (pid === undefined) throw new Error('the daemon does not run');
    return pid;
  }

  get running(): boolean {
    return this.#process?.running ?? false;
  }

  /** Starts the daemon and waits until it answers `vrouter status`. */
  async start(timeoutMs = 20_000): Promise<void> {
    const command = [...this.prefix, join(BIN, 'vrouterd'), '--config', this.configFile];
    const process = this.namespace.spawn(command, this.options);
    this.#log = this.log;
    this.#process = process;
    await until(
      'vrouterd answers',
      async () => {
        if (!process.running) throw new Error(`vrouterd ended at start\n${process.output}`);
        return (await this.attempt('vrouter', 'status')).code === 0 ? true : undefined;
      },
      timeoutMs,
    );
  }

  /** Ends the daemon; resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.#process === undefined) throw new Error('the daemon does not run');
    return this.#process.stop(signal, 10_000);
  }

  /** Runs one of the tools against this daemon, whatever its exit code. */
  attempt(tool: string, args: Command = '', options: RunOptions = {}): Promise<Outcome> {
    const env = { VROUTERD_SOCKET: this.socket, ...options.env };
    return attempt([join(BIN, tool), ...words(args)], { ...options, env });
  }

  /** Runs one of the tools, which has to succeed; returns its standard output. */
  run(tool: string, args: Command = '', options: RunOptions = {}): Promise<string> {
    const env = { VROUTERD_SOCKET: this.socket, ...options.env };
    return run([join(BIN, tool), ...words(args)], { ...options, env });
  }

  /** Starts one of the tools against this daemon, to run beside the test until it ends or is stopped. */
  follow(tool: string, args: Command): Background {
    return this.namespace.spawn([join(BIN, tool), ...words(args)], { env: { VROUTERD_SOCKET: this.socket } });
  }

  /** Runs a tool with `--json`; returns what it printed as the type the caller expects. */
  async dump<T>(tool: string, args: Command = ''): Promise<T> {
    return JSON.parse(await this.run(tool, [...words(args), '--json'])) as T;
  }

  /** One object as `vrouter get` shows it. */
  async object<T>(kind: string, name: string): Promise<T> {
    return JSON.parse(await this.run('vrouter', ['get', kind, name, '-o', 'json'])) as T;
  }

  /** Applies resources and waits until the datapath has realised them. */
  async apply(...documents: readonly Document[]): Promise<string> {
    const outcome = await this.run('vrouter', 'apply -f -', { input: yaml(documents) });
    await this.run('vrouter', 'wait --timeout 10', { timeoutMs: 15_000 });
    return outcome;
  }
}

/** Several resources as one text; JSON is YAML. */
export function yaml(documents: readonly Document[]): string {
  return documents.map((document) => JSON.stringify(document)).join('\n---\n');
}
