/** `vrouter ping`: whether a host answers on the underlay, or how far packets get through the tunnel. */
import type { ProbeDump } from '../control/host-dumps.js';
import { json } from './columns.js';
import type { EchoEvent, Echoes } from './echoes.js';
import { Exit, STATUS } from './exit.js';
import { diagnose, type Diagnosis, hostText, networkText, type Underlay } from './ping-diagnosis.js';
import { formatStatistics, type PingStatistics, statistics } from './ping-statistics.js';
import type { Net, Surroundings } from './tool.js';
import { familyOf, overlayAddress, underlayAddress } from './underlay-target.js';
import type { PingArgs } from './vrouter-ping-args.js';

/** Sends what was asked for, one line for each as it is heard of. Throws Exit with status 1 when there was no answer. */
export async function ping(request: PingArgs, surroundings: Surroundings): Promise<string> {
  const stop = surroundings.net.interrupted();
  return request.network === undefined
    ? underlay(request, surroundings, stop)
    : overlay({ ...request, network: request.network }, surroundings, stop);
}

async function underlay(request: PingArgs, { connect, net, print }: Surroundings, stop: AbortSignal): Promise<string> {
  const address = await underlayAddress(request.target, connect(request.socket), net);
  const say = request.json ? () => Promise.resolve() : print;
  const echoes = await net.echoes(familyOf(address));
  const trips: number[] = [];
  await say(`PING ${request.target} (${address}) 56 data bytes\n`);
  try {
    const { sent, timeMs } = await rounds(request, net, stop, async (sequence) => {
      const { event, ms } = await echo(echoes, address, sequence, request.timeout * 1000, net, stop);
      if (event?.kind === 'reply') trips.push(ms);
      await say(echoLine(event, sequence, ms));
    });
    return end(request, statistics(sent, trips, timeMs), { address });
  } finally {
    echoes.close();
  }
}

async function overlay(
  request: PingArgs & { network: string },
  { connect, net, print }: Surroundings,
  stop: AbortSignal,
): Promise<string> {
  const daemon = connect(request.socket);
  const address = await overlayAddress(request.target, daemon);
  const say = request.json ? () => Promise.resolve() : print;
  const trips: number[] = [];
  const probes: ProbeDump[] = [];
  let reached = 0;
  const question = { network: request.network, address, timeoutMs: Math.round(request.timeout * 1000) };
  const { sent, timeMs } = await rounds(request, net, stop, async (sequence) => {
    const probe = await daemon.probe(question);
    if (probes.length === 0) await say(headOf(probe));
    probes.push(probe);
    if (isReached(probe)) reached++;
    if (isReached(probe) && probe.ms !== null) trips.push(probe.ms);
    await say(probeLine(probe, sequence));
  });
  const numbers = statistics(sent, trips, timeMs, reached);
  const last = probes.at(-1);
  if (!last) return end(request, numbers, { address });
  return end(request, numbers, { address, probe: last, diagnosis: await explain(last, net) });
}

/** Calls `round` once an interval, as often as was asked for, until `stop`. */
async function rounds(
  { count = Infinity, interval }: PingArgs,
  net: Net,
  stop: AbortSignal,
  round: (sequence: number) => Promise<void>,
): Promise<{ sent: number; timeMs: number }> {
  const begun = net.now();
  let sent = 0;
  const goesOn = (): boolean => sent < count && !stop.aborted;
  while (goesOn()) {
    if (sent > 0) await net.sleep(begun + sent * interval * 1000 - net.now(), stop);
    if (goesOn()) await round(++sent);
  }
  return { sent, timeMs: net.now() - begun };
}

/** Sends one echo and waits for what is heard about it; null: nothing. */
export async function echo(
  echoes: Echoes,
  to: string,
  sequence: number,
  timeoutMs: number,
  net: Net,
  stop: AbortSignal,
  hops: number | null = null,
): Promise<{ event: EchoEvent | null; ms: number }> {
  const begun = net.now();
  const wanted = sequence & 0xffff;
  try {
    await echoes.send(to, wanted, hops);
  } catch {
    // The system has no route, or the neighbour is known to be away.
    return { event: null, ms: net.now() - begun };
  }
  for (;;) {
    const left = timeoutMs - (net.now() - begun);
    const event = left > 0 ? await echoes.next(left, stop) : null;
    if (event === null || event.sequence === wanted) return { event, ms: net.now() - begun };
  }
}

function echoLine(event: EchoEvent | null, sequence: number, ms: number): string {
  if (event === null) return `no answer: icmp_seq=${sequence}\n`;
  const { kind, from, bytes, ttl, code } = event;
  const at = `icmp_seq=${sequence}`;
  switch (kind) {
    case 'reply':
      return `${bytes} bytes from ${from}: ${at}${ttl === null ? '' : ` ttl=${ttl}`} time=${ms.toFixed(3)} ms\n`;
    case 'exceeded':
      return `From ${from}: ${at} Time to live exceeded\n`;
    case 'tooBig':
      return `From ${from}: ${at} Packet too big\n`;
    case 'unreachable':
      return `From ${from}: ${at} Destination unreachable (code ${code})\n`;
  }
}

const isReached = ({ outcome }: ProbeDump): boolean => ['reachable', 'local', 'gateway'].includes(outcome);

function headOf(probe: ProbeDump): string {
  const { address, encapsulation, label } = probe;
  const name = networkText(probe);
  const number = encapsulation === 'VXLAN' ? 'VNI' : 'label';
  const through =
    probe.hostAddress === null
      ? ''
      : ` through ${hostText(probe)}, ${encapsulation ?? ''} ${number} ${label === null ? 'none' : label}`;
  return `PING ${address} in ${name}${through}\n`;
}

const PROBLEMS: Readonly<Partial<Record<ProbeDump['outcome'], string>>> = {
  noRoute: 'no route',
  noLabel: 'no shared encapsulation',
  noWay: 'no way to the host',
  unresolved: 'nobody answers for the next hop',
  lost: 'no answer',
  unknownLabel: 'label or VNI not known there',
  unknownAddress: 'address not known there',
  otherInterface: "another interface's label",
};

function probeLine(probe: ProbeDump, sequence: number): string {
  const { outcome, ms } = probe;
  const time = ms === null ? '' : ` time=${ms.toFixed(3)} ms`;
  const problem = PROBLEMS[outcome];
  if (problem !== undefined) return `${problem}: seq=${sequence}${time}\n`;
  return `answer from ${hostText(probe)}: seq=${sequence}${time}\n`;
}

/** Asks the underlay too, where that decides which half is broken. */
async function explain(probe: ProbeDump, net: Net): Promise<Diagnosis> {
  if (probe.outcome !== 'lost' || probe.hostAddress === null) return diagnose(probe, 'unknown');
  return diagnose(probe, await underlayAnswers(probe.hostAddress, net));
}

const TRIES = 2;

async function underlayAnswers(address: string, net: Net): Promise<Underlay> {
  const echoes = await net.echoes(familyOf(address)).catch(() => null);
  if (echoes === null) return 'unknown';
  const never = new AbortController().signal;
  try {
    for (let i = 1; i <= TRIES; i++) {
      const { event } = await echo(echoes, address, i, 1000, net, never);
      if (event?.kind === 'reply') return 'answers';
    }
    return 'silent';
  } finally {
    echoes.close();
  }
}

interface Result {
  readonly address: string;
  readonly probe?: ProbeDump;
  readonly diagnosis?: Diagnosis;
}

function end({ target, json: asJson }: PingArgs, numbers: PingStatistics, { diagnosis, ...result }: Result): string {
  const text = asJson
    ? json({ target, ...result, ...numbers, ...(diagnosis && { diagnosis }) })
    : formatStatistics(target, numbers) + (diagnosis ? `${diagnosis.text}\n` : '');
  if (numbers.received === 0) throw new Exit(STATUS.refused, '', text);
  return text;
}
