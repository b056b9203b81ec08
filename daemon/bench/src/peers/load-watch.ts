import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of /proc a second: USER_HZ, the same on every Linux. */
const TICKS = 100;
const KTHREADD = 2;

/** CPUs that others used while something was measured. */
export interface Disturbance {
  /** Processes that do not belong to the benchmark. */
  readonly foreign: number;
  /** The hypervisor, for other machines. */
  readonly stolen: number;
}

/** How much may be used by others before a measurement is repeated, CPUs. */
export const TOLERATED = 0.12;

export const isDisturbed = ({ foreign, stolen }: Disturbance): boolean => foreign > TOLERATED || stolen > TOLERATED;

/** Watches what the rest of the machine does while `work` runs. */
export async function watched<T>(work: () => Promise<T>): Promise<{ result: T; disturbance: Disturbance }> {
  const before = look();
  const result = await work();
  const after = look();
  const elapsed = (after.at - before.at) / 1000;
  const cpus = (ticks: number): number => Math.max(0, ticks) / TICKS / elapsed;
  return {
    result,
    disturbance: { foreign: cpus(after.foreign - before.foreign), stolen: cpus(after.stolen - before.stolen) },
  };
}

interface Look {
  /** Milliseconds. */
  readonly at: number;
  /** Ticks since boot. */
  readonly foreign: number;
  readonly stolen: number;
}

function look(): Look {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const read = processes.flatMap((pid) => processOf(pid) ?? []);
  const parents = new Map(read.map(({ pid, parent }) => [pid, parent]));
  const foreign = read.filter(({ pid }) => !isOurs(pid, parents)).reduce((sum, { ticks }) => sum + ticks, 0);
  return { at: performance.now(), foreign, stolen: stolenTicks() };
}

/** Our own, what we started, and the kernel's threads, which work for whoever sends packets: for us. */
function isOurs(pid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at = pid; at > 0; at = parents.get(at) ?? 0) if (at === process.pid || at === KTHREADD) return true;
  return false;
}

/** Parent and CPU time of a process, with that of the children it waited for; undefined when it has ended. */
function processOf(pid: string): { pid: number; parent: number; ticks: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // Fields from the third on; the second, the name, may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid: Number(pid), parent: Number(fields[1]), ticks };
}

/** Eighth number of the line `cpu` (proc(5)). */
function stolenTicks(): number {
  return Number(readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].trim().split(/\s+/)[8]);
}
