// Runs ava for each suite named on the command line, shows one line a test as it ends and the whole report of those that failed.
// The last line is `N passed, N failed` over all suites. Exits with 1 when anything failed.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const CONFIG = { unit: [], integration: ['--config', 'integration/ava.config.js'] };
const total = { passed: 0, failed: 0, skipped: 0 };

/** Minutes and seconds since the start: what took long is seen. */
function elapsed() {
  const seconds = Math.floor(performance.now() / 1000);
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Reads one run's TAP (testanything.org, version 13) and adds it to the total. */
async function runSuite(name) {
  console.log(`\n${name} tests`);
  const ava = spawn('ava', [...CONFIG[name], '--tap'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve, reject) => ava.on('error', reject).on('close', resolve));
  const failedBefore = total.failed;
  let showsReport = false;
  for await (const line of createInterface({ input: ava.stdout })) {
    const result = /^(not )?ok \d+ - (.*?)( # (?:SKIP|TODO).*)?$/.exec(line);
    if (result === null) {
      if (showsReport || line.startsWith('    #')) console.log(line);
      continue;
    }
    const [, not, title, directive] = result;
    const outcome = directive !== undefined ? 'skipped' : not !== undefined ? 'failed' : 'passed';
    showsReport = outcome === 'failed';
    total[outcome] += 1;
    console.log(`  ${outcome.padEnd(8)}${elapsed()}  ${title}`);
  }
  const code = await ended;
  // ava can fail without a failed test: no test file, a crash of ava itself.
  if (code !== 0 && total.failed === failedBefore) {
    console.log(`  failed  ava ended with exit code ${code}`);
    total.failed += 1;
  }
}

for (const name of process.argv.slice(2)) await runSuite(name);
if (total.skipped > 0) console.log(`\n${total.skipped} skipped`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
