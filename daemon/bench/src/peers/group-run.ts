import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import { benchOptions, inLab, say } from './command.js';
import type { FlowDurations, FlowGroup } from './flow-groups.js';
import { flowReport, type FlowSample } from './flow-report.js';
import { isDisturbed } from './load-watch.js';
import { machine } from './machine.js';
import { between } from './output.js';
import { quietest, waitForQuiet, type Patience } from './rounds.js';

/** What benchmarks of several tables share: one group of rows after the other, and a part of the page of their own. */

export interface GroupBenchmark {
  readonly groups: Readonly<Record<string, (lab: Lab) => Promise<FlowGroup>>>;
  /** How it is called; marks its part of the page. */
  readonly command: string;
  /** Name of the file with every value, below `performance/`. */
  readonly file: string;
}

interface Plan {
  readonly rounds: number;
  readonly durations: FlowDurations;
  readonly patience: Patience;
  readonly quietSeconds: number;
}

const FULL: Plan = {
  rounds: 5,
  durations: { packets: 2, tcp: 4, roundTrips: 1.5, flood: 2_000_000 },
  patience: { attempts: 4, pauseMs: 2000 },
  quietSeconds: 60,
};
const QUICK: Plan = {
  rounds: 1,
  durations: { packets: 0.4, tcp: 1, roundTrips: 0.3, flood: 200_000 },
  patience: { attempts: 1, pauseMs: 0 },
  quietSeconds: 0,
};

/** Runs a benchmark as the options of the process say. */
export async function runGroups({ groups: all, command, file }: GroupBenchmark): Promise<void> {
  const { quick, rounds: wanted, only, output } = benchOptions();
  const plan = quick ? QUICK : FULL;
  const rounds = wanted ?? plan.rounds;
  const chosen = only ?? Object.keys(all);
  for (const id of chosen) {
    if (!(id in all)) throw new Error(`--only ${id}: with ${command} there is only ${Object.keys(all).join(', ')}`);
  }
  const samples: FlowSample[] = [];
  const groups: FlowGroup[] = [];
  if (isDisturbed(await waitForQuiet(plan.quietSeconds)))
    say('other processes use this machine: results will be worth less');
  // One group after the other, each with daemons of its own: their tables are large.
  for (const id of chosen) {
    await inLab(async (lab) => {
      say(`setting up: ${id}`);
      const group = await all[id](lab);
      groups.push(group);
      samples.push(...(await measure(group, { ...plan, rounds })));
    });
  }
  const { date, cpus, cpu, kernel, node } = machine();
  const head = `${date}: ${rounds} rounds, medians. ${cpus} CPUs (${cpu}), Linux ${kernel}, Node ${node}.`;
  const disturbed = samples.filter((sample) => sample.disturbed).length;
  const remark = `In ${disturbed} of ${samples.length} samples other processes used the machine during a measurement.`;
  const text = [head, flowReport(groups, samples), ...(disturbed > 0 ? [remark] : [])].join('\n\n');
  say(`\n${text}`);
  if (output !== undefined)
    await write(text, samples, join(output, 'performance.md'), join(output, 'performance', file), command);
}

async function measure(group: FlowGroup, { rounds, durations, patience }: Plan): Promise<FlowSample[]> {
  const samples: FlowSample[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const { title, run } of group.rows) {
      const { result, disturbance } = await quietest(() => run(durations), patience);
      samples.push({ group: group.id, row: title, round, values: result, disturbed: isDisturbed(disturbance) });
      const cells = group.columns.map(({ key, title: of, digits, unit }) => {
        const value = result[key];
        return `${of} ${value === undefined ? '-' : (value / unit).toFixed(digits)}`;
      });
      say(`round ${round} of ${rounds}  ${title.padEnd(42)} ${cells.join(', ')}`);
    }
  }
  return samples;
}

async function write(
  text: string,
  samples: readonly FlowSample[],
  page: string,
  values: string,
  command: string,
): Promise<void> {
  await mkdir(dirname(values), { recursive: true });
  await writeFile(values, JSON.stringify(samples, null, 2) + '\n');
  const old = await readFile(page, 'utf8').catch(() => undefined);
  await writeFile(page, between(old, text, command));
  say(`\nWritten to ${page}.`);
}
