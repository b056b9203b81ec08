import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ID_RANGES } from '../testing/plans.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { Ids } from './ids.js';

const RANGES = { ...ID_RANGES, vrf: { first: 1, end: 3 } } as const;
const newFile = (t: ExecutionContext): string => join(temporaryFolder(t), 'ids.jsonl');

test('every key gets the lowest free number of its kind, always the same', (t) => {
  const ids = new Ids(newFile(t), RANGES);
  t.is(ids.get('vif', 'a'), 3);
  t.is(ids.get('vif', 'b'), 4);
  t.is(ids.get('vrf', 'a'), 1);
  t.is(ids.get('vif', 'a'), 3);
});

test('numbers are the same after a restart', (t) => {
  const file = newFile(t);
  const before = new Ids(file, RANGES);
  for (const key of ['a', 'b', 'c']) before.get('vif', key);
  before.release('vif', 'a');
  const after = new Ids(file, RANGES);
  t.is(after.get('vif', 'c'), 5);
  t.is(after.get('vif', 'b'), 4);
  t.is(after.get('vif', 'd'), 3);
});

test('a line cut short by a kill costs nothing else', (t) => {
  const file = newFile(t);
  new Ids(file, RANGES).get('vif', 'a');
  appendFileSync(file, '{"kind":"vif","key":"b","i');
  const ids = new Ids(file, RANGES);
  t.is(ids.get('vif', 'a'), 3);
  t.is(ids.get('vif', 'b'), 4);
  t.is(new Ids(file, RANGES).get('vif', 'b'), 4);
});

test('the file does not keep what was given back', (t) => {
  const file = newFile(t);
  const ids = new Ids(file, RANGES);
  for (let i = 0; i < 50; i++) {
    ids.get('vif', `guest ${i}`);
    ids.release('vif', `guest ${i}`);
  }
  t.deepEqual(new Ids(file, RANGES).keys('vif'), []);
  t.is(readFileSync(file, 'utf8'), '');
});

test('the file of a daemon that runs for years while guests come and go stays small', (t) => {
  const file = newFile(t);
  const ids = new Ids(file, RANGES);
  ids.get('vif', 'stays');
  for (let i = 0; i < 2_000; i++) {
    ids.get('vif', `guest ${i}`);
    ids.release('vif', `guest ${i}`);
  }
  t.true(readFileSync(file, 'utf8').split('\n').length < 1_100);
  t.deepEqual(new Ids(file, RANGES).keys('vif'), ['stays']);
});

test('more objects than there are numbers are refused', (t) => {
  const ids = new Ids(newFile(t), RANGES);
  ids.get('vrf', 'a');
  ids.get('vrf', 'b');
  t.throws(() => ids.get('vrf', 'c'), { message: /all 2 vrf numbers of this host are in use/ });
  ids.release('vrf', 'a');
  t.is(ids.get('vrf', 'c'), 1);
});

test('a label is the same after a restart, and one given back means nothing for long, restarts or not', (t) => {
  const file = newFile(t);
  const before = new Ids(file, RANGES);
  t.deepEqual([before.get('label', 'a'), before.get('label', 'b')], [16, 17]);
  before.release('label', 'a');
  const after = new Ids(file, RANGES);
  t.is(after.get('label', 'b'), 17);
  t.is(after.get('label', 'c'), 18);
  after.release('label', 'c');
  const again = new Ids(file, RANGES);
  t.is(again.get('label', 'a'), 19);
  t.is(again.find('label', 'c'), undefined);
});
