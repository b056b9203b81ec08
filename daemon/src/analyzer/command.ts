/** `vrouter analyzer`: receives what vRouters mirror. Needs no daemon. */
import { Exit, STATUS } from '../cli/exit.js';
import type { Tool } from '../cli/tool.js';
import { installDissector } from './dissector.js';

async function install(directory: string | undefined): Promise<string> {
  const path = await installDissector(directory).catch((error: unknown) => {
    throw new Exit(STATUS.refused, `the dissector is not installed: ${(error as Error).message}`);
  });
  return `${path}\nWireshark and tshark load it when they start, or with Analyze > Reload Lua Plugins.\n`;
}

export const analyzer: Tool = {
  name: 'analyzer',
  run: async (argv, surroundings) => {
    // What receives packets is loaded only for this.
    const { parseAnalyzer } = await import('./args.js');
    const args = parseAnalyzer(argv);
    if (args.installDissector) return install(args.directory);
    const { runAnalyzer } = await import('./run.js');
    return runAnalyzer(args, surroundings);
  },
};
