/** The machine as tools that send packets use it. */
import { lookup } from 'node:dns/promises';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

import { openEchoes } from './echo-socket.js';
import type { Net } from './tool.js';

let interruption: AbortController | null = null;

/** The first Ctrl-C asks the tool to end, the second ends it. */
function interrupted(): AbortSignal {
  if (interruption === null) {
    const made = new AbortController();
    interruption = made;
    process.once('SIGINT', () => {
      made.abort();
    });
  }
  return interruption.signal;
}

export const net: Net = {
  echoes: openEchoes,
  resolve: async (name) => (await lookup(name)).address,
  interrupted,
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    if (ms > 0) await pause(ms, undefined, { signal }).catch(() => undefined);
  },
};
