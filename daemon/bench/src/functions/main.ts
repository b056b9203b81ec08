import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { Timing } from './harness.js';

/**
 * Times the functions of the daemon and compares with the stored baseline, relative to how fast the machine is at the moment. What
 * seems slower is timed again before it is said. Exits with 1 when something is.
 */

const USAGE = `usage: npm run bench:functions [-- [--save] [FILE...]]

Times single functions of the daemon: nanoseconds, and how that compares with daemon/bench/baseline.json.
  FILE     only these: acl ageing checksum datapath decapsulation encapsulation
           fat-flow flow segmentation tables
  --save   makes what was measured the baseline
`;

/** Slower by more than this is worth a word: less is noise. */
const TOLERATED = 1.25;
/** How often what seems slower is timed again. */
const RETRIES = 3;

const HERE = new URL('.', import.meta.url);
const BASELINE = fileURLToPath(new URL('../../baseline.json', import.meta.url));
const SUFFIX = '.bench.js';

/** By name, in multiples of the calibration loop's step. */
type Baseline = Readonly<Record<string, number>>;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function timingsOf(file: string): Promise<readonly Timing[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL(file, HERE))]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Timing);
}

/** The lesser of two timings of each bench. */
const least = (one: readonly Timing[], other: readonly Timing[]): readonly Timing[] =>
  one.map((timing, i) => (other[i].relative < timing.relative ? other[i] : timing));

function isSlower({ name, relative }: Timing, baseline: Baseline): boolean {
  return name in baseline && relative > baseline[name] * TOLERATED;
}

async function patiently(file: string, baseline: Baseline): Promise<readonly Timing[]> {
  let timings = await timingsOf(file);
  for (let retry = 0; retry < RETRIES && timings.some((timing) => isSlower(timing, baseline)); retry++) {
    timings = least(timings, await timingsOf(file));
  }
  return timings;
}

function line(timing: Timing, baseline: Baseline): string {
  const { name, ns, relative } = timing;
  const ratio = name in baseline ? `${(relative / baseline[name]).toFixed(2)} of baseline` : 'new';
  return `  ${name.padEnd(48)} ${ns.toFixed(1).padStart(9)} ns  ${ratio}${isSlower(timing, baseline) ? '  SLOWER' : ''}`;
}

function benchFiles(only: readonly string[]): readonly string[] {
  const files = readdirSync(HERE).filter((file) => file.endsWith(SUFFIX));
  const names = files.map((file) => basename(file, SUFFIX));
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`there is no ${unknown}; there is ${names.join(', ')}`);
  return files.filter((_, i) => only.length === 0 || only.includes(names[i]));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { save: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const stored = JSON.parse(await readFile(BASELINE, 'utf8').catch(() => '{}')) as Baseline;
  const measured: Record<string, number> = {};
  let slower = 0;
  for (const file of benchFiles(positionals)) {
    say(basename(file, SUFFIX));
    const timings = values.save ? least(await timingsOf(file), await timingsOf(file)) : await patiently(file, stored);
    for (const timing of timings) {
      say(line(timing, stored));
      measured[timing.name] = Number(timing.relative.toPrecision(4));
      if (isSlower(timing, stored)) slower++;
    }
  }
  if (values.save) {
    await writeFile(BASELINE, JSON.stringify({ ...stored, ...measured }, null, 2) + '\n');
    say(`written to ${BASELINE}`);
  } else if (slower > 0) {
    say(`${slower} slower than ${Math.round((TOLERATED - 1) * 100)} % above the baseline`);
    process.exitCode = 1;
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`bench:functions: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
});
