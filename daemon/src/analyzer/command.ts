/** `vrouter analyzer`: receives what vRouters mirror. Needs no daemon. */
import { Command } from 'commander';

import { Exit, STATUS } from '../cli/exit.js';
import { parse } from '../cli/tool.js';
import type { Tool } from '../cli/tool.js';
import { installDissector } from './dissector.js';

interface Options {
  readonly installDissector?: true;
  readonly directory?: string;
}

/** Throws Exit for bad options and for `--help`. */
function parseArgs(argv: readonly string[]): Options {
  const fail = (message: string): Exit => new Exit(STATUS.usage, `${message}; see vrouter analyzer --help`);
  const spec = new Command('vrouter analyzer')
    .description('receives what vRouters mirror')
    .helpOption('--help', 'display this help')
    .option('--install-dissector', 'copy the dissector into the plugin folder of this user’s Wireshark')
    .option('--directory <directory>', 'install it there instead');
  parse(spec, argv, fail);
  const options = spec.opts<Options>();
  if (!options.installDissector) throw fail('say what to do');
  return options;
}

async function install(directory?: string): Promise<string> {
  const path = await installDissector(directory).catch((error: unknown) => {
    throw new Exit(STATUS.refused, `the dissector is not installed: ${(error as Error).message}`);
  });
  return `${path}\nWireshark and tshark load it when they start, or with Analyze > Reload Lua Plugins.\n`;
}

export const analyzer: Tool = {
  name: 'analyzer',
  run: async (argv) => install(parseArgs(argv).directory),
};
