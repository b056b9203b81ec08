import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Path } from './contender.js';
import { guestNamespaces } from './guest.js';
import { packets } from './measures.js';
import { inNamespaces } from './vrouterd.js';

/** Packets are counted by how many nanoseconds each took; the last bucket has the rest. */
export const BUCKETS = 4096;

const INSTRUMENT = fileURLToPath(new URL('instrument.js', import.meta.url));

/** A daemon of its own that measures its JavaScript, beside those compared; the measuring costs it two looks at the clock a batch. */
export class Instrumented {
  private constructor(
    readonly path: Path,
    readonly file: string,
  ) {}

  static async start(lab: Lab): Promise<Instrumented> {
    const file = join(lab.directory, 'js-time');
    const prefix = ['env', `VROUTERD_BENCH_JS_TIME=${file}`, process.execPath, '--import', INSTRUMENT];
    const daemon = await lab.daemon({ host: 'instrumented', prefix });
    const guests = await inNamespaces(daemon, 'instrumented', 'tap', await guestNamespaces(lab, 'instrumented'));
    return new Instrumented({ ...guests, forwarder: daemon.pid }, file);
  }

  /**
   * Nanoseconds of JavaScript a packet while packets of 60 bytes pass as fast as they go, system calls apart. The median: batches
   * during which the thread had to wait for a CPU do not count.
   */
  async measure(seconds: number): Promise<number> {
    const before = await this.#counts();
    await packets(this.path, 60, seconds);
    const counts = (await this.#counts()).map((count, i) => count - before[i]);
    return medianOf(counts);
  }

  async #counts(): Promise<readonly number[]> {
    const bytes = await readFile(this.file);
    return Array.from({ length: BUCKETS }, (_, i) => bytes.readDoubleLE(i * 8));
  }
}

/** The bucket below and above which there are equally many. */
function medianOf(counts: readonly number[]): number {
  const half = counts.reduce((sum, count) => sum + count, 0) / 2;
  let below = 0;
  return counts.findIndex((count) => (below += count) >= half);
}
