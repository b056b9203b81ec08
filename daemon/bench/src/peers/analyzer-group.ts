import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Namespace } from '../../../../integration/dist/lab/namespace.js';
import { until } from '../../../../integration/dist/lab/process.js';
import type { FlowGroup, FlowRow, FlowValues } from './flow-groups.js';
import { tool } from './guest.js';

/** Copies as vRouters send them, to `vrouter analyzer` that writes them to disk: how many it takes, and that none is lost unsaid. */

const VROUTER = fileURLToPath(new URL('../../../bin/vrouter.js', import.meta.url));
const [ADDRESS, PORT] = ['127.0.0.1', '8099'];
const START_MS = 30_000;
/** Nanoseconds of the unit the kernel tells CPU time in. */
const TICK_NS = 1e7;

/** Rates in packets a second, 0: as fast as the sender goes; bytes of a mirrored frame. */
const ROWS = [
  [150_000, 98],
  [250_000, 98],
  [0, 98],
  [0, 1514],
] as const;

export async function analyzerGroup(lab: Lab): Promise<FlowGroup> {
  const namespace = await lab.namespace('analyzer');
  await namespace.run('ip link set lo up');
  const rows: FlowRow[] = ROWS.map(([rate, bytes]) => ({
    title: `${rate === 0 ? 'as fast as it goes' : `${rate.toLocaleString('en')} a second`}, ${bytes} bytes`,
    run: ({ packets: seconds }) => measured(lab, namespace, { rate, bytes, seconds }),
  }));
  return {
    id: 'analyzer',
    title: 'Mirrored packets to disk',
    columns: [
      { key: 'sent', title: 'sent', digits: 0, unit: 1000 },
      { key: 'written', title: 'written', digits: 0, unit: 1000 },
      { key: 'lost', title: 'lost, counted', digits: 0, unit: 1000 },
      { key: 'cpu', title: 'CPU', digits: 0, unit: 1 },
    ],
    rows,
    remark:
      'Thousands of packets a second: sent, written as pcapng, dropped by the kernel; the analyzer’s CPU time for a packet in nanoseconds. Sender and analyzer share the machine. A run in which what was written and what was dropped is not what was sent fails. The target is 150,000 packets a second without loss.',
  };
}

async function measured(
  lab: Lab,
  namespace: Namespace,
  { rate, bytes, seconds }: { rate: number; bytes: number; seconds: number },
): Promise<FlowValues> {
  const file = join(lab.directory, 'bench.pcapng');
  const analyzer = namespace.spawn([
    ...[process.execPath, VROUTER, 'analyzer', '-p', PORT, '--listen', ADDRESS],
    ...['-w', file, '--statistics'],
  ]);
  await analyzer.waitFor(/listening at UDP/, START_MS);
  const pid = analyzer.child.pid ?? 0;
  const before = await cpuTicks(pid);
  const options = [ADDRESS, PORT, String(seconds), String(rate), String(bytes)];
  const text = await namespace.run([tool('mirrored'), ...options], { timeoutMs: seconds * 1000 + START_MS });
  const [sent, took] = text.trim().split(' ').map(Number);
  const { written, lost } = await until(
    'all that was sent is counted',
    () => {
      const now = counted(analyzer.output);
      return now.written + now.lost >= sent ? now : undefined;
    },
    START_MS,
  );
  const ticks = (await cpuTicks(pid)) - before;
  await analyzer.stop('SIGINT', START_MS);
  await rm(file);
  const end = counted(analyzer.output);
  if (end.written + end.lost !== sent)
    throw new Error(`${sent} sent, but ${end.written} written and ${end.lost} dropped`);
  return { sent: sent / took, written: written / took, lost: lost / took, cpu: (ticks * TICK_NS) / written };
}

/** What the analyzer said last. */
function counted(output: string): { written: number; lost: number } {
  const last = [...output.matchAll(/frames (\d+), others 0, dropped by kernel (\d+)/g)].at(-1);
  return { written: Number(last?.[1] ?? 0), lost: Number(last?.[2] ?? 0) };
}

/** CPU time of a process: utime and stime of proc(5), behind the name in parentheses. */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
