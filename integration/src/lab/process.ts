import { spawn, type ChildProcess } from 'node:child_process';

/** What a finished command left behind. `code` is -1 when a signal ended it. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Milliseconds after which the command is killed and the call fails; 30 s unless given. */
  readonly timeoutMs?: number;
  /** Text for standard input; without it standard input is empty. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command as words, or as one line that is split at white space (no quoting). */
export type Command = string | readonly string[];

export function words(command: Command): readonly string[] {
  return typeof command === 'string' ? command.split(/\s+/).filter((word) => word !== '') : command;
}

/** Runs a command to its end, whatever its exit code. Throws only when it cannot be started or does not end in time. */
export function attempt(command: Command, options: RunOptions = {}): Promise<Outcome> {
  const [program, ...args] = words(command);
  const timeoutMs = options.timeoutMs ?? 30_000;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${shown(command)}: no end after ${timeoutMs} ms\n${stdout}${stderr}`));
    }, timeoutMs);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new Error(`${shown(command)}: ${cause.message}`, { cause }));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, stdout, stderr });
    });
    // A command that ends without reading its input closes the pipe; that is its right.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Runs a command that has to succeed; returns its standard output. The error of one that fails shows everything it said. */
export async function run(command: Command, options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await attempt(command, options);
  if (code !== 0) throw new Error(`${shown(command)}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}

function shown(command: Command): string {
  return words(command).join(' ');
}

export interface BackgroundOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Takes what the process writes, for one that writes for hours; only the newest part of it is then kept. */
  readonly onOutput?: (text: string) => void;
}

/** How much is kept of output that somebody takes, characters. */
const KEPT = 20_000;

/** A process that runs beside the test. Its output is kept. */
export class Background {
  readonly child: ChildProcess;
  /** Resolves once the process has ended, to its exit code (-1: a signal). */
  readonly ended: Promise<number>;
  #output = '';
  #listeners = new Set<() => void>();
  #exitCode: number | undefined;

  constructor(
    readonly command: Command,
    { env, onOutput }: BackgroundOptions = {},
  ) {
    const [program, ...args] = words(command);
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
    this.child = child;
    const keep = (text: string): void => {
      this.#output += text;
      if (onOutput) {
        this.#output = this.#output.slice(-KEPT);
        onOutput(text);
      }
      this.#wake();
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      const end = (code: number): void => {
        this.#exitCode = code;
        resolve(code);
        this.#wake();
      };
      child.on('error', (error) => {
        keep(`${shown(command)}: ${error.message}\n`);
        end(-1);
      });
      child.on('close', (code) => {
        end(code ?? -1);
      });
    });
  }

  /** Standard output and standard error in the order they came. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#exitCode === undefined;
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Waits until the output from character `from` on matches; returns the match. Fails when the process ends first or time is up. */
  async waitFor(pattern: RegExp, timeoutMs = 10_000, from = 0): Promise<RegExpExecArray> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(this.#output.slice(from));
      if (match !== null) return match;
      const left = deadline - Date.now();
      if (left <= 0 || !this.running) {
        const why = this.running
          ? `not seen in ${timeoutMs} ms`
          : `ended with ${this.#exitCode ?? -1} before it was seen`;
        throw new Error(`${shown(this.command)}: ${pattern.toString()} ${why}\n${this.#output.slice(-4000)}`);
      }
      await this.#change(left);
    }
  }

  /** Ends the process with `signal`, then with SIGKILL when it does not obey within `graceMs`; resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 5_000): Promise<number> {
    if (this.running) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#listeners.add(done);
    });
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again every `everyMs` until the answer is not undefined; fails after `timeoutMs` with the text of `what`. */
export async function until<T>(
  what: string,
  question: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 10_000,
  everyMs = 50,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not so after ${timeoutMs} ms`);
    await sleep(everyMs);
  }
}
