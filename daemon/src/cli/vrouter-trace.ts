/** `vrouter trace`: what the datapath does with a packet. */
import type { TraceDump, TraceOutcome, TraceStep, TraceTunnel } from '../control/trace-dumps.js';
import type { Daemon } from './client.js';
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
  const others = await daemonsOf(request.then, connect);
  const journey: Hop[] = [{ host: null, dump }];
  await follow(dump, others, journey);
  const last = journey[journey.length - 1].dump;
  const text = request.json ? json(request.then.length > 0 ? journey : dump) : journeyText(journey, others);
  expect(request.expect, last, text);
  return text;
}

/** What became of the packet on one host; null: on the first. */
interface Hop {
  readonly host: string | null;
  readonly dump: TraceDump;
}

type Others = ReadonlyMap<string, Daemon>;

/** Daemons of other hosts by the names they have. */
async function daemonsOf(sockets: readonly string[], connect: Surroundings['connect']): Promise<Others> {
  const named = sockets.map(async (socket) => {
    const daemon = connect(socket);
    return [(await daemon.status()).host, daemon] as const;
  });
  return new Map(await Promise.all(named));
}

/** Most hosts one packet is followed through: a loop between them ends somewhere. */
const MAX_HOPS = 64;

/** Goes on wherever a packet left for, as far as the daemons there are known. */
async function follow(dump: TraceDump, others: Others, journey: Hop[]): Promise<void> {
  for (const { host, frame } of leaving(dump)) {
    const daemon = host === null ? undefined : others.get(host);
    if (!daemon || frame === null || journey.length >= MAX_HOPS) continue;
    const there = await daemon.trace({ vmi: 'fabric', frame });
    journey.push({ host, dump: there });
    await follow(there, others, journey);
  }
}

/** The tunnels a packet, or what was answered to it, left by. */
const leaving = (dump: TraceDump): TraceTunnel[] => [...dump.tunnels, ...dump.answers.flatMap(leaving)];

/** One list; behind it what to type on the hosts that could not be asked from here. */
function journeyText(journey: readonly Hop[], others: Others): string {
  const parts = journey.map(({ host, dump }) => (host === null ? '' : `on ${host}:\n`) + formatTrace(dump));
  const rest = journey.flatMap(({ dump }) => leaving(dump)).filter(({ host }) => host === null || !others.has(host));
  const commands = rest.flatMap(({ host, address, frame }) =>
    frame === null ? [] : [`on ${host ?? address}: vrouter trace fabric --hex ${frame}\n`],
  );
  return [...parts, ...(commands.length === 0 ? [] : [`to see what becomes of it there:\n${commands.join('')}`])].join(
    '',
  );
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
