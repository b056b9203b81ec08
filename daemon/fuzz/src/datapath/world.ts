import { FIXED } from '#vrouterd/agent/compile.js';
import { answerPunt } from '#vrouterd/agent/punt.js';
import { Reconciler } from '#vrouterd/agent/reconcile.js';
import { Datapath, type DatapathOptions } from '#vrouterd/datapath/datapath.js';
import { inject } from '#vrouterd/datapath/inject.js';
import { type LoopControl, runLoop } from '#vrouterd/datapath/loop.js';
import { CTL, VNET_LEN } from '#vrouterd/io/device.js';
import { DROP_REASONS } from '#vrouterd/packet/drop.js';
import { FrameRing, RING_FRAME } from '#vrouterd/packet/frame-ring.js';
import { BridgeTable } from '#vrouterd/tables/bridge.js';
import { Counters, HEADER, VIF } from '#vrouterd/tables/counters.js';
import { takeOverFlows } from '#vrouterd/datapath/flow-upkeep.js';
import type { PuntCommand } from '#vrouterd/tables/punt.js';
import { type TableChange, VIF_ID } from '#vrouterd/tables/records.js';
import { removalOf, snapshot, Tables } from '#vrouterd/tables/tables.js';
import type { Choices } from '../engine/choices.js';
import { must } from '../engine/target.js';
import { GUESTS } from '../frames/addresses.js';
import { chooseSessionFrame } from '../frames/session.js';
import { chooseFrame } from '../frames/shape.js';
import { chooseTunnelFrame } from '../frames/tunnel.js';
import { chooseVnet } from '../frames/vnet.js';
import { checkFlows, FlowMemory, Listener, meddle } from './flows.js';
import { BATCH, type Descriptor, type GuardedIo } from './guarded-io.js';
import { Outcomes } from './outcomes.js';
import { type Arrived, checkAllowed, checkSent } from './sent.js';
import { chooseMirrors, choosePortMirrors } from './mirrors.js';
import { chooseOverlay, KNOWN } from './overlay.js';
import { chooseNetwork, compiled, guestConfig, LAST_VIF, type Network, NETWORKS, vifOf } from './topology.js';

/** A bridge table with so few slots that it is often full. */
const SLOTS = { entries: 64, overflow: 16 } as const;
/** EAGAIN, ENOBUFS, ENXIO, ENETDOWN, EMSGSIZE, EIO: what a device says. */
const ERRNOS = [11, 105, 6, 100, 90, 5] as const;
/** One datagram, and one fragment that waits. */
const TINY = { table: { entries: 1, share: 1 }, queue: { places: 1, share: 1 } } as const;
/** Rounds of an input at most: short inputs find more in the same time. */
const ROUNDS = 48;

/** What is too large to be made anew for every input. */
export class Memory {
  readonly counters = Counters.inMemory(SLOTS.entries + SLOTS.overflow);
  readonly toAgent = new FrameRing();
  readonly fromAgent = new FrameRing();
  readonly listener = new Listener();
  readonly io: GuardedIo;

  constructor(io: GuardedIo) {
    this.io = io;
  }
}

/**
 * A datapath with its loop, its tables and an agent, in which everything that can happen does: frames arrive, networks change,
 * ports refuse, the agent answers, rows of tables are missing. After every round what must hold is checked.
 */
export class World implements LoopControl {
  readonly #choices: Choices;
  readonly #memory: Memory;
  readonly #flows: FlowMemory;
  readonly #options: DatapathOptions;
  readonly #replica = new Tables(null, new BridgeTable(SLOTS.entries, SLOTS.overflow));
  readonly #reconciler: Reconciler;
  readonly #networks: (Network | null)[] = [];
  readonly #outcomes: Outcomes;
  readonly #hasOverlay: boolean;
  readonly #hasMirrors: boolean;
  /** The worker's: another one has others. */
  #tables: Tables;
  #dp: Datapath;
  #arrived: Arrived[] = [];
  #rounds = 0;
  #restarts = false;
  /** Whether an operator let something pass. */
  #forced = false;
  /** A sum over all that left. */
  #transcript = 0;

  constructor(choices: Choices, memory: Memory, observe: (outcome: string) => void) {
    this.#choices = choices;
    this.#memory = memory;
    const { io, counters, toAgent } = memory;
    io.reset();
    while (toAgent.take() !== null);
    while (memory.fromAgent.take() !== null);
    this.#outcomes = new Outcomes(counters, observe);
    this.#flows = new FlowMemory(choices);
    this.#options = {
      flowsPerInterface: choices.pick([256, 64, 4]),
      agentRate: choices.pick([1000, 0, 10]),
      agentBurst: choices.pick([1000, 3, 1]),
      underlayMtu: choices.pick([1500, 1280, 9000, 600]),
      fragments: choices.pick([{ table: { entries: 16 }, queue: { places: 4 } }, TINY]),
    };
    memory.listener.reset(choices);
    [this.#tables, this.#dp] = this.#worker();
    this.#reconciler = new Reconciler(this.#replica, (changes: readonly TableChange[]) => {
      for (const change of changes) this.#tables.apply(change);
    });
    this.#reconciler.reconcile('host', FIXED);
    this.#hasOverlay = choices.chance(128);
    if (this.#hasOverlay) this.#reconciler.reconcile('overlay', chooseOverlay(choices));
    this.#hasMirrors = choices.chance(96);
    if (this.#hasMirrors) this.#reconciler.reconcile('mirrors', chooseMirrors(choices));
    for (let n = 0; n < NETWORKS; n++) this.#configure(n, n === 0 || choices.chance(64));
    io.onStep = () => this.#step();
    io.onSent = (descriptor) => this.#sent(descriptor);
  }

  /** Lives through all choices; returns the sum over all that left. */
  run(): number {
    const { io } = this.#memory;
    for (;;) {
      runLoop(this.#dp, io, this);
      this.#dp.flush();
      io.checkGuards();
      this.#check();
      if (!this.#restarts) break;
      this.#restart();
    }
    for (let n = 0; n < NETWORKS; n++) this.#reconciler.reconcile(`n${n}`, null);
    this.#reconciler.reconcile('overlay', null);
    this.#reconciler.reconcile('mirrors', null);
    this.#check();
    return this.#transcript;
  }

  /** What a worker has of its own: tables, and a datapath on the flows of the one before. */
  #worker(): [Tables, Datapath] {
    const { io, counters, toAgent, listener } = this.#memory;
    const tables = new Tables(counters, new BridgeTable(SLOTS.entries, SLOTS.overflow));
    const dp = new Datapath(io, tables, counters, toAgent, this.#flows.open(), this.#options);
    dp.flow.seed = 4711;
    takeOverFlows(dp);
    listener.attach(dp);
    return [tables, dp];
  }

  /** The worker ends, between two batches, and another one takes over. */
  #restart(): void {
    this.#restarts = false;
    [this.#tables, this.#dp] = this.#worker();
    this.#check();
    for (const row of snapshot(this.#replica)) this.#tables.apply(row);
    this.#outcomes.add('another worker');
  }

  goesOn(): boolean {
    return !this.#restarts && this.#rounds++ < ROUNDS && !this.#choices.done;
  }

  tick(): void {
    // Port counters are the device's: there is nothing to publish.
  }

  framesForAgent(): void {
    this.#outcomes.add('frames for the agent');
  }

  /** What happens between two batches, after everything was sent. */
  apply(): boolean {
    this.#check();
    this.#outcomes.endOfRound(this.#arrived);
    this.#arrived = [];
    const choices = this.#choices;
    switch (choices.below(13)) {
      case 0:
        this.#configure(choices.below(NETWORKS), choices.chance(224));
        break;
      case 1:
        this.#flipOffloads();
        break;
      case 2:
      case 3:
        this.#agentAnswers();
        break;
      case 4:
        this.#agentSends();
        break;
      case 5:
        this.#memory.io.clock[0] += choices.pick([1, 10, 100, 1000, 100_000]);
        break;
      case 6:
        this.#refuse();
        break;
      case 7:
        this.#loseRow();
        break;
      case 8:
        this.#forced = meddle(this.#dp, choices) || this.#forced;
        break;
      case 10:
        if (this.#hasMirrors) this.#reconciler.reconcile('mirrors', chooseMirrors(choices));
        break;
      case 9:
        this.#restarts = choices.chance(64);
        break;
      default:
        break;
    }
    return choices.chance(128);
  }

  /** What arrives with this step. */
  #step(): number {
    const { io } = this.#memory;
    const choices = this.#choices;
    this.#arrived = [];
    const frames = choices.chance(64) ? choices.below(BATCH + 1) : 1;
    for (let i = 0; i < frames; i++) {
      if (this.#hasOverlay && choices.chance(112)) {
        const { frame, vnet } = chooseTunnelFrame(choices, KNOWN);
        io.place(VIF_ID.physical, frame, vnet);
        this.#arrived.push({ port: VIF_ID.physical, frame, vnet });
        continue;
      }
      const inSession = choices.chance(176);
      const guest = inSession ? choices.below(GUESTS) : 0;
      const port = inSession
        ? vifOf(choices.chance(32) ? choices.below(NETWORKS) : 0, guest)
        : choices.below(LAST_VIF + 1);
      const frame = inSession ? chooseSessionFrame(choices, guest) : chooseFrame(choices);
      const vnet = chooseVnet(frame, choices);
      io.place(port, frame, vnet);
      this.#arrived.push({ port, frame, vnet });
    }
    // The agent's wake-up comes with most batches; without it what they queued is sent by the next step.
    io.ctl[CTL.woken] = choices.chance(32) ? 0 : 1;
    return frames;
  }

  #sent(descriptor: Descriptor): void {
    const { io } = this.#memory;
    const { at, length, port } = descriptor;
    for (let i = at - VNET_LEN; i < at + length; i++)
      this.#transcript = (Math.imul(this.#transcript, 31) + io.bytes[i]) | 0;
    this.#transcript = (Math.imul(this.#transcript, 31) + port) | 0;
    const origin = io.origin(descriptor);
    const arrived = origin ? this.#arrived[io.received.indexOf(origin)] : this.#onlyArrived();
    if (arrived) {
      checkSent(this.#tables, io, descriptor, arrived);
      if (!this.#forced) checkAllowed(this.#tables, io, descriptor, arrived);
    }
    this.#outcomes.sent();
  }

  /** The frame all others come from, where that is sure. */
  #onlyArrived(): Arrived | undefined {
    return this.#arrived.length === 1 ? this.#arrived[0] : undefined;
  }

  #check(): void {
    const { words } = this.#memory.counters;
    let balance = words[HEADER.retiredReceived] - words[HEADER.retiredSent];
    for (let vif = 0; vif <= LAST_VIF; vif++) {
      const at = this.#memory.counters.vifAt(vif);
      balance += words[at + VIF.rxPackets] - words[at + VIF.txPackets];
    }
    for (let reason = 0; reason < DROP_REASONS.length; reason++) balance -= this.#memory.counters.totalDrops(reason);
    balance += words[HEADER.generated] + words[HEADER.copied] - words[HEADER.consumed];
    must(balance === 0, () => `books do not balance: ${JSON.stringify(this.#memory.counters.books())}`);
    must(this.#dp.queued === 0, () => 'frames are queued after a flush');
    checkFlows(this.#dp, this.#tables, LAST_VIF);
    this.#memory.listener.hear(this.#dp, (outcome) => {
      this.#outcomes.add(outcome);
    });
  }

  #configure(index: number, present: boolean): void {
    const network = present ? chooseNetwork(this.#choices, index, this.#hasMirrors ? choosePortMirrors : null) : null;
    this.#networks[index] = network;
    this.#reconciler.reconcile(`n${index}`, network && compiled(index, network));
  }

  #flipOffloads(): void {
    const vif = this.#tables.vifs.get(this.#choices.below(LAST_VIF));
    if (vif) vif.offloads = !vif.offloads;
  }

  #agentAnswers(): void {
    const { toAgent, fromAgent } = this.#memory;
    for (let n = this.#choices.below(8); n > 0; n--) {
      const punted = toAgent.take();
      if (!punted) break;
      const { vif, frame } = punted;
      const command = punted.command as PuntCommand;
      for (const answer of answerPunt({ command, vif, frame }, (id) => this.#guest(id))) {
        must(answer.frame.length >= 14, () => `an answer of ${answer.frame.length} bytes`);
        fromAgent.put(answer.frame, 0, answer.frame.length, answer.vif, 0);
        this.#outcomes.add(`answer to ${command}`);
      }
    }
    this.#takeFromAgent();
  }

  #guest(vif: number): ReturnType<typeof guestConfig> | undefined {
    for (const [index, network] of this.#networks.entries()) {
      for (let guest = 0; guest < GUESTS; guest++) {
        if (vifOf(index, guest) === vif && network?.guests.includes(guest)) return guestConfig(network, guest);
      }
    }
    return undefined;
  }

  #agentSends(): void {
    const frame = chooseFrame(this.#choices).slice(0, RING_FRAME);
    if (frame.length > 0) this.#memory.fromAgent.put(frame, 0, frame.length, this.#choices.below(LAST_VIF + 1), 0);
    this.#takeFromAgent();
  }

  #takeFromAgent(): void {
    for (let made = this.#memory.fromAgent.take(); made; made = this.#memory.fromAgent.take()) inject(this.#dp, made);
  }

  #refuse(): void {
    const { refusing } = this.#memory.io;
    const port = this.#choices.below(LAST_VIF);
    if (refusing.delete(port)) return;
    refusing.set(port, this.#choices.pick(ERRNOS));
  }

  /** The worker's tables lose some rows, or get back all that are missing. */
  #loseRow(): void {
    const rows = snapshot(this.#replica);
    if (this.#choices.chance(128)) {
      for (const row of rows) this.#tables.apply(row);
      return;
    }
    const row = this.#choices.pick(rows);
    if (row.op === 'set') this.#tables.apply(removalOf(row));
  }
}
