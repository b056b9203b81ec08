import test from 'ava';
import type { Outcome } from './command.js';
import { allowIngress, dropIngress } from './isolation.js';

function nft(outcomes: readonly Partial<Outcome>[] = []) {
  const inputs: string[] = [];
  const run = (command: readonly string[], input = ''): Promise<Outcome> => {
    if (command.join(' ') !== 'nft -f -') throw new Error(command.join(' '));
    inputs.push(input);
    return Promise.resolve({ code: 0, stdout: '', stderr: '', ...outcomes[inputs.length - 1] });
  };
  return { inputs, run };
}

test('every device has a chain of its own that drops, all in one transaction', async (t) => {
  const { inputs, run } = nft();
  await dropIngress(['tapf8659136-11', '0a@b'], run);
  t.deepEqual(inputs, [
    'add table netdev vrouterd\n' +
      'add chain netdev vrouterd port-tapf8659136-11 { type filter hook ingress device "tapf8659136-11" priority -500; policy drop; }\n' +
      'add chain netdev vrouterd port-0a/40b { type filter hook ingress device "0a@b" priority -500; policy drop; }\n',
  ]);
});

test('the table goes with the last chain, and stays for others', async (t) => {
  const last = nft([{ stdout: 'table netdev vrouterd {\n}\n' }]);
  await allowIngress(['tap0'], last.run);
  t.deepEqual(last.inputs, [
    'add table netdev vrouterd\n' +
      'add chain netdev vrouterd port-tap0\n' +
      'delete chain netdev vrouterd port-tap0\n' +
      'list table netdev vrouterd\n',
    'delete table netdev vrouterd\n',
  ]);
  const others = nft([{ stdout: 'table netdev vrouterd {\n\tchain port-tap1 {\n\t}\n}\n' }]);
  await allowIngress(['tap0'], others.run);
  t.is(others.inputs.length, 1);
});

test('no devices, no process', async (t) => {
  const { inputs, run } = nft();
  await dropIngress([], run);
  await allowIngress([], run);
  t.is(inputs.length, 0);
});

test('what nft refuses is an error with its words', async (t) => {
  const { run } = nft([{ code: 1, stderr: 'Error: No such device\n' }]);
  await t.throwsAsync(dropIngress(['tap0'], run), { message: 'nft: Error: No such device' });
});
