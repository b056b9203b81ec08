/**
 *   ┌ a ──────────┐        ┌ b ──────────┐
 *   │ eth0 10.0.0.1├─ veth ─┤eth0 10.0.0.2│
 *   └─────────────┘        └─────────────┘
 */
import test from 'ava';
import { Lab } from './lab/lab.js';
import { run } from './lab/process.js';

test('a laboratory pings, captures and leaves nothing behind', async (t) => {
  let names: readonly string[] = [];
  t.teardown(async () => {
    const list = await run('ip netns list');
    if (names.some((name) => list.includes(name))) throw new Error(`left behind:\n${list}`);
  });
  const lab = await Lab.create(t);
  const a = await lab.namespace('a');
  const b = await lab.namespace('b');
  names = [a.name, b.name];

  await run(['ip', 'link', 'add', 'eth0', 'netns', a.name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', b.name]);
  await a.run('ip link set eth0 up');
  await b.run('ip link set eth0 up');
  await a.run('ip address add 10.0.0.1/24 dev eth0');
  await b.run('ip address add 10.0.0.2/24 dev eth0');
  await a.waitForLink();

  const capture = await b.capture('eth0', 'icmp');
  const answers = await a.ping('10.0.0.2');
  t.true(answers.every((line) => line.includes('ttl=64')));
  t.is(await a.neighbour('10.0.0.2'), await b.mac());
  const frames = await capture.stop();
  t.is(frames.filter((line) => line.includes('ICMP echo request')).length, 2);
  t.is(frames.filter((line) => line.includes('ICMP echo reply')).length, 2);
});
