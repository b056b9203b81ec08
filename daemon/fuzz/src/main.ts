import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RESULTS, type Result, saveFinding, say } from './folders.js';
import { lastRunning } from './running.js';
import { TARGETS } from './targets.js';

/** Runs targets, each in a process of its own, and says how they fared. Called by scripts/fuzz. */

const RUN = fileURLToPath(new URL('run.js', import.meta.url));
/** A process may take so much longer than its time: one input, and making one that failed simpler. Then it hangs. */
const GRACE_SECONDS = 180;
const USAGE_ERROR = 2;
/** What a shell says of a command that Ctrl-C ended. */
const INTERRUPTED = 130;

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: [...TARGETS.keys()] },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    replay: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

function refuse(problem: string): never {
  process.stderr.write(`fuzz: ${problem}\n`);
  process.exit(USAGE_ERROR);
}

const wrong = values.target.find((name) => !TARGETS.has(name));
if (wrong !== undefined) refuse(`no target "${wrong}"; scripts/fuzz --list names them`);
const seconds = Number(values.seconds);
const jobs = Number(values.jobs);
const seed = Number(values.seed ?? Math.floor(Math.random() * 0x1_0000_0000));
if (!(seconds > 0)) refuse('--seconds takes a number above 0');
if (!Number.isInteger(jobs) || jobs < 1) refuse('--jobs takes a whole number above 0');
if (!Number.isInteger(seed)) refuse('--seed takes a whole number');

const children = new Set<ChildProcess>();
const state = { interrupted: false };
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    state.interrupted = true;
    for (const child of children) child.kill();
  });
}

/** Runs the process of one target; returns its exit code, null when a signal ended it. It is ended when it hangs. */
function runProcess(name: string, options: readonly string[]): Promise<number | null> {
  // The native parts may need another environment; see scripts/fuzz.
  const prefix = name === 'native' ? (process.env.VROUTERD_FUZZ_NATIVE_PREFIX ?? '') : '';
  const words = [...prefix.split('\n').filter((word) => word !== ''), process.execPath, '--expose-gc', RUN];
  const [command, ...args] = [...words, '--target', name, ...options];
  const child = spawn(command, args, { stdio: 'inherit' });
  children.add(child);
  const hangs = setTimeout(() => child.kill('SIGKILL'), (seconds + GRACE_SECONDS) * 1000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(hangs);
      children.delete(child);
      resolve(code);
    });
  });
}

/** One row of the summary, and whether the target held. */
interface Row {
  readonly held: boolean;
  readonly cells: readonly string[];
}

async function fuzz(name: string): Promise<Row> {
  rmSync(join(RESULTS, name), { force: true });
  const code = await runProcess(name, ['--seconds', String(seconds), '--seed', String(seed)]);
  const left = lastRunning(name);
  if (state.interrupted) return { held: true, cells: [name, 'ended early'] };
  try {
    const result = JSON.parse(readFileSync(join(RESULTS, name), 'utf8')) as Result;
    const held = result.held && code === 0;
    const numbers = [result.seconds, result.runs, result.corpus, result.blocks, result.outcomes].map(String);
    return { held, cells: [name, held ? 'held' : 'FAILED', ...numbers, result.finding] };
  } catch {
    // The process ended before it could say how it fared.
    const path = left ? saveFinding(name, left) : '';
    say(`${name} FAILED: the process ended with ${code ?? 'a signal'}; its input is kept in ${path || 'no file'}`);
    if (left) say(`${name}: run it again with: scripts/fuzz --target ${name} --replay ${path}`);
    return { held: false, cells: [name, 'FAILED', '', '', '', '', '', path] };
  }
}

/** Runs all, as many at a time as there are jobs; returns whether all held. */
async function fuzzAll(names: readonly string[]): Promise<boolean> {
  const rows = new Map<string, Row>();
  const waiting = [...names];
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined && !state.interrupted; name = waiting.shift()) {
      rows.set(name, await fuzz(name));
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  say('');
  const titles = ['target', 'verdict', 'seconds', 'runs', 'corpus', 'blocks', 'outcomes', 'failing input'];
  const widths = [12, 12, 9, 12, 8, 8, 10, 0];
  for (const cells of [titles, ...names.map((name) => rows.get(name)?.cells ?? [name, 'not run'])]) {
    say(
      cells
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('')
        .trimEnd(),
    );
  }
  return [...rows.values()].every(({ held }) => held);
}

if (values.list) {
  for (const [name, make] of TARGETS) say(`${name.padEnd(12)}${make().about}`);
} else if (values.replay !== undefined) {
  const [name, ...others] = values.target;
  if (others.length > 0) refuse('--replay takes one --target');
  process.exitCode = (await runProcess(name, ['--replay', values.replay])) === 0 ? 0 : 1;
} else {
  const held = await fuzzAll(values.target);
  process.exitCode = !held ? 1 : state.interrupted ? INTERRUPTED : 0;
}
