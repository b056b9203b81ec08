/** Sends mirrored frames on to another tool, in a format that tool knows. */
import { encoder, HEADER_MAX, type Encode } from './emit-formats.js';
import type { EmitPort } from './emit-port.js';
import type { EmitTarget } from './emit-target.js';
import type { Frame } from './frame.js';
import type { Sink } from './sink.js';

/** What became of the frames: offered = sent + unfit + lost + failed + those under way. */
export interface EmitCounters {
  sent: number;
  /** The format cannot carry them: jmirror has IP packets only; none has frames longer than a datagram. */
  unfit: number;
  /** Too many waited for the socket. */
  lost: number;
  /** The system refused them. */
  failed: number;
}

/** Longest datagram, bytes: what IPv4 leaves behind its header and that of UDP. */
const DATAGRAM_MAX = 65_507;
/** Datagrams that may wait for the socket. */
const WAITING_MAX = 1024;

export class EmitSink implements Sink {
  readonly counters: EmitCounters = { sent: 0, unfit: 0, lost: 0, failed: 0 };
  readonly #target: EmitTarget;
  readonly #port: EmitPort;
  readonly #encode: Encode;
  readonly #scratch = new Uint8Array(DATAGRAM_MAX);
  /** Errors that were told already. */
  readonly #told = new Set<string>();
  readonly #tell: (text: string) => void;
  #waiting = 0;
  #isClosed = false;
  #end: () => void = () => undefined;
  /** Resolves when it is closed and nothing is under way any more. */
  readonly done = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  /** @param tell is told each kind of error once */
  constructor(target: EmitTarget, port: EmitPort, tell: (text: string) => void) {
    this.#target = target;
    this.#port = port;
    this.#encode = encoder(target);
    this.#tell = tell;
  }

  frame(frame: Frame): void {
    const { counters } = this;
    if (frame.length > DATAGRAM_MAX - HEADER_MAX) {
      counters.unfit++;
      return;
    }
    if (this.#waiting >= WAITING_MAX) {
      counters.lost++;
      return;
    }
    const length = this.#encode(frame, this.#scratch);
    if (length === 0) {
      counters.unfit++;
      return;
    }
    this.#waiting++;
    this.#port.send(Buffer.from(this.#scratch.subarray(0, length)), this.#done);
  }

  flush(): void {
    // Every frame is sent at once.
  }

  statistics(): void {
    // The counters are asked for.
  }

  /** What is under way is still sent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeWhenDone();
  }

  /** `vxlan://192.0.2.9: 12 sent, 0 lost, 0 failed, 0 not to be carried`. */
  get summary(): string {
    const { sent, lost, failed, unfit } = this.counters;
    return `${this.#target.url}: ${sent} sent, ${lost} lost, ${failed} failed, ${unfit} not to be carried`;
  }

  readonly #done = (error: Error | null | undefined): void => {
    this.#waiting--;
    if (!error) this.counters.sent++;
    else {
      this.counters.failed++;
      this.#tellOnce(error.message);
    }
    if (this.#isClosed) this.#closeWhenDone();
  };

  #closeWhenDone(): void {
    if (this.#waiting > 0) return;
    this.#port.close();
    this.#end();
  }

  #tellOnce(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#tell(`${this.#target.url}: ${message}`);
  }
}
