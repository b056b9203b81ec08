import test from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { schedule } from './schedule.js';

const SECOND = 1000;
/** So long the process is busy with something else. */
const BUSY_MS = 3 * SECOND;

function collector(): { log: Parameters<typeof schedule>[2]; lines: string[] } {
  const lines: string[] = [];
  const take =
    (level: string) =>
    (...args: readonly unknown[]): void => {
      lines.push(`${level} ${args.map(String).join(' ')}`);
    };
  return { log: { error: take('error'), warn: take('warn'), debug: take('debug') }, lines };
}

test.serial('a timer that comes too late says so in the log, and works on', async (t) => {
  const { log, lines } = collector();
  let done = 0;
  const stop = schedule('* * * * * *', () => (done += 1), log);
  await sleep(SECOND);
  for (const until = Date.now() + BUSY_MS; Date.now() < until;);
  await sleep(2 * SECOND);
  stop();
  t.true(done > 0);
  t.true(
    lines.some((line) => line.startsWith('warn missed execution')),
    lines.join('\n'),
  );
});

test.serial('a task that throws is an error in the log, and the next one is done', async (t) => {
  const { log, lines } = collector();
  let done = 0;
  const work = (): void => {
    done += 1;
    throw new Error('broken');
  };
  const stop = schedule('* * * * * *', work, log);
  await sleep(2.5 * SECOND);
  stop();
  t.true(done >= 2);
  t.true(lines.filter((line) => line.startsWith('error')).length >= 2, lines.join('\n'));
});
