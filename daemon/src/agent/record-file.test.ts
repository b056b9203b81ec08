import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { RecordFile } from './record-file.js';

function newFile(t: ExecutionContext, more: Partial<ConstructorParameters<typeof RecordFile>[0]> = {}) {
  const path = join(temporaryFolder(t), 'folder', 'records');
  const errors: Error[] = [];
  const options = {
    path,
    maxBytes: 20,
    keep: 2,
    onLost: () => undefined,
    onError: (e: Error) => errors.push(e),
    ...more,
  };
  return { path: options.path, errors, file: new RecordFile({ now: () => 0, ...options }) };
}

const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];

test('a full file is put aside, and the oldest of them goes', async (t) => {
  const { path, file } = newFile(t);
  for (let i = 1; i <= 13; i++) t.true(file.write([`line-${i}`]));
  await file.close();
  const text = [path, `${path}.1`, `${path}.2`].map(linesOf);
  t.deepEqual(text, [['line-13'], ['line-10', 'line-11', 'line-12'], ['line-7', 'line-8', 'line-9']]);
  t.false(existsSync(`${path}.3`));
});

test('lines are added to a file that is there', async (t) => {
  const { path, file } = newFile(t);
  file.write(['one']);
  await file.close();
  file.write(['two']);
  await file.close();
  t.deepEqual(linesOf(path), ['one', 'two']);
});

test('no line is lost, doubled or out of order while files are kept', async (t) => {
  const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(sizes, async (writes) => {
      const { path, file } = newFile(t, { keep: 1000 });
      const all: string[] = [];
      for (const write of writes) {
        const lines = write.map((size) => `${all.length}-${'x'.repeat(size)}`);
        all.push(...lines);
        file.write(lines);
      }
      await file.close();
      const kept: string[] = [];
      for (let i = 1; existsSync(`${path}.${i}`); i++) kept.unshift(...linesOf(`${path}.${i}`));
      t.deepEqual([...kept, ...linesOf(path)], all);
    }),
    { numRuns: 20 },
  );
});

test('a file that was moved away is begun anew when it is opened again', async (t) => {
  const { path, file } = newFile(t, { maxBytes: 1000 });
  file.write(['one']);
  renameSync(path, `${path}.moved`);
  file.reopen();
  file.write(['two']);
  await file.close();
  t.deepEqual([linesOf(`${path}.moved`), linesOf(path)], [['one'], ['two']]);
});

test('a file that cannot be written is complained about once, and tried again later', async (t) => {
  const folder = temporaryFolder(t);
  let now = 0;
  let lost = 0;
  writeFileSync(join(folder, 'file'), '');
  const path = join(folder, 'file', 'records');
  const { file, errors } = newFile(t, { path, now: () => now, onLost: (lines) => (lost += lines) });
  for (now = 0; now < 20_000; now += 1000) t.false(file.write(['line']));
  t.is(errors.length, 1);
  await file.close();
  t.is(lost, 0);
});
