import { EventRing } from '../packet/event-ring.js';
import { FLOW_BYTES } from './flow.js';

/**
 * What the worker tells of sessions, and how much of it the main thread wants to hear, in memory both see.
 *
 *    settings (int32, written by the main thread) | counts (doubles, written by the worker) | ring of events
 */
export const SESSION_SETTING = {
  /** One session of so many; 0: none. */
  sample: 0,
  /** Sessions, and refused ones, a second at most. */
  perSecond: 1,
  refusedPerSecond: 2,
} as const;
export const SESSION_COUNT = {
  /** Events for which the ring had no room. */
  lost: 0,
  /** Sessions that were to be told and were too many for the second. */
  limited: 1,
  /** The same of refused sessions. */
  refusedLimited: 2,
} as const;

/** Kinds of event. */
export const SESSION = { start: 1, end: 2, refused: 3 } as const;

/** Why a session ended, by the code in its event. */
export const SESSION_END_TEXT = ['idle', 'closed', 'asked', 'changed'] as const;

/** Words of an event; the entries are copies, as they are in the flow table. The time is a double: ms by the worker's clock. */
export const SESSION_EVENT = { kind: 0, cause: 1, time: 2, forward: 4, reverse: 4 + FLOW_BYTES / 4 } as const;

const EVENT_WORDS = 4 + (2 * FLOW_BYTES) / 4;
const SLOTS = 4096;
const SETTINGS_BYTES = 32;
const COUNTS_BYTES = 64;

export class SessionEvents {
  readonly memory: SharedArrayBuffer;
  readonly settings: Int32Array;
  readonly counts: Float64Array;
  readonly ring: EventRing;

  /** @param memory of another SessionEvents, to see the same from another thread. */
  constructor(memory = new SharedArrayBuffer(SETTINGS_BYTES + COUNTS_BYTES + EventRing.bytesFor(SLOTS, EVENT_WORDS))) {
    this.memory = memory;
    this.settings = new Int32Array(memory, 0, SETTINGS_BYTES / 4);
    this.counts = new Float64Array(memory, SETTINGS_BYTES, COUNTS_BYTES / 8);
    this.ring = new EventRing(memory, SETTINGS_BYTES + COUNTS_BYTES, SLOTS, EVENT_WORDS);
  }
}
