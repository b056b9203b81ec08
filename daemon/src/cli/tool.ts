/**
 * What all tools share: how they are called, how they end, the options each of them takes. A tool is a pure `parseArgs`, a pure
 * `format`, and a `run` that joins them; everything outside (daemon, terminal, files) comes in through `Surroundings`.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';

import type { Daemon } from './client.js';
import type { Echoes } from './echoes.js';
import { Exit, STATUS } from './exit.js';

export interface Tool {
  /** Name the tool is called by; starts its lines on stderr. */
  readonly name: string;
  /** Does what `argv` (without interpreter and script) asks for; returns what goes to stdout, throws Exit otherwise. */
  readonly run: (argv: readonly string[], surroundings: Surroundings) => Promise<string>;
}

export interface Surroundings {
  /** The daemon behind `socket`; undefined: the usual one. Connects with the first request. */
  readonly connect: (socket: string | undefined) => Daemon;
  /** Text of a file; `-` is stdin. Rejects with the errors of fs.readFile. */
  readonly read: (file: string) => Promise<string>;
  /** Content of a file. Rejects with the errors of fs.readFile. */
  readonly readBytes: (file: string) => Promise<Buffer>;
  /** Writes a part of the output, ahead of what `run` returns: for what is too long for one text. Resolves when more may come. */
  readonly print: (text: string) => Promise<void>;
  /** Tells the user, beside the output, what takes its time. */
  readonly progress: (line: string) => void;
  readonly screen: Screen;
  readonly net: Net;
}

/** What tools that send packets need of the machine. */
export interface Net {
  /** Echoes of a family. Throws Exit when that is not allowed. */
  echoes(family: 4 | 6): Promise<Echoes>;
  /** Address of a name in the DNS. Rejects when there is none. */
  resolve(name: string): Promise<string>;
  /** Is aborted by Ctrl-C, which from then on does not end the tool. */
  interrupted(): AbortSignal;
  /** Milliseconds by a clock that never goes back. */
  now(): number;
  /** Resolves after so long, or when `stop` says so. */
  sleep(ms: number, stop: AbortSignal): Promise<void>;
}

/** A terminal for live views. */
export interface Screen {
  /** Height in lines. */
  rows(): number;
  /** Clears the terminal and shows `text`. */
  show(text: string): void;
  /** The next key pressed, undefined after `timeoutMs` without one, `q` at the end of the input. */
  key(timeoutMs: number): Promise<string | undefined>;
  now(): Date;
}

/** Options every request carries. */
export interface CommonOptions {
  /** Print the daemon's records as JSON. */
  readonly json?: true;
  readonly socket?: string;
}

/** A command with the options all tools have. */
export const command = (name: string, description: string): Command =>
  withCommonOptions(new Command(name)).description(description).helpOption('--help', 'display this help');

/** Adds the options all tools have. */
export const withCommonOptions = (to: Command): Command =>
  to
    .option('--json', 'print the records as JSON')
    .option('--socket <path>', 'socket of the daemon (default: $VROUTERD_SOCKET or /run/vrouterd/vrouterd.sock)');

/**
 * Parses `argv` by `spec`. Throws Exit: with the help text and status 0 when it was asked for, else what `fail` makes of a
 * message that says what is wrong.
 */
export function parse(spec: Command, argv: readonly string[], fail: (message: string) => Exit): void {
  let help = '';
  const capture = {
    writeOut: (text: string) => {
      help += text;
    },
    writeErr: () => undefined,
  };
  for (const one of [spec, ...spec.commands]) one.exitOverride().configureOutput(capture);
  try {
    spec.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new Exit(STATUS.ok, '', help);
    if (error.code === 'commander.help') throw fail('a command is missing');
    throw fail(error.message.replace(/^error: /, '').replace(/\n.*/s, ''));
  }
}

/** How a classic tool ends that was called with options that make no sense: with its usage and a status of its own. */
export const usage =
  (spec: Command, status: number) =>
  (message: string): Exit =>
    new Exit(status, `${message}; use it as shown`, spec.helpInformation());

/** Reads an index: digits only. For commander. */
export function index(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It must be a number from 0.');
  return value;
}
