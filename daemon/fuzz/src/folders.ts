import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Inputs that led to something new, kept from run to run, and inputs that failed. */
export const KEPT = join(ROOT, '.tmp/fuzz/corpus');
const FINDINGS = join(ROOT, '.tmp/fuzz/findings');
/** The input each target is at. */
export const RUNNING = join(ROOT, '.tmp/fuzz/running');
/** How each target fared the last time. */
export const RESULTS = join(ROOT, '.tmp/fuzz/results');

/** How a target fared, as its process leaves it behind in RESULTS. */
export interface Result {
  readonly held: boolean;
  readonly seconds: number;
  readonly runs: number;
  readonly corpus: number;
  readonly blocks: number;
  readonly outcomes: number;
  /** Where the input is that failed; '' when none did. */
  readonly finding: string;
}

/** Name of an input's file: what it contains. */
export function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 12);
}

/** Writes a file; returns its path. */
export function save(folder: string, name: string, content: Uint8Array | string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Keeps an input that failed; returns its path. */
export const saveFinding = (target: string, input: Uint8Array): string =>
  save(FINDINGS, `${target}-${nameOf(input)}`, input);

/** Prints one line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
