import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { closeFd, createEventFd, wake } from 'packet-io';
import type { Logger } from 'pino';
import type { PortHandle, WorkerCommand, WorkerEvent, WorkerStart } from './datapath/commands.js';
import type { FlowOp } from './datapath/flow-upkeep.js';
import type { TraceFilter, TraceRecord } from './datapath/tracer.js';
import { FrameRing } from './packet/frame-ring.js';
import { type Counters, HEADER } from './tables/counters.js';
import type { TableChange } from './tables/records.js';

/** A worker without a sign of life for so long is ended and started again, ms. It shows one ten times a second. */
const SILENCE_MS = 5_000;
const WATCH_MS = 500;
/** Pause before a worker that failed is started again, ms. */
const RESTART_MS = 100;

export interface WorkerHostOptions {
  readonly start: Omit<WorkerStart, 'toAgent' | 'fromAgent' | 'wakeFd'>;
  readonly counters: Counters;
  readonly log: Logger;
  /** Changes that make empty tables what they are now: what a worker that starts again is told first. */
  readonly snapshot: () => readonly TableChange[];
  /** Frames wait: take them. */
  readonly onFrames: (ring: FrameRing) => void;
  /** A port could not be attached, or its device is gone. */
  readonly onPortLost: (vif: number, reason: string) => void;
}

/**
 * The main thread's side of the datapath worker: tells it what changes, watches over it, and starts it again when it fails, with
 * the tables and ports it had. Forwarding pauses for the time of the restart, nothing else is lost.
 */
export class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #toAgent = new FrameRing();
  readonly #fromAgent = new FrameRing();
  readonly #ports = new Map<number, PortHandle>();
  /** Descriptors to close once the command with this sequence number is carried out. */
  readonly #closing: { sequence: number; fd: number }[] = [];
  #worker: Worker | null = null;
  /** Belongs to this thread, so that it outlives a worker that fails. */
  readonly #wakeFd = createEventFd();
  #ready = false;
  #sequence: number;
  /** The worker's heartbeat when it was last looked at, and when it was last seen to have moved on. */
  #seenBeat = -1;
  #seenAt = 0;
  #watch: NodeJS.Timeout | null = null;
  #stopping = false;
  #stopped = false;
  readonly #listeners = new Set<() => void>();
  /** The trace that runs: who takes its packets, and the number of its command. */
  #trace: { sequence: number; onRecord: (record: TraceRecord) => void } | null = null;
  restarts = 0;

  constructor(options: WorkerHostOptions) {
    this.#options = options;
    this.#sequence = options.counters.words[HEADER.applied];
  }

  start(): void {
    this.#launch();
    this.#watch = setInterval(() => {
      this.#check();
    }, WATCH_MS);
  }

  /** Sends table changes; returns the sequence number to compare with `applied`. */
  change(changes: readonly TableChange[]): number {
    return this.#tell({ kind: 'changes', sequence: ++this.#sequence, changes });
  }

  /** Opens traffic for a port, instead of what the vif had. The descriptor belongs to the host from now on. */
  attach(port: PortHandle): number {
    this.detach(port.vif);
    this.#ports.set(port.vif, port);
    return this.#tell({ kind: 'attach', sequence: ++this.#sequence, port });
  }

  /** Ends traffic for a port, and closes its descriptor when the worker has let go of it. */
  detach(vif: number): void {
    const port = this.#ports.get(vif);
    if (!port) return;
    this.#ports.delete(vif);
    this.#closing.push({ sequence: this.#tell({ kind: 'detach', sequence: ++this.#sequence, vif }), fd: port.fd });
  }

  /** Does something to a pair of flow entries; nothing when the place was given away since. Returns the sequence number. */
  flowCommand(op: FlowOp, index: number, generation: number): number {
    return this.#tell({ kind: 'flow', sequence: ++this.#sequence, op, index, generation });
  }

  /** Removes flow pairs that are idle: (index, generation, idle ms) each, in `pairs`. Returns the sequence number. */
  age(pairs: Int32Array): number {
    return this.#tell({ kind: 'age', sequence: ++this.#sequence, pairs });
  }

  /** Whether packets are traced. */
  get tracing(): boolean {
    return this.#trace !== null;
  }

  /**
   * Traces the next `count` packets that pass the filter, instead of those of another trace. Resolves when the worker does; a
   * worker that fails traces nothing when it starts again.
   */
  async traceOn(filter: TraceFilter, count: number, onRecord: (record: TraceRecord) => void): Promise<void> {
    const sequence = ++this.#sequence;
    this.#trace = { sequence, onRecord };
    await this.carriedOut(this.#tell({ kind: 'trace', sequence, filter, count }));
  }

  traceOff(): void {
    if (!this.#trace) return;
    this.#trace = null;
    this.#tell({ kind: 'trace', sequence: ++this.#sequence, filter: null, count: 0 });
  }

  /** Sends a frame the agent made out of an interface. False: the ring is full, the frame is lost. */
  send(vif: number, frame: Uint8Array): boolean {
    const put = this.#fromAgent.put(frame, 0, frame.length, vif, 0);
    if (put && this.#fromAgent.shouldNotify()) this.#wake();
    return put;
  }

  /** Number of the last command sent, and of the last one carried out. */
  get sent(): number {
    return this.#sequence;
  }
  get applied(): number {
    return this.#options.counters.words[HEADER.applied];
  }

  /** Resolves when a command is carried out. Rejects when the worker does not come to it. */
  carriedOut(sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = this.onApplied(() => {
        if (this.applied < sequence) return;
        clearTimeout(timer);
        end();
        resolve();
      });
      const timer = setTimeout(() => {
        end();
        reject(new Error('the datapath worker does not answer'));
      }, SILENCE_MS);
    });
  }

  /** Calls back when commands were carried out, until the returned function is called. */
  onApplied(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Milliseconds since the worker was last seen to make a round. */
  get silenceMs(): number {
    const beat = this.#options.counters.words[HEADER.heartbeat];
    if (beat !== this.#seenBeat) {
      this.#seenBeat = beat;
      this.#seenAt = performance.now();
    }
    return performance.now() - this.#seenAt;
  }

  /** Whether the worker runs and shows it. */
  get alive(): boolean {
    return this.#ready && this.silenceMs < SILENCE_MS;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#watch) clearInterval(this.#watch);
    const worker = this.#worker;
    if (!worker) return;
    const gone = new Promise((resolve) => worker.once('exit', resolve));
    this.#tell({ kind: 'stop', sequence: ++this.#sequence });
    await Promise.race([
      gone,
      new Promise((resolve) => setTimeout(resolve, SILENCE_MS)).then(() => worker.terminate()),
    ]);
    for (const { fd } of [...this.#ports.values(), ...this.#closing.splice(0)]) closeFd(fd);
    this.#stopped = true;
    closeFd(this.#wakeFd);
    this.#ports.clear();
  }

  #launch(): void {
    const { start, log } = this.#options;
    const workerData: WorkerStart = {
      ...start,
      wakeFd: this.#wakeFd,
      toAgent: this.#toAgent.memory,
      fromAgent: this.#fromAgent.memory,
    };
    this.#seenAt = performance.now();
    const worker = new Worker(new URL('worker.js', import.meta.url), { workerData, name: 'datapath' });
    this.#worker = worker;
    worker.on('message', (event: WorkerEvent) => {
      this.#onEvent(event);
    });
    worker.on('error', (error) => {
      log.error({ err: error }, 'datapath worker failed');
    });
    worker.on('exit', (code) => {
      this.#onExit(worker, code);
    });
    // Frames a worker left behind when it went, announced or not.
    this.#toAgent.beginTaking();
    this.#options.onFrames(this.#toAgent);
    // Everything the worker must know reaches it before what comes from now on.
    this.#tell({ kind: 'changes', sequence: ++this.#sequence, changes: this.#options.snapshot() });
    for (const port of this.#ports.values()) this.#tell({ kind: 'attach', sequence: ++this.#sequence, port });
  }

  #onEvent(event: WorkerEvent): void {
    switch (event.kind) {
      case 'ready':
        this.#ready = true;
        break;
      case 'applied':
        this.#onApplied();
        break;
      case 'frames':
        this.#toAgent.beginTaking();
        this.#options.onFrames(this.#toAgent);
        break;
      case 'traced':
        if (event.sequence === this.#trace?.sequence) this.#trace.onRecord(event.record);
        break;
      case 'portLost':
        this.#options.onPortLost(event.vif, event.reason);
        break;
    }
  }

  #onExit(worker: Worker, code: number): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#ready = false;
    if (this.#stopping) return;
    this.restarts++;
    this.#options.log.warn({ code, restarts: this.restarts }, 'datapath worker is gone, starting it again');
    setTimeout(() => {
      if (!this.#stopping) this.#launch();
    }, RESTART_MS);
  }

  #onApplied(): void {
    const { applied } = this;
    while (this.#closing.length > 0 && this.#closing[0].sequence <= applied) {
      closeFd((this.#closing.shift() as { fd: number }).fd);
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #check(): void {
    if (this.#worker && this.silenceMs > SILENCE_MS) {
      this.#options.log.error({ silenceMs: this.silenceMs }, 'datapath worker shows no sign of life, ending it');
      this.#seenAt = performance.now();
      void this.#worker.terminate();
    }
  }

  #tell(command: WorkerCommand): number {
    this.#worker?.postMessage(command);
    this.#wake();
    return command.sequence;
  }

  #wake(): void {
    if (!this.#stopped) wake(this.#wakeFd);
  }
}
