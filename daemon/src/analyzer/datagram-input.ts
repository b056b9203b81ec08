/** What is read from a socket in batches. */
import { DATAGRAM, type DatagramBatch, type DatagramSocket } from 'packet-io';
import type { Decoder } from './decoder.js';
import type { Input } from './input.js';
import type { Session } from './session.js';

/** Batches read before the event loop has its turn. */
const BATCHES_PER_TURN = 32;

/** Reads a socket until the session is done, and counts what comes; what is in it, those know who take it. */
export abstract class DatagramInput implements Input {
  protected readonly socket: DatagramSocket;
  protected readonly session: Session;
  protected readonly decoder: Decoder;
  protected readonly batch: DatagramBatch;

  protected constructor(socket: DatagramSocket, session: Session, name: string, batch: DatagramBatch) {
    this.socket = socket;
    this.session = session;
    this.decoder = session.addInput(name);
    this.batch = batch;
  }

  async start(): Promise<void> {
    this.socket.onReadable(() => {
      try {
        for (let i = 0; i < BATCHES_PER_TURN && this.#readBatch(); i++);
        this.session.flush();
      } catch (error) {
        this.failed(error as NodeJS.ErrnoException);
      }
    });
    return new Promise(() => undefined);
  }

  drain(): void {
    while (this.#readBatch());
  }

  refresh(): void {
    this.decoder.statistics.kernelDrops = this.socket.kernelDrops();
  }

  close(): void {
    this.socket.close();
    this.refresh();
  }

  /** Takes what lies in [at, at + length) of the batch, of which `record` is the first word. */
  protected abstract take(records: Uint32Array, record: number, at: number, length: number): void;

  /** The socket cannot be read. */
  protected failed(error: NodeJS.ErrnoException): void {
    this.session.fail(error);
  }

  /** Reads a batch; returns whether it was full, so that there may be more. */
  #readBatch(): boolean {
    const { records, slots } = this.batch;
    const { frame, statistics } = this.decoder;
    const received = this.socket.receive(this.batch);
    for (let i = 0; i < received; i++) {
      const record = i * DATAGRAM.words;
      const length = records[record + DATAGRAM.length];
      statistics.received++;
      statistics.receivedBytes += length;
      frame.seconds = records[record + DATAGRAM.seconds];
      frame.nanoseconds = records[record + DATAGRAM.nanoseconds];
      this.take(records, record, records[record + DATAGRAM.at], length);
    }
    return received === slots && !this.session.isDone();
  }
}
