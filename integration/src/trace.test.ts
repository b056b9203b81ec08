/**
 *   ┌ a ───────────┐   ┌ host ─────────────────────┐   ┌ b ───────────┐
 *   │ eth0 5.5.5.3 ├───┤ tapA   vrouterd      tapB ├───┤ eth0 5.5.5.4 │
 *   └──────────────┘   │        network blue       │   └──────────────┘
 *                      │        5.5.5.0/24 l2_l3   │
 *                      └───────────────────────────┘
 */
import test from 'ava';
import type { DropstatsDump, StatusDump } from '../../daemon/src/control/dumps.js';
import type { TraceDump } from '../../daemon/src/control/trace-dumps.js';
import { until } from './lab/process.js';
import { portOf, twoGuests } from './lab/topology.js';

type Row = Pick<TraceDump['steps'][number], 'stage' | 'subject' | 'result' | 'changes'>;

/** Steps without what differs between a packet that is real and one that is not: the identifier of a ping. */
const rows = ({ steps }: TraceDump): Row[] =>
  steps.map(({ stage, subject, result, changes }) => ({
    stage,
    subject: subject.replace(/^(ICMP [\d.]+):\d+/, '$1'),
    result,
    changes,
  }));

test('a live trace of a ping shows the steps of its dry run, which changes nothing', async (t) => {
  const { daemon, a, b } = await twoGuests(t);
  await a.ping('5.5.5.4');
  const created = async () => (await daemon.dump<StatusDump>('vrouter', 'status')).flows.created;
  const before = await created();
  const dry = await daemon.dump<TraceDump>('vrouter', ['trace', 'a', 'icmp 5.5.5.4']);
  t.is(dry.outcome, 'sent');
  t.is(await created(), before);

  const match = 'vmi a & icmp & 5.5.5.3, 5.5.5.4';
  const live = daemon.follow('vrouter', ['trace', '--live', match, '--count', '1', '--json']);
  await live.waitFor(/waiting for packets/);
  t.false(await b.answers('5.5.5.77'));
  await a.ping('5.5.5.4');
  t.is(await live.ended, 0);
  const real = JSON.parse(live.output.slice(live.output.indexOf('{'))) as TraceDump;
  t.deepEqual(rows(real), rows(dry));
});

test('a guest that takes another address cannot talk, and trace, dropstats and vif say why', async (t) => {
  const { daemon, a } = await twoGuests(t);
  const port = await portOf(daemon, 'a');
  await a.run('ip address add 5.5.5.66/24 dev eth0');
  t.false((await a.attempt('ping -c 1 -W 1 -I 5.5.5.66 5.5.5.4')).code === 0);
  const said = await daemon.run('vrouter', ['trace', 'a', 'icmp 5.5.5.66 > 5.5.5.4', '--expect', 'dropped']);
  t.regex(said, /\ndropped: Flow Action Drop \(NoSrcRt: its source address is not the interface's\)\n$/);
  t.true((await daemon.dump<DropstatsDump>('dropstats'))['Flow Action Drop'] > 0);
  t.regex(await daemon.run('vif', `--get ${port.vif.id} --get-drop-stats`), /Flow Action Drop +[1-9]/);
});

test('a guest that takes another MAC cannot talk, and trace, dropstats and vif say why', async (t) => {
  const { daemon, a } = await twoGuests(t);
  const port = await portOf(daemon, 'a');
  const mac = '02:00:00:00:00:99';
  await a.run(`ip link set eth0 address ${mac}`);
  await a.run(`ip neighbour replace 5.5.5.4 lladdr ${(await portOf(daemon, 'b')).mac} dev eth0`);
  t.false((await a.attempt('ping -c 1 -W 1 5.5.5.4')).code === 0);
  const said = await daemon.run('vrouter', ['trace', 'a', 'icmp 5.5.5.4', '--src-mac', mac]);
  t.regex(
    said,
    new RegExp(`\\ndropped: Flow Action Drop \\(NoSrcRt: its source MAC ${mac} is not the interface's\\)\\n$`),
  );
  const drops = await until('the drop is counted', async () => {
    const { ['Flow Action Drop']: refused } = await daemon.dump<DropstatsDump>('dropstats');
    return refused > 0 ? refused : undefined;
  });
  t.true(drops > 0);
  t.regex(await daemon.run('vif', `--get ${port.vif.id} --get-drop-stats`), /Flow Action Drop +[1-9]/);
});

test('one live trace runs at a time, and ends with its tool', async (t) => {
  const { daemon } = await twoGuests(t);
  const first = daemon.follow('vrouter', 'trace --live any --timeout 60');
  await first.waitFor(/waiting for packets/);
  const refused = await daemon.attempt('vrouter', 'trace --live any');
  t.deepEqual([refused.code, refused.stderr], [1, 'vrouter: another live trace runs; wait until it has ended\n']);
  await first.stop();
  const outcome = await until('the trace has ended', async () => {
    const { code, stderr } = await daemon.attempt('vrouter', 'trace --live arp --timeout 0.2');
    return code === 0 ? stderr : undefined;
  });
  t.regex(outcome, /no packet matched in 0.2 s/);
});
