import { setImmediate as turn } from 'node:timers/promises';

import { flowDump, flowTableDump } from './api/flow-dump.js';
import { FlowFilter } from './api/flow-filter.js';
import { countFlows, findFlows, flowValue, sortFlows } from './api/flow-list.js';
import { FlowNamer } from './api/flow-names.js';
import type { FlowQuery } from './api/view.js';
import type { FlowCountsDump, FlowDump, FlowOp, FlowTableDump } from './control/flow-dumps.js';
import type { FlowMatch } from './control/flow-match.js';
import { RefusedError } from './control/refused.js';
import { FLOW, type FlowTable, TCP_FLAG } from './tables/flow.js';
import type { Tables } from './tables/tables.js';

/** Flows the worker is asked to forget before it is waited for. */
const FLUSH_BATCH = 256;

export interface FlowViewParts {
  readonly table: FlowTable;
  readonly tables: Tables;
  /** Full name of the interface behind a vif. */
  readonly nameOf: (vif: number) => string | undefined;
  /** Asks the worker for something; resolves when it is done, or the entry has become another one. */
  readonly command: (op: FlowOp, index: number, generation: number) => Promise<void>;
}

/** What the tools may ask of the flow table: read from shared memory, changed by the worker alone. */
export class FlowView {
  readonly #parts: FlowViewParts;

  constructor(parts: FlowViewParts) {
    this.#parts = parts;
  }

  /** The flows a query selects, one by one; `undefined`: the event loop wants a turn. */
  *list({ match, evicted, names, sort, top }: FlowQuery): Generator<FlowDump | undefined> {
    const { table } = this.#parts;
    const filter = new FlowFilter(table, { match, evicted });
    const namer = names ? this.#namer() : undefined;
    const found = findFlows(table, filter);
    let left = top;
    for (const index of sort === null ? found : sortFlows(found, flowValue(table, sort), top)) {
      if (index === undefined) {
        yield undefined;
      } else if (sort === null || filter.matches(index)) {
        yield this.#dump(index, namer);
        if (--left <= 0) return;
      }
    }
  }

  /** The entry at `index`. Throws RefusedError when there is none. */
  get(index: number): FlowDump {
    this.#check(index);
    return this.#dump(index, this.#namer());
  }

  tableDump(): FlowTableDump {
    return flowTableDump(this.#parts.table);
  }

  counts(): Generator<FlowCountsDump | undefined> {
    return countFlows(this.#parts.table);
  }

  /** Has the worker do something with the flow at `index` as it is now. Rejects with RefusedError when there is none. */
  async command(index: number, op: FlowOp): Promise<void> {
    const { table, command } = this.#parts;
    this.#check(index);
    if (op === 'evict' && (table.words[table.at(index) + FLOW.tcp] & TCP_FLAG.dead) === 0) {
      throw new RefusedError('invalid', `Flow index ${index} is no TCP session that is over; delete it instead`);
    }
    await command(op, index, table.generation(index));
  }

  /** Has the worker forget all flows that match; resolves to how many pairs that were. */
  async flush(match: FlowMatch | null): Promise<number> {
    const { table, command } = this.#parts;
    const filter = new FlowFilter(table, { match, evicted: true });
    let pairs = 0;
    const asked: Promise<void>[] = [];
    for (const index of findFlows(table, filter)) {
      if (index !== undefined) {
        const reverse = table.words[table.at(index) + FLOW.reverse];
        // With one entry its pair goes.
        if (reverse >= 0 && reverse < index && filter.matches(reverse)) continue;
        pairs++;
        asked.push(command('delete', index, table.generation(index)));
        if (asked.length < FLUSH_BATCH) continue;
      }
      await Promise.all(asked.splice(0));
      await turn();
    }
    await Promise.all(asked);
    return pairs;
  }

  #dump(index: number, namer: FlowNamer | undefined): FlowDump {
    const dump = flowDump(this.#parts.table, index, Number(process.hrtime.bigint() / 1_000_000n));
    return namer ? { ...dump, names: namer.namesOf(dump) } : dump;
  }

  #namer(): FlowNamer {
    const { table, tables, nameOf } = this.#parts;
    return new FlowNamer(table, tables, nameOf);
  }

  #check(index: number): void {
    const { table } = this.#parts;
    if (index >= table.size) {
      throw new RefusedError('notFound', `Flow index ${index} is greater than available indices (${table.size - 1})`);
    }
    if (!table.isUsed(index)) throw new RefusedError('notFound', `Flow index ${index} is not active`);
  }
}
