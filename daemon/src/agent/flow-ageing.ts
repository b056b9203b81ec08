import { FLOW, FLOW_DOUBLE, FLOW_OWN, type FlowTable } from '../tables/flow.js';
import { hasPorts, IP_PROTOCOL } from '../wire/ip-protocol.js';

/** Idle time of sessions nothing else is said about, seconds. */
const DEFAULT_SECONDS = 180;
/** Time from one look to the next, ms. */
export const AGEING_TICK_MS = 100;
/** Entries looked at in one tick: at least, and at most, so that the thread has time for other things. */
const LOOKS = { least: 3000, most: 262_144 } as const;
/** The whole table is looked at in this part of the smallest idle time, but in this time at the latest, ms: short flows go then. */
const PASS = { part: 0.25, mostMs: 2000 } as const;
/** Pairs the worker is asked to end in one command, and in one tick. It ends a bounded number of them in each of its rounds. */
const PAIRS = { command: 1024, tick: 16_384 } as const;
/** A short flow ends once it is so old, ms: its packets within it are refused without a new decision. */
const SHORT_MS = 1000;

const { tcp, udp, icmp, icmp6, sctp } = IP_PROTOCOL;
const PROTOCOLS: Readonly<Record<string, readonly number[]>> = {
  tcp: [tcp],
  udp: [udp],
  icmp: [icmp, icmp6],
  sctp: [sctp],
};

/** How long sessions of a protocol, or with a port on either side, may be idle. */
export interface AgeingRule {
  /** Name or number; `icmp` is ICMPv6 too. */
  readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp' | 'sctp' | number;
  /** 0: every port. */
  readonly port: number;
  /** 0: the default. */
  readonly seconds: number;
}

/** Idle times by protocol and port: the most specific rule counts, that is protocol and port, then protocol, then port. */
export class IdleTimes {
  /** By protocol, ms; -1: no rule. */
  readonly #protocols = new Int32Array(256).fill(-1);
  /** By protocol << 16 | port, and by port, ms. */
  readonly #ports = new Map<number, number>();
  readonly #anyPorts = new Map<number, number>();
  readonly #other: number;
  /** The smallest of all, ms. */
  readonly least: number;

  constructor(rules: readonly AgeingRule[]) {
    let other = DEFAULT_SECONDS * 1000;
    let least = Infinity;
    for (const { protocol, port, seconds } of rules) {
      const ms = Math.min(0x7fffffff, (seconds || DEFAULT_SECONDS) * 1000);
      least = Math.min(least, ms);
      if (protocol === 'any') {
        if (port === 0) other = ms;
        else this.#anyPorts.set(port, ms);
        continue;
      }
      for (const number of typeof protocol === 'number' ? [protocol] : PROTOCOLS[protocol]) {
        if (port === 0) this.#protocols[number] = ms;
        else this.#ports.set((number << 16) | port, ms);
      }
    }
    this.#other = other;
    this.least = Math.min(least, other);
  }

  /** Idle time, ms, of a session; `ports` as FLOW.ports. Where rules name both ports, the destination's counts. */
  of(protocol: number, ports: number): number {
    if (!hasPorts(protocol)) return this.#ofProtocol(protocol) ?? this.#other;
    const destination = ports & 0xffff;
    const source = ports >>> 16;
    return (
      this.#ports.get((protocol << 16) | destination) ??
      this.#ports.get((protocol << 16) | source) ??
      this.#ofProtocol(protocol) ??
      this.#anyPorts.get(destination) ??
      this.#anyPorts.get(source) ??
      this.#other
    );
  }

  #ofProtocol(protocol: number): number | undefined {
    const ms = this.#protocols[protocol];
    return ms < 0 ? undefined : ms;
  }
}

/** Who ends pairs: the worker. */
export interface AgeingWorker {
  /** Whether it carried out what it was asked before. */
  readonly idle: boolean;
  /**
   * Asks to remove pairs, each as three words: index and generation of its forward entry, and for how many ms it must have been idle
   * at that moment too (0: in any case).
   */
  age(triples: Int32Array): void;
}

/**
 * Looks for sessions that had no packet in either direction for too long, a part of the table at a time, and asks the worker to end
 * them. It reads the table while the worker writes it: what it sees may be torn, so the worker looks again before it removes a pair.
 */
export class FlowAgeing {
  readonly #table: FlowTable;
  readonly #worker: AgeingWorker;
  #times: IdleTimes;
  /** The next entry to look at. */
  #at = 0;
  /** Entries of each interface's share, counted in the pass under way. */
  #counting = new Int32Array(0x10000);
  #counted = new Int32Array(0x10000);
  readonly #triples = new Int32Array(PAIRS.command * 3);
  #found = 0;
  /** Pairs the worker was asked to end since the start. */
  asked = 0;

  constructor(table: FlowTable, worker: AgeingWorker, rules: readonly AgeingRule[]) {
    this.#table = table;
    this.#worker = worker;
    this.#times = new IdleTimes(rules);
  }

  /** Other idle times from now on, for sessions that exist too. */
  set rules(rules: readonly AgeingRule[]) {
    this.#times = new IdleTimes(rules);
  }

  /** Entries in the share of an interface, as the last whole pass saw them. */
  countOf(vif: number): number {
    return this.#counted[vif];
  }

  /** How many entries one tick looks at; places without any are passed over. */
  get looks(): number {
    const passMs = Math.min(PASS.mostMs, PASS.part * this.#times.least);
    const wanted = Math.ceil((this.#table.size * AGEING_TICK_MS) / passMs);
    return Math.min(this.#table.size, Math.max(LOOKS.least, Math.min(LOOKS.most, wanted)));
  }

  /** One tick. `now`: ms by the clock of the entries (CLOCK_MONOTONIC). */
  tick(now: number): void {
    // A worker that is behind gets nothing more to do; what is idle now is so later.
    if (!this.#worker.idle) return;
    const end = Math.min(this.#table.size, this.#at + this.looks);
    let asked = 0;
    let index = this.#table.nextUsed(this.#at);
    for (; index < end && asked < PAIRS.tick; index = this.#table.nextUsed(index + 1)) {
      if (this.#look(index, now)) asked++;
    }
    this.#at = Math.min(index, end);
    if (this.#at === this.#table.size) this.#endPass();
    this.#ask();
  }

  /** Looks at one entry; returns whether its pair has to end. */
  #look(index: number, now: number): boolean {
    const { words } = this.#table;
    const at = this.#table.at(index);
    if (words[at] === 0) return false;
    const owner = words[at + FLOW.owner];
    this.#counting[owner & 0xffff]++;
    if (((owner >>> 16) & FLOW_OWN.forward) === 0) return false;
    // Packets do not keep a short flow: it ends by its age.
    const short = ((owner >>> 16) & FLOW_OWN.short) !== 0;
    const idleMs = short ? 0 : this.#times.of(words[at] & 0xff, words[at + FLOW.ports]);
    if (short ? now - this.#createdAt(index) < SHORT_MS : now - this.#lastSeen(index) < idleMs) return false;
    this.#triples[this.#found * 3] = index;
    this.#triples[this.#found * 3 + 1] = this.#table.generation(index);
    this.#triples[this.#found * 3 + 2] = idleMs;
    if (++this.#found === PAIRS.command) this.#ask();
    return true;
  }

  #createdAt(index: number): number {
    return this.#table.doubles[this.#table.doubleAt(index) + FLOW_DOUBLE.created];
  }

  /** When the pair had its last packet. */
  #lastSeen(index: number): number {
    const { words, doubles } = this.#table;
    const seen = doubles[this.#table.doubleAt(index) + FLOW_DOUBLE.lastSeen];
    const reverse = words[this.#table.at(index) + FLOW.reverse];
    if (reverse < 0 || reverse >= this.#table.size) return seen;
    return Math.max(seen, doubles[this.#table.doubleAt(reverse) + FLOW_DOUBLE.lastSeen]);
  }

  #ask(): void {
    if (this.#found === 0) return;
    this.asked += this.#found;
    this.#worker.age(this.#triples.slice(0, this.#found * 3));
    this.#found = 0;
  }

  #endPass(): void {
    this.#at = 0;
    const counted = this.#counting;
    this.#counting = this.#counted.fill(0);
    this.#counted = counted;
  }
}
