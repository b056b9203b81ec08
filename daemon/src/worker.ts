import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { mapFile, PacketIo, PORT } from 'packet-io';
import type { PortHandle, WorkerCommand, WorkerEvent, WorkerStart } from './datapath/commands.js';
import { Datapath } from './datapath/datapath.js';
import { flowCommand, takeOverFlows } from './datapath/flow-upkeep.js';
import { inject } from './datapath/inject.js';
import { SessionTeller } from './datapath/session-teller.js';
import { runLoop } from './datapath/loop.js';
import { inlineDeeply } from './datapath/optimiser.js';
import { type TraceFilter, Tracer } from './datapath/tracer.js';
import { FrameRing } from './packet/frame-ring.js';
import { Counters, HEADER, VIF } from './tables/counters.js';
import { BRIDGE_SLOTS } from './tables/bridge.js';
import { FlowTable } from './tables/flow.js';
import { SessionEvents } from './tables/session-events.js';
import { Tables } from './tables/tables.js';

/**
 * The datapath worker: a thread that never returns to its event loop. It names the real device, and carries out the
 * main thread's commands between batches.
 */

/** Commands and frames from the agent carried out in one round at most, so that packets never wait long. */
const COMMANDS_A_ROUND = 16;
const FRAMES_A_ROUND = 64;

const port = parentPort;
if (!port) throw new Error('the datapath worker runs in a worker thread');
const start = workerData as WorkerStart;

inlineDeeply();
const counters = new Counters(mapFile(start.countersPath, Counters.bytesFor(BRIDGE_SLOTS)), BRIDGE_SLOTS);
const tables = new Tables(counters);
const io = new PacketIo({ wakeFd: start.wakeFd });
const toAgent = new FrameRing(start.toAgent);
const fromAgent = new FrameRing(start.fromAgent);
const flows = new FlowTable(mapFile(start.flowsPath, FlowTable.bytesFor(start.flowSize)), start.flowSize);
const dp = new Datapath(io, tables, counters, toAgent, flows, start.options);
dp.flow.sessions = new SessionTeller(flows, new SessionEvents(start.sessionEvents), isLogged, io.clock);
takeOverFlows(dp);
let goesOn = true;

/** Whether sessions that the rule decides are always told. */
function isLogged(rule: number): boolean {
  return rule !== -1 && tables.acls[rule >>> 16]?.record.rules[rule & 0xffff]?.log === true;
}

function tell(event: WorkerEvent): void {
  (port as MessagePort).postMessage(event);
}

function carryOut(command: WorkerCommand): void {
  switch (command.kind) {
    case 'changes':
      for (const change of command.changes) tables.apply(change);
      break;
    case 'attach':
      attach(command.port);
      break;
    case 'detach':
      io.detach(command.vif);
      break;
    case 'flow':
      flowCommand(dp, command.op, command.index, command.generation);
      break;
    case 'age':
      dp.flow.ageing.push(command.pairs);
      break;
    case 'trace':
      dp.tracer = command.filter && tracerFor(command.filter, command);
      break;
    case 'stop':
      goesOn = false;
      break;
  }
  counters.words[HEADER.applied] = command.sequence;
}

/** Tells the main thread of the next packets that pass, and is gone after them. */
function tracerFor(filter: TraceFilter, { count, sequence }: { count: number; sequence: number }): Tracer {
  let left = count;
  return new Tracer(dp, filter, (record) => {
    tell({ kind: 'traced', sequence, record });
    if (--left === 0) dp.tracer = null;
  });
}

function attach({ vif, device, fd, vnetHeader }: PortHandle): void {
  try {
    if (device === 'tap') io.attachTap(vif, fd, { vnetHeader });
    else io.attachPacketSocket(vif, fd, { vnetHeader });
    const known = tables.vifs.get(vif);
    if (!known) return;
    known.offloads = vnetHeader;
    known.takesUdpSuperFrames = true;
    known.kernelDropsSeen = 0;
    known.rxErrorsSeen = 0;
  } catch (error) {
    tell({ kind: 'portLost', vif, reason: (error as Error).message });
  }
}

/** What the kernel and the device counted of each port, in the counters everybody sees. */
function publishPortCounters(): void {
  for (const vif of tables.vifs.entries()) {
    const from = vif.id * PORT.words;
    const to = counters.vifAt(vif.id);
    counters.words[to + VIF.kernelDrops] += io.portCounters[from + PORT.kernelDrops] - vif.kernelDropsSeen;
    counters.words[to + VIF.rxErrors] += io.portCounters[from + PORT.rxErrors] - vif.rxErrorsSeen;
    vif.kernelDropsSeen = io.portCounters[from + PORT.kernelDrops];
    vif.rxErrorsSeen = io.portCounters[from + PORT.rxErrors];
    if (io.portCounters[from + PORT.gone] === 1)
      tell({ kind: 'portLost', vif: vif.id, reason: 'its device was deleted' });
  }
}

/** Carries out what waits, a bounded part of it; returns whether more waits. */
function apply(): boolean {
  let left = COMMANDS_A_ROUND;
  for (; left > 0; left--) {
    const message = receiveMessageOnPort(port as MessagePort) as { message: WorkerCommand } | undefined;
    if (!message) break;
    carryOut(message.message);
  }
  if (left < COMMANDS_A_ROUND) tell({ kind: 'applied' });
  fromAgent.beginTaking();
  let frames = FRAMES_A_ROUND;
  for (; frames > 0; frames--) {
    const made = fromAgent.take();
    if (!made) break;
    inject(dp, made);
  }
  return left === 0 || frames === 0;
}

tell({ kind: 'ready' });
runLoop(dp, io, {
  apply,
  tick: publishPortCounters,
  goesOn: () => goesOn,
  framesForAgent: () => {
    if (toAgent.shouldNotify()) tell({ kind: 'frames' });
  },
});
io.close();
