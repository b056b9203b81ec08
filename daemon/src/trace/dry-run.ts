import { Datapath, type DatapathOptions } from '../datapath/datapath.js';
import { inject } from '../datapath/inject.js';
import { Tracer, type TraceRecord } from '../datapath/tracer.js';
import { MemoryIo, type SentFrame } from '../io/memory.js';
import { FrameRing, type RingFrame } from '../packet/frame-ring.js';
import { Counters, VIF } from '../tables/counters.js';
import type { FlowTable } from '../tables/flow.js';
import type { Tables } from '../tables/tables.js';
import { TokenBucket } from '../tables/token-bucket.js';
import { OverlayFlows } from './overlay-flows.js';

/** The agent is never asked too often by packets that are not real. */
const UNLIMITED = { agentRate: 1e12, agentBurst: 1e12 } as const;

/** Memory that dry runs use one after the other: it is large, and costs nothing where it is not touched. */
export class Devices {
  readonly io = new MemoryIo();
  readonly toAgent = new FrameRing();
  readonly counters: Counters;

  constructor(bridgeSlots: number) {
    this.counters = Counters.inMemory(bridgeSlots);
  }
}

/** What is there: read, and never changed. */
export interface Reality {
  readonly tables: Tables;
  readonly flows: FlowTable;
  readonly counters: Counters;
  readonly options: DatapathOptions;
  /** By the worker's clock. */
  readonly nowMs: number;
}

/** What became of one frame. */
export interface Outcome {
  readonly record: TraceRecord;
  readonly sent: readonly SentFrame[];
  readonly punted: readonly RingFrame[];
}

/**
 * The datapath once more, on devices of memory: what it is given goes through the stages that forward real packets, by the
 * tables it shares with the agent, and nothing comes of it. Counters, tokens, sent frames and new flows are its own.
 */
export class DryRun {
  /** Sessions as they are after what was received. */
  readonly flows: OverlayFlows;
  readonly #io: MemoryIo;
  readonly #toAgent: FrameRing;
  readonly #dp: Datapath;
  readonly #records: TraceRecord[] = [];

  /** @param devices nobody else's as long as the run is used. */
  constructor({ tables, flows, counters, options, nowMs }: Reality, devices: Devices) {
    const own = devices.counters;
    this.#io = devices.io;
    this.#toAgent = devices.toAgent;
    this.#io.clock[0] = nowMs;
    // How many flows an interface has decides whether it gets one more.
    for (const { id } of tables.vifs.entries()) {
      const word = own.vifAt(id) + VIF.flows;
      own.words[word] = counters.words[word];
    }
    this.flows = new OverlayFlows(flows, tables.epochs.now);
    this.#dp = new Datapath(this.#io, tables, own, this.#toAgent, this.flows, {
      ...options,
      ...UNLIMITED,
    });
    this.#dp.tracer = new Tracer(this.#dp, null, (record) => this.#records.push(record));
  }

  /** Lets a frame come in by an interface. */
  receive(vif: number, frame: Uint8Array): Outcome {
    return this.#limitless(() => {
      this.#io.inject(vif, frame);
      this.#io.step(this.#dp.run(this.#io.step(0)));
    });
  }

  /** Lets a frame of the agent's go out of an interface. */
  fromAgent(vif: number, frame: Uint8Array): Outcome {
    return this.#limitless(() => {
      inject(this.#dp, { vif, command: 0, parameter: 0, frame });
      this.#io.step(this.#dp.queued);
    });
  }

  /** Runs a frame as if no limit and no sample were used up, and leaves them as they were. */
  #limitless(run: () => void): Outcome {
    const { vifs, mirrors } = this.#dp.tables;
    const samples = [...mirrors.entries()].map((mirror) => ({ mirror, untilSample: mirror.untilSample }));
    const buckets = [...vifs.entries()].map(({ toAgent }) => toAgent);
    const before = [...buckets, ...samples.map(({ mirror }) => mirror.copies)].map((bucket) => {
      const copy = new TokenBucket();
      copy.copyFrom(bucket);
      bucket.copyFrom(new TokenBucket());
      return { bucket, copy };
    });
    for (const { mirror } of samples) mirror.untilSample = 0;
    run();
    const outcome = this.#outcome();
    for (const { bucket, copy } of before) bucket.copyFrom(copy);
    for (const { mirror, untilSample } of samples) mirror.untilSample = untilSample;
    return outcome;
  }

  #outcome(): Outcome {
    this.#dp.run(0);
    const punted: RingFrame[] = [];
    for (let frame = this.#toAgent.take(); frame; frame = this.#toAgent.take()) punted.push(frame);
    const record = this.#records.pop();
    if (!record) throw new Error('the packet came in by an interface that is not there');
    return { record, sent: this.#io.sent.splice(0), punted };
  }
}
