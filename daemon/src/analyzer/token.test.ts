import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

import { temporaryFolder } from '../testing/temporary-folder.js';
import { checkFor, loadToken } from './token.js';

test('without a file each token is a new one', async (t) => {
  const [a, b] = await Promise.all([loadToken(), loadToken()]);
  t.true(a.isNew);
  t.regex(a.token, /^[\w-]{43}$/);
  t.not(a.token, b.token);
});

test('a file that is missing is written for its owner alone, and read the next time', async (t) => {
  const file = join(temporaryFolder(t), 'token');
  const made = await loadToken(file);
  t.true(made.isNew);
  t.is(statSync(file).mode & 0o777, 0o600);
  t.is(readFileSync(file, 'utf8'), `${made.token}\n`);
  t.deepEqual(await loadToken(file), { token: made.token, isNew: false });
});

test('a token that is easily guessed, and a file that cannot be read, are refused', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'token');
  writeFileSync(file, 'secret\n');
  await t.throwsAsync(loadToken(file), { message: /has less than 16 characters/ });
  await t.throwsAsync(loadToken(folder), { code: 'EISDIR' });
});

test('only the whole token, as a bearer token, is accepted', (t) => {
  const isAllowed = checkFor('0123456789abcdef');
  t.true(isAllowed('Bearer 0123456789abcdef'));
  t.true(isAllowed('bearer  0123456789abcdef '));
  for (const header of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    '0123456789abcdef',
    'Basic 0123456789abcdef',
    'Bearer 0123456789abcde',
    'Bearer 0123456789abcdeF',
    'Bearer 0123456789abcdef x',
  ]) {
    t.false(isAllowed(header), header);
  }
});
