import { spawn } from 'node:child_process';

/** What a finished command left behind. `code` is -1 when a signal ended it. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with this input to its end, whatever its exit code. Rejects when it cannot be started. */
export type Run = (command: readonly string[], input?: string) => Promise<Outcome>;

/** iproute2 and nft answer within milliseconds; one that hangs is ended after so long. */
const TIMEOUT_MS = 30_000;

/** System programs come before what the caller's PATH may hold under the same name (a script of npm has `nft` of another kind). */
const PATH = `/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:${process.env['PATH'] ?? ''}`;

/** Runs real programs. */
export const runCommand: Run = (command, input = '') =>
  new Promise((resolve, reject) => {
    const [program, ...args] = command;
    const child = spawn(program, args, { stdio: 'pipe', timeout: TIMEOUT_MS, env: { ...process.env, PATH } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'ENOENT' ? 'is not installed' : cause.message;
      reject(new Error(`${program} ${reason}`, { cause }));
    });
    child.on('close', (code) => {
      resolve({ code: code ?? -1, stdout, stderr });
    });
    // A program that ends without reading its input closes the pipe; its exit code tells why.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
