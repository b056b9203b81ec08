import type { Machine } from '../peers/machine.js';
import type { ScalePlan } from './plan.js';

/** What a run found. Milliseconds, bytes, parts of one CPU. */
export interface ScaleFindings {
  readonly machine: Machine;
  readonly plan: ScalePlan;
  readonly load: { readonly ms: number; readonly routes: number };
  readonly memory: { readonly rss: number; readonly directory: number; readonly redis: number };
  readonly idle: { readonly cpu: number };
  readonly steady: {
    readonly made: number;
    readonly heard: number;
    readonly cpu: number;
    readonly redisCpu: number;
    readonly p50: number;
    readonly p99: number;
    readonly most: number;
  };
  readonly resume: { readonly ms: number };
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MB`;
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const count = (n: number): string => n.toLocaleString('en');

/** The findings as Markdown. */
export function scaleReport({ machine, plan, load, memory, idle, steady, resume }: ScaleFindings): string {
  const rows = [
    ['reading all of it at the start', `${ms(load.ms)}, ${count(load.routes)} routes`],
    ['memory of a process that does nothing else', megabytes(memory.rss)],
    ['of that, what is known of the other hosts', megabytes(memory.directory)],
    ['memory of Redis', megabytes(memory.redis)],
    ['CPU while nothing changes', percent(idle.cpu)],
    [`CPU at ${count(plan.changesPerSecond)} changes a second`, percent(steady.cpu)],
    ['CPU of Redis meanwhile, simulated hosts included', percent(steady.redisCpu)],
    ['from publishing to the listener, p50', ms(steady.p50)],
    ['p99', ms(steady.p99)],
    ['longest', ms(steady.most)],
    ['after a lost connection, until a change is heard again', ms(resume.ms)],
  ];
  const table = ['| | |', '| --- | ---: |', ...rows.map(([what, value]) => `| ${what} | ${value} |`)];
  const title =
    `${machine.date}: ${count(plan.hosts)} hosts, ${count(plan.endpoints)} endpoints, ${plan.seconds} s of changes ` +
    `(${count(steady.made)} made, ${count(steady.heard / 2)} heard). ` +
    `${machine.cpus} CPUs (${machine.cpu}), Linux ${machine.kernel}, Node ${machine.node}.`;
  return `${title}\n\n${table.join('\n')}`;
}

/** The value so far up a list: 0.5 is the median. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}
