/**
 *   ┌ a ────────────┐   ┌ host ──────┐   ┌ b ────────────┐
 *   │ eth0 5.5.5.3  ├───┤    blue    ├───┤ eth0 5.5.5.4  │
 *   └───────────────┘   │            │   └───────────────┘
 *   ┌ c ────────────┐   │            │
 *   │ eth0 5.5.5.5  ├───┤            │   c is an analyzer, and mirrored where a test says so
 *   └───────────────┘   └────────────┘
 */
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { StatusDump } from '../../daemon/src/control/dumps.js';
import type { MirrorDump } from '../../daemon/src/control/mirror-dumps.js';
import type { Daemon } from './lab/daemon.js';
import { Lab } from './lab/lab.js';
import { mirrored, mirrorsOf, mirrorTo } from './lab/mirror.js';
import type { Namespace } from './lab/namespace.js';
import { until } from './lab/process.js';
import { type Document, network } from './lab/topology.js';
import { guestPort } from './lab/two-networks.js';

const PINGS = 5;
/** ARP and what else two guests say to each other meanwhile, copies of it included. */
const SIDELINES = 20;

const to = (analyzerName: string, analyzerIp: string, more: Document = {}): Document => ({
  analyzerName,
  analyzerIp,
  ...more,
});
const copies = ({ counters }: MirrorDump): number => counters.ingress.packets + counters.egress.packets;

interface Setup {
  readonly daemon: Daemon;
  readonly a: Namespace;
  readonly b: Namespace;
  readonly c: Namespace;
}

async function setUp(t: ExecutionContext): Promise<Setup> {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  const [a, b, c] = [await lab.namespace('a'), await lab.namespace('b'), await lab.namespace('c')];
  await daemon.apply(network('blue'), guestPort('a', 'blue', a), guestPort('b', 'blue', b), guestPort('c', 'blue', c));
  return { daemon, a, b, c };
}

/** Mirrors of the three guests from now on. */
async function mirror(
  { daemon, a, b, c }: Setup,
  mirrors: Readonly<Record<string, Document[]>>,
  more: Document = {},
): Promise<void> {
  const documents = Object.entries({ a, b, c }).map(([name, guest]) =>
    mirrored(guestPort(name, 'blue', guest, more), ...(mirrors[name] ?? [])),
  );
  await daemon.apply(...documents);
}

/** Pings that are all answered; resolves to how many copies each mirror made of them. */
async function pinged(t: ExecutionContext, { daemon, a }: Setup): Promise<Map<string, number>> {
  const before = new Map((await mirrorsOf(daemon)).map((one) => [one.name, copies(one)]));
  t.is((await a.ping('5.5.5.4', PINGS)).length, PINGS);
  const { books } = (await daemon.dump<StatusDump>('vrouter', 'status')).datapath;
  t.is(books.received + books.generated + books.copied, books.sent + books.dropped + books.consumed);
  return new Map((await mirrorsOf(daemon)).map((one) => [one.name, copies(one) - (before.get(one.name) ?? 0)]));
}

test('whatever is mirrored to whomever, the originals flow, and copies do not multiply', async (t) => {
  const setup = await setUp(t);
  const { daemon, c } = setup;
  const atMost = (made: number | undefined, most: number): void => {
    t.true(made !== undefined && made >= 0 && made <= most + SIDELINES, `${made} copies of ${most}`);
  };

  // Onto itself: the copies come back to the guest whose frames they are of, and are not copied again.
  await mirror(setup, { a: [to('itself', '5.5.5.3')] });
  atMost((await pinged(t, setup)).get('itself'), 2 * PINGS);
  t.regex((await daemon.dump<StatusDump>('vrouter', 'status')).warnings.join('\n'), /mirror to "itself": .*itself/);

  // Onto each other.
  await mirror(setup, { a: [to('b-sees', '5.5.5.4')], b: [to('a-sees', '5.5.5.3')] });
  const mutual = await pinged(t, setup);
  t.true((mutual.get('b-sees') ?? 0) >= 2 * PINGS && (mutual.get('a-sees') ?? 0) >= 2 * PINGS);
  for (const name of ['b-sees', 'a-sees']) atMost(mutual.get(name), 4 * PINGS);

  // Onto a mirrored analyzer: what it is sent as copies is not copied on this host.
  await mirror(setup, { a: [to('c-sees', '5.5.5.5')], c: [to('b-sees', '5.5.5.4')] });
  const chain = await pinged(t, setup);
  t.true((chain.get('c-sees') ?? 0) >= 2 * PINGS);
  atMost(chain.get('b-sees'), PINGS);

  // Onto an address nobody has: nothing is copied, and the counters and the status tell.
  await mirror(setup, { a: [to('nobody', '5.5.5.99')] });
  t.is((await pinged(t, setup)).get('nobody'), 0);
  const nobody = await mirrorTo(daemon, 'nobody');
  t.true(nobody.counters.discards >= 2 * PINGS, JSON.stringify(nobody.counters));
  t.is(nobody.state, 'unresolved');

  // Onto an analyzer that goes: what was copied until then was, and the originals go on.
  await mirror(setup, { a: [to('c-sees', '5.5.5.5')] });
  t.true(((await pinged(t, setup)).get('c-sees') ?? 0) >= 2 * PINGS);
  await daemon.run('vrouter', 'delete vmi c');
  await until('the mirror to a guest that is gone is not resolved', async () =>
    (await mirrorTo(daemon, 'c-sees')).state === 'unresolved' ? true : undefined,
  );
  t.is((await pinged(t, setup)).get('c-sees'), 0);
  await daemon.apply(guestPort('c', 'blue', c));
  await until('it is again when the guest is back', async () =>
    (await mirrorTo(daemon, 'c-sees')).state === 'resolved' ? true : undefined,
  );

  // In packet mode, with all limits: only every other packet, and of it the beginning.
  const limits = { sample: 2, snapLength: 64, rateLimit: 1000 };
  await mirror(setup, { a: [to('c-sees', '5.5.5.5', limits)] }, { packetMode: true });
  const capture = await c.capture('eth0', 'udp port 8099');
  const before = await mirrorTo(daemon, 'c-sees');
  const sampled = (await pinged(t, setup)).get('c-sees') ?? 0;
  const after = await mirrorTo(daemon, 'c-sees');
  t.true(sampled >= PINGS && sampled <= PINGS + SIDELINES, `${sampled} copies`);
  t.true(after.counters.sampledOut - before.counters.sampledOut >= PINGS - 1, JSON.stringify(after.counters));
  const lines = await capture.stop();
  const metadata = 'default-domain:default-project:blue'.length + 4;
  t.true(lines.length >= PINGS - 1);
  for (const line of lines) {
    const length = Number(/UDP, length (\d+)/.exec(line)?.[1]);
    t.true(length <= metadata + 64, line);
  }
  t.true((await daemon.run('vif', '--list')).includes(' Mirror index '));
});
