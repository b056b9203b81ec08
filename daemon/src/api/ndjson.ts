import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

/** Records written between two turns of the event loop: about a millisecond of work, of the largest there are. */
const SLICE = 64;

export const NDJSON = 'application/x-ndjson';

/**
 * Records as JSON, one a line. A table of any length stops the daemon only for moments: an `undefined` among the records, which is
 * none, says that finding them took its time.
 */
export const ndjson = (records: Iterable<unknown>): Readable => Readable.from(slices(records), { objectMode: false });

async function* slices(records: Iterable<unknown>): AsyncGenerator<string> {
  let lines: string[] = [];
  for (const record of records) {
    if (record !== undefined) {
      lines.push(`${JSON.stringify(record)}\n`);
      if (lines.length < SLICE) continue;
    }
    if (lines.length > 0) yield lines.join('');
    lines = [];
    await turn();
  }
  yield lines.join('');
}
