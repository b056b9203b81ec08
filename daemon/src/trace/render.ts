import type { TraceChange, TraceDump, TraceOutcome, TraceStep, TraceTunnel } from '../control/trace-dumps.js';
import { HEAD_BYTES, STEP, STEP_WORD, type TraceRecord } from '../datapath/tracer.js';
import type { SentFrame } from '../io/memory.js';
import { DROP_REASONS, DROP_TEXT } from '../packet/drop.js';
import { VIF_ID } from '../tables/records.js';
import { describeStep } from './describe.js';
import type { TraceNames } from './names.js';
import { placesOf } from './places.js';
import { headerFields, packetText } from './packet-text.js';
import type { Step } from './step.js';

const STAGES = Object.keys(STEP);

/** What is known of a packet besides its steps. */
interface Known {
  /** What the agent sends back for it. */
  readonly answers?: readonly TraceDump[];
  /** The whole of it. */
  readonly frame?: Uint8Array;
  /** What left for it. */
  readonly sent?: readonly SentFrame[];
}

/** A record in words. */
export function renderTrace(record: TraceRecord, names: TraceNames, known: Known = {}): TraceDump {
  const { answers = [], frame, sent = [] } = known;
  const all = readSteps(record);
  const steps = withCopies(all);
  const [first] = steps;
  const shown = steps.map((step, i): TraceStep => {
    const { subject, result, ids } = describeStep(step, steps.slice(0, i), names);
    return { stage: STAGES[step.kind], subject, result, changes: changesAfter(step, steps.at(i + 1)), ids };
  });
  return {
    packet: packetText(frame ?? first.head),
    length: first.b,
    vif: first.vif,
    vmi: names.vmiOf(first.vif) ?? null,
    steps: shown,
    lost: record.lost,
    ...verdictOf(steps, shown, names, answers),
    answers,
    tunnels: tunnelsOf(all, names, sent),
  };
}

/** The packet's own tunnels. Frames leave in the order in which they were queued, each after it was wrapped. */
function tunnelsOf(all: readonly Traced[], names: TraceNames, sent: readonly SentFrame[]): TraceTunnel[] {
  const frames = sent.filter(({ port }) => port === VIF_ID.physical);
  const isQueued = ({ kind, a }: Step): boolean => kind === STEP.output && a === VIF_ID.physical;
  return all.flatMap(({ kind, a, b, isCopy }, i) => {
    const tunnel = kind === STEP.tunnel && !isCopy ? names.tables.nexthops.get(a)?.record.tunnel : undefined;
    if (!tunnel) return [];
    const frame = frames.at(all.slice(0, i).filter(isQueued).length);
    return {
      host: names.tables.peers.get(tunnel.peer)?.name ?? null,
      address: tunnel.destination,
      encapsulation: tunnel.encapsulation,
      label: b,
      frame: frame ? Buffer.from(frame.frame).toString('hex') : null,
    };
  });
}

/** A step, and whether it is of a copy for an analyzer. */
interface Traced extends Step {
  readonly isCopy: boolean;
}

/** The packet's own steps, each with those of the copies it made. */
function withCopies(all: readonly Traced[]): Step[] {
  return all.flatMap((step, i) => {
    if (step.isCopy) return [];
    const next = all.findIndex(({ isCopy }, at) => at > i && !isCopy);
    return { ...step, copies: all.slice(i + 1, next < 0 ? all.length : next) };
  });
}

function readSteps({ steps, heads }: TraceRecord): Traced[] {
  const count = steps.length / STEP_WORD.words;
  return Array.from({ length: count }, (_, i) => {
    const word = (name: keyof typeof STEP_WORD): number => steps[i * STEP_WORD.words + STEP_WORD[name]];
    const head = heads.subarray(i * HEAD_BYTES, i * HEAD_BYTES + word('head'));
    const [kind, a, b, c, d] = [word('kind'), word('a'), word('b'), word('c'), word('d')];
    return { kind, a, b, c, d, vrf: word('vrf'), vif: word('vif'), head, copies: [], isCopy: word('copy') === 1 };
  });
}

/** What was rewritten between a step and the next; an answer, and what comes out of a tunnel, is another packet. */
function changesAfter(step: Step, next: Step | undefined): TraceChange[] {
  if (next === undefined || next.kind === STEP.answer || step.kind === STEP.arrival) return [];
  const [before, after] = [headerFields(step.head), headerFields(next.head)];
  return [...after].flatMap(([field, to]) => {
    const from = before.get(field) ?? '';
    return from === to ? [] : [{ field, from, to }];
  });
}

type Verdict = Pick<TraceDump, 'outcome' | 'verdict' | 'drop'>;

function verdictOf(
  steps: readonly Step[],
  shown: readonly TraceStep[],
  names: TraceNames,
  answers: readonly TraceDump[],
): Verdict {
  const places = placesOf(steps, names);
  const dropAt = steps.findIndex(({ kind, b }) => kind === STEP.drop || (kind === STEP.agent && b >= 0));
  const answered = steps.some(({ kind }) => kind === STEP.answer);
  if (places !== '') {
    const outcome: TraceOutcome = answered ? 'answered' : 'sent';
    return { outcome, verdict: answered ? `answered, ${places}` : `sent ${places}`, drop: null };
  }
  const agent = answers.map(({ packet }) => packet).join(', ');
  if (dropAt >= 0) {
    const { kind, a, b } = steps[dropAt];
    const drop = DROP_TEXT[DROP_REASONS[kind === STEP.drop ? a : b]];
    const told = agent === '' ? '' : `; the agent answers: ${agent}`;
    return { outcome: 'dropped', verdict: `dropped: ${shown[dropAt].result}${told}`, drop };
  }
  const waits = steps.findIndex(({ kind }) => kind === STEP.wait);
  if (waits >= 0) return { outcome: 'waits', verdict: shown[waits].result, drop: null };
  const verdict = `given to the agent${agent === '' ? '' : `, which answers: ${agent}`}`;
  return { outcome: 'agent', verdict, drop: null };
}
