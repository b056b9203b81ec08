/**
 * What all tools share: how they are called, how they end, the options each of them takes. A tool is a pure `parseArgs`, a pure
 * `format`, and a `run` that joins them; everything outside (daemon, terminal, files) comes in through `Surroundings`.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';

import type { Daemon } from './client.js';
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
  readonly screen: Screen;
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
  readonly json: boolean;
  readonly socket?: string;
}

/** A command with the options all tools have. */
export const command = (name: string, description: string): Command =>
  withCommonOptions(new Command(name)).description(description).helpOption('--help', 'display this help');

/** Adds the options all tools have. */
export const withCommonOptions = (to: Command): Command =>
  to
    .option('--json', 'print the records as JSON', false)
    .option('--socket <path>', 'socket of the daemon (default: $VROUTERD_SOCKET or /run/vrouterd/vrouterd.sock)');

/**
 * Parses `argv` by `spec`. Throws Exit with the usage text: status 0 when it was asked for, else `badUsage` and what is wrong.
 */
export function parse(spec: Command, argv: readonly string[], badUsage: number): void {
  let help = '';
  const capture = { writeOut: (text: string) => void (help += text), writeErr: () => undefined };
  for (const one of [spec, ...spec.commands]) one.exitOverride().configureOutput(capture);
  try {
    spec.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new Exit(STATUS.ok, '', help);
    throw usageError(spec, error.message.replace(/^error: /, '').replace(/\n.*/s, ''), badUsage);
  }
}

/** The end of a tool called with options that make no sense. */
export const usageError = (spec: Command, message: string, badUsage: number): Exit =>
  new Exit(badUsage, `${message}; use it as shown`, spec.helpInformation());

/** Reads an index: digits only. For commander. */
export function index(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It must be a number from 0.');
  return value;
}
