import type { Lab } from '../../../../integration/dist/lab/lab.js';
import { benchOptions, inLab, runBench, say } from './command.js';
import type { Contender } from './contender.js';
import { Instrumented } from './js-time.js';
import { bridgeHeld, bridgeVeth, veth } from './kernel-paths.js';
import { isDisturbed } from './load-watch.js';
import { machine } from './machine.js';
import { measures, type Durations } from './measures.js';
import { ovsTap, ovsVeth } from './open-vswitch.js';
import { write } from './output.js';
import { progress, report, type Findings } from './report.js';
import type { Sample } from './results.js';
import { takeSample, waitForQuiet, type Entrant, type Patience } from './rounds.js';
import { loopPlain, loopVnet } from './tap-loop.js';
import { vrouterdHeld, vrouterdTap, vrouterdVeth } from './vrouterd.js';

const CONTENDERS: readonly Contender[] = [
  ...[vrouterdTap, vrouterdVeth, vrouterdHeld],
  ...[veth, bridgeVeth, bridgeHeld, ovsTap, ovsVeth, loopVnet, loopPlain],
];

/** How thorough a run is. */
interface Plan {
  readonly rounds: number;
  readonly durations: Durations;
  readonly patience: Patience;
  /** How long the machine may take to become quiet at the start, s. */
  readonly quietSeconds: number;
}

const FULL: Plan = {
  rounds: 5,
  durations: { packets: 2, tcp: 3, udp: 1.5, roundTrips: 1.5 },
  patience: { attempts: 4, pauseMs: 2000 },
  quietSeconds: 60,
};
const QUICK: Plan = {
  rounds: 2,
  durations: { packets: 0.3, tcp: 1, udp: 0.3, roundTrips: 0.2 },
  patience: { attempts: 1, pauseMs: 0 },
  quietSeconds: 0,
};

async function main(): Promise<void> {
  const { quick, rounds, only, output } = benchOptions();
  const plan = quick ? QUICK : FULL;
  const contenders = chosen(only);
  await inLab(async (lab) => {
    const findings = await measure(lab, { ...plan, rounds: rounds ?? plan.rounds }, contenders);
    say(`\n${report(findings)}`);
    if (output === undefined) return;
    await write(findings, output);
    say(`\nWritten to ${output}/performance.md and ${output}/performance/.`);
  });
}

function chosen(only: readonly string[] | undefined): readonly Contender[] {
  for (const id of only ?? []) {
    if (CONTENDERS.some((contender) => contender.id === id)) continue;
    throw new Error(`--only ${id}: there is only ${CONTENDERS.map((contender) => contender.id).join(', ')}`);
  }
  return CONTENDERS.filter(({ id }) => only === undefined || only.includes(id));
}

async function measure(lab: Lab, plan: Plan, contenders: readonly Contender[]): Promise<Findings> {
  const skipped: string[] = [];
  const entrants: Entrant[] = [];
  for (const contender of contenders) {
    const missing = await contender.missing?.();
    say(missing === undefined ? `setting up: ${contender.title}` : `left out: ${contender.title}: ${missing}`);
    if (missing === undefined) entrants.push({ contender, path: await contender.build(lab) });
    else skipped.push(`${contender.title} (${missing})`);
  }
  const instrumented = await Instrumented.start(lab);
  if (isDisturbed(await waitForQuiet(plan.quietSeconds)))
    say('other processes use this machine: results will be worth less');

  const samples: Sample[] = [];
  const jsNs: number[] = [];
  const traces: Findings['traces'][number][] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    // Every other round in reverse, so that nobody always comes after the same one.
    const order = round % 2 === 1 ? entrants : [...entrants].reverse();
    for (const entrant of order) {
      const taken = await takeSample(entrant, round, measures(plan.durations), plan.patience);
      samples.push(taken.sample);
      if (taken.traces) traces.push({ round, ...taken.traces });
      say(`round ${round} of ${plan.rounds}  ${entrant.contender.title.padEnd(26)} ${progress(taken.sample)}`);
    }
    jsNs.push(await instrumented.measure(plan.durations.packets));
  }
  const names = entrants.map(({ contender: { id, title } }) => ({ id, title }));
  return { contenders: names, skipped, samples, jsNs, traces, rounds: plan.rounds, machine: machine() };
}

await runBench(main);
