import test from 'ava';
import { accountNumbers } from './accounts.js';

test('names become numbers with one question, numbers are what they are', async (t) => {
  const asked: string[] = [];
  const stdout = 'libvirt-qemu:x:64055:109::/var/lib/libvirt:/usr/sbin/nologin\nroot:x:0:0:root:/root:/bin/bash\n';
  const numbers = await accountNumbers(
    'passwd',
    ['libvirt-qemu', 1000, undefined, 'root', 'nosuch', 'root'],
    (command) => {
      asked.push(command.join(' '));
      return Promise.resolve({ code: 2, stdout, stderr: '' });
    },
  );
  t.deepEqual(asked, ['getent passwd -- libvirt-qemu root nosuch']);
  t.deepEqual(
    [...numbers],
    [
      [1000, 1000],
      ['libvirt-qemu', 64055],
      ['root', 0],
    ],
  );
});

test('without names nothing is asked', async (t) => {
  const never = () => Promise.reject(new Error('asked'));
  t.deepEqual([...(await accountNumbers('group', [5, undefined], never))], [[5, 5]]);
});
