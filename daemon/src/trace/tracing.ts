import { answerPunt, type GuestConfig } from '../agent/punt.js';
import type { LiveTrace, TraceDump, TraceRequest } from '../control/trace-dumps.js';
import { DEFAULT_SCOPE, fullName, shortName, splitName } from '../control/names.js';
import { RefusedError } from '../control/refused.js';
import type { DatapathOptions } from '../datapath/datapath.js';
import { BRIDGE_SLOTS } from '../tables/bridge.js';
import type { Counters } from '../tables/counters.js';
import type { FlowTable } from '../tables/flow.js';
import type { PuntCommand } from '../tables/punt.js';
import type { Tables } from '../tables/tables.js';
import type { Vif } from '../tables/vif.js';
import { parseMac } from '../wire/addr.js';
import { VIF_ID } from '../tables/records.js';
import { Devices, DryRun, type Outcome } from './dry-run.js';
import { fabricFrame } from './fabric-frame.js';
import { type Guest, linkDestination, MAX_LENGTH, sourceOf, writeFrame } from './frame.js';
import { linkAddressOf } from './link-address.js';
import { type LiveSource, traceLive } from './live.js';
import { parseLiveMatch } from './live-match.js';
import { TraceNames } from './names.js';
import { parsePacket } from './packet-spec.js';
import { renderTrace } from './render.js';

/** What became of an interface of this host. */
interface InterfaceState {
  readonly vif: number;
  readonly state: string;
  readonly reason: string;
}

/** What traces are made from. */
export interface TracingParts {
  /** The agent's replica. */
  readonly tables: Tables;
  readonly flows: FlowTable;
  readonly counters: Counters;
  readonly options: DatapathOptions;
  readonly realiser: {
    /** Undefined: this host has no interface of this full name. */
    stateOf(name: string): InterfaceState | undefined;
    /** Full name of the interface behind a vif. */
    nameOf(vif: number): string | undefined;
    guestOf(vif: number): GuestConfig | undefined;
  };
  readonly worker: LiveSource;
  readonly bridgeSlots?: number;
}

/** Traces packets: those that are not real by a dry run, real ones in the worker. */
export class Tracing {
  readonly #parts: TracingParts;
  /** Devices of the last dry run, for the next. */
  #devices: Devices | null = null;

  constructor(parts: TracingParts) {
    this.#parts = parts;
  }

  /** Says what would become of a packet; nothing does. Throws RefusedError. */
  dryRun(request: TraceRequest): TraceDump {
    const { tables, flows, counters, options, bridgeSlots = BRIDGE_SLOTS } = this.#parts;
    const from = this.#originOf(request);
    // A run that fails half-way leaves its devices in disorder: they are not used again.
    const devices = this.#devices ?? new Devices(bridgeSlots);
    this.#devices = null;
    const run = new DryRun({ tables, flows, counters, options, nowMs: now() }, devices);
    const frame = this.#frameFrom(from, request, run);
    const names = this.#namesOf(run);
    const outcome = run.receive(from.id, frame);
    const answers = this.#answersTo(outcome, run, names);
    const dump = renderTrace(outcome.record, names, { answers, sent: outcome.sent });
    this.#devices = devices;
    return dump;
  }

  /** The next real packets that match (see live-match.ts and live.ts). Throws RefusedError. */
  live(match: string, limits: { count: number; timeoutMs: number }, stop: AbortSignal): AsyncIterable<LiveTrace> {
    const filter = parseLiveMatch(match, (name) => this.#vifNamed(name).id);
    return traceLive(this.#parts.worker, this.#namesOfWorker(), { filter, ...limits }, stop);
  }

  /** The interface a packet comes from. */
  #originOf({ vmi, frame }: TraceRequest): Vif {
    const isFabric = /^fabric(:|$)/.test(vmi) || (vmi === 'vif0/0' && frame !== undefined);
    if (!isFabric) return this.#vifNamed(vmi);
    const underlay = this.#parts.tables.vifs.get(VIF_ID.physical);
    if (underlay) return underlay;
    throw new RefusedError('notFound', 'this host has no underlay interface; see vif --get 0');
  }

  #frameFrom(from: Vif, request: TraceRequest, run: DryRun): Uint8Array {
    if (request.frame !== undefined) return frameFromHex(request.frame);
    if (from.id !== VIF_ID.physical) return this.#frameOf(from, request, run);
    return fabricFrame(request, from, this.#parts.tables);
  }

  /** The interface of a name, or of `vif0/N`. Throws RefusedError when it is not there, or not active. */
  #vifNamed(text: string): Vif {
    const { tables, realiser } = this.#parts;
    const id = /^vif0\/(\d{1,9})$/.exec(text)?.[1];
    const parts = splitName(text, DEFAULT_SCOPE);
    const name = parts ? fullName(parts) : text;
    const state = id === undefined ? realiser.stateOf(name) : { vif: Number(id), state: 'active', reason: '' };
    const subject = id === undefined ? `VirtualMachineInterface/${shortName(name)}` : text;
    if (!state) throw new RefusedError('notFound', `${subject} is not on this host; see vrouter get vmi`);
    const vif = state.vif < 0 ? undefined : tables.vifs.get(state.vif);
    if (vif && vif.record.macs.length > 0) return vif;
    if (id !== undefined) throw new RefusedError('notFound', `there is no guest behind ${text}; see vif --list`);
    throw new RefusedError(
      'notFound',
      `${subject} is not active (${state.reason || state.state}); see vrouter get vmi`,
    );
  }

  #namesOfWorker(): TraceNames {
    const { tables, flows, realiser } = this.#parts;
    return new TraceNames({ tables, flows, nameOf: (vif) => realiser.nameOf(vif), indexOf: (index) => index });
  }

  #namesOf({ flows }: DryRun): TraceNames {
    const { tables, realiser } = this.#parts;
    return new TraceNames({
      tables,
      flows,
      nameOf: (vif) => realiser.nameOf(vif),
      indexOf: (index) => flows.realIndex(index),
    });
  }

  /** The frame the guest would send. */
  #frameOf(vif: Vif, request: TraceRequest, run: DryRun): Uint8Array {
    const { ip, ip6, macs } = vif.record;
    const spec = parsePacket(request.packet ?? '');
    const guest: Guest = { mac: parseMac(macs[0]), ip: ip === '0.0.0.0' ? null : ip, ip6 };
    const from = sourceOf(spec, guest);
    const to = linkDestination(spec);
    const src = request.srcMac === undefined ? guest.mac : macFrom(request.srcMac);
    const dst = request.dstMac === undefined ? this.#resolve(to, from, { vif, guest, run }) : macFrom(request.dstMac);
    return writeFrame(spec, from, { src, dst }, request);
  }

  #resolve(
    to: Uint8Array | string,
    from: string,
    { vif, guest, run }: { vif: Vif; guest: Guest; run: DryRun },
  ): Uint8Array {
    if (typeof to !== 'string') return to;
    const { tables, realiser } = this.#parts;
    const own = to.includes(':') ? guest.ip6 : guest.ip;
    return linkAddressOf(to, own ?? from, { vif, guest, config: realiser.guestOf(vif.id), run, tables });
  }

  /** What the agent sends back for what it was given, each with its own way. */
  #answersTo({ punted }: Outcome, run: DryRun, names: TraceNames): TraceDump[] {
    const { realiser } = this.#parts;
    return punted.flatMap(({ vif, frame, command, parameter }) =>
      answerPunt({ command: command as PuntCommand, parameter, vif, frame }, (id) => realiser.guestOf(id)).map(
        (answer) => this.#rendered(run.fromAgent(answer.vif, answer.frame), names, answer.frame),
      ),
    );
  }

  #rendered({ record, sent }: Outcome, names: TraceNames, frame: Uint8Array): TraceDump {
    return renderTrace(record, names, { frame, sent });
  }
}

/** Milliseconds by the worker's clock. */
const now = (): number => Number(process.hrtime.bigint() / 1_000_000n);

function macFrom(text: string): Uint8Array {
  try {
    return parseMac(text);
  } catch {
    throw new RefusedError('invalid', `'${text}' is not a MAC address; write it as 02:00:00:00:00:01`);
  }
}

function frameFromHex(text: string): Uint8Array {
  const digits = text.replace(/[\s:]/g, '');
  if (!/^([0-9a-f]{2})+$/i.test(digits))
    throw new RefusedError('invalid', 'the frame is not in hex; use two digits a byte');
  if (digits.length / 2 > MAX_LENGTH)
    throw new RefusedError('invalid', `the frame is longer than ${MAX_LENGTH} bytes; cut it`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}
