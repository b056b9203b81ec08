/** Mirrored frames from an interface, which needs no address. */
import { DATAGRAM, DatagramBatch, DatagramSocket, listLinks } from 'packet-io';
import { DatagramInput } from './datagram-input.js';
import { LINK } from './link-type.js';
import type { Session } from './session.js';
import { Unwrapper, type UnwrapOptions } from './unwrap.js';

export class SniffInput extends DatagramInput {
  readonly #unwrapper: Unwrapper;
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
    const socket = DatagramSocket.sniff(link.ifindex, options.receiveBuffer);
    super(socket, session, `interface ${name}`, new DatagramBatch());
    this.#name = name;
    this.#unwrapper = new Unwrapper(this.decoder, options);
    this.#tell = tell;
  }

  override close(): void {
    this.socket.close();
    this.#unwrapper.close();
    this.refresh();
  }

  protected take(records: Uint32Array, record: number, at: number, length: number): void {
    const wholeLength = records[record + DATAGRAM.wholeLength];
    this.#unwrapper.packet(LINK.ethernet, this.batch.bytes, at, at + length, wholeLength);
  }

  protected override failed(error: NodeJS.ErrnoException): void {
    if (error.code === 'ENETDOWN') this.#tell(`interface ${this.#name} is down`);
    else super.failed(error);
  }
}
