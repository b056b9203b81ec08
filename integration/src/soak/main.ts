/** Called by scripts/soak: arguments, signals, exit code. */
import { parseArgs } from 'node:util';
import { Lab } from '../lab/lab.js';
import { soak } from './soak.js';

const USAGE_ERROR = 2;
/** What a shell says of a command that Ctrl-C ended. */
const INTERRUPTED = 130;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  process.stderr.write('soak: --minutes takes a number above 0, --seed a whole number; see --help\n');
  process.exit(USAGE_ERROR);
}

const tell = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    tell(`${name}: ending early`);
    stop.abort();
  });
}

const lab = await Lab.open();
try {
  tell(`soak of ${minutes} minutes, seed ${seed}`);
  const violations = await soak(lab, { minutes, seed, tell, verbose: values.verbose, signal: stop.signal });
  process.exitCode = violations.length > 0 ? 1 : stop.signal.aborted ? INTERRUPTED : 0;
} finally {
  await lab.close();
}
