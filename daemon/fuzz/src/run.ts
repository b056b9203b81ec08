import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type Finding, Fuzzer } from './engine/fuzzer.js';
import { Random } from './engine/random.js';
import type { Target } from './engine/target.js';
import { KEPT, nameOf, RESULTS, type Result, ROOT, save, saveFinding, say } from './folders.js';
import { Running } from './running.js';
import { TARGETS } from './targets.js';

/** Runs one target for a time, or one input again: a process of its own for each, started by main.ts. */

const PROGRESS_MS = 5_000;
/** Longest time to make a failing input simpler, s. */
const SIMPLIFY_SECONDS = 60;

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: '' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
  },
});

/** The product's own code, compiled; not that of the fuzzer. */
const isProduct = (url: string): boolean =>
  /^(daemon|native-shims\/[^/]*)\/dist\//.test(url.slice(pathToFileURL(ROOT).href.length));

/** Inputs that led to something new, kept from run to run. */
class Kept {
  readonly #folder: string;
  readonly inputs: ReadonlyMap<string, Uint8Array>;
  readonly #useful = new Set<string>();

  constructor(target: Target) {
    const folder = join(KEPT, target.name);
    mkdirSync(folder, { recursive: true });
    const read = (name: string): [string, Uint8Array] => [name, new Uint8Array(readFileSync(join(folder, name)))];
    this.inputs = new Map(
      readdirSync(folder)
        .map(read)
        .filter(([, input]) => input.length <= target.longest),
    );
    this.#folder = folder;
  }

  add(input: Uint8Array): void {
    this.#useful.add(nameOf(input));
    if (!this.inputs.has(nameOf(input))) save(this.#folder, nameOf(input), input);
  }

  /** What others reach as well need not be kept. */
  removeOthers(): void {
    for (const name of this.inputs.keys()) if (!this.#useful.has(name)) rmSync(join(this.#folder, name));
  }
}

/** Returns whether it held. */
async function fuzz(target: Target, seconds: number, seed: number): Promise<boolean> {
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  const goesOn = (): boolean => elapsed() < seconds;
  const kept = new Kept(target);
  const seeds = target.seeds();
  const running = new Running(target.name, Math.max(target.longest, ...seeds.map(({ length }) => length)));
  const fuzzer = new Fuzzer(target, {
    random: new Random(seed),
    covers: isProduct,
    onRun: (input) => {
      running.set(input);
    },
    onKept: (input) => {
      kept.add(input);
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
  let finding = await fuzzer.begin([...seeds, ...kept.inputs.values()], goesOn);
  if (!finding && goesOn()) kept.removeOthers();
  for (let reportAt = 0; !finding && goesOn(); finding = await fuzzer.round()) {
    if (performance.now() < reportAt) continue;
    report();
    reportAt = performance.now() + PROGRESS_MS;
  }
  report();
  const result = { ...fuzzer.progress, held: finding === null, seconds: Math.round(elapsed()) };
  const path = finding ? await tell(target, finding, fuzzer) : '';
  save(RESULTS, target.name, JSON.stringify({ ...result, finding: path } satisfies Result));
  running.end();
  return result.held;
}

/** Keeps a failing input as it came, then as simple as it can be made; returns where. */
async function tell(target: Target, finding: Finding, fuzzer: Fuzzer): Promise<string> {
  const asItCame = saveFinding(target.name, finding.input);
  say(`${target.name} FAILED: ${finding.error.message}; input of ${finding.input.length} bytes kept in ${asItCame}`);
  const until = performance.now() + SIMPLIFY_SECONDS * 1000;
  const { input, error } = await fuzzer.simplify(finding, () => performance.now() < until);
  const path = saveFinding(target.name, input);
  say(`${target.name} FAILED: ${error.stack ?? error.message}`);
  say(
    `${target.name}: input of ${input.length} bytes kept; run it again with: scripts/fuzz --target ${target.name} --replay ${path}`,
  );
  return path;
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

const make = TARGETS.get(values.target);
if (!make) throw new Error(`no target "${values.target}"`);
const held =
  values.replay === undefined
    ? await fuzz(make(), Number(values.seconds), Number(values.seed))
    : await replay(make(), values.replay);
process.exitCode = held ? 0 : 1;
