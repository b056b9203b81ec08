/** Frames to files: one, one for each network, or a ring of them. */
import { readdirSync, unlinkSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { OutputFile, type FileIdentity } from './file-writer.js';
import type { Frame } from './frame.js';
import { PcapWriter } from './pcap-writer.js';
import { PcapngWriter } from './pcapng-writer.js';
import { forAll, type Sink } from './sink.js';
import type { Statistics } from './statistics.js';

export const FILE_FORMATS = ['pcapng', 'pcap', 'pcap-us'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

export interface FileOptions {
  readonly path: string;
  readonly format: FileFormat;
  /** Bytes of a frame that are kept; 0: all. */
  readonly snapLength: number;
  readonly keepHeaders: boolean;
  /** Of the session. */
  readonly statistics: Statistics;
  /** Those of its files that are open. */
  readonly open?: OpenFiles;
}

/** Files that are being written. */
export class OpenFiles {
  readonly #all = new Set<FileIdentity>();

  add(file: FileIdentity): void {
    this.#all.add(file);
  }

  delete(file: FileIdentity): void {
    this.#all.delete(file);
  }

  readonly has = ({ dev, ino }: FileIdentity): boolean => {
    for (const one of this.#all) if (one.dev === dev && one.ino === ino) return true;
    return false;
  };
}

/** When the next file is begun, and how many are kept. 0: not for this reason; all. */
export interface RingOptions {
  readonly bytes: number;
  readonly seconds: number;
  readonly frames: number;
  readonly files: number;
}

export const isRing = ({ bytes, seconds, frames }: RingOptions): boolean => bytes > 0 || seconds > 0 || frames > 0;

/** One file of either format. */
export class FileSink implements Sink {
  readonly path: string;
  readonly #file: OutputFile;
  readonly #writer: PcapngWriter | PcapWriter;
  readonly #open: OpenFiles | undefined;
  #isClosed = false;

  /** Throws what the system says of the file. */
  constructor(options: FileOptions) {
    this.path = options.path;
    this.#file = new OutputFile(options.path);
    const { write } = this.#file;
    const { format } = options;
    this.#writer =
      format === 'pcapng'
        ? new PcapngWriter(write, options)
        : new PcapWriter(write, { ...options, resolution: format === 'pcap' ? 'ns' : 'us' });
    // Who looks at the file sees from the start that it is one.
    this.#writer.flush();
    this.#open = options.open;
    this.#open?.add(this.#file.identity);
  }

  /** Of the file so far. */
  get bytes(): number {
    return this.#writer.bytes;
  }

  frame(frame: Frame): void {
    this.#writer.frame(frame);
  }

  flush(): void {
    this.#writer.flush();
  }

  statistics(): void {
    this.#writer.statistics();
  }

  /** May be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#writer.close();
    } finally {
      this.#open?.delete(this.#file.identity);
      this.#file.close();
    }
  }
}

/**
 * Files one after the other, `name_00001_20261120140307.pcapng`, the oldest of them deleted. What earlier runs left is part of the
 * ring: their files are the oldest, and numbers go on from theirs.
 */
export class RingSink implements Sink {
  readonly #options: FileOptions;
  readonly #ring: RingOptions;
  readonly #now: () => number;
  /** From the oldest on; nothing when all are kept. */
  readonly #paths: string[] = [];
  #current: FileSink;
  #number = 0;
  #frames = 0;
  #endsAt = 0;

  /** @param now milliseconds since 1970 */
  constructor(options: FileOptions, ring: RingOptions, now: () => number = Date.now) {
    this.#options = options;
    this.#ring = ring;
    this.#now = now;
    const earlier = ringFiles(options.path);
    this.#number = earlier.reduce((highest, { number }) => Math.max(highest, number), 0);
    if (ring.files > 0) this.#paths.push(...earlier.map(({ path }) => path));
    this.#current = this.#open();
  }

  frame(frame: Frame): void {
    const { bytes, frames, seconds } = this.#ring;
    const isFull =
      (bytes > 0 && this.#current.bytes >= bytes) ||
      (frames > 0 && this.#frames >= frames) ||
      (seconds > 0 && this.#now() >= this.#endsAt);
    if (isFull) this.#next();
    this.#frames++;
    this.#current.frame(frame);
  }

  flush(): void {
    this.#current.flush();
  }

  /** A second has passed: a file whose time is over ends even when nothing comes. */
  statistics(): void {
    if (this.#ring.seconds > 0 && this.#frames > 0 && this.#now() >= this.#endsAt) this.#next();
  }

  close(): void {
    this.#current.close();
  }

  #next(): void {
    this.#current.close();
    this.#current = this.#open();
  }

  #open(): FileSink {
    const { path } = this.#options;
    const now = this.#now();
    this.#number++;
    this.#frames = 0;
    this.#endsAt = now + this.#ring.seconds * 1000;
    const stamp = new Date(now).toISOString().replace(/\D/g, '').slice(0, 14);
    const end = extname(path);
    const name = `${basename(path, end)}_${String(this.#number).padStart(5, '0')}_${stamp}${end}`;
    const next = join(dirname(path), name);
    if (this.#ring.files > 0) {
      this.#paths.push(next);
      while (this.#paths.length > this.#ring.files) removeQuietly(this.#paths.shift() ?? '');
    }
    return new FileSink({ ...this.#options, path: next });
  }
}

/** Files of a ring that are there, from the oldest on. Throws what the system says of the folder. */
function ringFiles(path: string): readonly { readonly path: string; readonly number: number }[] {
  const end = extname(path);
  const start = `${basename(path, end)}_`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(start) && name.endsWith(end))
    .flatMap((name) => {
      const parts = /^(\d{5,})_(\d{14})$/.exec(name.slice(start.length, name.length - end.length));
      return parts === null ? [] : [{ path: join(dirname(path), name), number: Number(parts[1]), stamp: parts[2] }];
    })
    .sort((a, b) => Number(a.stamp) - Number(b.stamp) || a.number - b.number);
}

/** A file somebody took away already needs no deleting. */
function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Networks that get files of their own; what further ones send goes to the file of frames without network. */
const NETWORKS_MAX = 256;
/** Longest part of a file name that is made of the name of a network. */
const NAME_MAX = 150;

/** A sink for each network, made when its first frame comes: `name-default-domain_tim_traffic-net.pcapng`. */
export class PerNetworkSink implements Sink {
  readonly #path: string;
  readonly #make: (path: string) => Sink;
  readonly #sinks = new Map<string, Sink>();
  /** By index of the interface. */
  readonly #byInterface: Sink[] = [];
  readonly #names = new Set<string>();

  /** @param make opens the sink that writes to a path */
  constructor(path: string, make: (path: string) => Sink) {
    this.#path = path;
    this.#make = make;
  }

  frame(frame: Frame): void {
    const { index, network } = frame.origin.interface;
    (this.#byInterface[index] ?? this.#assign(index, network)).frame(frame);
  }

  flush(): void {
    for (const sink of this.#sinks.values()) sink.flush();
  }

  statistics(now: Statistics): void {
    for (const sink of this.#sinks.values()) sink.statistics(now);
  }

  close(): void {
    forAll(this.#sinks.values(), (sink) => {
      sink.close();
    });
  }

  #assign(index: number, network: string): Sink {
    const named = this.#sinks.size < NETWORKS_MAX || this.#sinks.has(network) ? network : '';
    const sink = this.#sinks.get(named) ?? this.#make(this.#pathOf(named));
    this.#sinks.set(named, sink);
    this.#byInterface[index] = sink;
    return sink;
  }

  /** Two networks whose names differ only in what a file name cannot have get two files. */
  #pathOf(network: string): string {
    const end = extname(this.#path);
    const safe = network === '' ? 'unknown' : network.replace(/[^\w.-]/g, '_').slice(0, NAME_MAX);
    let name = safe;
    for (let n = 2; this.#names.has(name); n++) name = `${safe}-${n}`;
    this.#names.add(name);
    return join(dirname(this.#path), `${basename(this.#path, end)}-${name}${end}`);
  }
}
