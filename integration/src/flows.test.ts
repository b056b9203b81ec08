/**
 *   ┌ a ───────────┐   ┌ host ─────────────────────┐   ┌ b ───────────┐
 *   │ eth0 5.5.5.3 ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4 │
 *   └──────────────┘   │   flow -l, -g, -i, -d, -f │   └──────────────┘
 *                      └───────────────────────────┘
 */
import test from 'ava';
import type { FlowDump, FlowTableDump } from '../../daemon/src/control/flow-dumps.js';
import type { Daemon } from './lab/daemon.js';
import { until } from './lab/process.js';
import { portOf, twoGuests } from './lab/topology.js';
import { openTcp } from './lab/tcp.js';

const flows = (daemon: Daemon, match: string): Promise<FlowDump[]> =>
  daemon.dump<FlowDump[]>('flow', ['--match', match]);

/** The flows that match, once there are `count` of them. */
const waitForFlows = (daemon: Daemon, match: string, count: number): Promise<FlowDump[]> =>
  until(`${count} flows match ${match}`, async () => {
    const found = await flows(daemon, match);
    return found.length === count ? found : undefined;
  });

test('a TCP session is a pair of flows from its first packet to its last', async (t) => {
  const { daemon, a, b } = await twoGuests(t);
  const [left, right] = [await portOf(daemon, 'a'), await portOf(daemon, 'b')];
  const session = await openTcp(a, b, '5.5.5.4', 5001);
  const pair = await waitForFlows(daemon, '5.5.5.4:5001 & proto tcp', 2);
  const [there, back] = [...pair].sort((one) => (one.forward ? -1 : 1));
  t.deepEqual([there.reverse, back.reverse], [back.index, there.index]);
  for (const flow of pair) t.like(flow, { action: 'forward', tcp: ['S', 'Sr', 'E', 'Er'], vrf: left.vif.vrf });
  t.like(there, { source: '5.5.5.3', destination: '5.5.5.4', destinationPort: 5001, vif: left.vif.id });
  t.like(back, { source: '5.5.5.4', destination: '5.5.5.3', sourcePort: 5001, vif: right.vif.id });
  t.is(there.sourceInfo, `${left.vif.id}.0.0.0`);
  t.true(there.packets >= 2 && back.packets >= 1);

  const text = await daemon.run('flow', ['-l', '--match', '5.5.5.3, *:5001']);
  t.regex(text, /^Flow table\(size 80609280, entries 629760\)\n\nEntries: Created /);
  t.regex(text, /\nListing flows matching \(\[5\.5\.5\.3\]:\*, \[\*\]:5001\)\n/);
  const line = `${String(there.index).padStart(9)}<=>${String(back.index).padEnd(9)}    5.5.5.3:${there.sourcePort} `;
  t.true(text.includes(line), text);
  t.regex(text, /, Action:F, Flags:, TCP:SSrEEr, QOS:-1, S\(nh\):\d+, {2}Stats:\d+\/\d+, /);

  const details = await daemon.run('flow', ['--get', String(there.index)]);
  t.regex(details, /\nFlow Source {19}\[5\.5\.5\.3\]:\d+\n/);
  t.regex(details, /\nExpected Source {15}NextHop\(Index, VRF, Type\): \d+, \d+, ENCAP\n/);
  t.true(details.includes(`\n${' '.repeat(30)}Matching Route: 5.5.5.4/32\n`), details);
  const named = await daemon.run('flow', ['--match', '5.5.5.3, *:5001', '--names']);
  t.regex(named, /\n Names a \(blue\) -> b \(blue\)/);

  await session.close();
  await waitForFlows(daemon, '*:5001', 0);
});

test('a ping is a pair of flows, and a guest nobody talks to has none', async (t) => {
  const { daemon, a } = await twoGuests(t);
  t.deepEqual(await flows(daemon, '5.5.5.4 & proto tcp'), []);
  await a.ping('5.5.5.4', 3);
  const pair = await flows(daemon, '5.5.5.3, 5.5.5.4 & proto icmp');
  t.is(pair.length, 2);
  // 98 bytes a packet: 56 of data, ICMP, IP and Ethernet headers.
  for (const flow of pair) t.like(flow, { packets: 3, bytes: 3 * 98, tcp: [], destinationPort: 0 });
});

test('a flow that is deleted is made anew by its next packet', async (t) => {
  const { daemon, a, b } = await twoGuests(t);
  const session = await openTcp(a, b, '5.5.5.4', 5001);
  const [old] = await waitForFlows(daemon, '*:5001', 2);
  await daemon.run('flow', ['-i', String(old.index)]);
  t.deepEqual(await flows(daemon, '*:5001'), []);
  await session.say('still here');
  const pair = await waitForFlows(daemon, '*:5001', 2);
  for (const flow of pair) t.true(flow.ageMs < 5000 && flow.action === 'forward');
  const again = await daemon.attempt('flow', ['-i', '629760']);
  t.deepEqual([again.code, again.stderr], [1, 'flow: Flow index 629760 is greater than available indices (629759)\n']);
});

test('a flow can be dropped and let pass again, and stays so', async (t) => {
  const { daemon, a, b } = await twoGuests(t);
  const session = await openTcp(a, b, '5.5.5.4', 5001);
  const there = (await waitForFlows(daemon, '*:5001', 2)).find(({ forward }) => forward);
  const index = String(there?.index);
  await daemon.run('flow', ['-d', index]);
  t.false(await session.arrives('lost at first', 1500));
  const [dropped] = (await flows(daemon, '5.5.5.4:5001')).filter((flow) => flow.forward);
  t.like(dropped, { action: 'drop', index: there?.index });
  await daemon.run('flow', ['-f', index]);
  // TCP sends again what was lost.
  t.true(await session.arrives('lost at first', 10_000, false));
});

test('flows are flushed, all or those that match', async (t) => {
  const { daemon, a } = await twoGuests(t);
  await a.ping('5.5.5.4');
  await a.attempt(['busybox', 'nc', '-w', '1', '5.5.5.4', '5002']);
  const kept = await flows(daemon, 'proto icmp');
  const text = await daemon.run('flow', ['-F', '--match', 'proto tcp']);
  t.regex(text, /^\d+ pairs? deleted\n$/);
  t.deepEqual(await flows(daemon, 'proto tcp'), []);
  t.is((await flows(daemon, 'proto icmp')).length, kept.length);
  await daemon.run('flow', ['-F']);
  t.deepEqual(await flows(daemon, '5.5.5.3'), []);
});

test('a table of the usual size is listed at once', async (t) => {
  const { daemon } = await twoGuests(t);
  await daemon.run('flow', ['-l']);
  const started = performance.now();
  await daemon.run('flow', ['-l']);
  const tookMs = performance.now() - started;
  t.log(`${Math.round(tookMs)} ms, the start of the tool included`);
  // A fraction of a second; a machine that is busy with other things gets its time.
  t.true(tookMs < 5000);
  const { stdout } = await daemon.attempt('flow', ['-s'], { input: 'q' });
  t.regex(stdout, /Flow Statistics\n---------------\n {4}Total {2}Entries/);
  t.like(JSON.parse(await curl(daemon, '/v1/flow-table')) as FlowTableDump, { entries: 629_760, bytes: 80_609_280 });
});

const curl = (daemon: Daemon, path: string): Promise<string> =>
  daemon.namespace.run(['curl', '-s', '--unix-socket', daemon.socket, `http://vrouter${path}`]);
