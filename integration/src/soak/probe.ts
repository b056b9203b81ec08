/**
 * Loaded into the daemon under test before its own code (`--import`): answers on the unix socket VROUTERD_PROBE what cannot be seen
 * from outside the process, and ends the datapath worker on request. One line is asked, one line of JSON answered.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, type Worker } from 'node:worker_threads';

/** What the probe answers to `memory`, bytes, after a collection of garbage in the main thread. */
export interface Memory {
  readonly heap: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

function listen(socket: string): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let worker: Worker | undefined;
  process.on('worker', (started) => {
    worker = started;
  });
  const answer = async (question: string): Promise<unknown> => {
    if (question === 'end worker') return (await worker?.terminate()) ?? null;
    collect();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return { heap: heapUsed, external, arrayBuffers } satisfies Memory;
  };
  // A daemon that was killed leaves its socket behind.
  rmSync(socket, { force: true });
  const server = createServer((connection) => {
    connection.setEncoding('utf8').on('error', () => undefined);
    connection.once('data', (line: string) => {
      void answer(line.trim()).then((value) => connection.end(`${JSON.stringify(value)}\n`));
    });
  });
  server.listen(socket).unref();
}

const { VROUTERD_PROBE } = process.env;
if (isMainThread && VROUTERD_PROBE !== undefined) listen(VROUTERD_PROBE);
