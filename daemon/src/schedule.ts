import cron from 'node-cron';
import type { Logger } from 'pino';

/**
 * Does something at the times a cron expression names, until the returned function is called. What the timer itself has to say, as
 * that it came too late, goes to the log and nowhere else.
 */
export function schedule(times: string, work: () => void, log: Pick<Logger, 'error' | 'warn' | 'debug'>): () => void {
  const logger = {
    info: (message: string): void => {
      log.debug(message);
    },
    warn: (message: string): void => {
      log.warn(message);
    },
    error: (message: string | Error, error?: Error): void => {
      log.error({ err: error ?? message }, typeof message === 'string' ? message : 'a task that is due failed');
    },
    debug: (message: string | Error): void => {
      log.debug(String(message));
    },
  };
  const task = cron.schedule(times, work, { logger });
  return () => {
    void task.destroy();
  };
}
