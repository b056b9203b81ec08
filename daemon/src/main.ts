import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type Logger, pino } from 'pino';
import { type Daemon, startDaemon } from './compose.js';
import { type Config, lastingChanges, readConfig } from './config.js';

const DEFAULT_CONFIG = '/etc/vrouterd/vrouterd.yaml';
const USAGE_ERROR = 2;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The daemon's process: arguments, configuration, start, signals, stop. */
async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('vrouterd')
    .description('Virtual router of this host: ports, networks and forwarding between them')
    .version(version)
    .option('--config <file>', 'configuration file', DEFAULT_CONFIG)
    .option('--check', 'only check the configuration file')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : USAGE_ERROR));
  program.parse(argv, { from: 'user' });
  const options = program.opts<{ config: string; check?: true }>();
  try {
    const config = readConfig(options.config);
    if (options.check) {
      process.stdout.write(`${options.config} is valid\n`);
      return;
    }
    await run(config, options.config);
  } catch (error) {
    // What keeps a daemon from starting is told in one line; where it comes from, to who wants to know.
    process.stderr.write(`vrouterd: ${(error as Error).message}\n`);
    if (process.env.LOG_LEVEL === 'debug') process.stderr.write(`${(error as Error).stack ?? ''}\n`);
    process.exitCode = 1;
  }
}

async function run(config: Config, file: string): Promise<void> {
  const log = pino({ level: levelOf(config), base: { host: config.host } });
  const daemon = await startDaemon(config, version, log);
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    daemon.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  process.on('SIGHUP', () => {
    reload(daemon, config, file, log).catch((error: unknown) => {
      log.error({ err: error }, 'the configuration was not read again; the daemon goes on with what it had');
    });
  });
}

const levelOf = ({ logLevel }: Config): string => logLevel ?? process.env.LOG_LEVEL ?? 'info';

/** Reads the configuration file again. What cannot change while the daemon runs is named, and stays as it was at the start. */
async function reload(daemon: Daemon, started: Config, file: string, log: Logger): Promise<void> {
  const config = readConfig(file);
  const needsRestart = lastingChanges(started, config);
  if (needsRestart.length > 0) log.warn({ fields: needsRestart }, 'these fields change with the next start');
  log.level = levelOf(config);
  await daemon.reload({ ...started, flowAgeing: config.flowAgeing, sessions: config.sessions });
  log.info({ file }, 'configuration read again');
}

await main(process.argv.slice(2));
