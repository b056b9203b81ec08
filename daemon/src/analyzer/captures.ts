/** Captures of one folder: files that are written on demand, and whatever other capture files lie there. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { lstat, mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import type { FileIdentity } from './file-writer.js';
import type { Frame } from './frame.js';
import { PcapngWriter } from './pcapng-writer.js';
import type { Sink, Write } from './sink.js';
import type { Statistics } from './statistics.js';

/** Where frames come from: sinks come and go while they do. */
export interface FrameSource {
  readonly statistics: Statistics;
  addSink(sink: Sink): void;
  /** Does not close it. */
  removeSink(sink: Sink): void;
}

/** What a capture is started with. */
export interface CaptureOptions {
  /** Of the file, without extension [capture-TIME]. */
  readonly name?: string;
  /** Bytes kept of each frame; 0: all [0]. */
  readonly snapLength?: number;
  /** Whether a frame is taken [all]. */
  readonly accepts?: (frame: Frame) => boolean;
  /** It ends by itself when the file has this many bytes, or after so long. */
  readonly maxBytes?: number;
  readonly maxSeconds?: number;
}

/** A capture file as clients see it. */
export interface CaptureDump {
  /** Of the file. */
  readonly name: string;
  readonly bytes: number;
  /** ISO 8601. */
  readonly modified: string;
  readonly running: boolean;
  /** Frames in it; of files that were not started here null. */
  readonly packets: number | null;
  /** Why it ended before it was stopped; null: it did not. */
  readonly error: string | null;
}

/** A request that cannot be done; the code says why. */
export class CaptureError extends Error {
  readonly code: 'notFound' | 'conflict' | 'invalid';

  constructor(code: CaptureError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const EXTENSION = '.pcapng';
/** Names that are no paths, hidden files or options. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const IS_CAPTURE = /\.pcap(ng)?$/;

/** A file that grows. */
export interface GrowingFile {
  /** Throws what the system says: ENOSPC. */
  readonly write: Write;
  close(): void;
}

/** Makes a file. Throws EEXIST and what else the system says. */
function openNew(path: string): GrowingFile {
  const fd = openSync(path, 'wx', 0o640);
  return {
    write: (bytes, at, length) => {
      for (let done = 0; done < length;) done += writeSync(fd, bytes, at + done, length - done);
    },
    close: () => {
      closeSync(fd);
    },
  };
}

/** A file that is being written. Whatever goes wrong with it ends it and nothing else. */
class RunningCapture implements Sink {
  packets = 0;
  error: string | null = null;
  isOpen = true;
  readonly #file: GrowingFile;
  readonly #writer: PcapngWriter;
  readonly #maxBytes: number;
  readonly #accepts: CaptureOptions['accepts'];
  readonly #ended: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: GrowingFile, statistics: Statistics, options: CaptureOptions, ended: () => void) {
    this.#file = file;
    const { snapLength = 0, maxBytes = Infinity, maxSeconds } = options;
    this.#maxBytes = maxBytes;
    this.#accepts = options.accepts;
    this.#ended = ended;
    this.#writer = new PcapngWriter(file.write, { snapLength, statistics });
    this.flush();
    if (maxSeconds !== undefined) {
      this.#timer = setTimeout(() => {
        this.close();
      }, maxSeconds * 1000);
    }
  }

  frame(frame: Frame): void {
    if (!this.isOpen || this.#accepts?.(frame) === false) return;
    this.#try(() => {
      this.#writer.frame(frame);
      this.packets++;
    });
    if (this.#writer.bytes >= this.#maxBytes) this.close();
  }

  flush(): void {
    if (this.isOpen)
      this.#try(() => {
        this.#writer.flush();
      });
  }

  statistics(): void {
    // They are written at the end.
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    clearTimeout(this.#timer);
    this.#try(() => {
      if (this.error === null) this.#writer.close();
    });
    this.#file.close();
    this.#ended();
  }

  #try(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.error ??= (error as Error).message;
      this.close();
    }
  }
}

interface Surroundings {
  readonly now?: () => Date;
  readonly open?: (path: string) => GrowingFile;
  /** Whether somebody else in this process is writing a file [nobody]. */
  readonly isWritten?: (file: FileIdentity) => boolean;
}

export class Captures {
  readonly directory: string;
  readonly #source: FrameSource;
  readonly #now: () => Date;
  readonly #open: (path: string) => GrowingFile;
  readonly #isWritten: (file: FileIdentity) => boolean;
  /** Those started here, ended ones too, by the name of the file. */
  readonly #started = new Map<string, RunningCapture>();

  constructor(directory: string, source: FrameSource, surroundings: Surroundings = {}) {
    const { now = () => new Date(), open = openNew, isWritten = () => false } = surroundings;
    this.#open = open;
    this.#isWritten = isWritten;
    this.directory = directory;
    this.#source = source;
    this.#now = now;
  }

  /** All capture files of the folder, by name. */
  async list(): Promise<CaptureDump[]> {
    const names = await readdir(this.directory).catch(ignoring('ENOENT', []));
    const dumps = await Promise.all(names.sort().map((name) => this.#dump(name)));
    return dumps.filter((dump) => dump !== undefined);
  }

  /** Rejects with CaptureError. */
  async get(name: string): Promise<CaptureDump> {
    const dump = await this.#dump(name);
    if (dump === undefined) throw new CaptureError('notFound', `there is no capture ${name}`);
    return dump;
  }

  /** Path of a file that is there. Rejects with CaptureError. */
  async path(name: string): Promise<string> {
    await this.get(name);
    return join(this.directory, name);
  }

  /** From now on frames go to a new file. Rejects with CaptureError, and with what the system says. */
  async start(options: CaptureOptions): Promise<CaptureDump> {
    const given = options.name?.endsWith(EXTENSION) ? options.name.slice(0, -EXTENSION.length) : options.name;
    const base =
      given ??
      `capture-${this.#now()
        .toISOString()
        .replaceAll(/[-:]|(?<=\.\d{3}).*|Z/g, '')}`;
    if (!NAME.test(base)) {
      throw new CaptureError(
        'invalid',
        'a name has letters, digits, ".", "_" and "-", at most 100, and begins with no sign',
      );
    }
    await mkdir(this.directory, { recursive: true });
    const name = base + EXTENSION;
    const { statistics } = this.#source;
    let capture: RunningCapture;
    try {
      capture = new RunningCapture(this.#open(join(this.directory, name)), statistics, options, () => {
        this.#source.removeSink(capture);
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new CaptureError('conflict', `there is a capture ${name} already`);
    }
    this.#started.set(name, capture);
    if (capture.isOpen) this.#source.addSink(capture);
    return this.get(name);
  }

  /** Ends a capture; one that has ended is left as it is. Rejects with CaptureError. */
  async stop(name: string): Promise<CaptureDump> {
    const capture = this.#started.get(name);
    if (capture === undefined) {
      await this.get(name);
      throw new CaptureError('conflict', `${name} was not started over HTTP`);
    }
    capture.close();
    return this.get(name);
  }

  /** Rejects with CaptureError. */
  async remove(name: string): Promise<void> {
    if ((await this.get(name)).running) {
      const instead = this.#started.get(name)?.isOpen ? 'stop it first' : 'the analyzer writes it until it ends';
      throw new CaptureError('conflict', `${name} is running; ${instead}`);
    }
    this.#started.delete(name);
    await unlink(join(this.directory, name)).catch(ignoring('ENOENT', undefined));
  }

  /** Ends all that run. */
  close(): void {
    for (const capture of this.#started.values()) capture.close();
  }

  async #dump(name: string): Promise<CaptureDump | undefined> {
    if (!NAME.test(name) && !NAME.test(name.replace(IS_CAPTURE, ''))) return undefined;
    if (!IS_CAPTURE.test(name)) return undefined;
    const stat = await lstat(join(this.directory, name)).catch(ignoring('ENOENT', undefined));
    if (!stat?.isFile()) return undefined;
    const started = this.#started.get(name);
    return {
      name,
      bytes: stat.size,
      modified: stat.mtime.toISOString(),
      running: started?.isOpen || this.#isWritten(stat),
      packets: started?.packets ?? null,
      error: started?.error ?? null,
    };
  }
}

/** Makes `instead` of an error with this code, for `catch`. */
const ignoring =
  <T>(code: string, instead: T) =>
  (error: unknown): T => {
    if ((error as NodeJS.ErrnoException).code === code) return instead;
    throw error;
  };
