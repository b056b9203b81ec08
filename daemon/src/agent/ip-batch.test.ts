import test from 'ava';
import type { Outcome } from './command.js';
import { IpBatch, NamespaceBatches } from './ip-batch.js';

function recorder(outcome: Partial<Outcome> = {}) {
  const calls: { command: string; input: string | undefined }[] = [];
  const run = (command: readonly string[], input?: string): Promise<Outcome> => {
    calls.push({ command: command.join(' '), input });
    return Promise.resolve({ code: 0, stdout: '', stderr: '', ...outcome });
  };
  return { calls, run };
}

test('all commands go to one process, a line each, words with blanks in quotes', async (t) => {
  const { calls, run } = recorder();
  const batch = new IpBatch<string>();
  batch.add('a', 'link', 'set', 'dev', 'eth0', 'mtu', 1400);
  batch.add('b', 'link', 'set', 'dev', 'eth1', 'alias', 'two words');
  batch.add('b', 'link', 'set', 'dev', 'eth1', 'alias', '');
  t.is((await batch.run(run)).size, 0);
  const input =
    'link set dev eth0 mtu 1400\n' + 'link set dev eth1 alias "two words"\n' + 'link set dev eth1 alias ""\n';
  t.deepEqual(calls, [{ command: 'ip -force -batch -', input }]);
});

test('an empty batch runs nothing', async (t) => {
  const { calls, run } = recorder();
  t.is((await new IpBatch<string>().run(run)).size, 0);
  t.is((await new NamespaceBatches<string>().run(run)).size, 0);
  t.is(calls.length, 0);
});

test('a failure is told to the one whose command it was, the first of several', async (t) => {
  const stderr =
    'RTNETLINK answers: File exists\nCommand failed -:1\n' +
    'Error: ipv4: Nexthop has invalid gateway.\nCommand failed -:3\n' +
    'RTNETLINK answers: No such device\nCommand failed -:4\n';
  const { run } = recorder({ code: 1, stderr });
  const batch = new IpBatch<string>();
  batch.add('a', 'link', 'add', 'x');
  batch.add('b', 'link', 'add', 'y');
  batch.add('c', 'route', 'add', 'z');
  batch.add('c', 'link', 'del', 'z');
  const failures = await batch.run(run);
  t.deepEqual(
    [...failures].map(([owner, { message }]) => [owner, message]),
    [
      ['a', 'ip link add x: File exists'],
      ['c', 'ip route add z: ipv4: Nexthop has invalid gateway.'],
    ],
  );
});

test('a device that vanished before it could be deleted is no failure; one that is missing otherwise is', async (t) => {
  const stderr = 'Cannot find device "x"\nCommand failed -:1\nCannot find device "y"\nCommand failed -:2\n';
  const { run } = recorder({ code: 1, stderr });
  const batch = new IpBatch<string>();
  batch.add('a', 'link', 'delete', 'dev', 'x');
  batch.add('b', 'link', 'set', 'dev', 'y', 'up');
  t.deepEqual([...(await batch.run(run)).keys()], ['b']);
});

test('when ip itself fails, everybody is told', async (t) => {
  for (const run of [
    recorder({ code: 255, stderr: 'nsenter: cannot open /run/netns/x\n' }).run,
    () => Promise.reject(new Error('nsenter: cannot open /run/netns/x')),
  ]) {
    const batch = new IpBatch<string>();
    batch.add('a', 'link');
    batch.add('b', 'link');
    const failures = await batch.run(run, '/run/netns/x');
    t.deepEqual([...failures.keys()], ['a', 'b']);
    t.regex(failures.get('b')?.message ?? '', /cannot open \/run\/netns\/x/);
  }
});

test('words that ip would cut or misread are refused', (t) => {
  for (const word of ['a#b', 'a"b', "a'b", 'a\\b', 'a\nb', 'a\0b']) {
    t.throws(
      () => {
        new IpBatch<string>().add('a', 'link', word);
      },
      { message: /cannot be given to ip/ },
    );
  }
});

test('each namespace has a process of its own', async (t) => {
  const { calls, run } = recorder();
  const batches = new NamespaceBatches<string>();
  batches.add('/run/netns/a', 'one', [['link'], ['route']]);
  batches.add('/run/netns/b', 'two', [['link']]);
  batches.add('/run/netns/a', 'three', [['rule']]);
  await batches.run(run);
  t.deepEqual(calls, [
    { command: 'nsenter --net=/run/netns/a ip -force -batch -', input: 'link\nroute\nrule\n' },
    { command: 'nsenter --net=/run/netns/b ip -force -batch -', input: 'link\n' },
  ]);
});
