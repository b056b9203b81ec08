import { Choices } from '../engine/choices.js';
import { must, type Target } from '../engine/target.js';
import { CAPTURES } from '../frames/captures.js';
import { GuardedIo } from './guarded-io.js';
import { Memory, World } from './world.js';

/** What unused bytes of the arena hold in the first and in the second run of an input. */
const FILLS = [0xa5, 0x5a] as const;

/** Choices a world takes before the first frame. */
const ZEROS = 21;

/** The datapath in a world of its own, twice over: what it does must not depend on bytes outside the frames. */
export function datapathTarget(): Target {
  const memories = FILLS.map((fill) => new Memory(new GuardedIo(fill)));
  return {
    name: 'datapath',
    about:
      'frames, table changes, agent and refusing ports at random: books balance, nothing is touched outside of frames',
    longest: 600,
    seeds: () => [
      // Each captured frame once, from the first guest, in the network all zeros make.
      ...CAPTURES.map((_, i) => Uint8Array.of(...new Array<number>(ZEROS).fill(0), 0, 0, 3, 0, i, 0, 0, 0, 0)),
      // Whatever comes: sessions, access lists, another worker.
      ...Array.from({ length: 30 }, (_, i) =>
        Uint8Array.from({ length: 300 }, (_, k) => Math.imul(i * 301 + k + 1, 0x9e3779b1) >>> 24),
      ),
    ],
    run(input, observe) {
      const [first, second] = memories.map((memory) => new World(new Choices(input), memory, observe).run());
      must(first === second, () => 'what was sent depends on bytes outside of the frames');
    },
  };
}
