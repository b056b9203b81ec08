import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

/** Records written between two turns of the event loop: about a millisecond of work. */
const SLICE = 256;

export const NDJSON = 'application/x-ndjson';

/** Records as JSON, one a line. A table of any length stops the daemon only for moments. */
export const ndjson = (records: Iterable<unknown>): Readable => Readable.from(slices(records), { objectMode: false });

async function* slices(records: Iterable<unknown>): AsyncGenerator<string> {
  let lines: string[] = [];
  for (const record of records) {
    lines.push(`${JSON.stringify(record)}\n`);
    if (lines.length < SLICE) continue;
    yield lines.join('');
    lines = [];
    await turn();
  }
  yield lines.join('');
}
