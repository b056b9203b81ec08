/** `vrouter traceroute`: the hops to a host on the underlay, and through it to an address of a network. */
import type { ProbeDump } from '../control/host-dumps.js';
import { json, table } from './columns.js';
import type { EchoEvent } from './echoes.js';
import { Exit, STATUS } from './exit.js';
import { diagnose, hostText, networkText, type Underlay } from './ping-diagnosis.js';
import type { Net, Surroundings } from './tool.js';
import { familyOf, overlayAddress, underlayAddress } from './underlay-target.js';
import type { TracerouteArgs } from './vrouter-ping-args.js';
import { echo } from './vrouter-ping.js';

/** A hop on the underlay; `from` null: nobody answered. */
interface Hop {
  readonly hop: number;
  readonly from: string | null;
  readonly ms: number | null;
  readonly kind: EchoEvent['kind'] | null;
}

/** Echoes that are not answered, one behind the other, after which the rest is not waited for. */
const SILENT_HOPS = 4;

export function traceroute(request: TracerouteArgs, surroundings: Surroundings): Promise<string> {
  const { network } = request;
  return network === undefined ? underlay(request, surroundings) : overlay(request, network, surroundings);
}

async function underlay(request: TracerouteArgs, { connect, net }: Surroundings): Promise<string> {
  const address = await underlayAddress(request.target, connect(request.socket), net);
  const hops = await hopsTo(address, request, net);
  const reached = isReached(hops);
  const title = `traceroute to ${request.target} (${address}), ${request.maxHops} hops max\n`;
  const text = request.json ? json({ target: request.target, address, reached, hops }) : title + hopTable(hops);
  if (!reached)
    throw new Exit(
      STATUS.refused,
      `${address} was not reached; the last hop that answers is the last that works`,
      text,
    );
  return text;
}

async function overlay(request: TracerouteArgs, network: string, { connect, net }: Surroundings): Promise<string> {
  const daemon = connect(request.socket);
  const address = await overlayAddress(request.target, daemon);
  const probe = await daemon.probe({ network, address, timeoutMs: Math.round(request.timeout * 1000) });
  const { hops, heard } = await between(probe, request, net);
  const diagnosis = diagnose(probe, heard);
  const text = request.json
    ? json({ target: request.target, probe, hops, diagnosis })
    : overlayText(probe, hops, heard) + `${diagnosis.text}\n`;
  if (diagnosis.half !== 'none') throw new Exit(STATUS.refused, '', text);
  return text;
}

/** The hops of the underlay, where a tunnel leads over it; without the right to ask: none. */
async function between(
  { hostAddress }: ProbeDump,
  request: TracerouteArgs,
  net: Net,
): Promise<{ hops: readonly Hop[]; heard: Underlay }> {
  if (hostAddress === null) return { hops: [], heard: 'unknown' };
  try {
    const hops = await hopsTo(hostAddress, request, net);
    return { hops, heard: isReached(hops) ? 'answers' : 'silent' };
  } catch (error) {
    if (error instanceof Exit) return { hops: [], heard: 'unknown' };
    throw error;
  }
}

async function hopsTo(address: string, { maxHops, timeout }: TracerouteArgs, net: Net): Promise<Hop[]> {
  const echoes = await net.echoes(familyOf(address));
  const stop = net.interrupted();
  const hops: Hop[] = [];
  try {
    for (let hop = 1; hop <= maxHops && !stop.aborted; hop++) {
      const { event, ms } = await echo(echoes, address, hop, timeout * 1000, net, stop, hop);
      hops.push({ hop, from: event?.from ?? null, ms: event ? ms : null, kind: event?.kind ?? null });
      if (event !== null && event.kind !== 'exceeded') break;
      if (hops.slice(-SILENT_HOPS).filter(({ from }) => from === null).length === SILENT_HOPS) break;
    }
    return hops;
  } finally {
    echoes.close();
  }
}

const isReached = (hops: readonly Hop[]): boolean => hops.at(-1)?.kind === 'reply';

const hopTable = (hops: readonly Hop[]): string =>
  table(
    hops.map(({ hop, from, ms, kind }) => [String(hop).padStart(2), from ?? '*', timeText(ms) + problemText(kind)]),
  );

const timeText = (ms: number | null): string => (ms === null ? '' : `${ms.toFixed(3)} ms`);
const problemText = (kind: Hop['kind']): string =>
  kind === 'unreachable' ? ' unreachable' : kind === 'tooBig' ? ' packet too big' : '';

/** The way in the order a packet takes it. */
function overlayText(probe: ProbeDump, hops: readonly Hop[], heard: Underlay): string {
  const { address, vrf, nexthop, encapsulation, label, outcome, ms } = probe;
  const name = networkText(probe);
  const rows: string[][] = [['network', `${name}, VRF ${vrf}`, `${address}: nexthop ${nexthop}`]];
  if (probe.hostAddress !== null) {
    const number = label === null ? 'none' : `${encapsulation === 'VXLAN' ? 'VNI' : 'label'} ${label}`;
    rows.push(['tunnel', hostText(probe), `${encapsulation ?? ''} ${number}`]);
    for (const { hop, from, ms: time, kind } of hops)
      rows.push(['underlay', `hop ${hop}`, from ?? '*', timeText(time) + problemText(kind)]);
    if (heard === 'unknown') rows.push(['underlay', 'not asked', 'needs root']);
    rows.push(['host', hostText(probe), ms === null ? 'vrouterd does not answer' : `vrouterd answers ${timeText(ms)}`]);
  }
  if (ms !== null || outcome === 'local') rows.push(['interface', address, FOUND[outcome] ?? outcome]);
  return table(rows);
}

const FOUND: Readonly<Partial<Record<ProbeDump['outcome'], string>>> = {
  reachable: 'is there',
  local: 'is on this host',
  unknownLabel: 'the label or VNI is not known',
  unknownAddress: 'nobody has it',
  otherInterface: "the label is another interface's",
};
