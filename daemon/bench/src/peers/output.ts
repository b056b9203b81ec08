import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metric } from './measures.js';
import { barChart, type Chart } from './plot.js';
import { outcomes, typical } from './results.js';
import { report, type Findings } from './report.js';

/** Names of the charts and what they show. */
const CHARTS: readonly (Pick<Chart, 'title' | 'series' | 'text'> & {
  name: string;
  metrics: readonly Metric[];
  unit: number;
})[] = [
  {
    name: 'packets',
    title: 'Packets a second, thousands',
    series: ['60 bytes', '1,400 bytes'],
    metrics: ['packets60', 'packets1400'],
    unit: 1000,
    text: (value) => value.toFixed(0),
  },
  {
    name: 'cpu',
    title: 'CPU time of the forwarder for a packet, nanoseconds',
    series: ['60 bytes', '1,400 bytes'],
    metrics: ['cpu60', 'cpu1400'],
    unit: 1,
    text: (value) => value.toFixed(0),
  },
  {
    name: 'throughput',
    title: 'Throughput, Gbit/s',
    series: ['TCP, one stream', 'UDP with segmentation offload'],
    metrics: ['tcp', 'udp'],
    unit: 1,
    text: (value) => value.toFixed(1),
  },
  {
    name: 'round-trips',
    title: 'Round trips, microseconds',
    series: ['idle, p50', 'idle, p99', 'loaded, p50', 'loaded, p99'],
    metrics: ['idleP50', 'idleP99', 'loadedP50', 'loadedP99'],
    unit: 1,
    text: (value) => value.toFixed(0),
  },
];

/** Writes `results.json` and the charts to `directory`/performance, and the report into `directory`/performance.md. */
export async function write(findings: Findings, directory: string): Promise<void> {
  const details = join(directory, 'performance');
  await mkdir(details, { recursive: true });
  for (const chart of CHARTS) await writeFile(join(details, `${chart.name}.svg`), svg(findings, chart));
  const results = { ...findings, targets: outcomes(findings.samples) };
  await writeFile(join(details, 'results.json'), JSON.stringify(results, null, 2) + '\n');

  const page = join(directory, 'performance.md');
  const images = CHARTS.map(({ name, title }) => `![${title}](performance/${name}.svg)`);
  const text = await readFile(page, 'utf8').catch(() => undefined);
  await writeFile(page, between(text, [report(findings), ...images].join('\n\n')));
}

function svg({ contenders, samples }: Findings, chart: (typeof CHARTS)[number]): string {
  const groups = contenders
    .map(({ id, title }) => ({
      label: title,
      values: chart.metrics.map((metric) => scaled(typical(samples, id, metric), chart.unit)),
    }))
    .filter(({ values }) => values.some((value) => value !== undefined));
  return barChart({ ...chart, groups });
}

const scaled = (value: number | undefined, unit: number): number | undefined =>
  value === undefined ? undefined : value / unit;

/** The text with what lies between the markers of a command replaced; without a text, one of markers alone. */
export function between(text: string | undefined, generated: string, command = 'scripts/bench'): string {
  const [first, last] = ['begin', 'end'].map((which) => `<!-- ${which}: written by ${command} -->`);
  const page = text ?? `${first}\n${last}\n`;
  const begin = page.indexOf(first);
  const end = page.indexOf(last);
  if (begin < 0 || end < begin) throw new Error(`the page has no markers ${first} and ${last}`);
  return `${page.slice(0, begin)}${first}\n\n${generated}\n\n${page.slice(end)}`;
}
