/** What the daemon's traces tell of the time between two moments. */
export interface Traces {
  /** Garbage collections of the worker. */
  readonly collections: number;
  /** Functions that fell back from optimised code, in all threads. */
  readonly deoptimisations: readonly string[];
}

const COLLECTION = /^\[\d+:(0x[0-9a-f]+)\]\s+\d+ ms: (?:Scavenge|Mark-Compact|Mark-sweep)/gm;
const DEOPTIMISATION =
  /^\[bailout \(kind: ([^,]+), reason: ([^)]+)\): begin\. deoptimizing 0x[0-9a-f]+ <JSFunction ([^ >]+)/gm;

/** Reads the output of `--trace-gc --trace-deopt` from character `from` to `to`. The first to collect is the main thread. */
export function tracesIn(output: string, from: number, to: number): Traces {
  const mainThread = new RegExp(COLLECTION.source, 'm').exec(output)?.[1];
  const text = output.slice(from, to);
  const collections = [...text.matchAll(COLLECTION)].filter(([, isolate]) => isolate !== mainThread).length;
  const deoptimisations = [...text.matchAll(DEOPTIMISATION)].map(
    ([, kind, reason, name]) => `${name}: ${reason} (${kind})`,
  );
  return { collections, deoptimisations };
}
