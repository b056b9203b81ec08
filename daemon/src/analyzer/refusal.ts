import { Exit, STATUS } from '../cli/exit.js';

/** How the analyzer ends when something cannot be opened, or fails: what it is, and what the system says. */
export const refusal = (what: string, error: unknown): Exit =>
  new Exit(STATUS.refused, `${what}: ${(error as Error).message}`);
