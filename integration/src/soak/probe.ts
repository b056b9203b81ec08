/**
 * Loaded into the daemon under test before its own code (`--import`): answers on the unix socket VROUTERD_PROBE what cannot be seen
 * from outside the process, and ends the datapath worker on request. One line is asked, one line of JSON answered.
 */
import { rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { createServer } from 'node:net';
import { getHeapStatistics, setFlagsFromString, type HeapInfo } from 'node:v8';
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
  /** What the heaps of both occupy, garbage and room included. */
  readonly heapsResident: number;
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

  /** Bytes in use on its heap after a collection of garbage, and bytes the heap occupies; 0 when it does not answer. */
  async heap(): Promise<{ readonly used: number; readonly resident: number }> {
    const expression = `gc(); process.getBuiltinModule('node:v8').getHeapStatistics()`;
    const answer = (await this.#ask('Runtime.evaluate', { expression, returnByValue: true })) as
      { result: { value?: HeapInfo } } | undefined;
    const { used_heap_size = 0, total_physical_size = 0 } = answer?.result.value ?? {};
    return { used: used_heap_size, resident: total_physical_size };
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
    const { used: workerHeap, resident } = await workerView.heap();
    const heapsResident = getHeapStatistics().total_physical_size + resident;
    return { heap: heapUsed, external, arrayBuffers, workerHeap, heapsResident } satisfies Memory;
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
