import { FLOW, FLOW_ACTION, FLOW_DOUBLE, FLOW_DROP_TEXT, FLOW_OWN } from '../tables/flow.js';
import {
  SESSION,
  SESSION_COUNT,
  SESSION_END_TEXT,
  SESSION_EVENT,
  SESSION_SETTING,
  type SessionEvents,
} from '../tables/session-events.js';
import { formatIpv4, formatIpv6 } from '../wire/addr.js';
import { put32 } from '../wire/bytes.js';
import { hasPorts, ipProtocolName } from '../wire/ip-protocol.js';

/** Events taken in one go. */
const AT_ONCE = 4096;
/** Interface of an entry whose packets come from none of this host. */
const NOBODY = 0xffff;
const ACTIONS: Readonly<Record<number, string>> = {
  [FLOW_ACTION.drop]: 'drop',
  [FLOW_ACTION.hold]: 'hold',
  [FLOW_ACTION.forward]: 'forward',
  [FLOW_ACTION.nat]: 'nat',
};

/** What the numbers in a flow entry are called; undefined: nobody knows any more. */
export interface SessionNames {
  /** Interface (full name of its VirtualMachineInterface) and network, by number of vif and VRF. */
  vmi(vif: number): string | undefined;
  network(vrf: number): string | undefined;
  /** Rule that decided, by FLOW.rule. */
  rule(rule: number): string | undefined;
}

/** Where records go. Returns how many were accepted; never waits. */
export interface RecordSink {
  write(records: readonly string[]): number;
}

export interface SessionLogParts {
  readonly events: SessionEvents;
  readonly names: SessionNames;
  /** Takes a refused session, and how many others were left out before it. */
  readonly onRefused: (session: Readonly<Record<string, unknown>>, leftOut: number) => void;
}

/** How much is told. */
export interface SessionSettings {
  readonly sample: number;
  readonly maxPerSecond: number;
  readonly refused: { readonly perSecond: number };
}

/** Turns what the worker tells of sessions into records with names. */
export class SessionLog {
  readonly #parts: SessionLogParts;
  #sinks: readonly RecordSink[] = [];
  /** Names known last: an interface may be gone when its sessions end. */
  readonly #vmis = new Map<number, string>();
  readonly #networks = new Map<number, string>();
  /** Refused sessions left out, as far as they were told. */
  #leftOutTold = 0;
  /** Records that reached a sink, and that did not. */
  written = 0;
  #lost = 0;
  readonly #address = new Uint8Array(16);

  constructor(parts: SessionLogParts) {
    this.#parts = parts;
  }

  /** Sets where records go, and how much of what happens becomes one. Without sinks none is made. */
  configure({ sample, maxPerSecond, refused }: SessionSettings, sinks: readonly RecordSink[]): void {
    const { settings } = this.#parts.events;
    this.#sinks = sinks;
    settings[SESSION_SETTING.sample] = sinks.length > 0 ? sample : 0;
    settings[SESSION_SETTING.perSecond] = maxPerSecond;
    settings[SESSION_SETTING.refusedPerSecond] = refused.perSecond;
  }

  /** Records lost for want of room or because a sink could not take them, and sessions too many for their second. */
  get lost(): number {
    return this.#lost + this.#parts.events.counts[SESSION_COUNT.lost];
  }
  get limited(): number {
    return this.#parts.events.counts[SESSION_COUNT.limited];
  }

  /** A sink lost records it had accepted. */
  lose(records: number): void {
    this.written -= records;
    this.#lost += records;
  }

  /** Takes what the worker told. `now` and `wallMs`: the same moment by the worker's clock and since 1970, ms. */
  drain(now: number, wallMs: number): void {
    const { ring } = this.#parts.events;
    const records: string[] = [];
    for (let left = AT_ONCE, at = ring.peek(); left > 0 && at >= 0; left--, at = ring.peek()) {
      const time = wallMs - (now - ring.doubles[(at + SESSION_EVENT.time) / 2]);
      if (ring.words[at] === SESSION.refused) this.#refused(at);
      else if (this.#sinks.length > 0) records.push(this.#record(at, time));
      ring.release();
    }
    if (records.length === 0) return;
    for (const sink of this.#sinks) {
      const taken = sink.write(records);
      this.written += taken;
      this.#lost += records.length - taken;
    }
  }

  /** Refused sessions that were left out since this was asked, or told with one that was not, last. */
  takeLeftOut(): number {
    const leftOut = this.#parts.events.counts[SESSION_COUNT.refusedLimited];
    const since = leftOut - this.#leftOutTold;
    this.#leftOutTold = leftOut;
    return since;
  }

  #refused(at: number): void {
    this.#parts.onRefused(this.#session(at), this.takeLeftOut());
  }

  #record(at: number, time: number): string {
    const { words, doubles } = this.#parts.events.ring;
    const isEnd = words[at] === SESSION.end;
    const forward = (at + SESSION_EVENT.forward) / 2;
    const reverse = (at + SESSION_EVENT.reverse) / 2;
    const lasted = doubles[(at + SESSION_EVENT.time) / 2] - doubles[forward + FLOW_DOUBLE.created];
    return JSON.stringify({
      event: isEnd ? 'end' : 'start',
      time: new Date(time).toISOString(),
      ...(isEnd && { duration: Math.round(lasted) / 1000, cause: SESSION_END_TEXT[words[at + SESSION_EVENT.cause]] }),
      ...this.#session(at),
      packets: doubles[forward + FLOW_DOUBLE.packets],
      bytes: doubles[forward + FLOW_DOUBLE.bytes],
      reversePackets: doubles[reverse + FLOW_DOUBLE.packets],
      reverseBytes: doubles[reverse + FLOW_DOUBLE.bytes],
    });
  }

  /** Who, what, and what was decided. */
  #session(at: number): Record<string, unknown> {
    const { names } = this.#parts;
    const { words } = this.#parts.events.ring;
    const forward = at + SESSION_EVENT.forward;
    const protocol = words[forward] & 0xff;
    const ports = words[forward + FLOW.ports];
    const state = words[forward + FLOW.state];
    const action = (state >>> 16) & 0xff;
    const vrf = words[forward + FLOW.vrf];
    return {
      vmi: this.#vmi(words[forward + FLOW.owner] & 0xffff),
      network: lastKnown(this.#networks, vrf & 0xffff, names.network(vrf & 0xffff)),
      peerVmi: this.#vmi(
        words[at + SESSION_EVENT.reverse] === 0 ? NOBODY : words[at + SESSION_EVENT.reverse + FLOW.owner] & 0xffff,
      ),
      peerNetwork: lastKnown(this.#networks, vrf >>> 16, names.network(vrf >>> 16)),
      protocol: nameOf(protocol),
      source: this.#addressOf(forward, FLOW.source),
      destination: this.#addressOf(forward, FLOW.destination),
      ...(hasPorts(protocol) && { sourcePort: ports >>> 16, destinationPort: ports & 0xffff }),
      ...(((words[forward + FLOW.owner] >>> 16) & FLOW_OWN.fat) !== 0 && { fat: true }),
      action: ACTIONS[action] ?? action,
      ...(action === FLOW_ACTION.drop && { reason: FLOW_DROP_TEXT[state >>> 24] ?? state >>> 24 }),
      rule: names.rule(words[forward + FLOW.rule]) ?? null,
    };
  }

  #vmi(vif: number): string | null {
    return vif === NOBODY ? null : lastKnown(this.#vmis, vif, this.#parts.names.vmi(vif));
  }

  #addressOf(entry: number, word: number): string {
    const { words } = this.#parts.events.ring;
    if (words[entry] >>> 8 === 4) return formatIpv4(words[entry + word]);
    for (let w = 0; w < 4; w++) put32(this.#address, 4 * w, words[entry + word + w]);
    return formatIpv6(this.#address);
  }
}

/** As records of sessions have always called it. */
function nameOf(protocol: number): string | number {
  const name = ipProtocolName(protocol);
  return name === 'icmp6' ? 'icmpv6' : (name ?? protocol);
}

/** The name something has now, or the last one it had. */
function lastKnown(known: Map<number, string>, id: number, name: string | undefined): string | null {
  if (name === undefined) return known.get(id) ?? null;
  known.set(id, name);
  return name;
}
