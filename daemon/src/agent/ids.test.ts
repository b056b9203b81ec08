import { appendFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Ids } from './ids.js';

const FIRST = { vif: 3, vrf: 1, nexthop: 16 } as const;
const newFile = (): string => join(mkdtempSync(join(tmpdir(), 'vrouter-ids-')), 'ids.jsonl');

test('every key gets the lowest free number of its kind, always the same', (t) => {
  const ids = new Ids(newFile(), FIRST);
  t.is(ids.get('vif', 'a'), 3);
  t.is(ids.get('vif', 'b'), 4);
  t.is(ids.get('vrf', 'a'), 1);
  t.is(ids.get('vif', 'a'), 3);
});

test('numbers are the same after a restart', (t) => {
  const file = newFile();
  const before = new Ids(file, FIRST);
  for (const key of ['a', 'b', 'c']) before.get('vif', key);
  before.release('vif', 'a');
  const after = new Ids(file, FIRST);
  t.is(after.get('vif', 'c'), 5);
  t.is(after.get('vif', 'b'), 4);
  t.is(after.get('vif', 'd'), 3);
});

test('a line cut short by a kill costs nothing else', (t) => {
  const file = newFile();
  new Ids(file, FIRST).get('vif', 'a');
  appendFileSync(file, '{"kind":"vif","key":"b","i');
  const ids = new Ids(file, FIRST);
  t.is(ids.get('vif', 'a'), 3);
  t.is(ids.get('vif', 'b'), 4);
  t.is(new Ids(file, FIRST).get('vif', 'b'), 4);
});

test('the file does not keep what was given back', (t) => {
  const file = newFile();
  const ids = new Ids(file, FIRST);
  for (let i = 0; i < 50; i++) {
    ids.get('vif', `guest ${i}`);
    ids.release('vif', `guest ${i}`);
  }
  t.deepEqual(new Ids(file, FIRST).keys('vif'), []);
  t.is(readFileSync(file, 'utf8'), '');
});
