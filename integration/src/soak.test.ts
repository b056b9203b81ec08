/** The short form of `scripts/soak`; its topology is drawn in soak/soak.ts. */
import test from 'ava';
import { Lab } from './lab/lab.js';
import { soak } from './soak/soak.js';

test('guests that stay notice nothing of a minute in which everything else comes, changes, misbehaves and goes', async (t) => {
  t.timeout(240_000);
  const lab = await Lab.create(t);
  const lines: string[] = [];
  const violations = await soak(lab, { minutes: 1, seed: 7, tell: (line) => lines.push(line), verbose: true });
  if (violations.length > 0) t.log(lines.join('\n'));
  t.deepEqual(violations, []);
});
