import type { TraceChange, TraceDump, TraceOutcome, TraceStep } from '../control/dumps.js';
import { HEAD_BYTES, STEP, STEP_WORD, type TraceRecord } from '../datapath/tracer.js';
import { DROP_REASONS, DROP_TEXT } from '../packet/drop.js';
import { describeStep } from './describe.js';
import type { TraceNames } from './names.js';
import { headerFields, packetText } from './packet-text.js';
import type { Step } from './step.js';

const STAGES = Object.keys(STEP);

/**
 * A record in words.
 * @param answers what the agent sends back for the packet.
 * @param frame the whole packet, where it is known.
 */
export function renderTrace(
  record: TraceRecord,
  names: TraceNames,
  answers: readonly TraceDump[] = [],
  frame?: Uint8Array,
): TraceDump {
  const steps = readSteps(record);
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
  };
}

function readSteps({ steps, heads }: TraceRecord): Step[] {
  const count = steps.length / STEP_WORD.words;
  return Array.from({ length: count }, (_, i) => {
    const word = (name: keyof typeof STEP_WORD): number => steps[i * STEP_WORD.words + STEP_WORD[name]];
    const head = heads.subarray(i * HEAD_BYTES, i * HEAD_BYTES + word('head'));
    const [kind, a, b, c, d] = [word('kind'), word('a'), word('b'), word('c'), word('d')];
    return { kind, a, b, c, d, vrf: word('vrf'), vif: word('vif'), head };
  });
}

/** What was rewritten between a step and the next; an answer is another packet. */
function changesAfter(step: Step, next: Step | undefined): TraceChange[] {
  if (next === undefined || next.kind === STEP.answer) return [];
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
  const sentTo = [...new Set(steps.filter(({ kind }) => kind === STEP.output).map(({ a }) => a))];
  const dropAt = steps.findIndex(({ kind, b }) => kind === STEP.drop || (kind === STEP.agent && b >= 0));
  const answered = steps.some(({ kind }) => kind === STEP.answer);
  if (sentTo.length > 0) {
    const to = sentTo.map((vif) => names.vif(vif)).join(', ');
    const outcome: TraceOutcome = answered ? 'answered' : 'sent';
    return { outcome, verdict: answered ? `answered, out of ${to}` : `sent out of ${to}`, drop: null };
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
