import type { Contender } from './contender.js';
import type { Machine } from './machine.js';
import type { Metric } from './measures.js';
import { median, outcomes, typical, type Sample } from './results.js';
import type { Traces } from './traces.js';

/** Everything a run found out. */
export interface Findings {
  readonly contenders: readonly Pick<Contender, 'id' | 'title'>[];
  readonly skipped: readonly string[];
  readonly samples: readonly Sample[];
  /** JavaScript of the worker for a packet, ns, in each round. */
  readonly jsNs: readonly number[];
  /** Of the compared daemon, in the order of the rounds. */
  readonly traces: readonly (Traces & { readonly round: number })[];
  readonly rounds: number;
  readonly machine: Machine;
}

type Row = readonly string[];

/** The report as Markdown; on a terminal it reads as well. */
export function report(findings: Findings): string {
  const { machine, rounds } = findings;
  return [
    `${machine.date}: ${rounds} rounds, medians. ${machine.cpus} CPUs (${machine.cpu}), Linux ${machine.kernel}, Node ${machine.node}.`,
    table(comparison(findings)),
    '`CPU` is what all threads of the forwarder use for a packet, in nanoseconds, the receiving guest’s stack included where the kernel runs it in the forwarder’s system call. Packets in thousands a second, TCP and UDP in Gbit/s, round trips in microseconds (p50 / p99).',
    '### Targets',
    table(targets(findings)),
    '### Inside the worker',
    insideText(findings),
    ...remarks(findings),
  ].join('\n\n');
}

/** Aligned columns: the first is text, the others are numbers. */
export function table([head, ...rows]: readonly Row[]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column].length)));
  const line = (cells: Row): string => `| ${cells.map((cell, i) => pad(cell, widths[i], i)).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

const pad = (cell: string, width: number, column: number): string =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width);

function comparison({ contenders, samples }: Findings): readonly Row[] {
  const head = ['', '60 B', 'CPU', '1,400 B', 'CPU', 'TCP', 'UDP', 'round trip', 'loaded'];
  const rows = contenders.map(({ id, title }) => {
    const value = (metric: Metric, digits = 0, unit = 1): string => shown(typical(samples, id, metric), digits, unit);
    const trip = (p50: Metric, p99: Metric): string => `${value(p50)} / ${value(p99)}`;
    return [
      title,
      value('packets60', 0, 1000),
      value('cpu60'),
      value('packets1400', 0, 1000),
      value('cpu1400'),
      value('tcp', 1),
      value('udp', 1),
      trip('idleP50', 'idleP99'),
      trip('loadedP50', 'loadedP99'),
    ];
  });
  return [head, ...rows];
}

const shown = (value: number | undefined, digits: number, unit: number): string =>
  value === undefined ? '-' : (value / unit).toFixed(digits);

const METRIC_NAMES = { packets60: 'packets/s, 60 bytes', tcp: 'TCP' } as const;

function targets({ contenders, samples }: Findings): readonly Row[] {
  const title = (id: string): string => contenders.find((contender) => contender.id === id)?.title ?? id;
  const rows = outcomes(samples).map((outcome) => [
    `${title(outcome.contender)} to ${title(outcome.against)}: ${METRIC_NAMES[outcome.metric]}`,
    outcome.least.toFixed(2),
    outcome.ratio.toFixed(2),
    outcome.reached ? 'reached' : 'missed',
  ]);
  return [['ratio', 'target', 'measured', ''], ...rows];
}

function insideText({ jsNs, traces }: Findings): string {
  const collections = perRound(traces, ({ collections }) => collections);
  const deoptimisations = perRound(traces, ({ deoptimisations }) => deoptimisations.length);
  return [
    `- JavaScript: ${median(jsNs).toFixed(0)} ns a packet (60 bytes, TAP)`,
    `- Garbage collections of the worker, by round: ${collections}`,
    `- Deoptimised functions of the daemon, by round: ${deoptimisations}`,
  ].join('\n');
}

function perRound(traces: Findings['traces'], count: (one: Traces) => number): string {
  const sums = new Map<number, number>();
  for (const one of traces) sums.set(one.round, (sums.get(one.round) ?? 0) + count(one));
  return [...sums.values()].join(', ');
}

function remarks({ samples, skipped }: Findings): readonly string[] {
  const disturbed = samples.filter((sample) => sample.disturbed.length > 0).length;
  const lines = skipped.map((text) => `Left out: ${text}.`);
  if (disturbed > 0)
    lines.push(`In ${disturbed} of ${samples.length} samples other processes used the machine during a measurement.`);
  return lines;
}

/** One line about one sample, while a run goes on. */
export function progress({ values, disturbed }: Sample): string {
  const text = [
    `${shown(values.packets60, 0, 1000)} kpps`,
    ...(values.cpu60 === undefined ? [] : [`${shown(values.cpu60, 0, 1)} ns`]),
    `TCP ${shown(values.tcp, 1, 1)}`,
    `UDP ${shown(values.udp, 1, 1)} Gbit/s`,
    `${shown(values.idleP50, 0, 1)} us`,
  ].join(', ');
  return `${text}${disturbed.length > 0 ? '  (disturbed)' : ''}`;
}
