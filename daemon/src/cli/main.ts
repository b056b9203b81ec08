/** Runs a tool as a process: arguments in, text on stdout, errors as one line on stderr, exit status. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

import { connect, DEFAULT_SOCKET } from './client.js';
import { Exit } from './exit.js';
import { net } from './net.js';
import { Terminal } from './screen.js';
import type { Tool } from './tool.js';

/** Whoever reads the output may stop reading: `vif --list | head` ends without a word. */
function endWithTheReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  throw error;
}

export async function main(tool: Tool): Promise<void> {
  process.stdout.on('error', endWithTheReader);
  process.stderr.on('error', endWithTheReader);
  const screen = new Terminal();
  try {
    const out = await tool.run(process.argv.slice(2), {
      connect: (socket) => connect(socket ?? process.env.VROUTERD_SOCKET ?? DEFAULT_SOCKET),
      read: (file) => (file === '-' ? text(process.stdin) : readFile(file, 'utf8')),
      readBytes: (file) => readFile(file),
      print: async (text) => {
        if (!process.stdout.write(text)) await once(process.stdout, 'drain');
      },
      progress: (line) => {
        process.stderr.write(`${tool.name}: ${line}\n`);
      },
      screen,
      net,
    });
    process.stdout.write(out);
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    if (error.message !== '') process.stderr.write(`${tool.name}: ${error.message}\n`);
    process.stdout.write(error.out);
    process.exitCode = error.status;
  } finally {
    screen.close();
  }
}
