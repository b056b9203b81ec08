import type { LiveTrace } from '../control/trace-dumps.js';
import { RefusedError } from '../control/refused.js';
import type { TraceFilter, TraceRecord } from '../datapath/tracer.js';
import type { TraceNames } from './names.js';
import { renderTrace } from './render.js';

/** The worker's side: one trace at a time. */
export interface LiveSource {
  /** Whether a trace runs. */
  readonly tracing: boolean;
  /** Traces the next `count` packets that pass. Resolves when it has begun. */
  traceOn(filter: TraceFilter, count: number, onRecord: (record: TraceRecord) => void): Promise<void>;
  traceOff(): void;
}

/** Which packets, how many at most, and for how long. */
export interface LiveRequest {
  readonly filter: TraceFilter;
  readonly count: number;
  readonly timeoutMs: number;
}

/**
 * The next real packets that pass a filter, as they come; first of all word that they are waited for. Ends by itself when there
 * were enough or time is up, and when `stop` says so. Throws RefusedError when another trace runs.
 */
export function traceLive(
  source: LiveSource,
  names: TraceNames,
  { filter, count, timeoutMs }: LiveRequest,
  stop: AbortSignal,
): AsyncIterable<LiveTrace> {
  if (source.tracing) throw new RefusedError('contended', 'another live trace runs; wait until it has ended');
  const records: TraceRecord[] = [];
  let wake = (): void => undefined;
  let isOver = stop.aborted;
  const end = (): void => {
    isOver = true;
    source.traceOff();
    wake();
  };
  const begun = source.traceOn(filter, count, (record) => {
    records.push(record);
    wake();
  });
  // Told to whoever takes the records; they may go before they begin to.
  begun.catch(() => undefined);
  const timer = setTimeout(end, timeoutMs);
  stop.addEventListener('abort', end);
  return (async function* () {
    try {
      await begun;
      yield { waiting: true } as const;
      for (let left = count; left > 0; left--) {
        while (records.length === 0 && !isOver) await new Promise<void>((resolve) => (wake = resolve));
        const record = records.shift();
        if (!record) return;
        yield renderTrace(record, names);
      }
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      end();
    }
  })();
}
