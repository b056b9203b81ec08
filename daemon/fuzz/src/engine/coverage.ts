import { type Profiler, Session } from 'node:inspector';

/** Which blocks of the product's code have been executed, as V8 counts them in this thread. */
export class BlockCoverage {
  readonly #session = new Session();
  readonly #includes: (url: string) => boolean;
  readonly #known = new Set<string>();

  /** @param includes whether a script, given by URL, is worth a look. */
  constructor(includes: (url: string) => boolean) {
    this.#includes = includes;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks known so far. */
  get size(): number {
    return this.#known.size;
  }

  /** Blocks executed since the last call that nobody called known yet. */
  fresh(): string[] {
    const blocks: string[] = [];
    for (const script of this.#take()) {
      if (!this.#includes(script.url)) continue;
      for (const { ranges } of script.functions) {
        for (const { count, startOffset, endOffset } of ranges) {
          const block = `${script.scriptId}:${startOffset}-${endOffset}`;
          if (count > 0 && !this.#known.has(block)) blocks.push(block);
        }
      }
    }
    return blocks;
  }

  know(blocks: Iterable<string>): void {
    for (const block of blocks) this.#known.add(block);
  }

  /** The session lives in this thread, so its answers are there when `post` returns. */
  #take(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      result = answer.result;
    });
    return result;
  }
}
