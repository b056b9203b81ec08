/** The directory of one daemon, alone in a process, so that its memory and CPU time are its own. Told what to do by its parent. */
import type { HostChange } from '../../../dist/control/host-route.js';
import { RedisHosts } from '../../../dist/control/redis-hosts.js';
import type { RedisSettings } from '../../../dist/control/redis-connection.js';
import { microseconds, PREFIX } from './plan.js';

/** What the parent asks. */
export type SubjectOrder = 'start' | 'begin' | 'end';

/** What it is told. */
export interface SubjectReport {
  readonly loadMs: number;
  readonly hosts: number;
  readonly routes: number;
  /** Bytes: the process, and the heap after garbage collection. */
  readonly rss: number;
  readonly heap: number;
  /** Of the directory alone: heap with all routes less heap before. */
  readonly directory: number;
  /** Since `begin`: part of one CPU, changes heard, and milliseconds from publish to listener. */
  readonly cpu: number;
  readonly heard: number;
  readonly latencies: readonly number[];
}

const redis = JSON.parse(process.argv[2]) as RedisSettings;
const LOADED_MS = 1_000;
const silent = { info: () => undefined, warn: () => undefined };
const lease = {
  name: 'subject',
  tunnelAddress: '10.254.0.1',
  encapsulations: ['MPLSoUDP'] as const,
  version: '0.1.0',
  incarnation: 'subject',
};
const hosts = new RedisHosts({
  redis,
  prefix: PREFIX,
  lease,
  probe: { ask: () => Promise.resolve(null) },
  log: silent,
});

const known = { hosts: 0, routes: 0 };
let before = 0;
let loadMs = 0;
let measured = { since: performance.now(), cpu: process.cpuUsage(), heard: 0, latencies: [] as number[] };

function hear(changes: readonly HostChange[]): void {
  const now = microseconds();
  for (const change of changes) {
    if (change.op === 'host') known.hosts += 1;
    if (change.op !== 'set') continue;
    known.routes += 1;
    measured.heard += 1;
    if (change.route.kind === 'inet' && change.route.sequence > 0) {
      measured.latencies.push((now - change.route.sequence) / 1000);
    }
  }
}

const heap = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

async function start(): Promise<void> {
  before = heap();
  hosts.watch(hear);
  const began = performance.now();
  await hosts.start();
  loadMs = performance.now() - began;
  await new Promise((resolve) => setTimeout(resolve, LOADED_MS));
}

function report(): SubjectReport {
  const { since, cpu, heard, latencies } = measured;
  const { user, system } = process.cpuUsage(cpu);
  const used = (user + system) / 1000 / (performance.now() - since);
  const after = heap();
  const { rss } = process.memoryUsage();
  return { ...known, loadMs, rss, heap: after, directory: after - before, cpu: used, heard, latencies };
}

process.on('message', (order: SubjectOrder) => {
  const answer = (value: SubjectReport): void => void process.send?.(value);
  if (order === 'start') void start().then(() => answer(report()));
  else if (order === 'begin') {
    measured = { since: performance.now(), cpu: process.cpuUsage(), heard: 0, latencies: [] };
    answer(report());
  } else answer(report());
});

// However the parent ends.
process.on('disconnect', () => process.exit());
