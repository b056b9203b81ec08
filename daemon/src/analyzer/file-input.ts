/** Mirrored frames from capture files, those of other programs and our own. */
import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { BLOCK_MAX, CaptureFileError, CaptureReader } from './capture-reader.js';
import { parseComment, parseDescription } from './comment.js';
import type { Decoder } from './decoder.js';
import type { Origin } from './frame.js';
import type { Input } from './input.js';
import { isKnownLink, LINK } from './link-type.js';
import type { Session } from './session.js';
import { Unwrapper, type UnwrapOptions } from './unwrap.js';

const CHUNK = 1 << 20;
/** Origins remembered by their text. */
const ORIGINS_MAX = 65_536;

export class FileInput implements Input {
  readonly #path: string;
  readonly #fd: number;
  readonly #session: Session;
  readonly #decoder: Decoder;
  readonly #unwrapper: Unwrapper;
  readonly #reader: CaptureReader;
  readonly #origins = new Map<string, Origin>();
  readonly #input: number;
  #isClosed = false;

  /** `-` is stdin. Throws what the system says: ENOENT, EACCES. */
  constructor(session: Session, path: string, options: UnwrapOptions) {
    this.#path = path;
    this.#fd = path === '-' ? 0 : openSync(path, 'r');
    this.#session = session;
    this.#input = session.statistics.inputs.length;
    this.#decoder = session.addInput(`file ${path}`);
    this.#unwrapper = new Unwrapper(this.#decoder, options);
    this.#reader = new CaptureReader(() => {
      this.#take();
    });
  }

  /** Resolves at the end of the file. Rejects with what the system says, and for a damaged file: what is before is taken. */
  async start(): Promise<void> {
    let buffer = new Uint8Array(2 * CHUNK);
    let used = 0;
    while (!this.#isClosed && !this.#session.isDone()) {
      if (used === buffer.length) {
        if (used > 2 * BLOCK_MAX) throw new CaptureFileError(`${this.#path}: a block that does not end`);
        const larger = new Uint8Array(2 * used);
        larger.set(buffer);
        buffer = larger;
      }
      const got = readSync(this.#fd, buffer, used, buffer.length - used, null);
      if (got === 0) break;
      const done = this.#read(buffer.subarray(0, used + got));
      buffer.copyWithin(0, done, used + got);
      used += got - done;
      this.#session.flush();
      await setImmediate();
    }
    // A file that is being written, or was when it was copied, ends within a block.
    if (used > 0 && !this.#session.isDone()) this.#decoder.malformed('cut');
  }

  drain(): void {
    // The file is read to its end by start.
  }

  refresh(): void {
    // The kernel drops nothing of a file.
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwrapper.close();
    if (this.#fd > 2) closeSync(this.#fd);
  }

  #read(bytes: Uint8Array): number {
    try {
      return this.#reader.read(bytes);
    } catch (error) {
      throw error instanceof CaptureFileError ? new CaptureFileError(`${this.#path}: ${error.message}`) : error;
    }
  }

  #take(): void {
    const { packet } = this.#reader;
    const { frame, statistics } = this.#decoder;
    const { linkType } = packet.interface;
    statistics.received++;
    statistics.receivedBytes += packet.length;
    frame.seconds = packet.seconds;
    frame.nanoseconds = packet.nanoseconds;
    const end = packet.at + packet.length;
    const told = this.#told();
    if (told !== undefined) {
      frame.outerLength = 0;
      this.#decoder.told(told, packet.bytes, packet.at, end, packet.at + packet.originalLength);
    } else if (isKnownLink(linkType)) {
      this.#unwrapper.packet(linkType, packet.bytes, packet.at, end, packet.originalLength);
    } else statistics.others++;
  }

  /** What our own comment says of the packet, which then is the mirrored frame itself; undefined: it has none. */
  #told(): Origin | undefined {
    const { comment, interface: from } = this.#reader.packet;
    if (from.linkType !== LINK.ethernet || comment === '') return undefined;
    const key = `${from.description}\n${comment}`;
    const known = this.#origins.get(key);
    if (known !== undefined) return known;
    const described = parseDescription(from.description);
    const said = parseComment(comment);
    if (described === null || described.keepsHeaders || said === null) return undefined;
    if (this.#origins.size >= ORIGINS_MAX) this.#origins.clear();
    const made = this.#session.origins.make(this.#input, { ...said, port: described.port });
    this.#origins.set(key, made);
    return made;
  }
}
