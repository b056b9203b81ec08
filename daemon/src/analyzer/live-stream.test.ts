import test from 'ava';
import fc from 'fast-check';

import { blockTypes, MirroredFrames } from '../testing/mirrored-frames.js';
import { LiveStream, type Reader } from './live-stream.js';
import { BLOCK } from './pcapng.js';

/** A reader that takes what waits for it when it likes. */
class SlowReader implements Reader {
  writableLength = 0;
  mostWaiting = 0;
  isEnded = false;
  readonly #written: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.#written.push(bytes);
    this.writableLength += bytes.length;
    this.mostWaiting = Math.max(this.mostWaiting, this.writableLength);
  }

  end(): void {
    this.isEnded = true;
  }

  read(): void {
    this.writableLength = 0;
  }

  get types(): number[] {
    return blockTypes(Buffer.concat(this.#written));
  }
}

const frames = (types: readonly number[]): number => types.filter((type) => type === BLOCK.enhancedPacket).length;

test('a stream begins with a section and the interfaces that are known, ahead of any frame', (t) => {
  const source = new MirroredFrames();
  source.send(new Uint8Array(60), { network: 1 });
  const reader = new SlowReader();
  const stream = new LiveStream(reader, source.statistics);
  t.deepEqual(reader.types, [BLOCK.section, BLOCK.interface, BLOCK.interface]);
  source.addSink(stream);
  source.send(new Uint8Array(60), { network: 2 });
  t.is(reader.types.length, 3);
  source.flush();
  t.deepEqual(reader.types.slice(3), [BLOCK.interface, BLOCK.enhancedPacket]);
});

test('a slow reader loses frames, all of them counted, and nothing else waits for it', (t) => {
  const length = fc.constantFrom(60, 1500, 9000);
  const step = fc.oneof(fc.record({ times: fc.integer({ min: 1, max: 3000 }), length }), fc.constant('read' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
      const source = new MirroredFrames();
      const [slow, quick] = [new SlowReader(), new SlowReader()];
      const [stream, other] = [slow, quick].map((reader) => new LiveStream(reader, source.statistics));
      source.addSink(stream);
      source.addSink(other);
      let offered = 0;
      for (const [i, one] of steps.entries()) {
        if (one === 'read') {
          slow.read();
          continue;
        }
        offered += one.times;
        for (let left = one.times; left > 0; left -= 100) {
          // Another network each time: its description must not be lost with the frame.
          source.send(new Uint8Array(one.length), { times: Math.min(left, 100), network: i });
          quick.read();
        }
        source.flush();
      }
      stream.close();
      other.close();
      t.is(stream.counters.packets + stream.counters.lost, offered);
      t.is(frames(slow.types), stream.counters.packets);
      t.true(slow.mostWaiting <= 10 * 1024 * 1024, String(slow.mostWaiting));
      t.deepEqual(other.counters, { packets: offered, lost: 0 });
    }),
    { numRuns: 20 },
  );
});

test('8 MiB wait for a reader, and it goes on with what comes once it has read them', (t) => {
  const source = new MirroredFrames();
  const reader = new SlowReader();
  const stream = new LiveStream(reader, source.statistics);
  source.addSink(stream);
  source.send(new Uint8Array(8192), { times: 3000 });
  t.true(stream.counters.lost > 1500);
  t.true(stream.counters.packets >= 1024 && stream.counters.packets < 1300);
  const { lost, packets } = stream.counters;
  reader.read();
  source.send(new Uint8Array(8192));
  t.deepEqual(stream.counters, { packets: packets + 1, lost });
});

test('a stream that is closed ends with its counters, and one whose reader has gone writes nothing more', (t) => {
  const source = new MirroredFrames();
  const [reader, gone] = [new SlowReader(), new SlowReader()];
  const [stream, abandoned] = [reader, gone].map((one) => new LiveStream(one, source.statistics));
  source.addSink(stream);
  source.addSink(abandoned);
  abandoned.abandon();
  source.send(new Uint8Array(60));
  stream.close();
  abandoned.close();
  t.true(reader.isEnded);
  t.deepEqual(reader.types, [BLOCK.section, BLOCK.interface, BLOCK.enhancedPacket, BLOCK.statistics]);
  t.deepEqual(gone.types, [BLOCK.section]);
});
