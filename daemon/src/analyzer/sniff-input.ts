/** Mirrored frames from an interface, which needs no address. */
import { DATAGRAM, DatagramBatch, DatagramSocket, listLinks } from 'packet-io';
import type { Decoder } from './decoder.js';
import type { Input } from './input.js';
import { LINK } from './link-type.js';
import type { Session } from './session.js';
import { Unwrapper, type UnwrapOptions } from './unwrap.js';

const BATCHES_PER_TURN = 32;

export class SniffInput implements Input {
  readonly #socket: DatagramSocket;
  readonly #session: Session;
  readonly #decoder: Decoder;
  readonly #unwrapper: Unwrapper;
  readonly #batch = new DatagramBatch();
  readonly #tell: (line: string) => void;
  readonly #name: string;

  /** @param tell is told when the interface goes down. Throws an Error when there is no such interface, EPERM. */
  constructor(
    session: Session,
    name: string,
    options: UnwrapOptions & { readonly receiveBuffer?: number },
    tell: (line: string) => void,
  ) {
    const link = listLinks().find((one) => one.name === name);
    if (link === undefined) throw new Error('there is no such interface');
    this.#socket = DatagramSocket.sniff(link.ifindex, options.receiveBuffer);
    this.#session = session;
    this.#name = name;
    this.#decoder = session.addInput(`interface ${name}`);
    this.#unwrapper = new Unwrapper(this.#decoder, options);
    this.#tell = tell;
  }

  async start(): Promise<void> {
    this.#socket.onReadable(() => {
      try {
        for (let i = 0; i < BATCHES_PER_TURN && this.#readBatch(); i++);
        this.#session.flush();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENETDOWN') this.#tell(`interface ${this.#name} is down`);
        else this.#session.fail(error as Error);
      }
    });
    return new Promise(() => undefined);
  }

  drain(): void {
    while (this.#readBatch());
  }

  refresh(): void {
    this.#decoder.statistics.kernelDrops = this.#socket.kernelDrops();
  }

  close(): void {
    this.#socket.close();
    this.#unwrapper.close();
    this.refresh();
  }

  #readBatch(): boolean {
    const batch = this.#batch;
    const received = this.#socket.receive(batch);
    for (let i = 0; i < received; i++) this.#take(batch.records, i * DATAGRAM.words);
    return received === batch.slots && !this.#session.isDone();
  }

  #take(records: Uint32Array, record: number): void {
    const { frame, statistics } = this.#decoder;
    const length = records[record + DATAGRAM.length];
    const at = records[record + DATAGRAM.at];
    statistics.received++;
    statistics.receivedBytes += length;
    frame.seconds = records[record + DATAGRAM.seconds];
    frame.nanoseconds = records[record + DATAGRAM.nanoseconds];
    const wholeLength = records[record + DATAGRAM.wholeLength];
    this.#unwrapper.packet(LINK.ethernet, this.#batch.bytes, at, at + length, wholeLength);
  }
}
