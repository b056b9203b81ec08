import type { Logger } from 'pino';
import { AGEING_TICK_MS, FlowAgeing } from './agent/flow-ageing.js';
import { RecordFile } from './agent/record-file.js';
import { type RecordSink, SessionLog, type SessionNames } from './agent/session-log.js';
import type { Realiser } from './agent/realiser.js';
import type { Config } from './config.js';
import { RecordStream } from './control/record-stream.js';
import type { RedisSettings } from './control/redis-connection.js';
import type { FlowTable } from './tables/flow.js';
import type { SessionEvents } from './tables/session-events.js';
import type { Tables } from './tables/tables.js';
import type { WorkerHost } from './worker-host.js';

/** How often what was left out of the log of refused sessions is told where no line follows, ms. */
const LEFT_OUT_MS = 10_000;

export interface FlowDutiesParts {
  readonly config: Config;
  readonly flows: FlowTable;
  readonly events: SessionEvents;
  readonly tables: Tables;
  readonly host: WorkerHost;
  readonly realiser: Pick<Realiser, 'nameOf'>;
  /** The shared store. */
  readonly redis: RedisSettings;
  readonly log: Logger;
}

/** What the main thread does about sessions ten times a second: it ages them, and records what the worker tells of them. */
export class FlowDuties {
  readonly #parts: FlowDutiesParts;
  readonly #ageing: FlowAgeing;
  readonly #sessions: SessionLog;
  #file: RecordFile | null = null;
  #stream: RecordStream | null = null;
  /** Names of interfaces asked for in this tick. */
  readonly #vmis = new Map<number, string | undefined>();
  #timer: NodeJS.Timeout | null = null;
  #leftOutAt = 0;
  /** Number of the last command to remove idle pairs. */
  #aged = 0;

  constructor(parts: FlowDutiesParts) {
    const { flows, host, events, log, config } = parts;
    this.#parts = parts;
    const isIdle = (): boolean => host.applied >= this.#aged;
    const worker = {
      get idle() {
        return isIdle();
      },
      age: (triples: Int32Array): void => {
        this.#aged = host.age(triples);
      },
    };
    this.#ageing = new FlowAgeing(flows, worker, config.flowAgeing);
    this.#sessions = new SessionLog({
      events,
      names: this.#names(),
      onRefused: (session, leftOut) => {
        log.warn({ ...session, ...(leftOut > 0 && { leftOut }) }, 'refused');
      },
    });
    this.#open(config);
  }

  /** Records accepted, lost, and sessions not recorded because they were too many for their second. */
  get records(): { readonly written: number; readonly lost: number; readonly limited: number } {
    const { written, lost, limited } = this.#sessions;
    return { written, lost, limited };
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#tick();
    }, AGEING_TICK_MS);
  }

  /** Takes over another configuration; a file of records is opened anew. */
  async configure(config: Config): Promise<void> {
    this.#ageing.rules = config.flowAgeing;
    const [file, stream] = [this.#file, this.#stream];
    this.#open(config);
    await Promise.all([file?.close(), stream?.close()]);
  }

  /** Records what the worker told to the end. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#drain();
    await Promise.all([this.#file?.close(), this.#stream?.close()]);
  }

  #tick(): void {
    this.#ageing.tick(monotonicMs());
    this.#drain();
  }

  #drain(): void {
    const now = monotonicMs();
    this.#vmis.clear();
    this.#sessions.drain(now, Date.now());
    if (now - this.#leftOutAt < LEFT_OUT_MS) return;
    this.#leftOutAt = now;
    const leftOut = this.#sessions.takeLeftOut();
    if (leftOut > 0) this.#parts.log.warn({ leftOut }, 'refused, left out');
  }

  #open(config: Config): void {
    const { redis, log } = this.#parts;
    const { file, stream, streamLength, ...settings } = config.sessions;
    const now = monotonicMs;
    const onLost = (records: number): void => {
      this.#sessions.lose(records);
    };
    const onError = (error: Error): void => {
      log.warn({ err: error }, 'records of sessions cannot be written');
    };
    this.#file = file ? new RecordFile({ ...file, onLost, onError, now }) : null;
    const key = `${config.redisPrefix}host:${config.host}:sessions`;
    this.#stream = stream ? new RecordStream({ redis, key, length: streamLength, onLost, now }) : null;
    this.#sessions.configure(settings, [...sinkOf(this.#file), ...sinkOf(this.#stream)]);
  }

  #names(): SessionNames {
    const { tables, realiser } = this.#parts;
    return {
      vmi: (vif) => {
        if (!this.#vmis.has(vif)) this.#vmis.set(vif, realiser.nameOf(vif));
        return this.#vmis.get(vif);
      },
      network: (vrf) => tables.vrfs[vrf]?.record.name,
      rule: (rule) => (rule === -1 ? undefined : tables.acls[rule >>> 16]?.record.rules[rule & 0xffff]?.name),
    };
  }
}

/** A file takes all lines or none. */
function sinkOf(to: RecordFile | RecordStream | null): RecordSink[] {
  if (!to) return [];
  if (to instanceof RecordStream) return [to];
  return [{ write: (records) => (to.write(records) ? records.length : 0) }];
}

/** By the clock of the flow table. */
const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);
