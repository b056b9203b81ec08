/** How tools end. */

/** A tool ends: `message`, when there is one, is a line on stderr behind the tool's name, `out` goes to stdout. */
export class Exit extends Error {
  readonly status: number;
  readonly out: string;

  constructor(status: number, message: string, out = '') {
    super(message);
    this.status = status;
    this.out = out;
  }
}

/** Exit status of a refusal by the daemon, of bad usage (classic tools have their own), of a daemon that is not reachable. */
export const STATUS = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;
