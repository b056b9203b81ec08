import { sleep } from '../../../../integration/dist/lab/process.js';
import type { Path } from './contender.js';
import { type Guest, tool } from './guest.js';

/** What is measured of a contender. */
export interface Values {
  /** Packets a second of 60 and of 1,400 bytes, and the forwarder's CPU time for one, ns. */
  readonly packets60?: number;
  readonly cpu60?: number;
  readonly packets1400?: number;
  readonly cpu1400?: number;
  /** Gbit/s. */
  readonly tcp?: number;
  readonly udp?: number;
  /** Round trips, microseconds: half of them, and 99 of 100, are shorter. */
  readonly idleP50?: number;
  readonly idleP99?: number;
  readonly loadedP50?: number;
  readonly loadedP99?: number;
}
export type Metric = keyof Values;

/** How long the parts of a round take, seconds. */
export interface Durations {
  readonly packets: number;
  /** Whole ones: iperf3 takes no others. */
  readonly tcp: number;
  readonly udp: number;
  readonly roundTrips: number;
}

/** Until a queue is full and a CPU awake, seconds. */
export const WARM_UP = 0.2;
/** Packets a second beside which loaded round trips are measured. */
const LOAD_RATE = 100_000;
const PORT = 5201;

/** One measurement, and how long it takes. */
export interface Measure {
  readonly name: string;
  run(path: Path): Promise<Values>;
}

export function measures(durations: Durations): readonly Measure[] {
  return [
    { name: '60 bytes', run: (path) => packets(path, 60, durations.packets) },
    { name: '1,400 bytes', run: (path) => packets(path, 1400, durations.packets) },
    { name: 'TCP', run: (path) => tcp(path, durations.tcp) },
    { name: 'UDP', run: (path) => udp(path, durations.udp) },
    { name: 'round trips', run: (path) => roundTrips(path, durations.roundTrips) },
    { name: 'round trips under load', run: (path) => loadedRoundTrips(path, durations.roundTrips) },
  ];
}

/** Packets a second that arrive while the other guest sends as many as go, and what they cost the forwarder. */
export async function packets({ a, b, forwarder }: Path, bytes: 60 | 1400, seconds: number): Promise<Values> {
  const over = a.generate(b, { bytes, rate: 0, seconds: WARM_UP + seconds + 0.1 });
  const counted = await count(b, seconds, forwarder);
  await over;
  const rate = counted.packets / counted.seconds;
  const values = bytes === 60 ? { packets60: rate } : { packets1400: rate };
  if (forwarder === undefined || counted.packets === 0) return values;
  const cpu = counted.cpuNs / counted.packets;
  return bytes === 60 ? { ...values, cpu60: cpu } : { ...values, cpu1400: cpu };
}

export async function count(
  { counted }: Guest,
  seconds: number,
  forwarder?: number,
): Promise<{ seconds: number; packets: number; cpuNs: number }> {
  const times = [WARM_UP, seconds].map((time) => String(Math.round(time * 1000)));
  const pids = forwarder === undefined ? [] : [String(forwarder)];
  const text = await counted.namespace.run([tool('meter'), counted.device, counted.column, ...times, ...pids]);
  const [elapsed, received, cpuNs] = text.trim().split(' ').map(Number);
  return { seconds: elapsed, packets: received, cpuNs };
}

/** One TCP stream, as iperf3's receiver saw it. */
export async function tcp({ a, b }: Path, seconds: number): Promise<Values> {
  const server = b.namespace.spawn(['iperf3', '-s', '-1', '-p', String(PORT), '--forceflush']);
  try {
    await server.waitFor(/Server listening/);
    const text = await a.namespace.run(['iperf3', '-c', b.address, '-p', String(PORT), '-t', String(seconds), '-J']);
    const report = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
    return { tcp: report.end.sum_received.bits_per_second / 1e9 };
  } finally {
    await server.stop('SIGKILL');
  }
}

/** UDP payload that arrives, when sender and receiver leave segmentation to the way between them. */
async function udp({ a, b }: Path, seconds: number): Promise<Values> {
  const receiver = b.namespace.spawn([tool('udp'), 'receive', String(PORT)]);
  try {
    await receiver.waitFor(/ready/);
    await a.namespace.run([tool('udp'), 'send', b.address, String(PORT), String(seconds)]);
    return { udp: Number((await receiver.waitFor(/^\d+\.\d+$/m))[0]) };
  } finally {
    await receiver.stop('SIGKILL');
  }
}

async function roundTrips(path: Path, seconds: number): Promise<Values> {
  const trips = await ping(path, seconds);
  return trips ? { idleP50: trips.p50, idleP99: trips.p99 } : {};
}

/** The same beside packets at a rate that every contender can take. */
async function loadedRoundTrips(path: Path, seconds: number): Promise<Values> {
  const over = path.a.generate(path.b, { bytes: 60, rate: LOAD_RATE, seconds: WARM_UP + seconds + 0.1 });
  await sleep(WARM_UP * 1000);
  const trips = await ping(path, seconds);
  await over;
  return trips ? { loadedP50: trips.p50, loadedP99: trips.p99 } : {};
}

/**
 * Microseconds from a small datagram to its echo; undefined when not one came back. `first`: each from another port, and so of a
 * session of its own.
 */
export async function ping(
  { a, b }: Path,
  seconds: number,
  how: 'ping' | 'first' = 'ping',
): Promise<{ p50: number; p99: number } | undefined> {
  const echo = b.namespace.spawn([tool('udp'), 'echo', String(PORT)]);
  try {
    await echo.waitFor(/ready/);
    const command = [tool('udp'), how, b.address, String(PORT), String(seconds)];
    const { code, stdout } = await a.namespace.attempt(command);
    if (code !== 0) return undefined;
    const [p50, p99] = stdout.trim().split(' ').map(Number);
    return { p50, p99 };
  } finally {
    await echo.stop('SIGKILL');
  }
}
