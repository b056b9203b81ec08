import { cpus, release } from 'node:os';

/** Where and when a run was made. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly kernel: string;
  readonly node: string;
}

export function machine(): Machine {
  const [first] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return { date, cpu: first.model.trim(), cpus: cpus().length, kernel: release(), node: process.version };
}
