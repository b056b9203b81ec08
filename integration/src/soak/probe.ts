/**
 * Loaded into the daemon under test before its own code (`--import`): answers on the unix socket VROUTERD_PROBE what cannot be seen
 * from outside the process, and ends the datapath worker on request. One line is asked, one line of JSON answered.
 */
import { rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, type Worker } from 'node:worker_threads';

/** What the probe answers to `memory`, bytes. */
export interface Memory {
  /** Of the main thread, after a collection of garbage. */
  readonly heap: number;
  readonly external: number;
  readonly arrayBuffers: number;
  /** Of the datapath worker, after a collection of garbage; 0 while there is none. */
  readonly workerHeap: number;
}

/** Longest wait for the worker, which may be ending, ms. */
const WORKER_MS = 2_000;

/** The worker seen through the inspector: it never returns to its event loop, but lets itself be interrupted. */
class WorkerView {
  readonly #session = new Session();
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #sessionId = '';
  #asked = 0;

  async start(): Promise<void> {
    this.#session.connect();
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => {
      this.#sessionId = params.sessionId;
    });
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const { id, result } = JSON.parse(params.message) as { id?: number; result?: unknown };
      if (id !== undefined) this.#waiting.get(id)?.(result);
    });
    await this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  /** Bytes in use on its heap; 0 when it does not answer. */
  async heap(): Promise<number> {
    await this.#ask('Runtime.evaluate', { expression: 'gc()' });
    const usage = (await this.#ask('Runtime.getHeapUsage')) as { usedSize: number } | undefined;
    return usage?.usedSize ?? 0;
  }

  async #ask(method: string, params = {}): Promise<unknown> {
    const id = (this.#asked += 1);
    const message = JSON.stringify({ id, method, params });
    const answer = new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      setTimeout(resolve, WORKER_MS, undefined).unref();
    });
    try {
      await this.#session.post('NodeWorker.sendMessageToWorker', { sessionId: this.#sessionId, message });
      return await answer;
    } catch {
      // There is no such worker any more.
      return undefined;
    } finally {
      this.#waiting.delete(id);
    }
  }
}

async function listen(socket: string): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const workerView = new WorkerView();
  await workerView.start();
  let worker: Worker | undefined;
  process.on('worker', (started) => {
    worker = started;
  });
  const answer = async (question: string): Promise<unknown> => {
    if (question === 'end worker') return (await worker?.terminate()) ?? null;
    collect();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    const workerHeap = await workerView.heap();
    return { heap: heapUsed, external, arrayBuffers, workerHeap } satisfies Memory;
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
if (isMainThread && VROUTERD_PROBE !== undefined) await listen(VROUTERD_PROBE);
