/** Traffic between guests that stay: pings and TCP streams that run as long as the soak does, and must not notice it. */
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../lab/namespace.js';
import type { Background } from '../lab/process.js';
import type { Interruptions } from './interruptions.js';
import type { Report } from './report.js';

const STREAM = fileURLToPath(new URL('stream.js', import.meta.url));
/** Seconds between two pings. */
const PING_SECONDS = 0.2;
/** An answer that did not come so long after the next request is lost, ms. */
const LOST_AFTER_MS = 5_000;
/** Part of the pings that may be lost when nothing was interrupted: floods and bursts fill queues. */
const LOSS_ALLOWED = 0.01;
/** A few may be lost however short the run is. */
const LOSSES_ALLOWED = 5;
/** Longest time a stream may stand still when nothing was interrupted, ms: TCP doubles its patience each time, up to this. */
const STILL_MS = 20_000;

/** Something that runs between two guests. */
export interface Traffic {
  readonly name: string;
  /** One line on how it went; violations go to the report. */
  conclude(): string;
  /** Looks for what went wrong since the last look. */
  check(): void;
  /** Stops and continues the sender. */
  pause(paused: boolean): void;
}

interface Surroundings {
  readonly report: Report;
  readonly interruptions: Interruptions;
}

/** Splits text into lines, keeping what has no end yet. */
function lineReader(take: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  };
}

/** Reports an end that nobody asked for. */
function watchEnd(process: Background, name: string, { report }: Surroundings): () => void {
  let reported = false;
  return () => {
    if (process.running || reported) return;
    reported = true;
    report.violation(`${name} ended: ${process.output.trim().split('\n').slice(-2).join('; ')}`);
  };
}

export function startPing(from: Namespace, address: string, name: string, surroundings: Surroundings): Traffic {
  const { report, interruptions } = surroundings;
  /** Requests not answered yet, with the time it was noticed. */
  const missing = new Map<number, number>();
  let answered = 0;
  let excused = 0;
  let lost = 0;
  const take = (line: string): void => {
    const sequence = Number(/icmp_seq=(\d+)/.exec(line)?.[1]);
    if (line.includes('no answer yet')) missing.set(sequence, Date.now());
    else if (line.includes('bytes from')) {
      answered++;
      missing.delete(sequence);
    }
  };
  const ping = from.spawn(['ping', '-n', '-O', '-i', String(PING_SECONDS), address], { onOutput: lineReader(take) });
  const checkEnd = watchEnd(ping, name, surroundings);
  const settle = (): void => {
    for (const [sequence, time] of missing) {
      if (Date.now() - time < LOST_AFTER_MS) continue;
      missing.delete(sequence);
      if (interruptions.covers(time)) excused++;
      else lost++;
    }
  };
  return {
    name,
    check() {
      checkEnd();
      settle();
    },
    pause: () => undefined,
    conclude() {
      settle();
      const allowed = LOSSES_ALLOWED + Math.ceil(LOSS_ALLOWED * answered);
      if (answered === 0) report.violation(`${name}: no ping was answered`);
      if (lost > allowed) report.violation(`${name}: ${lost} pings lost outside of interruptions, ${allowed} allowed`);
      return `${answered} answered, ${excused} lost in interruptions, ${lost} else`;
    },
  };
}

/** Starts a stream of `rate` bytes a second; `address` is that of `to`. */
export async function startStream(
  [from, to]: readonly [Namespace, Namespace],
  [address, port, rate]: readonly [string, number, number],
  name: string,
  surroundings: Surroundings,
): Promise<Traffic> {
  const { report, interruptions } = surroundings;
  let bytes = 0;
  let progressAt = Date.now();
  let isStill = false;
  const take = (line: string): void => {
    if (!line.startsWith('{')) return;
    const now = (JSON.parse(line) as { bytes: number }).bytes;
    if (now > bytes) progressAt = Date.now();
    bytes = now;
  };
  const receiver = to.spawn([process.execPath, STREAM, 'receive', String(port)], { onOutput: lineReader(take) });
  await receiver.waitFor(/listening/);
  const sender = from.spawn([process.execPath, STREAM, 'send', address, String(port), String(rate)], {
    onOutput: () => undefined,
  });
  const checkEnds = [
    watchEnd(sender, `${name}, sender`, surroundings),
    watchEnd(receiver, `${name}, receiver`, surroundings),
  ];
  const check = (): void => {
    for (const checkEnd of checkEnds) checkEnd();
    const still = interruptions.calmSince(progressAt) > STILL_MS;
    if (still && !isStill) report.violation(`${name} stands still at ${bytes} bytes`);
    isStill = still;
  };
  return {
    name,
    check,
    pause(paused) {
      sender.child.kill(paused ? 'SIGSTOP' : 'SIGCONT');
      progressAt = Date.now();
    },
    conclude() {
      check();
      if (bytes === 0) report.violation(`${name}: no byte arrived`);
      return `${(bytes / 2 ** 20).toFixed(1)} MB arrived and were as sent`;
    },
  };
}
