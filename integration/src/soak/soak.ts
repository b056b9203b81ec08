/**
 * Hours in the life of a daemon, in minutes. In the first part everything happens, the end of the daemon included. In the second the
 * same process lives on, so that what it does not give back adds up.
 *
 *     steady guests      ping and stream ────────────────────────────────────────────▶  must not notice
 *     churn              come, change, flood, go ── rest ── come, change ... ── rest ─▶  every rest is like the first
 *     ends               worker, redis, daemon      worker, redis                        announced
 */
import type { Lab } from '../lab/lab.js';
import { sleep } from '../lab/process.js';
import { Churn, type Action } from './churn.js';
import { Random } from './random.js';
import { aligned, Report } from './report.js';
import { Steady } from './steady.js';
import { Watch, killRedis } from './watch.js';
import { World } from './world.js';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly tell: (line: string) => void;
  /** Tells every action when it is over. */
  readonly verbose?: boolean;
  /** Ends the soak early. */
  readonly signal?: AbortSignal;
}

/** Part of the time in which the daemon itself is ended as well. */
const RESTARTS_UNTIL = 0.4;
/** Actions from one rest to the next. */
const ACTIONS_TO_REST = 12;
/** Packets need so long to be where they go once their senders are paused, ms. */
const QUIET_MS = 300;
const SAMPLE_MS = 2_000;
const SAMPLES_TO_TELL = 5;
/** More would not make it clearer. */
const VIOLATIONS_MAX = 20;

/** Runs a soak in a laboratory; returns the violations, none when all is well. */
export async function soak(lab: Lab, options: SoakOptions): Promise<readonly string[]> {
  const report = new Report(options.tell);
  const world = await World.create(lab, new Random(options.seed), report);
  return new Soak(world, options).run();
}

class Soak {
  readonly #world: World;
  readonly #options: SoakOptions;
  readonly #steady: Steady;
  readonly #churn: Churn;
  readonly #watch: Watch;
  readonly #counts = new Map<string, number>();

  constructor(world: World, options: SoakOptions) {
    this.#world = world;
    this.#options = options;
    this.#steady = new Steady(world);
    this.#churn = new Churn(world);
    this.#watch = new Watch(world);
  }

  async run(): Promise<readonly string[]> {
    const { report } = this.#world;
    await this.#churn.start();
    await this.#steady.start();
    await this.#rest();
    const watching = this.#keepWatching();
    let deck: Action[] = [];
    for (let done = 1; !this.#over; done++) {
      if (deck.length === 0) deck = this.#world.random.shuffled(this.#actions());
      const action = deck.pop();
      if (action) await this.#act(action);
      if (done % ACTIONS_TO_REST === 0) await this.#act(['rest', () => this.#rest()]);
    }
    await this.#act(['rest', () => this.#rest()]);
    await watching;
    this.#conclude();
    return report.violations;
  }

  get #over(): boolean {
    const { report } = this.#world;
    const { minutes, signal } = this.#options;
    return signal?.aborted === true || report.seconds > minutes * 60 || report.violations.length >= VIOLATIONS_MAX;
  }

  #actions(): Action[] {
    const world = this.#world;
    const excused = (work: () => Promise<void>) => async (): Promise<void> => {
      this.#watch.excuseBooks();
      await work();
    };
    const restarts: Action[] = [
      ['daemon killed', excused(() => world.restart('SIGKILL'))],
      ['daemon restarted', excused(() => world.restart('SIGTERM'))],
    ];
    return [
      ...this.#churn.actions(),
      ...this.#steady.actions(),
      ['worker ended', excused(() => world.endWorker())],
      ['redis killed', () => killRedis(world)],
      ...(world.report.seconds < this.#options.minutes * 60 * RESTARTS_UNTIL ? restarts : []),
    ];
  }

  async #act([name, work]: Action): Promise<void> {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    const { report, daemon } = this.#world;
    const from = report.seconds;
    try {
      await work();
      if (this.#options.verbose) report.say(`${name}, ${(report.seconds - from).toFixed(1)} s`);
    } catch (error) {
      report.violation(`${name}: ${(error as Error).message}`);
      if (!daemon.running) {
        await daemon.start();
        report.begunAgain();
      }
      // What the daemon has and what the soak thinks it has may differ now.
      await this.#churn
        .clear()
        .catch((failure: unknown) => report.violation(`clearing up: ${(failure as Error).message}`));
    }
  }

  /** Nothing but the guests that stay, and they are quiet. */
  async #rest(): Promise<void> {
    await this.#churn.clear();
    this.#steady.pause(true);
    await sleep(QUIET_MS);
    await this.#watch.rest();
    this.#steady.pause(false);
  }

  /** Samples every two seconds, tells every ten, until the soak is over. */
  async #keepWatching(): Promise<void> {
    const { report } = this.#world;
    let text = '';
    for (let sample = 1; !this.#over; sample++) {
      await sleep(SAMPLE_MS);
      this.#steady.check();
      text = (await this.#sample()) ?? text;
      if (sample % SAMPLES_TO_TELL !== 0) continue;
      const actions = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
      report.say(`${actions} actions, ${text}, ${report.violations.length} violations`);
    }
  }

  /** Undefined while the daemon is being started again. */
  async #sample(): Promise<string | undefined> {
    const { report, interruptions } = this.#world;
    if (interruptions.covers(Date.now())) return undefined;
    try {
      return await this.#watch.sample();
    } catch (error) {
      if (!interruptions.covers(Date.now())) report.violation(`watching: ${(error as Error).message}`);
      return undefined;
    }
  }

  #conclude(): void {
    const { report } = this.#world;
    const { tell, seed, signal } = this.#options;
    tell('');
    for (const traffic of this.#steady.traffic) tell(`${traffic.name}: ${traffic.conclude()}`);
    tell('');
    tell(aligned([['action', 'times'], ...[...this.#counts].sort().map(([name, count]) => [name, String(count)])]));
    tell('');
    tell(report.conclude());
    tell('');
    if (report.violations.length > 0) tell(`the end of the daemon's log:\n${this.#world.daemon.log}`);
    for (const violation of report.violations) tell(`VIOLATION: ${violation}`);
    const early = signal?.aborted === true ? ', ended early' : '';
    const verdict = report.violations.length === 0 ? 'PASSED' : `FAILED, ${report.violations.length} violations`;
    tell(`soak of ${(report.seconds / 60).toFixed(1)} minutes, seed ${seed}${early}: ${verdict}`);
  }
}
