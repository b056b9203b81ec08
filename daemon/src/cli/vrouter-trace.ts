/** `vrouter trace`: what the datapath does with a packet. */
import type { TraceDump, TraceOutcome, TraceStep } from '../control/dumps.js';
import { json, table } from './columns.js';
import { Exit, STATUS } from './exit.js';
import { frameOf } from './pcap.js';
import type { Surroundings } from './tool.js';
import type { TraceArgs } from './vrouter-trace-args.js';

type Live = TraceArgs & { live: string };
type Dry = Exclude<TraceArgs, Live>;

/** Traces what was asked for; returns the text that is not printed yet. Throws Exit when an expectation is not met. */
export function trace(request: TraceArgs, surroundings: Surroundings): Promise<string> {
  return request.live === undefined ? dry(request, surroundings) : live(request, surroundings);
}

async function dry(request: Dry, { connect, readBytes }: Surroundings): Promise<string> {
  const { vmi, packet, hex, pcap, frame: options } = request;
  const frame = pcap ? await captured(pcap, readBytes) : hex;
  const asked = frame === undefined ? { packet: packet ?? '', ...options } : { frame };
  const dump = await connect(request.socket).trace({ vmi, ...asked });
  const text = request.json ? json(dump) : formatTrace(dump);
  expect(request.expect, dump, text);
  return text;
}

async function captured(
  { file, frame }: { readonly file: string; readonly frame: number },
  readBytes: Surroundings['readBytes'],
): Promise<string> {
  const content = await readBytes(file).catch((error: unknown) => {
    throw new Exit(STATUS.refused, `${(error as Error).message}; name a capture file`);
  });
  return frameOf(content, frame, file).toString('hex');
}

async function live(request: Live, { connect, print, progress }: Surroundings): Promise<string> {
  const { live: match, count, timeout } = request;
  let seen = 0;
  for await (const one of connect(request.socket).traceLive({ match, count, timeout })) {
    if ('waiting' in one) {
      progress(`waiting for packets that match, ${timeout} s at most; Ctrl-C ends`);
      continue;
    }
    await print(request.json ? `${JSON.stringify(one)}\n` : `${seen > 0 ? '\n' : ''}${formatTrace(one)}`);
    seen++;
    expect(request.expect, one, '');
  }
  if (seen > 0) return '';
  if (request.expect) throw new Exit(STATUS.refused, `no packet matched in ${timeout} s; send one, or match others`);
  progress(`no packet matched in ${timeout} s`);
  return '';
}

function expect(wanted: TraceOutcome | undefined, { outcome, verdict }: TraceDump, text: string): void {
  if (wanted === undefined || wanted === outcome) return;
  throw new Exit(STATUS.refused, `expected ${wanted}, but it was ${verdict}; look at the steps`, text);
}

/** The packet, a line for each step and for what it rewrote, the agent's answers, and the verdict. */
function formatTrace({ packet, length, steps, lost, verdict, answers }: TraceDump): string {
  const more = lost > 0 ? `  and ${lost} steps more\n` : '';
  const agent = answers.map((answer) => `the agent answers: ${headOf(answer)}${stepsOf(answer.steps)}`).join('');
  return `${headOf({ packet, length })}${stepsOf(steps)}${more}${agent}${verdict}\n`;
}

const headOf = ({ packet, length }: Pick<TraceDump, 'packet' | 'length'>): string => `${packet}, ${length} bytes\n`;

const stepsOf = (steps: readonly TraceStep[]): string => table(steps.flatMap(rowsOf));

function rowsOf({ stage, subject, result, changes }: TraceStep): string[][] {
  const row = [`  ${stage}`, subject, result];
  if (changes.length === 0) return [row];
  const rewritten = changes.map(({ field, from, to }) => `${field} ${from === '' ? '' : `${from} `}-> ${to}`);
  return [row, ['', 'rewrites', rewritten.join(', ')]];
}
