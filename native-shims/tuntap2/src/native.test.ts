import test from 'ava';
import { closeFd, openTap, setOffloads, setPersist } from './native.js';

const BAD_VALUE = { instanceOf: TypeError, code: 'ERR_INVALID_ARG_VALUE' };
const open = openTap as (options?: unknown) => unknown;

test('names the kernel would refuse, cut or expand are refused before any system call', (t) => {
  for (const name of [
    '',
    'sixteen-bytes-ab',
    'a/b',
    'a:1',
    'tap%d',
    'a b',
    'a\tb',
    'a\0b',
    '.',
    '..',
    'ä'.repeat(8),
    7,
    null,
    {},
  ]) {
    t.throws(() => open({ name }), BAD_VALUE, JSON.stringify(name));
  }
});

test('a namespace is a path of bounded length without NUL', (t) => {
  for (const netns of ['', '/run/netns/a\0b', '/'.repeat(4096), 3, null]) t.throws(() => open({ netns }), BAD_VALUE);
});

test('flags are booleans, ids are whole numbers below the reserved one, the mode is one of two', (t) => {
  for (const flag of ['vnetHeader', 'offloads', 'multiQueue', 'persist']) {
    for (const value of [0, 1, 'true', null]) t.throws(() => open({ [flag]: value }), BAD_VALUE);
  }
  for (const id of ['owner', 'group']) {
    for (const value of [-1, 1.5, NaN, Infinity, 0xffffffff, 2 ** 32, '0', 0n])
      t.throws(() => open({ [id]: value }), BAD_VALUE);
  }
  for (const mode of ['TAP', '', 1, null]) t.throws(() => open({ mode }), BAD_VALUE);
});

test('options are an object', (t) => {
  for (const options of [undefined, null, 'tap0', 5]) t.throws(() => open(options), BAD_VALUE);
});

test('offloads without a header to describe them are refused', (t) => {
  t.throws(() => open({ offloads: true }), { ...BAD_VALUE, message: /vnetHeader/ });
});

test('a descriptor is a number that fits an int', (t) => {
  for (const fd of [-1, 2 ** 31, 1.5, NaN, '3', null, undefined]) {
    t.throws(() => {
      closeFd(fd as number);
    }, BAD_VALUE);
    t.throws(() => {
      setPersist(fd as number, true);
    }, BAD_VALUE);
    t.throws(() => {
      setOffloads(fd as number, true);
    }, BAD_VALUE);
  }
});

test('a refusal of the kernel carries code, negative errno and the call', (t) => {
  t.throws(
    () => {
      closeFd(0x7fffffff);
    },
    { code: 'EBADF', message: 'EBADF: bad file descriptor, close' },
  );
  const error = t.throws(() => {
    setPersist(0x7fffffff, true);
  });
  t.like(error, { code: 'EBADF', errno: -9, syscall: 'TUNSETPERSIST' });
});

test('a namespace that does not exist is named with the call that failed', (t) => {
  const error = t.throws(() => open({ netns: '/nonexistent/netns', name: 'tap0' }));
  t.like(error, { code: 'ENOENT', errno: -2, syscall: 'open' });
});
