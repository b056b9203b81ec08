/**
 * The flow table gone through from the main thread, while the worker changes it. All walks are generators of indices that yield
 * `undefined` whenever they had their share of a turn of the event loop: who walks them then lets others have theirs.
 */
import type { FlowCountsDump, FlowSort } from '../control/flow-dumps.js';
import { FLOW, FLOW_DOUBLE, type FlowTable } from '../tables/flow.js';
import { flowAction } from './flow-dump.js';
import type { FlowFilter } from './flow-filter.js';

/** Places looked at in one turn: less than a millisecond of work, unless pages are touched for the first time. */
const SLICE = 8192;

type Walk = Generator<number | undefined>;

/** Indices of the entries a filter wants, ascending. */
export function* findFlows(table: FlowTable, filter: FlowFilter): Walk {
  let looked = 0;
  for (let index = table.nextUsed(0); index < table.size; index = table.nextUsed(index + 1)) {
    if (filter.matches(index)) yield index;
    if (++looked % SLICE === 0) yield undefined;
  }
}

/** Entries found in one turn, sorted. */
interface Run {
  readonly indices: Uint32Array;
  readonly values: Float64Array;
  /** The first that is not taken yet. */
  next: number;
}

/** The indices of a walk, those with the largest values first, `top` of them at most. Values are read once. */
export function* sortFlows(found: Walk, valueOf: (index: number) => number, top: number): Walk {
  const runs: Run[] = [];
  let indices: number[] = [];
  for (const index of found) {
    if (index !== undefined) {
      indices.push(index);
      continue;
    }
    runs.push(runOf(indices, valueOf, top));
    indices = [];
    yield undefined;
  }
  runs.push(runOf(indices, valueOf, top));
  yield* merge(
    runs.filter(({ indices: { length } }) => length > 0),
    top,
  );
}

function runOf(found: readonly number[], valueOf: (index: number) => number, top: number): Run {
  const order = found.map((index) => ({ index, value: valueOf(index) })).sort((a, b) => b.value - a.value);
  const kept = order.slice(0, top);
  return {
    indices: Uint32Array.from(kept, ({ index }) => index),
    values: Float64Array.from(kept, ({ value }) => value),
    next: 0,
  };
}

/** Of equal values the lower index comes first, as its run does. */
function* merge(runs: Run[], top: number): Walk {
  for (let taken = 0; taken < top && runs.length > 0; taken++) {
    let best = runs[0];
    for (const run of runs) if (run.values[run.next] > best.values[best.next]) best = run;
    yield best.indices[best.next++];
    if (best.next === best.indices.length) runs = runs.filter((run) => run !== best);
  }
}

/** What to sort by: larger comes first. */
export function flowValue(table: FlowTable, sort: FlowSort): (index: number) => number {
  const { doubles } = table;
  const double = (name: keyof typeof FLOW_DOUBLE) => (index: number) =>
    doubles[table.doubleAt(index) + FLOW_DOUBLE[name]];
  switch (sort) {
    case 'bytes':
      return double('bytes');
    case 'packets':
      return double('packets');
    case 'recent':
      return double('lastSeen');
    case 'age': {
      const created = double('created');
      return (index) => -created(index);
    }
  }
}

/** Entries by what is done with their packets; `undefined` until all of them are counted. */
export function* countFlows(table: FlowTable): Generator<FlowCountsDump | undefined> {
  const counts = { drop: 0, hold: 0, forward: 0, nat: 0 };
  let looked = 0;
  for (let index = table.nextUsed(0); index < table.size; index = table.nextUsed(index + 1)) {
    if (table.isUsed(index)) counts[flowAction(table.words[table.at(index) + FLOW.state])]++;
    if (++looked % SLICE === 0) yield undefined;
  }
  yield counts;
}
