import { FLOW, FLOW_BYTES, FLOW_OWN, type FlowTable } from '../tables/flow.js';
import {
  SESSION,
  SESSION_COUNT,
  SESSION_EVENT,
  SESSION_SETTING,
  type SessionEvents,
} from '../tables/session-events.js';
import { TokenBucket } from '../tables/token-bucket.js';

const ENTRY_WORDS = FLOW_BYTES / 4;

/**
 * Tells the main thread of sessions: of those that are sampled, and not of more than it wants to hear. Whether a session is told is
 * decided when it begins, and noted in its entry, so that each start has its end. `index` is always that of a forward entry.
 */
export class SessionTeller {
  readonly #table: FlowTable;
  readonly #events: SessionEvents;
  readonly #isLogged: (rule: number) => boolean;
  readonly #clock: Float64Array;
  readonly #sessions = new TokenBucket();
  readonly #refusals = new TokenBucket();
  #begun = 0;

  /**
   * @param isLogged whether sessions decided by this rule (FLOW.rule) are told even where others are sampled.
   * @param clock ms in its first element.
   */
  constructor(table: FlowTable, events: SessionEvents, isLogged: (rule: number) => boolean, clock: Float64Array) {
    this.#table = table;
    this.#events = events;
    this.#isLogged = isLogged;
    this.#clock = clock;
  }

  /** A pair that lets packets pass was made, or lets them pass from now on. */
  began(index: number): void {
    const { words } = this.#table;
    const at = this.#table.at(index);
    if ((words[at + FLOW.owner] & (FLOW_OWN.told << 16)) !== 0 || !this.#isWanted(words[at + FLOW.rule])) return;
    if (this.#put(SESSION.start, index, 0)) words[at + FLOW.owner] |= FLOW_OWN.told << 16;
  }

  /** A pair is about to be removed; `cause` is the place of the reason in SESSION_END_TEXT. */
  ended(index: number, cause: number): void {
    const owner = this.#table.words[this.#table.at(index) + FLOW.owner];
    if ((owner & (FLOW_OWN.told << 16)) !== 0) this.#put(SESSION.end, index, cause);
  }

  /** A pair that drops packets was made, or drops them from now on. */
  refused(index: number): void {
    const rate = this.#events.settings[SESSION_SETTING.refusedPerSecond];
    if (rate === 0) return;
    if (this.#refusals.take(rate, rate, this.#clock[0])) this.#put(SESSION.refused, index, 0);
    else this.#events.counts[SESSION_COUNT.refusedLimited]++;
  }

  #isWanted(rule: number): boolean {
    const { settings, counts } = this.#events;
    const sample = settings[SESSION_SETTING.sample];
    if (sample === 0) return false;
    const isNext = this.#begun % sample === 0;
    this.#begun = (this.#begun + 1) % sample;
    if (!isNext && !this.#isLogged(rule)) return false;
    const rate = settings[SESSION_SETTING.perSecond];
    if (this.#sessions.take(rate, rate, this.#clock[0])) return true;
    counts[SESSION_COUNT.limited]++;
    return false;
  }

  #put(kind: number, index: number, cause: number): boolean {
    const { ring, counts } = this.#events;
    const to = ring.claim();
    if (to < 0) {
      counts[SESSION_COUNT.lost]++;
      return false;
    }
    const { words } = this.#table;
    const at = this.#table.at(index);
    const reverse = words[at + FLOW.reverse];
    ring.words[to + SESSION_EVENT.kind] = kind;
    ring.words[to + SESSION_EVENT.cause] = cause;
    ring.doubles[(to + SESSION_EVENT.time) / 2] = this.#clock[0];
    this.#copy(at, to + SESSION_EVENT.forward);
    if (reverse >= 0 && reverse !== index) this.#copy(this.#table.at(reverse), to + SESSION_EVENT.reverse);
    else ring.words.fill(0, to + SESSION_EVENT.reverse, to + SESSION_EVENT.reverse + ENTRY_WORDS);
    ring.publish();
    return true;
  }

  #copy(from: number, to: number): void {
    const { words } = this.#table;
    const into = this.#events.ring.words;
    for (let w = 0; w < ENTRY_WORDS; w++) into[to + w] = words[from + w];
  }
}
