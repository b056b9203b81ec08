import type { Redis } from 'ioredis';
import type { HostDump } from './host-dumps.js';
import type { KnownHost } from './host-follower.js';
import { type LogId, parseId } from './host-log.js';
import type { HostLease } from './host-route.js';
import { firstId, inOneStep } from './redis-replies.js';

/** Longest wait for what the store has to say, ms. */
const PATIENCE_MS = 2_000;
/** Sequences further apart belong to logs that were begun anew in between. */
const SAME_LOG = 2 ** 24;

/** What the store knows of a host: what is left of its lease, and the end of its log. */
interface Seen {
  readonly leaseMs: number | null;
  readonly end: LogId | null;
}

/** What is shown of other hosts, but for the encapsulation shared with them. `commands`: undefined while the store is away. */
export async function hostDumps(
  hosts: readonly KnownHost[],
  commands: Redis | undefined,
  prefix: string,
): Promise<HostDump[]> {
  const names = hosts.map(({ copy }) => copy.name);
  const seen = await look(names, commands, prefix);
  return hosts.map(({ copy, life }, i) => ({
    name: copy.name,
    self: false,
    ...described(copy.lease),
    encapsulation: null,
    state: life.state,
    leaseMs: seen?.[i].leaseMs ?? null,
    lag: lagOf(copy.position, seen?.[i].end ?? null),
    routes: copy.routes.size,
    invalid: copy.invalid,
    keepaliveMs: life.roundTripMs,
  }));
}

/** What is shown of this host. */
export async function ownDump(
  lease: HostLease,
  counts: { readonly stored: number; readonly unwritten: number },
  commands: Redis | undefined,
  prefix: string,
): Promise<HostDump> {
  const seen = await look([lease.name], commands, prefix);
  return {
    name: lease.name,
    self: true,
    ...described(lease),
    encapsulation: null,
    state: 'alive',
    leaseMs: seen?.[0].leaseMs ?? null,
    lag: { entries: counts.unwritten, ms: 0 },
    routes: counts.stored,
    invalid: 0,
    keepaliveMs: null,
  };
}

function described(lease: HostLease | null): Pick<HostDump, 'tunnelAddress' | 'encapsulations' | 'version'> {
  if (lease === null) return { tunnelAddress: null, encapsulations: [], version: null };
  const { tunnelAddress, encapsulations, version } = lease;
  return { tunnelAddress, encapsulations, version };
}

/** null: the store is away or takes too long. */
async function look(names: readonly string[], commands: Redis | undefined, prefix: string): Promise<Seen[] | null> {
  if (commands === undefined) return null;
  const pipeline = names.reduce(
    (all, name) => all.pttl(`${prefix}host:${name}:lease`).xrevrange(`${prefix}host:${name}:log`, '+', '-', 'COUNT', 1),
    commands.pipeline(),
  );
  const late = AbortSignal.timeout(PATIENCE_MS);
  const replies = await Promise.race([
    inOneStep(pipeline).catch(() => null),
    new Promise<null>((resolve) => {
      late.addEventListener('abort', () => {
        resolve(null);
      });
    }),
  ]);
  if (replies === null) return null;
  return names.map((_, i) => {
    const left = replies[2 * i] as number;
    const end = firstId(replies[2 * i + 1]);
    return { leaseMs: left < 0 ? null : left, end: end === undefined ? null : parseId(end) };
  });
}

function lagOf(position: LogId, end: LogId | null): HostDump['lag'] {
  if (end === null) return null;
  const entries = end.sequence - position.sequence;
  if (entries < 0 || entries > SAME_LOG) return null;
  return { entries, ms: end.ms - position.ms };
}
