import test from 'ava';
import { Fuzzer } from './engine/fuzzer.js';
import { Random } from './engine/random.js';
import { TARGETS } from './targets.js';

/** New inputs tried in a test, in rounds. The long runs are those of scripts/fuzz. */
const ROUNDS = 2;
const SEED = 1;

for (const [name, make] of TARGETS) {
  test.serial(`${name} holds under its seeds and some hundred inputs made of them`, async (t) => {
    t.timeout(60_000);
    const target = make();
    const fuzzer = new Fuzzer(target, { random: new Random(SEED) });
    let finding = await fuzzer.begin(target.seeds());
    for (let round = 0; finding === null && round < ROUNDS; round++) finding = await fuzzer.round();
    if (finding) t.fail(`input ${Buffer.from(finding.input).toString('base64')}: ${finding.error.stack ?? ''}`);
    t.true(fuzzer.progress.runs > 0);
  });
}
