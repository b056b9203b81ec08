import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type Finding, Fuzzer } from './engine/fuzzer.js';
import { Random } from './engine/random.js';
import type { Target } from './engine/target.js';
import { TARGETS } from './targets.js';

/** Runs one target for a time, or one input again. scripts/fuzz calls this for each target in a process of its own. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Inputs that led to something new, kept from run to run, and inputs that failed. */
const KEPT = join(ROOT, '.tmp/fuzz/corpus');
const FINDINGS = join(ROOT, '.tmp/fuzz/findings');
/** The input under way, of targets that can end the process: what is there afterwards did. */
const RUNNING = join(ROOT, '.tmp/fuzz/running');
const PROGRESS_MS = 5_000;

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The product's own code, compiled; not that of the fuzzer. */
const isProduct = (url: string): boolean =>
  /^(daemon|native-shims\/[^/]*)\/dist\//.test(url.slice(pathToFileURL(ROOT).href.length));

function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 12);
}

function save(folder: string, name: string, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, input);
  return path;
}

function keptInputs(folder: string): Map<string, Uint8Array> {
  mkdirSync(folder, { recursive: true });
  return new Map(readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));
}

/** Returns whether it held. */
async function fuzz(target: Target, seconds: number, seed: number): Promise<boolean> {
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  const goesOn = (): boolean => elapsed() < seconds;
  const folder = join(KEPT, target.name);
  const kept = keptInputs(folder);
  const useful = new Set<string>();
  const fuzzer = new Fuzzer(target, {
    random: new Random(seed),
    covers: isProduct,
    ...(target.canCrash === true ? { onRun: (input: Uint8Array) => save(RUNNING, target.name, input) } : {}),
    onKept: (input) => {
      useful.add(nameOf(input));
      if (!kept.has(nameOf(input))) save(folder, nameOf(input), input);
    },
  });
  const report = (): void => {
    const { runs, corpus, blocks, outcomes } = fuzzer.progress;
    const rate = Math.round(runs / elapsed());
    say(
      `${target.name}  ${Math.round(elapsed())} s  ${runs} runs, ${rate}/s  corpus ${corpus}  blocks ${blocks}  outcomes ${outcomes}`,
    );
  };

  say(`${target.name}: ${target.about}; seed ${seed}`);
  let finding = await fuzzer.begin([...target.seeds(), ...kept.values()], goesOn);
  // What others reach as well need not be kept.
  if (!finding && goesOn()) for (const name of kept.keys()) if (!useful.has(name)) rmSync(join(folder, name));
  for (let reportAt = 0; !finding && goesOn(); finding = await fuzzer.round()) {
    if (performance.now() < reportAt) continue;
    report();
    reportAt = performance.now() + PROGRESS_MS;
  }
  report();
  rmSync(join(RUNNING, target.name), { force: true });
  if (finding) tell(target, await fuzzer.simplify(finding));
  return finding === null;
}

function tell(target: Target, { input, error }: Finding): void {
  const path = save(FINDINGS, `${target.name}-${nameOf(input)}`, input);
  say(`${target.name} FAILED: ${error.stack ?? error.message}`);
  say(
    `${target.name}: input of ${input.length} bytes kept; run it again with: scripts/fuzz --target ${target.name} --replay ${path}`,
  );
}

async function replay(target: Target, path: string): Promise<boolean> {
  try {
    await target.run(new Uint8Array(readFileSync(path)), (outcome) => {
      say(`  ${outcome}`);
    });
    say(`${target.name}: held`);
    return true;
  } catch (error) {
    say(`${target.name} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return false;
  }
}

if (values.list) {
  for (const [name, make] of TARGETS) say(`${name.padEnd(12)}${make().about}`);
} else {
  const target = TARGETS.get(values.target ?? '')?.();
  if (!target) {
    process.stderr.write(`fuzz: no target "${values.target}"; scripts/fuzz --list names them\n`);
    process.exit(2);
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 0x1_0000_0000));
  const held =
    values.replay === undefined
      ? await fuzz(target, Number(values.seconds), seed)
      : await replay(target, values.replay);
  process.exitCode = held ? 0 : 1;
}
