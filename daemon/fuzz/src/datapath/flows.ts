import type { Datapath } from '#vrouterd/datapath/datapath.js';
import { flowCommand, type FlowOp } from '#vrouterd/datapath/flow-upkeep.js';
import { SessionTeller } from '#vrouterd/datapath/session-teller.js';
import { VIF } from '#vrouterd/tables/counters.js';
import {
  FLOW,
  FLOW_ACTION,
  FLOW_FLAG,
  FLOW_HEADER,
  FLOW_OWN,
  FlowTable,
  type FlowTableSize,
  newFlowKey,
} from '#vrouterd/tables/flow.js';
import {
  SESSION,
  SESSION_COUNT,
  SESSION_END_TEXT,
  SESSION_EVENT,
  SESSION_SETTING,
  SessionEvents,
} from '#vrouterd/tables/session-events.js';
import type { Tables } from '#vrouterd/tables/tables.js';
import type { Choices } from '../engine/choices.js';
import { must } from '../engine/target.js';

/** From one bucket with nothing behind it to what a few guests hardly fill. */
const SIZES: readonly FlowTableSize[] = [
  { entries: 256, overflow: 64 },
  { entries: 16, overflow: 4 },
  { entries: 4, overflow: 0 },
  { entries: 4, overflow: 1 },
  { entries: 4, overflow: 60 },
];
const OPS: readonly FlowOp[] = ['forward', 'drop', 'delete', 'evict'];
/** What the hash begins with: the same in every run of an input. */
const SEED = 4711;
/** Protocols whose ports the two directions of a session swap. */
const WITH_PORTS = [6, 17, 132];

/** Memory of a flow table, as a worker finds it after another. */
export class FlowMemory {
  readonly size: FlowTableSize;
  readonly #memory: ArrayBuffer;

  constructor(choices: Choices) {
    this.size = choices.pick(SIZES);
    this.#memory = new ArrayBuffer(FlowTable.bytesFor(this.size));
    new FlowTable(this.#memory, this.size).header[FLOW_HEADER.seed] = SEED;
  }

  open(): FlowTable {
    return new FlowTable(this.#memory, this.size);
  }
}

/** Somebody who hears of sessions, and checks that each begins and ends once. */
export class Listener {
  readonly #events = new SessionEvents();
  /** Sessions told of and not over. */
  readonly #open = new Set<string>();
  readonly #heard: Record<number, string> = {
    [SESSION.start]: 'session began',
    [SESSION.end]: 'session ended',
    [SESSION.refused]: 'session refused',
  };

  /** Forgets what an earlier run left. */
  reset(choices: Choices): void {
    const { ring, settings, counts } = this.#events;
    while (ring.peek() >= 0) ring.release();
    counts.fill(0);
    settings[SESSION_SETTING.sample] = choices.pick([1, 0, 3]);
    settings[SESSION_SETTING.perSecond] = choices.pick([1000, 2]);
    settings[SESSION_SETTING.refusedPerSecond] = choices.pick([1000, 0, 2]);
    this.#open.clear();
  }

  /** Listens to a datapath; what it finds in the table was told by the one before. */
  attach({ flow, io }: Datapath): void {
    flow.sessions = new SessionTeller(flow.table, this.#events, (rule) => (rule & 1) === 1, io.clock);
    this.#open.clear();
    for (const session of toldOf(flow.table)) this.#open.add(session);
  }

  /** Takes what was told. Afterwards those that began and did not end are those in the table. */
  hear({ flow: { table } }: Datapath, observe: (outcome: string) => void): void {
    const { ring, counts } = this.#events;
    for (let at = ring.peek(); at >= 0; at = ring.peek()) {
      this.#take(ring.words, at, observe);
      ring.release();
    }
    must(counts[SESSION_COUNT.lost] === 0, () => 'events were lost');
    const told = toldOf(table);
    must(told.length === this.#open.size, () => `${told.length} sessions were told, ${this.#open.size} not over`);
    for (const session of told) must(this.#open.has(session), () => `nobody told of ${session}`);
  }

  #take(words: Int32Array, at: number, observe: (outcome: string) => void): void {
    const kind = words[at + SESSION_EVENT.kind];
    const forward = at + SESSION_EVENT.forward;
    must(words[forward] !== 0, () => `an event of kind ${kind} with an entry that is free`);
    const session = sessionAt(words, forward);
    const cause = kind === SESSION.end ? SESSION_END_TEXT[words[at + SESSION_EVENT.cause]] : '';
    observe(`${this.#heard[kind]} ${cause}`);
    if (kind === SESSION.start) {
      must(!this.#open.has(session), () => `${session} began twice`);
      this.#open.add(session);
    } else if (kind === SESSION.end) {
      must(this.#open.delete(session), () => `${session} ended and had not begun`);
    }
  }
}

/** The session whose forward entry is at this word: its key and its generation. */
const sessionAt = (words: Int32Array, at: number): string =>
  `${words.subarray(at, at + FLOW.reverse).join()} generation ${(words[at + FLOW.tcp] >>> 16) & 0xff}`;

/** Sessions that were told and are in the table. */
function toldOf(table: FlowTable): string[] {
  const told: string[] = [];
  for (let i = 0; i < table.size; i++)
    if (table.isUsed(i) && ((table.words[table.at(i) + FLOW.owner] >>> 16) & FLOW_OWN.told) !== 0)
      told.push(sessionAt(table.words, table.at(i)));
  return told;
}

/** What may be done to the table by the main thread: pairs age, an operator asks. Returns whether he lets something pass. */
export function meddle(dp: Datapath, choices: Choices): boolean {
  const { table } = dp.flow;
  const index = choices.below(table.size + 1);
  const generation = index < table.size ? table.generation(index) : 0;
  if (choices.chance(96)) {
    const op = choices.pick(OPS);
    flowCommand(dp, op, index, choices.chance(32) ? choices.byte() : generation);
    return op === 'forward';
  }
  const list: number[] = [];
  for (let i = 0; i < table.size; i++)
    if (choices.chance(16) || table.isUsed(i)) list.push(i, table.generation(i), choices.pick([0, 10, 1000]));
  if (choices.chance(16)) list.push(-1, 0, 0, table.size, 0, 0, 5);
  dp.flow.ageing.push(Int32Array.from(list));
  return false;
}

/** What holds of the table whenever no packet is in hand. */
export function checkFlows({ flow, counters }: Datapath, tables: Tables, lastVif: number): void {
  const { table } = flow;
  const { words } = table;
  const key = newFlowKey();
  const counts = new Map<number, number>();
  let active = 0;
  let overflow = 0;
  for (let i = 0; i < table.size; i++) {
    if (!table.isUsed(i)) continue;
    active++;
    if (i >= flow.table.header[FLOW_HEADER.entries]) overflow++;
    table.keyOf(i, key);
    must(table.find(key) === i, () => `entry ${i} is found as ${table.find(key)}`);
    checkPair(table, i);
    const owner = payerOf(table, tables, flow.forwardOf(i));
    const epoch = words[table.at(i) + FLOW.epoch];
    must(epoch <= tables.epochs.now, () => `entry ${i} was decided at ${epoch}, and it is ${tables.epochs.now}`);
    if (epoch >= tables.epochs.vifGone[owner]) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const { header } = table;
  must(header[FLOW_HEADER.active] === active, () => `${active} entries, counted as ${header[FLOW_HEADER.active]}`);
  must(
    header[FLOW_HEADER.overflowUsed] === overflow,
    () => `${overflow} entries in the overflow, counted as ${header[FLOW_HEADER.overflowUsed]}`,
  );
  const made = header[FLOW_HEADER.added] - header[FLOW_HEADER.deleted];
  must(made === active, () => `${active} entries, ${made} added and not deleted`);
  for (let vif = 0; vif <= lastVif; vif++) {
    const [is, counted] = [counts.get(vif) ?? 0, counters.words[counters.vifAt(vif) + VIF.flows]];
    must(is === counted, () => `${is} entries of vif ${vif}, counted as ${counted}`);
  }
}

/** Whom a pair counts for: who began it; if that was another host's, the guest it is for. */
function payerOf(table: FlowTable, tables: Tables, forward: number): number {
  const { words } = table;
  const at = table.at(forward);
  const owner = words[at + FLOW.owner] & 0xffff;
  if (owner !== 0xffff) return owner;
  const reverse = words[at + FLOW.reverse];
  if (reverse >= 0 && reverse !== forward) return words[table.at(reverse) + FLOW.owner] & 0xffff;
  return tables.nexthops.get(words[at + FLOW.keyNh])?.oif ?? 0xffff;
}

/** The other entry is there, names this one, and has the key of the answers; or there is none, as nobody may answer. */
function checkPair(table: FlowTable, index: number): void {
  const { words } = table;
  const at = table.at(index);
  const reverse = words[at + FLOW.reverse];
  const own = words[at + FLOW.owner] >>> 16;
  if (reverse === -1) {
    must((own & FLOW_OWN.forward) !== 0, () => `entry ${index} is half a pair`);
    return;
  }
  must(
    reverse >= 0 && reverse < table.size && table.isUsed(reverse),
    () => `entry ${index} has no partner: ${reverse}`,
  );
  const to = table.at(reverse);
  must(words[to + FLOW.reverse] === index, () => `${index} names ${reverse}, which names ${words[to + FLOW.reverse]}`);
  const otherOwn = words[to + FLOW.owner] >>> 16;
  const forwards = (own & FLOW_OWN.forward) + (reverse === index ? 0 : otherOwn & FLOW_OWN.forward);
  must(forwards === 1, () => `pair ${index} ${reverse} has ${forwards} forward entries`);
  must((own & FLOW_OWN.fat) === (otherOwn & FLOW_OWN.fat), () => `pair ${index} ${reverse} is half fat`);
  must(words[at] === words[to], () => `pair ${index} ${reverse} of two protocols`);
  for (let w = 0; w < 4; w++) {
    const mirrored = words[at + FLOW.source + w] === words[to + FLOW.destination + w];
    must(mirrored, () => `pair ${index} ${reverse}: addresses that are not mirrored`);
  }
  const ports = words[at + FLOW.ports];
  const swapped = WITH_PORTS.includes(words[at] & 0xff) ? (ports << 16) | (ports >>> 16) : ports;
  const isFat = (own & FLOW_OWN.fat) !== 0;
  const mirrored = words[to + FLOW.ports] === swapped || (isFat && words[to + FLOW.ports] === ports);
  must(mirrored, () => `pair ${index} ${reverse}: ports ${ports >>> 0} and ${words[to + FLOW.ports] >>> 0}`);
  const state = words[at + FLOW.state];
  const valid = FLOW_FLAG.active | FLOW_FLAG.reverseValid;
  must((state & valid) === valid, () => `entry ${index} in state ${state.toString(16)}`);
  const action = (state >>> 16) & 0xff;
  must(action === FLOW_ACTION.forward || action === FLOW_ACTION.drop, () => `entry ${index} has action ${action}`);
}
