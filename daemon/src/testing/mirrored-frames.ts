import { type CaptureInterface, DIRECTION, Frame, type Origin } from '../analyzer/frame.js';
import type { Sink } from '../analyzer/sink.js';
import type { Statistics } from '../analyzer/statistics.js';

/** Frames of mirrors, by hand: of as many networks as are asked for, number i of each kind counted from 0. */
export class MirroredFrames {
  readonly statistics: Statistics & { readonly interfaces: Statistics['interfaces'][number][] };
  readonly sinks = new Set<Sink>();
  readonly #frame = new Frame();
  readonly #origins: Origin[] = [];

  constructor() {
    this.statistics = { startedAt: 1_700_000_000, inputs: [], interfaces: [], filtered: 0, delivered: 0 };
  }

  addSink(sink: Sink): void {
    this.sinks.add(sink);
  }

  removeSink(sink: Sink): void {
    this.sinks.delete(sink);
  }

  /** Frames of these bytes, from an interface whose network is d:p:n<network>, to all sinks. */
  send(bytes: Uint8Array, { times = 1, network = 0 } = {}): void {
    while (this.#origins.length <= network) this.#add();
    const frame = this.#frame;
    frame.bytes = bytes;
    frame.length = bytes.length;
    frame.originalLength = bytes.length;
    frame.seconds = 1_700_000_000;
    frame.origin = this.#origins[network];
    const sinks = [...this.sinks];
    for (let i = 0; i < times; i++) for (const sink of sinks) sink.frame(frame);
    this.statistics.interfaces[network].packets[DIRECTION.ingress] += times;
  }

  flush(): void {
    for (const sink of this.sinks) sink.flush();
  }

  #add(): void {
    const index = this.#origins.length;
    const network = `d:p:n${index}`;
    const name = `${network}@192.0.2.1`;
    const from: CaptureInterface = { index, name, description: '', network, host: '192.0.2.1', kind: 'port', input: 0 };
    this.#origins.push({
      ...new Frame().origin,
      format: 'tlv',
      kind: 'port',
      direction: DIRECTION.ingress,
      host: '192.0.2.1',
      sourceNetwork: network,
      interface: from,
    });
    this.statistics.interfaces.push({ interface: from, packets: [0, 0, 0], bytes: [0, 0, 0] });
  }
}

/** Types of the blocks of a pcapng file (draft-ietf-opsawg-pcapng), little endian. Throws when the last is not whole. */
export function blockTypes(file: Uint8Array): number[] {
  const bytes = Buffer.from(file);
  const types: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at + 4);
    if (length < 12 || bytes.readUInt32LE(at + length - 4) !== length) throw new Error(`no whole block at ${at}`);
    types.push(bytes.readUInt32LE(at));
    at += length;
  }
  return types;
}
