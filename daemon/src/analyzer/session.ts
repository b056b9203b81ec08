/** One run of the analyzer: inputs decode into it, it filters, counts and hands frames to its sinks. */
import { Decoder } from './decoder.js';
import type { Frame } from './frame.js';
import { Origins } from './origins.js';
import { forAll, type Sink } from './sink.js';
import { newInputStatistics, type InputStatistics, type Statistics } from './statistics.js';

export interface SessionOptions {
  /** Stands in the description of every interface [analyzer]. */
  readonly name?: string;
  /** Whether sinks get a frame [all]. */
  readonly accepts?: ((frame: Frame) => boolean) | undefined;
  /** Frames the sinks get at most [no limit]. */
  readonly count?: number;
  /** Seconds since 1970 when it begins [now]. */
  readonly startedAt?: number;
}

export class Session {
  readonly statistics: Statistics;
  readonly origins: Origins;
  readonly #inputs: InputStatistics[] = [];
  readonly #accepts: ((frame: Frame) => boolean) | undefined;
  readonly #count: number;
  #sinks: readonly Sink[] = [];
  #end: (error?: Error) => void = () => undefined;
  /** Resolves when as many frames were delivered as were wanted; rejects with what a sink or an input threw. */
  readonly done = new Promise<void>((resolve, reject) => {
    this.#end = (error) => {
      if (error === undefined) resolve();
      else reject(error);
    };
  });

  constructor(options: SessionOptions = {}) {
    this.origins = new Origins(options.name ?? 'analyzer');
    this.#accepts = options.accepts;
    this.#count = options.count ?? Infinity;
    this.statistics = {
      startedAt: options.startedAt ?? Date.now() / 1000,
      inputs: this.#inputs,
      interfaces: this.origins.interfaces,
      filtered: 0,
      delivered: 0,
    };
    // Whoever waits for it may come later.
    this.done.catch(() => undefined);
  }

  /** A decoder for one more input. */
  addInput(name: string): Decoder {
    const statistics = newInputStatistics(name);
    this.#inputs.push(statistics);
    return new Decoder(this.#inputs.length - 1, statistics, this.origins, (frame) => {
      this.#take(frame);
    });
  }

  /** Frames go to this sink as well, from now on. */
  addSink(sink: Sink): void {
    this.#sinks = [...this.#sinks, sink];
  }

  /** Frames do not go there any more. Does not close it. */
  removeSink(sink: Sink): void {
    this.#sinks = this.#sinks.filter((one) => one !== sink);
  }

  /** Whether as many frames were delivered as were wanted. */
  isDone(): boolean {
    return this.statistics.delivered >= this.#count;
  }

  flush(): void {
    for (const sink of this.#sinks) sink.flush();
  }

  /** Tells sinks that counters are up to date. */
  tellStatistics(): void {
    for (const sink of this.#sinks) sink.statistics(this.statistics);
  }

  /** Ends the session as failed. */
  fail(error: Error): void {
    this.#end(error);
  }

  /** Closes all sinks. Throws what the first of them threw that could not be closed. */
  close(): void {
    const sinks = this.#sinks;
    this.#sinks = [];
    forAll(sinks, (sink) => {
      try {
        sink.statistics(this.statistics);
      } finally {
        sink.close();
      }
    });
  }

  #take(frame: Frame): void {
    if (this.isDone()) return;
    const { statistics } = this;
    const { direction, interface: from } = frame.origin;
    const counters = statistics.interfaces[from.index];
    counters.packets[direction]++;
    counters.bytes[direction] += frame.originalLength;
    if (this.#accepts !== undefined && !this.#accepts(frame)) {
      statistics.filtered++;
      return;
    }
    statistics.delivered++;
    const sinks = this.#sinks;
    for (let i = 0; i < sinks.length; i++) sinks[i].frame(frame);
    if (this.isDone()) this.#end();
  }
}
