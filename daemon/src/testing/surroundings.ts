import type { Daemon } from '../cli/client.js';
import type { Surroundings } from '../cli/tool.js';

/** Surroundings with a daemon that answers what `daemon` says; everything else throws. */
export function surroundings(daemon: Partial<Daemon>, more: Partial<Surroundings> = {}): Surroundings {
  const nothing = (): never => {
    throw new Error('not to be used in this test');
  };
  return {
    connect: () => daemon as Daemon,
    read: nothing,
    readBytes: nothing,
    print: nothing,
    progress: nothing,
    net: { echoes: nothing, resolve: nothing, interrupted: nothing, now: nothing, sleep: nothing },
    screen: { rows: nothing, show: nothing, key: nothing, now: nothing },
    ...more,
  };
}

/** An error as the file system gives it. */
export const nodeError = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
